"""The language of the shell: messages of the library name its arguments; here they become options of the command.

The names are read from the parameters of the commands, so that they are always those of the command line.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import typer.core

from mssim.errors import MssimError

__all__ = ["ALSO", "Command", "as_options", "keep_names", "name_by"]

ALSO = {  # arguments of the library, and the parameter of a command that sets them
    "base": "against",
    "budget": "budgets",
    "families": "family",
    "model_id": "model",
    "n_folds": "folds",
    "n_questions": "questions",
    "n_resamples": "resamples",
    "n_runs": "runs",
    "n_samples": "samples",
    "name": "model",
    "names": "map_",
    "per": "equal",
    "pilot": "pool",
    "prices": "price",
    "question": "price_per_question",
    "run_a": "price_per_sample",
    "run_b": "price_per_sample",
    "settings": "setting",
    "strategies": "strategy",
    "within_a": "within",
    "within_b": "within",
    "x": "per",
}
_IMPLIED = {"select": ("models",)}  # --min-samples looks at the models that take part
_PHRASES = {  # calls without arguments to translate, and the commands that do the same
    "theory.extrapolate": "`mssim theory --extrapolate`",
    "Evaluation.save": "`mssim evaluate --out`",
    "AnswerModel.save": "`mssim simulate --save-model`",
    "Pool.save": "`mssim import`",
    "mssim.live.run": "`mssim live`",
}
_COMMANDS = {  # functions of files, and the commands that do the same
    "from_table": "`mssim import table {} --out POOL`",
    "grade": "`mssim grade {} --rule {}`",
}

_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_VALUE = rf"{_STRING}|\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\{{[^{{}}]*\}}|\([^()]*\)|\.\.\.|-?\w+(?:[.\w+-]*\w)?"
_ARGUMENT = re.compile(rf"([a-zA-Z_]\w*)=({_VALUE})?")
_WORD = rf"(?:{_STRING}|[A-Z]+)"
_CODE = re.compile(
    rf"(?<!\w)(?:(?P<quoted>{_STRING})(?!\w)"
    rf"|(?P<function>(?:\w+\.)*\w+)\((?P<words>{_WORD}(?:, {_WORD})*)\)"
    rf"|(?P<call>(?:\w+\.)*\w+)\((?:\.\.\., )?(?P<arguments>{_ARGUMENT.pattern}(?:, {_ARGUMENT.pattern})*)\)"
    rf"|(?<![,:/=.@-])(?P<argument>{_ARGUMENT.pattern})"
    rf"|(?P<named>\w+) \((?P<option>--[\w-]+)[^()]*\))"
)
_HEAD = re.compile(r"(\w+(?:, \w+)*)(=|: )")


class _Option(NamedTuple):
    """Spelling of an option."""

    on: str
    off: str  # of a flag that can be switched off
    is_flag: bool
    command: str  # that has the option, unless it is the one that runs


class _Names(NamedTuple):
    """Options by the names of their parameters."""

    own: Mapping[str, _Option]
    given: Mapping[str, _Option]  # all of `own` but what a file sets under the name of the argument
    others: Mapping[str, _Option]  # of all other commands


_current: ContextVar[_Names | None] = ContextVar("names", default=None)


class Command(typer.core.TyperCommand):
    """A command whose errors and warnings name its options."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        siblings = {} if ctx.parent is None else ctx.parent.command.commands
        others: dict[str, _Option] = {}
        for name in sorted(siblings, key=lambda name: name == "evaluate"):  # the command that most messages mean
            others |= _options(siblings[name], name)
        own = _options(self, "")
        token = _current.set(_Names(own, own, others))
        try:
            return super().invoke(ctx)
        except MssimError as error:
            raise type(error)(as_options(str(error))) from error
        finally:
            _current.reset(token)


def keep_names(names: Collection[str]) -> None:
    """Keep the names of arguments that a TOML file sets under these names."""
    current = _current.get()
    if current is not None:
        given = {name: option for name, option in current.own.items() if name not in names}
        _current.set(current._replace(given=given))


def name_by(argument: str, parameter: str) -> None:
    """Name an argument by another parameter of the command, which is the one that sets it."""
    current = _current.get()
    if current is not None and parameter in current.own:
        own = {**current.own, argument: current.own[parameter]}
        _current.set(current._replace(own=own, given={**current.given, argument: own[argument]}))


def as_options(message: str) -> str:
    """Return a message with options in place of arguments, if a command runs.

    Text in quotes and text of strategies stay as they are: what looks like an argument there was given by the user.
    """
    names = _current.get()
    if names is None or message.startswith("strategy "):
        return message
    head, message = _head(message, names.given)
    for phrase, command in _PHRASES.items():
        message = message.replace(phrase, command)
    given = _ARGUMENT.match(message) if head else None  # after a head, this is a column and its value
    start = given.end() if given else 0
    return head + message[:start] + _CODE.sub(lambda found: _translated(found, names), message[start:])


def _head(message: str, own: Mapping[str, _Option]) -> tuple[str, str]:
    """Split off the arguments before the problem, as options: "argument=value is ..." or "argument, argument: ..."."""
    found = _HEAD.match(message)
    options = [own.get(name) for name in found[1].split(", ")] if found else []
    if found is None or None in options:
        return "", message
    if found[2] == "=":
        argument = _ARGUMENT.match(message)
        if argument is not None and message[argument.end() :].startswith(": "):
            return "", message  # a value that is one of several that are allowed
    spelled = dict.fromkeys(option.on for option in options if option is not None)
    return f"{', '.join(spelled)}: ", message[found.end() :]


def _translated(found: re.Match[str], names: _Names) -> str:
    if found["function"]:
        return _command(found)
    if found["call"]:
        return _call(found, names)
    if found["argument"]:
        name, value = _ARGUMENT.fullmatch(found["argument"]).groups()  # type: ignore[union-attr]
        if value == "..." and name not in names.own and name in names.others:
            return f"{names.others[name].on} of `mssim {names.others[name].command}`"
        if name in names.given:
            return _spelled(names.given[name], value)
        in_file = name in names.own and value in ("True", "False")
        return f"{name}={value.lower()}" if in_file else found[0]
    if found["named"]:
        option = names.given.get(found["named"])
        return option.on if option is not None and option.on == found["option"] else found[0]
    return found[0]


def _command(found: re.Match[str]) -> str:
    """Return the command that does the same as a function of files."""
    command = _COMMANDS.get(found["function"].rpartition(".")[2])
    if command is None:
        return found[0]
    words = re.findall(_WORD, found["words"])
    return command.format(*(word if word.isupper() else shlex.quote(ast.literal_eval(word)) for word in words))


def _call(found: re.Match[str], names: _Names) -> str:
    """Return the options of a call; those that the command does not have are named with a command that has them."""
    implied = _IMPLIED.get(found["call"].rpartition(".")[2], ())
    arguments = [argument for argument in _ARGUMENT.findall(found["arguments"]) if argument[0] not in implied]
    options = [names.own.get(name) or names.others.get(name) for name, _ in arguments]
    if not options or None in options:
        return found[0]
    spelled = " ".join(_spelled(option, value) for option, (_, value) in zip(options, arguments, strict=True) if option)
    elsewhere = {option.command for option in options if option and option.command}
    return f"{spelled} of `mssim {elsewhere.pop()}`" if elsewhere else spelled


def _spelled(option: _Option, text: str | None) -> str:
    """Return an option with a value that is given as Python code."""
    if not text or text == "...":
        return option.on
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):  # a placeholder
        return f"{option.on} {text}"
    if option.is_flag or isinstance(value, bool):  # evaluate(quantiles=True) is what --quantiles with a value asks for
        return option.off if value is False else option.on
    if isinstance(value, Mapping):
        given = [f"{column}={'VALUE' if one is ... else one}" for column, one in value.items()]
        return " ".join(f"{option.on} {shlex.quote(condition)}" for condition in given)
    if (
        isinstance(value, list) and value and all(isinstance(one, list | tuple) for one in value)
    ):  # an option that is repeated
        return " ".join(f"{option.on} {shlex.quote(','.join(map(str, one)))}" for one in value)
    if isinstance(value, list | tuple):
        return option.on if ... in value else f"{option.on} {shlex.quote(','.join(map(str, value)))}"
    return f"{option.on} {shlex.quote(str(value))}"


def _options(command: Any, name: str) -> dict[str, _Option]:
    """Return the options of a command by the names of their parameters and by other names of the library."""
    found = {}
    for parameter in command.params:
        long = [text for text in parameter.opts if text.startswith("--")]
        if long:
            off = (parameter.secondary_opts or [f"no {long[0]}"])[0]
            found[parameter.name] = _Option(long[0], off, bool(getattr(parameter, "is_flag", False)), name)
    return {argument: found[own] for argument, own in ALSO.items() if own in found} | found
