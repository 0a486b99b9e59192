r"""One reader of numbers for all rules: digit groups, signs, fractions, powers of ten, units and digits of any script.

A number is returned as its plain text: ``-1234.50``, ``1e-19`` or ``3/2``. Commas and other marks between digits are
dropped where they can only separate groups of digits. A comma before white space separates numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from mssim.grading.characters import GROUP_SPACE
from mssim.grading.number_grammar import CURRENCY, MINUS, NUMBER, SPACE, STYLE, spelled
from mssim.grading.number_values import LARGEST_POWER, LONGEST, exact_value, value_of

__all__ = ["exact_value", "first_number", "fraction", "last_number", "number_in", "read_number", "whole_number"]

_CONTEXT = 32  # characters around a run of digits that may belong to the number

_MINUS_IN_WORDS = re.compile(
    rf"(?:(?<!-)\bnegative|(?:[=:]|\b(?:is|equals?|to|be|was)){SPACE}minus|\best moins|\bes menos|\bé menos|\bist minus"
    rf"|(?<![正±])(?:负的?|負|マイナス|零下)|영하){SPACE}?(?:{CURRENCY})?\Z"
    rf"|(?<![^\W_])(?<![)\]}}])-{STYLE}\{{\s?\Z",
    re.I,
)
_SIGNED = re.compile(rf"(?:(?P<minus>{MINUS})(?:{CURRENCY}{SPACE}?)?)?(?P<number>{NUMBER})")
_START = re.compile(r"[-\d.\\]")
_DIGIT = re.compile(r"[\d¼-¾⅐-⅞↉⁰¹²³⁴-⁹]")
_RUN = re.compile(rf"[\d{GROUP_SPACE}\u2000-\u200a\u202f ,.'’_~\\;:!{{}}/٬٫，．¼-¾⅐-⅞⁰-⁹²³¹\u200b-\u200f\u2060]*")


# Search in texts ------------------------------------------------------------------------------------------------------


def last_number(text: str) -> str | None:
    r"""Return the last number of a text without boxes.

    A minus counts where it stands directly before the number or its currency, and not directly after a letter, digit or
    closing bracket: 10-5 ends in 5, x=-5 in -5. Exponents and indices of letters are skipped. There is no number if the
    last one is part of a root, power or fraction that is not a number, or of a multiple of pi.

    Examples
    --------
    >>> last_number("It was $999, now it costs $1,234.50."), last_number("Its area is 12 cm^2"), last_number("none")
    ('1234.50', '12', None)
    """
    backwards = text[::-1]
    found = _DIGIT.search(backwards)
    while found:
        end = len(text) - found.start()
        if (
            (alone := _ALONE.match(backwards, found.start()))
            and _ENDS.match(text, end)
            and not alone[3].lower().startswith(_OF_THE_NUMBER)
        ):
            return f"{'-' if '-' in alone[2] else ''}{alone[1][::-1].replace(',', '')}"
        run = _RUN.match(backwards, found.start())
        start, context = 0, end - (len(run[0]) if run else 0)
        for margin in (_CONTEXT, 16 * _CONTEXT, end):
            start = max(context - margin, 0)
            window = spelled(text[start : end + _CONTEXT])
            last = next((one for one in reversed([*_candidates(window)]) if _role(window, one) != "index"), None)
            if last is None or last.start() > 1 or start == 0:  # a number that begins the window may begin before it
                break
        if last is not None:
            return _signed_value(window, last) if _role(window, last) == "number" else None
        found = _DIGIT.search(backwards, len(text) - start)
    return None


def first_number(text: str) -> str | None:
    r"""Return the first number of a text.

    Examples
    --------
    >>> first_number(" 18 apples.\n\nQ: There are 15 trees.")
    '18'
    """
    place = 0
    while found := _DIGIT.search(text, place):
        run = _RUN.match(text, found.start())
        end = (run.end() if run else found.end()) + _CONTEXT
        window = spelled(text[max(found.start() - _CONTEXT, place) : end])
        for candidate in _candidates(window):
            kind = _role(window, candidate)
            if kind != "index":
                return _signed_value(window, candidate) if kind == "number" else None
        place = end
    return None


# A number between words, read backwards, needs no further look.
_ALONE = re.compile(
    r"((?:[0-9]+\.)?(?:[0-9]{3},)+[0-9]{0,2}[1-9]|[0-9]+(?:\.[0-9]+)?)(\\?\$-|-?\$?)"
    r"(?=(?: |\n)([A-Za-z:=.#]{1,8}+)(?![A-Za-z\\]))"
)
_ENDS = re.compile(r"[.,:;!?)*%$]*+\s*+(?![\\^π√×·]|pi(?![A-Za-z])|sqrt(?![A-Za-z]))")
_OF_THE_NUMBER = ("evitagen", "sunim", "sniom", "sonem", "trqs")  # words before it that change it


def _candidates(window: str) -> Iterator[re.Match[str]]:
    place = 0
    while found := _START.search(window, place):
        match = _SIGNED.match(window, found.start())
        if match:
            yield match
        place = match.end() if match else found.end()


def _signed_value(window: str, found: re.Match[str]) -> str | None:
    """Return the value of a match. A minus may be a word."""
    number = value_of(found)
    if number and not found["minus"] and _MINUS_IN_WORDS.search(window[max(found.start() - 20, 0) : found.start()]):
        return f"-{number}"
    return number


_INDEX = re.compile(
    r"[^\W\d_]['′]?\$?(?:\^|_)[({]?-?\Z|(?<![^\W_])[A-Za-z]\*\*[({]?-?\Z|\\circ\}?\^?\Z|[)\]}]\$?(?:\^|_)[({]?-?\Z"
    r"|<su[bp]>[-+]?\Z"
)
_SQUARED = re.compile(r"(?:\d\s?|/)(?:[cdkm]?m|ft|in|yd|s)(?:\*\*)?\Z|(?<![^\W_])(?:H|N[OH]|[CS]O|CH)\Z")  # m2, CO2
_ROOT = re.compile(
    r"(?:√|\\?\bsqrt(?:\s?\[[^\]]*\])?)\s?[({]?\Z|\d(?:\^|\*\*|_)[({]?-?\Z|\\[dtc]?frac\s?\{\s?-?\Z|[})]\s?\{\s?-?\Z"
    r"|(?:[)}π]|\\pi)\s?/\s?-?\Z"
)
_FACTOR = re.compile(
    r"\s?(?:(?:[*·×]|\\(?:cdot|times))\s?)?(?:π|√|\\?pi(?![A-Za-z])|\\?sqrt(?![A-Za-z]))|\)?\^(?!\s?\{?\s?(?:\\circ|°|o\b|\\text|\\mathrm|st\b|nd\b|th\b))"
)


def _role(window: str, found: re.Match[str]) -> str:
    """Return whether a match is a number, the index or exponent of a letter, or a part of an expression."""
    before = window[max(found.start() - 24, 0) : found.start()]
    if _INDEX.search(before) or (found["size"] in ("2", "3", "4") and _SQUARED.search(before)):
        return "index"
    return "part" if _ROOT.search(before) or _FACTOR.match(window, found.end()) else "number"


# Whole texts ----------------------------------------------------------------------------------------------------------

_LEAD = re.compile(
    r"[^,;]*(?<![<>!:])(?:=|≈|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z]))\s*|[~≈]\s*|\\approx(?![A-Za-z])\s*"
)
_SEVERAL = re.compile(r"\b(?:or|and|oder|und|ou|et)\b|\\\\|\\(?:ne|neq|le|leq|ge|geq)(?![A-Za-z])|[<>≤≥≠]")
_WHOLE = re.compile(rf"(?:(?P<minus>-)|\+)?{SPACE}?(?:{CURRENCY})?{SPACE}?(?P<inner>[-])?(?P<number>{NUMBER})")
# Repetitions are possessive, since a text may be long.
_POWER = r"\s?\^\s?(?:-?\d|\{\s?-?\d\s?\})"
_UNIT_NAME = rf"[^\W\d_]++\.?(?:{_POWER}|(?<=m)[23])?"
_UNIT = re.compile(
    rf"(?:{STYLE}\s?\{{[^{{}}]*\}}(?:{_POWER})?|{_UNIT_NAME}|\({_UNIT_NAME}(?: {_UNIT_NAME})*+\)"
    r"|\\?%|\\?\$|[°º€£¥₹₩₽'\"]|\^\s?\{?\s?(?:\\circ|°|o|(?:\\text\s?\{)?(?:st|nd|rd|th)(?![a-z])\}?)\s?\}?"
    r"|\\(?:degree|circ|pounds|euro|Omega|mu|cdot|quad|qquad|ldots)(?![A-Za-z])|[/.·*。…\s]|-(?=[^\W\d_]))*+"
)
_VARIABLE = re.compile(r"\s?(?:[xyz]+|[abcdefijknpqrtuvwxyz]|pi|tau|inf(?:inity)?|mod)(?![^\W\d_])")
_POSTFIX = re.compile(r"!|\s?_\s?[{\\\d]")  # a factorial, or the base of a numeral
_STYLED = re.compile(rf"{STYLE}\s?\{{([^{{}}]*)\}}")
_OPERATORS = re.compile(r"[-+*=<>^√π÷×·|±∓]|\\(?!text|math|mbox|emph|[%$&# ])|\d\s?/|/\s?\d")


def read_number(text: str) -> str | None:
    r"""Return the number of a text that consists of one number, possibly with a name, a unit or a currency.

    Examples
    --------
    >>> read_number(r"x = \frac{3}{2}\text{ km}"), read_number("10,000 dollars"), read_number("1, 250")
    ('3/2', '10000', None)
    """
    return _read(_trimmed(text))


def whole_number(text: str) -> str | None:
    r"""Return the number of a text that is one number without a unit.

    Examples
    --------
    >>> whole_number(r"1.5 \times 10^5"), whole_number("5 km")
    ('150000', None)
    """
    found = _WHOLE.fullmatch(_trimmed(text))
    return None if found is None else value_of(found)


def number_in(text: str) -> str | None:
    r"""Return the number of a text that consists of one number, or else the only number among words.

    Examples
    --------
    >>> number_in("The answer is 18"), number_in(r"\sqrt{2}"), number_in("3 or 4")
    ('18', None, None)
    """
    if text.isascii() and text.isdigit():
        return text
    short = _trimmed(text)
    if (number := _read(short)) is not None:
        return number
    words = _STYLED.sub(r" \1 ", short.replace("**", ""))
    numbers = [*_candidates(words)]
    if len(numbers) != 1 or _VARIABLE.match(words, numbers[0].end()) or _POSTFIX.match(words, numbers[0].end()):
        return None
    around = f"{words[: numbers[0].start()]} {words[numbers[0].end() :]}"
    return None if _OPERATORS.search(around) else _signed_value(words, numbers[0])


def _trimmed(text: str) -> str:
    text = spelled(text).strip()
    for before, after in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("{", "}"), ("(", ")")):
        if before in "({" and "," in text:
            continue  # a pair or a set
        if len(text) > len(before + after) and text.startswith(before) and text.endswith(after):
            within = text[len(before) : -len(after)].strip()
            text = text if before in within or after in within else within
    while (styled := _STYLED.fullmatch(text)) and any(c.isdigit() for c in styled[1]):
        text = styled[1].strip()
    return text.rstrip(".。 ")


def _read(text: str) -> str | None:
    if lead := _LEAD.match(text):
        if _SEVERAL.search(text):
            return None
        text = text[lead.end() :]
    text = re.sub(rf"\A([-+]?){STYLE}\s?\{{\s*([-+\d][^{{}}]*)\}}", r"\1\2", text)  # -\text{5}
    found = _WHOLE.match(text)
    rest = text[found.end() :] if found else ""
    if not found or _VARIABLE.match(rest) or not _UNIT.fullmatch(rest) or _SEVERAL.search(rest) or "π" in rest:
        return None
    return value_of(found)


def fraction(text: str) -> Fraction | None:
    r"""Return the value of a text that is one number without a unit, or None. 3,5 may be two numbers and has no value.

    Examples
    --------
    >>> fraction(r"-1\frac{1}{2}"), fraction("1,250"), fraction("1, 250"), fraction("3,5"), fraction("9e9999")
    (Fraction(-3, 2), Fraction(1250, 1), None, None, None)
    """
    number = None if _TWO_NUMBERS.fullmatch(text) else whole_number(text)
    if number is None or len(number) > LONGEST:
        return None
    power = number.lower().partition("e")[2]
    return None if power and abs(int(power)) > LARGEST_POWER else Fraction(number)


_TWO_NUMBERS = re.compile(r"\s*[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0+,\d+)\s*")
