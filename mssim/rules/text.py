"""Strategies in one line of text: kind:model+model,option=value,...

Everything is read off the fields of the strategy classes, so that a new strategy has its text at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.rules.stops import parse_stop
from mssim.rules.votes import Vote

__all__ = ["VOTE_NAMES", "describe", "options_of", "read_options", "split", "write"]

# Every named vote with what it takes besides prior, ties, within and combine, and an example of what it cannot do
# without.
_VOTES: dict[str, tuple[Callable[..., Vote], tuple[str, ...], dict[str, Any]]] = {
    "plurality": (Vote.plurality, (), {}),
    "entropy": (Vote.entropy, ("normaliser",), {}),
    "confidence": (Vote.confidence, ("temperature", "column"), {}),
    "score_sum": (Vote.score_sum, ("column",), {}),
    "best_of_n": (Vote.best_of_n, ("column",), {}),
    "max_consistency": (Vote.max_consistency, (), {}),
    "shortest": (Vote.shortest, ("m", "column"), {"m": 3}),
    "majority_of_bests": (Vote.majority_of_bests, ("m", "column"), {"m": 4}),
}
VOTE_NAMES = tuple(_VOTES)
_VOTE_OPTIONS = ("vote", "normaliser", "temperature", "column", "m", "within", "combine", "prior", "ties")

_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "agreement": (float, "agreement=0.8"),
    "temperature": (float, "temperature=0.5"),
    "m": (int, "m=3"),
    "cap": (int, "cap=40"),
    "sizes": (lambda text: tuple(int(part) for part in text.split("/")), "sizes=6/6/4"),
    "shares": (lambda text: tuple(float(part) for part in text.split("/")), "shares=2/1"),
    "prior": (lambda text: tuple(float(part) for part in text.split("/")), "prior=2/1"),
    "strict": (lambda text: {"true": True, "false": False}[text.lower()], "strict=true"),
    "test_last": (lambda text: {"true": True, "false": False}[text.lower()], "test_last=false"),
}


# Writing --------------------------------------------------------------------------------------------------------------


def write(kind: str, strategy: Any) -> str:
    """Write a strategy as text; what is not said is the default."""
    written = [f"{name}={value}" for name, value in _written(strategy).items()]
    return ",".join([f"{kind}:{'+'.join(strategy.models)}", *written])


def describe(kind: str, strategy: Any) -> dict[str, Any]:
    """Write a strategy as a mapping that `parse_strategy` reads, whatever its models are called."""
    return {"kind": kind, "models": list(strategy.models), **_written(strategy)}


def _written(strategy: Any) -> dict[str, str]:
    """The options that are not at their default, as text."""
    options: dict[str, tuple[Any, Any]] = {}
    for name, default in _options(type(strategy)).items():
        value = getattr(strategy, name)
        options |= _written_vote(value, default) if name == "vote" else {name: (value, default)}
    return {name: _write(value) for name, (value, default) in options.items() if value != default}


def _options(cls: type) -> dict[str, Any]:
    """The options of a strategy with their defaults."""
    return {
        f.name: f.default if f.default_factory is MISSING else f.default_factory()
        for f in fields(cls)
        if f.name not in ("model", "models")
    }


def options_of(cls: type) -> list[str]:
    """Names of the options that the text of a strategy may have."""
    return [name for field in _options(cls) for name in (_VOTE_OPTIONS if field == "vote" else (field,))]


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(_write(part) for part in value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _written_vote(vote: Vote, default: Vote) -> dict[str, tuple[Any, Any]]:
    """The options that make a vote, each with the default under the name that comes first."""
    if vote.function is not None:
        name, named = f"own:{getattr(vote.function, '__name__', 'function')}", Vote()
    else:
        name = _name(vote)
        named = _VOTES[name][0](**_VOTES[name][2])
    return {
        "vote": (name, _name(default)),
        **{
            option: (getattr(vote, option), None if option == "m" else getattr(named, option))
            for option in ("normaliser", "temperature", "column", "m", "within", "combine")
        },
        "prior": (vote.prior, None),
        "ties": (vote.ties, "first"),
    }


def _name(vote: Vote) -> str:
    match vote.ballots, vote.combine:
        case "one", "sum":
            return "entropy" if vote.within == "entropy" else "plurality"
        case "one", _:
            return "max_consistency"
        case "number", combine:
            return "score_sum" if combine == "sum" else "best_of_n"
        case "exp", _:
            return "confidence"
        case "shortest", _:
            return "shortest"
    return "majority_of_bests"


# Reading --------------------------------------------------------------------------------------------------------------


def split(given: str | Mapping[str, Any]) -> tuple[str, list[str], dict[str, Any]]:
    """Take text or a mapping apart: kind, models, options."""
    if isinstance(given, Mapping):
        options = dict(given)
        models = options.pop("models", [])
        if not isinstance(models, str | list | tuple) or not all(isinstance(name, str) for name in models):
            raise StrategyError(f"strategy {given!r}: models={models!r}; give a list of names")
        return str(options.pop("kind", "")), [models] if isinstance(models, str) else list(models), options
    if not isinstance(given, str) or ":" not in given:
        raise StrategyError(f"strategy {given!r}: write kind:model+model,option=value, e.g. 'sc:gpt-4'")
    kind, rest = given.split(":", 1)
    names, *parts = rest.split(",")
    options = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise StrategyError(f"strategy {given!r}: option {part!r}; write option=value")
        if name.strip() in options:
            raise StrategyError(f"strategy {given!r}: option {name.strip()!r} is there twice; give it once")
        options[name.strip()] = value.strip()
    return kind.strip(), [name.strip() for name in names.split("+")], options


def read_options(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Make the arguments of a strategy class of its options as text."""
    allowed = options_of(cls)
    for name in given:
        if name not in allowed:
            raise StrategyError(f"unknown option {name!r}; {choose_from(name, allowed)}")
    options = {name: _read(name, value) for name, value in given.items()}
    default = _options(cls).get("vote")
    if default is not None:
        of_vote = {name: options.pop(name) for name in _VOTE_OPTIONS if name in options and name not in _options(cls)}
        vote = _vote(options.pop("vote", _name(default)), of_vote)
        options["vote"] = vote
    return options


def _read(name: str, value: Any) -> Any:
    """Read the value of an option that may be text."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if name == "stop":
        return parse_stop(value)
    read, example = _READ.get(name, (str, ""))
    try:
        return read(value)
    except (ValueError, KeyError):
        raise StrategyError(f"{name}={value!r} cannot be read; e.g. {example}") from None


def _vote(name: Any, options: dict[str, Any]) -> Vote:
    if isinstance(name, Vote):
        if options:
            raise StrategyError(f"vote={name!r} says everything about the vote; leave {', '.join(options)} out")
        return name
    if isinstance(name, str) and name.startswith("own:"):
        raise StrategyError(
            f"vote={name!r}: a vote of your own is a Python function; give Vote.own(function) in Python"
        )
    if name not in _VOTES:
        raise StrategyError(f"vote={name!r}; {choose_from(str(name), _VOTES)}")
    make, own, example = _VOTES[name]
    overrides: dict[str, Any] = {option: options.pop(option) for option in ("within", "combine") if option in options}
    for option in options:
        if option not in (*own, "prior", "ties", *(("normaliser",) if overrides.get("within") == "entropy" else ())):
            owners = " or ".join(f"vote={other}" for other, (_, takes, _) in _VOTES.items() if option in takes)
            raise StrategyError(f"{option} belongs to {owners}; leave it out or ask for that vote")
    for option, value in example.items():
        if option not in options:
            raise StrategyError(f"vote={name} needs {option}; e.g. vote={name},{option}={value}")
    if "normaliser" not in own and "normaliser" in options:
        overrides["normaliser"] = options.pop("normaliser")
    return replace(make(**options), **overrides)
