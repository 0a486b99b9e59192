r"""Normal forms of LaTeX answers, which identify equal answers and spell others as math-verify reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from mssim.grading.characters import GROUP_SPACE, NO_SPACES, plain
from mssim.grading.numbers import fraction, whole_number

__all__ = ["as_latex", "normal_form"]

_LONGEST_NUMBER = 500
_STYLE = (
    r"\\(?:text|textbf|textit|textrm|texttt|emph|mathrm|mathbf|mathit|mathsf|mathtt|mbox|bm|boldsymbol|operatorname)"
)
# Units that math-verify does not know, and words, which it takes for products of variables.
_POWER = r"\^\s?(?:[23]|\{\s?[23]\s?\})"
_LENGTH = r"(?:[mckd]?m|ft|in|yd|mi|inch(?:es)?|feet|meters?|metres?|units?)"
_NO_UNITS = r"(?:infinity|theta|alpha|beta|gamma|delta|lambda|sigma|omega|epsilon|dozen|[mbtr]+illions?|thousand)\b"
_UNITS = (
    rf"{_LENGTH}\s?{_POWER}|{_LENGTH}/(?:s|sec|min|h|hr)(?:\s?{_POWER})?"
    rf"|(?!{_NO_UNITS})[A-Za-z]{{4,}}(?:\s[A-Za-z]{{2,}})*"
)
_SPELLINGS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(rf"{_STYLE}\s?\{{\s*([-+]?[\d.,]*\d[\d.,]*)\s*\}}"), r"\1"),  # \text{13}
    (re.compile(rf"{_STYLE}\s?\{{\s*([-+]?\d[\d.,]*)(\s+[^\d{{}}\\]+)\}}"), r"\1\\text{\2}"),  # \text{13 km}
    (re.compile(rf"{_STYLE}\s?\{{\s*([ei]|\\pi)\s*\}}"), r"\1"),  # the constants e and i in upright letters
    (
        re.compile(r"√\s?(?:([A-Za-z0-9]+)|\(([^()]*)\)|(?=\{))"),
        lambda m: rf"\sqrt{{{m[1] or m[2]}}}" if m[0] != "√" else r"\sqrt",
    ),
    (
        re.compile(r"(?<=[\d}])\s?(?:[°º˚]|\^\s?\{?\s?(?:[o°]|\\circ)\s?\}?(?![A-Za-z])|\\degree(?![A-Za-z]))"),
        r"^\\circ ",
    ),
    (re.compile(r"(?<=[\d)}])\s?[和與与及或]\s?(?=[-\d({\\])"), ", "),
    # Of 3 \text{ hours } 20 \text{ minutes}, math-verify would read the 3 only.
    (re.compile(rf"(?<=\d)(?:\s|\\[ ,;:])*{_STYLE}\s?\{{[^{{}}]*\}}(?:\s|\\[ ,;:])*(?=\d)"), ", "),
    (re.compile(r"~"), r"\\,"),
    (re.compile(rf"(?<=[\d}}])\s?[{NO_SPACES}][{NO_SPACES}/²³]*\Z"), ""),  # a unit
    (re.compile(rf"\A((?:[^A-Za-z\\]|\\[dtc]?frac)*[\d}}])\s(?:{_UNITS})\Z"), r"\1"),
]
_SYMBOLS = str.maketrans(
    {"·": r"\cdot ", "×": r"\times ", "÷": r"\div ", "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "≤": r"\le ",
     "≥": r"\ge ", "≠": r"\neq ", "±": r"\pm ", "∅": r"\emptyset ", "、": ", ", "。": ".", GROUP_SPACE: r"\,"}
)  # fmt: skip
_SPACES = re.compile(r"\\(?:[,;:! ]|q?quad(?![a-zA-Z]))|~|\\(?:left|right)(?![a-zA-Z])")
_WHITE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_SHORT_FRACTION = re.compile(r"\\frac(\d)(\d)")
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")


def as_latex(answer: str) -> str:
    r"""Return an answer in LaTeX as math-verify reads it, without the signs of a formula. Numbers have no group marks.

    Examples
    --------
    >>> as_latex("$√3$"), as_latex("90°"), as_latex("５元。"), as_latex(r"\text{13}"), as_latex(r"10\,000")
    ('\\sqrt{3}', '90^\\circ', '5', '13', '10000')
    """
    text = _rewritten(answer)
    number = None if _value(text) is None else whole_number(text)
    if number is None:
        return text
    mantissa, _, power = number.lower().partition("e")
    sign, over, under = ("-" if mantissa[0] == "-" else ""), *mantissa.removeprefix("-").partition("/")[::2]
    return (
        f"{sign}\\frac{{{over}}}{{{under}}}" if under else f"{mantissa} \\times 10^{{{power}}}" if power else mantissa
    )


def normal_form(answer: str) -> str | Fraction:
    r"""Return the normal form of a LaTeX answer. Numbers become exact fractions.

    Examples
    --------
    >>> normal_form(r"\dfrac{1}{2}") == normal_form("0.50") == normal_form("2 / 4")
    True
    >>> normal_form(r"$\left( x,\, y \right)$.")
    '(x,y)'
    """
    text = _rewritten(answer)
    number = _value(text)
    if number is not None:
        return number
    text = _FRACTION.sub(r"\\frac", _SPACES.sub(" ", text))
    return _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", _WHITE.sub("", " ".join(text.split())))


def _value(text: str) -> Fraction | None:
    return fraction(text) if len(text) <= _LONGEST_NUMBER else None


def _rewritten(answer: str) -> str:
    """Return an answer without the signs of a formula and in the characters and commands of LaTeX."""
    text = _trimmed(answer)
    if text.isascii() and not ("\\" in text or "^" in text or "~" in text or text[-1:].isalpha()):
        return text
    text = plain(text)
    if not text.isascii():
        text = _trimmed(text)
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return (text if text.isascii() else text.translate(_SYMBOLS)).strip()


def _trimmed(text: str) -> str:
    text = text.strip().rstrip("。．").removesuffix(".").rstrip()
    for before, after in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if len(text) > len(before + after) and text.startswith(before) and text.endswith(after):
            text = text[len(before) : -len(after)].strip()
    return text
