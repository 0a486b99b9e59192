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
from mssim.grading.boxes import last_boxed, minerva_answer
from mssim.grading.choices import choice_in, read_choice
from mssim.grading.dates import last_date, padded_date, read_date
from mssim.grading.latex import normal_form
from mssim.grading.numbers import exact_value, first_number, last_number, number_in, read_number
from mssim.grading.paper import last_number_of_paper, read_number_of_paper
from mssim.pools.texts import normal

__all__ = ["Rule", "parse_rule"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REASONING = ("drop", "keep")


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
    reasoning : str, default "drop"
        Whether reasoning before an answer, as between <think> and </think>, is dropped or kept.

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
    reasoning: str = "drop"


def _number() -> Rule:
    return Rule("number", _number_of, _number_truth, exact_value, truths="one number (for others, see rule boxed)")


def _number_of(text: str) -> str | None:
    marked = _boxed_of(text)
    return last_number(text) if marked is None else number_in(marked)


def _number_truth(text: str) -> str | None:
    boxed = last_boxed(text)
    return read_number(text) if boxed is None else number_in(boxed)


def _paper_number(key: Callable[[str], Hashable]) -> Rule:
    return replace(_number(), extract=last_number_of_paper, read_truth=read_number_of_paper, key=key)


def _boxed() -> Rule:
    return _as_mathematics(Rule("boxed", _boxed_of))


def _as_mathematics(rule: Rule) -> Rule:
    """Return a rule whose answers are compared by math-verify."""
    try:
        versions = {"math_verify": importlib.metadata.version("math-verify")}
    except importlib.metadata.PackageNotFoundError:
        raise MssimError(
            "Comparison of mathematical answers requires math-verify, which is not installed. Run "
            '`python -m pip install "mssim[grade]"`.'
        ) from None
    return replace(rule, read_truth=_boxed_truth, key=normal_form, equivalence=True, versions=versions)


def _boxed_of(text: str) -> str | None:
    boxed = last_boxed(text)
    return minerva_answer(text) if boxed is None else boxed


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
    return Rule("exact", normal)


_RULES: dict[str, Callable[[], Rule]] = {
    "number": _number,
    "first-number": lambda: replace(_number(), extract=first_number),
    "boxed": _boxed, "choice": _choice, "date": _date, "exact": _exact,
    # As in the code of ModelSwitch, except for MMLU-Pro, whose extraction was not released.
    "gsm8k": lambda: _paper_number(float),
    "mgsm": lambda: _paper_number(float),
    "mathbench": lambda: _paper_number(_as_written),
    "math": _boxed,
    "mmlu-pro": lambda: _letters("ABCDEFGHIJ"),
    "aime24": _number,
}  # fmt: skip


def parse_rule(text: str, *, reasoning: str = "drop") -> Rule:
    r"""Parse the name of a rule.

    Parameters
    ----------
    text : str
        - ``number``: the number in the last \\boxed{} or, without a box, the last number of the text. 7 and 7.0 are
          equal, and so are 0.5, 1/2 and \\frac{1}{2}. A box with anything but one number, its unit and words, such as
          \\sqrt{2}, has no answer.
        - ``first-number``: the first number of the text, for completions of few-shot prompts.
        - ``boxed``: the content of the last closed \\boxed{} or \\fbox{} or, without a box, X of "The final answer is
          X. I hope it is correct." math-verify determines which answers are equal.
        - ``choice``: the letter of a choice that is not negated. Several letters, as in "A or B", are not an answer. If
          questions have `choices`, their texts are recognised too.
        - ``date``: the last MM/DD/YYYY. 1/2/2020 and 01/02/2020 are equal.
        - ``exact``: the whole text, in Unicode normal form C and without surrounding white space.
        - ``regex=PATTERN``: the last match. Its group named answer is used, or else group 1, or else the whole match.
        - ``python=module:function``: the return value of a function of the text, which is text or None for no answer.
          The module may be in the current directory.
        - ``regex=PATTERN,equal=math`` and ``python=module:function,equal=math``: as above, and math-verify determines
          which answers are equal.
        - a data set of the ModelSwitch paper, graded as in its code: ``gsm8k`` and ``mgsm`` (last number, compared as
          floats), ``mathbench`` (last number, compared as text), ``math`` (boxed), ``mmlu-pro`` (a letter from A to J),
          ``aime24`` (number). For DATE, use ``date``.
    reasoning : str, default "drop"
        With "drop", only what follows the last end of reasoning, such as </think>, is read, and a text whose reasoning
        does not end has no answer. With "keep", the reasoning is read as well, also that of a column `reasoning`.

    Returns
    -------
    Rule
        The rule.

    Raises
    ------
    MssimError
        If the rule or the value of `reasoning` is not known, if a pattern or function is invalid, or if math-verify is
        not installed.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> rule = parse_rule("number")
    >>> rule.extract("The answer is 7.0."), rule.key("7.0") == rule.key("7"), rule.read_truth("seven")
    ('7.0', True, None)
    """
    if reasoning not in _REASONING:
        raise MssimError(f"reasoning: {reasoning!r} is not known. {choose_from(str(reasoning), _REASONING)}.")
    return replace(_parse(text), name=text, reasoning=reasoning)


def _parse(text: str) -> Rule:
    kind, given, value = text.partition("=")
    if given and kind in ("regex", "python"):
        value, how = re.fullmatch(r"(.*?)(?:,equal=(\w+))?", value, re.DOTALL).groups()  # type: ignore[union-attr]
        if how not in (None, "math"):
            raise MssimError(f"rule {text}: equal={how} is not known. Use equal=math, or omit it.")
        rule = _regex(value) if kind == "regex" else _python(value)
        return _as_mathematics(rule) if how else rule
    if text not in _RULES:
        raise MssimError(
            f"rule {text!r} is not known. {choose_from(text, _RULES)}, regex=PATTERN, python=module:function."
        )
    return _RULES[text]()


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
