"""Rules of grading, which define the extraction and the equality of answers."""

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
    """Rule of grading, as returned by `parse_rule`.

    Attributes
    ----------
    name : str
        Name of the rule, as accepted by `parse_rule`.
    extract : callable (text) -> str or None
        Returns the answer of a text. None or a blank text means no answer.
    read_truth : callable (text) -> str or None
        Returns the truth in the form of an answer, or None if no answer can equal it.
    key : callable (answer) -> hashable
        Answers to a question with equal keys belong to the same class.
    equivalence : bool, default False
        Whether math-verify compares answers with different keys.
    truths : str, default "text"
        Description of valid truths, for warnings.
    of_choices : callable (tuple of str) -> Rule, optional
        Returns the rule for a question with the given choices.
    versions : mapping of str to str
        Versions of packages on which the classes depend.

    Examples
    --------
    >>> from mssim.grading import Rule
    >>> first_word = Rule("first-word", lambda text: text.split()[0] if text.split() else None, key=str.lower)
    >>> first_word.extract("Yes, it is."), first_word.key("YES,")
    ('Yes,', 'yes,')
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
            'Boxed answers require math-verify, which is not installed. Run `python -m pip install "mssim[grade]"`.'
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
    # As in the code of ModelSwitch, except for MMLU-Pro, whose extraction was not released.
    "gsm8k": lambda: _paper_number(float),
    "mgsm": lambda: _paper_number(float),
    "mathbench": lambda: _paper_number(_as_written),
    "math": _boxed,
    "mmlu-pro": lambda: _letters("ABCDEFGHIJ"),
    "aime24": _number,
}  # fmt: skip


def parse_rule(text: str) -> Rule:
    r"""Parse the name of a rule.

    Parameters
    ----------
    text : str
        - ``number``: the last number of the last \\boxed{} or, without a box, of the text. 7 and 7.0 are equal.
        - ``boxed``: the content of the last closed \\boxed{} or \\fbox{}. math-verify determines which answers are
          equal. Without a box there is no answer.
        - ``choice``: the letter of a choice. If questions have `choices`, their texts are recognized too.
        - ``date``: the last MM/DD/YYYY. 1/2/2020 and 01/02/2020 are equal.
        - ``exact``: the whole text without surrounding white space.
        - ``regex=PATTERN``: the last match. Its group named answer is used, or else group 1, or else the whole match.
        - ``python=module:function``: the return value of a function of the text, which is text or None for no answer.
          The module may be in the current directory.
        - a data set of the ModelSwitch paper, graded as in its code: ``gsm8k`` and ``mgsm`` (last number, compared as
          floats), ``mathbench`` (last number, compared as text), ``math`` (boxed), ``mmlu-pro`` (a letter from A to J),
          ``aime24`` (number). For DATE, use ``date``.

    Returns
    -------
    Rule
        The rule.

    Raises
    ------
    MssimError
        If the rule is not known, if a pattern or function is invalid, or if math-verify is not installed.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> rule = parse_rule("number")
    >>> rule.extract("The answer is 7.0."), rule.key("7.0") == rule.key("7"), rule.read_truth("3/4")
    ('7.0', True, None)
    """
    kind, given, value = text.partition("=")
    if given and kind in ("regex", "python"):
        return replace(_regex(value) if kind == "regex" else _python(value), name=text)
    if text not in _RULES:
        raise MssimError(
            f"rule {text!r} is not known. {choose_from(text, _RULES)}, regex=PATTERN, python=module:function."
        )
    return replace(_RULES[text](), name=text)


def _regex(pattern: str) -> Rule:
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise MssimError(f"rule regex={pattern}: the pattern is invalid ({error}). Correct it.") from error
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
        raise MssimError(f"rule python={name} is not of the form python=module:function.")
    importlib.invalidate_caches()  # the file may be newer than the caches
    sys.path.insert(0, "")  # the current directory, as in `python -m`
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise MssimError(
            f"rule python={name}: module {module!r} cannot be imported ({type(error).__name__}: {error}). "
            "Install it, or run mssim in its directory."
        ) from error
    finally:
        sys.path.remove("")
    function = getattr(found, attribute, None)
    if not callable(function):
        names = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        raise MssimError(
            f"rule python={name}: {module} has no function {attribute!r}. {choose_from(attribute, names)}."
        )
    return Rule("python", function)
