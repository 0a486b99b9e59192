"""Rules as text: kind:model+model,option=value,...

All is read off the fields of the strategy classes and off the registries of stop rules and votes, so that a new rule
has its text at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any, get_args

import numpy as np

from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.rules.names import first_name, quoted
from mssim.rules.registry import STOPS, VOTES
from mssim.rules.stops import Stop
from mssim.rules.votes import Vote
from mssim.rules.votes.base import NamedVote

__all__ = ["USE_QUOTES", "describe", "options_of", "parse_stop", "read_options", "split", "write"]

USE_QUOTES = "A model whose name contains + or a comma needs quotes, as in 'sc:\"a+b\"'."
_OF_VOTE = ("normaliser", "temperature", "column", "m", "answers", "keep", "power", "alpha", "within", "combine")
_VOTE_OPTIONS = ("vote", *_OF_VOTE, "prior", "ties")


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(kind(part) for part in text.split("/"))


def _summands(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split("+"))


def _number_or_numbers(text: str) -> int | tuple[int | None, ...]:
    parts = tuple(None if part.strip().lower() == "none" else int(part) for part in text.split("/"))
    return parts[0] if len(parts) == 1 and parts[0] is not None else parts


def _float_or_floats(text: str) -> float | tuple[float, ...]:
    parts = tuple(float(part) for part in text.split("/"))
    return parts[0] if len(parts) == 1 else parts


# How an option is read by the type of its field, and an example of it.
_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "float": (float, "0.8"),
    "int": (int, "3"),
    "bool": (_truth, "true"),
    "str": (str, ""),
    "float | str": (_number_or_word, "0.8"),
    "int | Sequence[int | None]": (_number_or_numbers, "2048"),
    "float | Sequence[float]": (_float_or_floats, "0.8"),
    "Sequence[int]": (_numbers(int), "2/4/8"),
    "Sequence[float]": (_numbers(float), "2/1"),
    "Sequence[str]": (_numbers(str), "a/b"),
    "Sequence[Sequence[float]]": (lambda text: tuple(map(_summands, text.split("/"))), "0.6+0.3+0.1"),
}


# Writing --------------------------------------------------------------------------------------------------------------


def write(kind: str, strategy: Any) -> str:
    """Write a strategy as text; options at their defaults are left out, and names that need quotes have them."""
    written = [f"{name}={quoted(value, ',@')}" for name, value in _written(strategy).items()]
    return ",".join([f"{kind}:{'+'.join(map(quoted, strategy.models))}", *written])


def describe(kind: str, strategy: Any) -> dict[str, Any]:
    """Write a strategy as a mapping that `parse_strategy` reads, whatever its models are called."""
    return {"kind": kind, "models": list(strategy.models), **_written(strategy)}


def _written(strategy: Any) -> dict[str, str]:
    """The options that are not at their default, as text."""
    options: dict[str, tuple[Any, Any]] = {}
    for name, field in _options(type(strategy)).items():
        value, default = getattr(strategy, name), _default(field)
        options |= _written_vote(value, default) if name == "vote" else {name: (value, default)}
    return {name: _write(value) for name, (value, default) in options.items() if value != default}


def _options(cls: type) -> dict[str, Field[Any]]:
    """The fields of a strategy or stop rule that are options; those with an underscore are not."""
    named = fields(cls) if is_dataclass(cls) else ()
    return {f.name: f for f in named if f.name not in ("model", "models") and not f.name.startswith("_")}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def options_of(cls: type) -> list[str]:
    """Return the names of the options that the text of a strategy may have."""
    return [name for field in _options(cls) for name in (_VOTE_OPTIONS if field == "vote" else (field,))]


def _write(value: Any) -> str:
    if value is None:  # of one of several models
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(_write(part) for part in value)
    if isinstance(value, float | np.floating):  # the repr of a number of NumPy has the name of its type
        return repr(float(value)).removesuffix(".0")
    return str(value)


def _written_vote(vote: Vote, default: Vote) -> dict[str, tuple[Any, Any]]:
    """The options that make a vote, each with the default under the name that comes first."""
    if vote.function is not None:
        name, named = f"own:{getattr(vote.function, '__name__', 'function')}", Vote()
    else:
        name = _name(vote)
        named = _make(VOTES[name], dict(VOTES[name].example))
    return {
        "vote": (name, _name(default)),
        **{option: (getattr(vote, option), None if option == "m" else getattr(named, option)) for option in _OF_VOTE},
        "prior": (vote.prior, None),
        "ties": (vote.ties, "first"),
    }


def _name(vote: Vote) -> str:
    return next(name for name, named in VOTES.items() if named.matches(vote))


def _make(named: NamedVote, options: Mapping[str, Any]) -> Vote:
    made: Vote = getattr(Vote, named.make)(**options)
    return made


# Reading --------------------------------------------------------------------------------------------------------------


def split(
    given: str | Mapping[str, Any], what: str = "strategy", example: str = "sc:gpt-4"
) -> tuple[str, list[str], dict[str, Any]]:
    """Split text or a mapping into kind, models and options. `what` it is and an example are for messages."""
    if isinstance(given, Mapping):
        options = dict(given)
        models = options.pop("models", [])
        if not isinstance(models, str | list | tuple) or not all(isinstance(name, str) for name in models):
            raise StrategyError(
                f"{what} {given!r}: models={models!r} is not a list of names. Use e.g. ['strong', 'weak']."
            )
        return str(options.pop("kind", "")), [models] if isinstance(models, str) else list(models), options
    if not isinstance(given, str) or ":" not in given:
        alone = ", or 'gpt-4@1' for samples of one model" if what == "strategy" else ""
        raise StrategyError(
            f"{what} {given!r} has no kind. Write kind:model+model,option=value, e.g. {example!r}{alone}."
        )
    kind, rest = given.split(":", 1)
    try:
        return kind.strip(), *_split_text(rest)
    except StrategyError as error:
        raise StrategyError(f"{what} {given!r}: {error}") from None


def _split_text(text: str) -> tuple[list[str], dict[str, Any]]:
    """Split the text after the kind into models and options."""
    models: list[str] = []
    options: dict[str, Any] = {}
    separator = "+"
    while separator == "+":
        model, separator, text = first_name(text)
        if not model:
            raise StrategyError("the name of a model is empty. Write kind:model or kind:model+model, e.g. sc:gpt-4.")
        models.append(model)
    while separator:
        name, separator, text = first_name(text, "=,")
        if separator != "=" and options and re.fullmatch(r"[\d.]+", name):
            before, value = next(reversed(options.items()))
            raise StrategyError(
                f"option {name!r} has no value. Separate several numbers by a slash: {before}={value}/{name}."
            )
        if separator != "=":
            raise StrategyError(f"option {name!r} has no value. Write option=value. {USE_QUOTES}")
        if name in options:
            raise StrategyError(f"option {name!r} appears twice. Remove one of them.")
        options[name], separator, text = first_name(text, ",")
    return models, options


def read_options(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the arguments of a strategy class from its options as text."""
    known, allowed = _options(cls), options_of(cls)
    for name in given:
        if name not in allowed:
            hint = choose_from(name, allowed)
            of_name = "" if hint.startswith("Did you mean") else f" {USE_QUOTES}"
            raise StrategyError(f"unknown option {name!r}. {hint}.{of_name}")
    of_vote = {f.name: f for f in fields(Vote)}
    options = {name: _read(name, (of_vote | known)[name], value) for name, value in given.items()}
    if "vote" in known:
        parts = {name: options.pop(name) for name in _VOTE_OPTIONS if name in options and name not in known}
        options["vote"] = _vote(options.pop("vote", _name(_default(known["vote"]))), parts)
    return options


def _read(name: str, field: Field[Any], value: Any) -> Any:
    """Read the value of an option that may be text."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list | np.ndarray) else value
    kind = "Sequence[float]" if name == "prior" else _type(field)
    if kind == "Stop":
        return parse_stop(value)
    if kind == "Vote":  # its name, which `_vote` reads with the other options of the vote
        return value
    read, example = _reader(name, kind)
    try:
        return read(value)
    except (ValueError, KeyError):
        raise StrategyError(f"{name}={value!r} cannot be read. Example: {name}={example}.") from None


def _reader(name: str, kind: str) -> tuple[Callable[[str], Any], str]:
    """How a type is read, and an example."""
    if kind not in _READ:
        raise StrategyError(f"{name}: an option of type {kind} cannot be given as text. Use an object in Python.")
    return _READ[kind]


def _type(field: Field[Any]) -> str:
    """Name of a field's type without its module, whether annotations of its class are evaluated or not."""
    written = field.type.__name__ if isinstance(field.type, type) and not get_args(field.type) else str(field.type)
    return re.sub(r"\b\w+\.", "", written).removesuffix(" | None")


def _vote(name: Any, options: dict[str, Any]) -> Vote:
    if isinstance(name, Vote):
        if options:
            raise StrategyError(
                f"vote={name!r}: {', '.join(options)} cannot be combined with a Vote. Set it when the Vote is created."
            )
        return name
    if isinstance(name, str) and name.startswith("own:"):
        raise StrategyError(
            f"vote={name!r}: a Python function cannot be given as text. Use an object of Vote.own in Python."
        )
    if not isinstance(name, str) or name not in VOTES:
        raise StrategyError(f"unknown vote {name!r}. {choose_from(str(name), VOTES)}.")
    named = VOTES[name]
    overrides: dict[str, Any] = {option: options.pop(option) for option in ("within", "combine") if option in options}
    with_entropy = ("normaliser",) if overrides.get("within") == "entropy" else ()
    for option in options:
        if option not in (*named.options, "prior", "ties", *with_entropy):
            owners = " or ".join(f"vote={other}" for other, vote in VOTES.items() if option in vote.options)
            raise StrategyError(
                f"{option} is an option of {owners}, not of vote={name}. Remove it, or use another vote."
            )
    for option, value in named.example.items():
        if option not in options:
            raise StrategyError(f"vote={name} requires {option}. Use e.g. vote={name},{option}={value}.")
    if "normaliser" not in named.options and "normaliser" in options:
        overrides["normaliser"] = options.pop("normaliser")
    return replace(_make(named, options), **overrides)


def parse_stop(given: str) -> Stop:
    """Read a stop rule from text: its name and the values of its fields, name:value/value.

    Examples
    --------
    >>> parse_stop("majority:0.9/4")
    MajorityStop(share=0.9, min_samples=4)
    """
    name, _, rest = (part.strip() for part in given.partition(":"))
    if name not in STOPS:
        raise StrategyError(f"stop={given!r}: unknown rule {name!r}. {choose_from(name, STOPS)}, e.g. stop=beta:0.95.")
    cls: Any = STOPS[name]
    options = _options(cls)
    kinds = [_type(field) for field in options.values()]
    several = len(kinds) - 1 if kinds and kinds[-1].startswith("Sequence") else -1  # a last list takes all that follows
    texts = rest.split("/", several) if rest else []
    readers = [_reader(option, kind) for option, kind in zip(options, kinds, strict=True)]
    try:
        values = [read(text) for (read, _), text in zip(readers, texts, strict=False)]
        if len(texts) > len(options) or any(_default(f) is MISSING for f in [*options.values()][len(texts) :]):
            raise ValueError
    except (ValueError, KeyError):
        defaults = [_default(field) for field in options.values()]
        missing = (MISSING, ())
        while len(defaults) > 1 and defaults[-1] is None:
            defaults.pop()  # without a value, an option is not written
        shown = [example if value in missing else value for (_, example), value in zip(readers, defaults, strict=False)]
        example = ":".join([name, *(["/".join(map(str, shown))] if shown else [])])
        raise StrategyError(f"stop={given!r} cannot be read. Example: stop={example}.") from None
    made: Stop = cls(*values)
    return made
