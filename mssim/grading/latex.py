r"""Normal forms of LaTeX answers, which identify equal answers without math-verify."""

from __future__ import annotations

import re
from fractions import Fraction

_SPACES = re.compile(r"\\(?:[,;:! ]|q?quad(?![a-zA-Z]))|~|\\(?:left|right)(?![a-zA-Z])")
_WHITE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_SHORT_FRACTION = re.compile(r"\\frac(\d)(\d)")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_NUMBER = re.compile(rf"([-+]?)({_DIGITS}(?:\.\d+)?|\.\d+)", re.ASCII)
_FRACTION = re.compile(rf"([-+]?)(?:\\frac\{{({_DIGITS})\}}\{{({_DIGITS})\}}|({_DIGITS})/({_DIGITS}))", re.ASCII)
_LONGEST_NUMBER = 100


def normal_form(answer: str) -> str | Fraction:
    r"""Return the normal form of a LaTeX answer. Numbers and fractions become exact fractions.

    Examples
    --------
    >>> normal_form(r"\dfrac{1}{2}") == normal_form("0.50") == normal_form("2 / 4")
    True
    >>> normal_form(r"$\left( x,\, y \right)$.")
    '(x,y)'
    """
    text = answer.strip().removesuffix(".").rstrip()
    for before, after in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if len(text) > 2 and text.startswith(before) and text.endswith(after):
            text = text[len(before) : -len(after)]
    text = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", _SPACES.sub(" ", text))
    text = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", _WHITE.sub("", " ".join(text.split())))
    number = _exact(text) if len(text) <= _LONGEST_NUMBER else None
    return text if number is None else number


def _exact(text: str) -> Fraction | None:
    plain = text.replace("\N{MINUS SIGN}", "-")
    if found := _NUMBER.fullmatch(plain):
        size = Fraction(found[2].replace(",", ""))
    elif found := _FRACTION.fullmatch(plain):
        over, under = (int(part.replace(",", "")) for part in (found[2] or found[4], found[3] or found[5]))
        if under == 0:
            return None
        size = Fraction(over, under)
    else:
        return None
    return -size if found[1] == "-" else size
