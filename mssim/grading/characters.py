"""Characters of other scripts that stand for digits, signs, spaces and letters of ASCII."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["GROUP_SPACE", "NO_SPACES", "plain"]

GROUP_SPACE = "\N{NO-BREAK SPACE}"  # stands for all spaces that are not broken or narrower than a word space

# Scripts that write no spaces between words: a letter before a number or a choice is not part of it.
NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
)

_SUPER, _SUB = "⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
_RAISED = str.maketrans(_SUPER, "+-0123456789") | str.maketrans(_SUB, "0123456789")
_VULGAR = "\u00bc-\u00be\u2150-\u215e\u2189"
_FRACTION = re.compile(rf"(?<![⁰¹²³⁴-⁹])([⁰¹²³⁴-⁹]++)[⁄/]([{_SUB}]+)|([{_VULGAR}])")
_EXPONENT = re.compile(rf"[{_SUPER}]+")
_INDEX = re.compile(rf"[{_SUB}]+")
_UNDRAWN = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"  # marks of direction and breaks


class _Table(dict[int, str]):
    """Translation table that adds decimal digits of any script when they are first met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = found = str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
        return found


_PLAIN = _Table({code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)})  # fullwidth forms
for _letters, _stands_for in {
    "‐‑‒–—―−﹘﹣˗➖": "-",
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f": GROUP_SPACE,
    "\u3000": " ",
    "’‘ʼ٬": "'",  # the last is the Arabic thousands mark
    "٫": ".",  # the Arabic decimal mark
    "،﹐": ",",
    "٪﹪": "%",
    "⁄∕": "/",
    "✕⨯": "×",
    "⋅∙‧": "·",
    "｡": "。",
}.items():
    _PLAIN.update(dict.fromkeys(map(ord, _letters), _stands_for))
_PLAIN.update(dict.fromkeys(map(ord, re.findall(f"[{_UNDRAWN}]", "".join(map(chr, range(0x10000))))), ""))


def plain(text: str) -> str:
    """Return a text with ASCII digits, signs and punctuation, and with fractions and exponents as a/b and ^{n}.

    Examples
    --------
    >>> plain("−２½"), plain("10⁻⁵"), plain("١٬٢٣٤")
    ('-2 1/2', '10^{-5}', "1'234")
    """
    if text.isascii():
        return text
    text = _INDEX.sub(_index, _EXPONENT.sub(_exponent, _FRACTION.sub(_fraction, text)))
    return text.translate(_PLAIN)


def _fraction(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[3] or found[0]).replace("⁄", "/").partition("/")
    after_digit = found.start() > 0 and found.string[found.start() - 1].isdecimal()
    return f"{' ' if after_digit else ''}{above}/{below}"


def _exponent(found: re.Match[str]) -> str:
    return f"^{{{found[0].translate(_RAISED)}}}"


def _index(found: re.Match[str]) -> str:
    return f"_{{{found[0].translate(_RAISED)}}}"
