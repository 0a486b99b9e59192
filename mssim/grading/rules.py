"""Rules of grading: which part of a text is the answer, which answers are one, and how a truth is read."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.grading.extract import (
    choice_in,
    exact_value,
    last_boxed,
    last_date,
    last_number,
    last_number_of_paper,
    padded_date,
    read_choice,
    read_date,
    read_number,
)
from mssim.grading.latex import normal_form

__all__ = ["Rule", "parse_rule"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _as_written(text: str) -> str:
    return text


@dataclass(frozen=True)
class Rule:
    """How texts are graded; made by `parse_rule`.

    Attributes
    ----------
    name : str
        As `parse_rule` reads it.
    extract : callable (text) -> str or None
        The answer; None or blank = no answer.
    read_truth : callable (text) -> str or None
        The truth as an answer; None = no answer can ever equal it.
    key : callable (answer) -> hashable
        Answers to a question with equal keys are one class.
    equivalence : bool
        Whether math-verify is asked which of the remaining answers are equal.
    truths : str
        What a truth that can be met is, for warnings.
    of_choices : callable (tuple of str) -> Rule, optional
        The same rule for a question with these choices.
    versions : mapping of str to str
        What else the classes depend on.
    """

    name: str
    extract: Callable[[str], str | None]
    read_truth: Callable[[str], str | None] = _as_written
    key: Callable[[str], Hashable] = _as_written
    equivalence: bool = False
    truths: str = "text"
    of_choices: Callable[[tuple[str, ...]], Rule] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def _number() -> Rule:
    return Rule("number", last_number, read_number, exact_value, truths="one number (for others, see rule boxed)")


def _paper_number(key: Callable[[str], Hashable]) -> Rule:
    return replace(_number(), extract=last_number_of_paper, key=key)


def _boxed() -> Rule:
    try:
        versions = {"math_verify": importlib.metadata.version("math-verify")}
    except importlib.metadata.PackageNotFoundError:
        raise MssimError(
            'boxed answers are compared by math-verify, which is not installed: python -m pip install "mssim[grade]"'
        ) from None
    return Rule("boxed", last_boxed, _boxed_truth, normal_form, equivalence=True, versions=versions)


def _boxed_truth(text: str) -> str:
    boxed = last_boxed(text)
    return text if boxed is None else boxed


def _date() -> Rule:
    return Rule("date", last_date, read_date, padded_date, truths="a date MM/DD/YYYY")


def _choice() -> Rule:
    return replace(_letters("ABCDEFGHIJ"), of_choices=lambda choices: _letters(_LETTERS[: len(choices)], choices))


def _letters(letters: str, choices: tuple[str, ...] = ()) -> Rule:
    return Rule(
        "choice",
        lambda text: choice_in(text, letters, choices),
        lambda text: read_choice(text, letters, choices),
        truths="the letter or the text of a choice",
    )


def _exact() -> Rule:
    return Rule("exact", str.strip)


_RULES: dict[str, Callable[[], Rule]] = {
    "number": _number, "boxed": _boxed, "choice": _choice, "date": _date, "exact": _exact,
    # As the authors of ModelSwitch grade their data sets. Their own way to find the letter of MMLU-Pro is not known.
    "gsm8k": lambda: _paper_number(float),
    "mgsm": lambda: _paper_number(float),
    "mathbench": lambda: _paper_number(_as_written),
    "math": _boxed,
    "mmlu-pro": lambda: _letters("ABCDEFGHIJ"),
    "aime24": _number,
}  # fmt: skip


def parse_rule(text: str) -> Rule:
    r"""Read the name of a rule.

    Parameters
    ----------
    text : str
        - ``number``: the last number of the last \\boxed{}, or of the text where there is no box; 7 and 7.0 are one.
        - ``boxed``: the last \\boxed{} or \\fbox{} that is closed, none = no answer; what math-verify finds equal is
          one.
        - ``choice``: the letter of a choice; where questions have `choices`, theirs, and their texts count too.
        - ``date``: the last MM/DD/YYYY; 1/2/2020 and 01/02/2020 are one.
        - ``exact``: the whole text without white space around it.
        - ``regex=PATTERN``: the last match; of it the group named answer, else group 1, else all.
        - ``python=module:function``: what the function makes of a text: text, or None = no answer. The module may lie
          in the current directory.
        - a data set of the paper, graded as its authors do: ``gsm8k``, ``mgsm`` (last number, compared as floats),
          ``mathbench`` (last number, compared as text), ``math`` (boxed), ``mmlu-pro`` (a letter A to J), ``aime24``
          (number); ``date`` is DATE's own rule.

    Raises
    ------
    MssimError
        If there is no such rule, a pattern or function cannot be had, or math-verify is not installed.

    Examples
    --------
    >>> rule = parse_rule("number")
    >>> rule.extract("The answer is 7.0."), rule.key("7.0") == rule.key("7"), rule.read_truth("3/4")
    ('7.0', True, None)
    """
    kind, given, value = text.partition("=")
    if given and kind in ("regex", "python"):
        return replace(_regex(value) if kind == "regex" else _python(value), name=text)
    if text not in _RULES:
        raise MssimError(f"rule {text!r}; {choose_from(text, _RULES)}, regex=PATTERN, python=module:function")
    return replace(_RULES[text](), name=text)


def _regex(pattern: str) -> Rule:
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise MssimError(f"rule regex={pattern}: the pattern does not compile ({error}); correct it") from error
    group: str | int = "answer" if "answer" in compiled.groupindex else min(compiled.groups, 1)

    def extract(text: str) -> str | None:
        last = None
        for match in compiled.finditer(text):
            last = match
        return None if last is None else last[group]

    return Rule("regex", extract)


def _python(name: str) -> Rule:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise MssimError(f"rule python={name}: write python=module:function")
    importlib.invalidate_caches()  # the file may be new
    sys.path.insert(0, "")  # the current directory, as python itself has it
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise MssimError(
            f"rule python={name}: module {module!r} cannot be imported ({type(error).__name__}: {error}); "
            "it must be installed or lie in the current directory"
        ) from error
    finally:
        sys.path.remove("")
    function = getattr(found, attribute, None)
    if not callable(function):
        names = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        raise MssimError(f"rule python={name}: no function {attribute!r} in {module}; {choose_from(attribute, names)}")
    return Rule("python", function)
