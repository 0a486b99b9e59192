"""Values of numbers: from a match of a pattern to plain text, and from plain text to exact values."""

from __future__ import annotations

import re
from fractions import Fraction

from mssim.grading.characters import GROUP_SPACE
from mssim.grading.number_grammar import FRACTION, SIZE, TEX_COMMA

__all__ = ["LARGEST_POWER", "LONGEST", "exact_value", "value_of"]

LONGEST = 1000  # digits of a number with a fraction or a power, which is computed
LARGEST_POWER = 400  # orders of magnitude of a value that is expanded


def value_of(found: re.Match[str]) -> str | None:
    """Return the plain text of a match, or None if it has no value."""
    minus = bool(found["minus"]) != bool(found.groupdict().get("inner"))
    if found["size"] is not None:
        number = _decimal(found["size"])
        if found["scale"]:
            power = re.search(r"[-+]?\d+(?=\D*\Z)", found["scale"])
            assert power
            scaled = found["scale"][0] not in "eE"
            number = _times_ten(number, int(power[0])) if scaled else f"{number}{found['scale'].lower()}"
    elif found["power"] is not None:
        number = _power(found["power"]) or ""
    else:
        number = (_repeating(found["repeating"]) if found["repeating"] else _quotient(found)) or ""
    if not number:
        return None
    negative = minus != (number[0] == "-")
    return f"-{number.lstrip('-')}" if negative else number.lstrip("-")


def _decimal(size: str) -> str:
    """Return digits without marks of groups, with a decimal point."""
    if size.isdigit():
        return size
    digits = re.sub(r"\D", "", size)
    decimals = sum(c.isdigit() for c in size[_point(size) :])
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _point(size: str) -> int:
    """Return the place of the decimal mark, or the length if all marks separate groups."""
    marks = [(c, place) for place, c in enumerate(size) if not c.isdigit() and c != "\\"]
    kinds = [c for c, _ in marks]
    if kinds[0] == "." and set(kinds[1:]) == {GROUP_SPACE}:  # groups after the point
        return marks[0][1]
    last, place = marks[-1]
    if last not in (".", ",", TEX_COMMA) or kinds.count(last) > 1:
        return len(size)
    groups = len(kinds) == 1 and last != "." and len(size) - place == 4 and size[0] != "0"
    return len(size) if groups else place


def _times_ten(number: str, power: int) -> str:
    """Multiply by a power of ten. The result has an exponent if it would be long."""
    if not 0 <= power <= 30:
        return f"{number}e{power}"
    whole, _, decimals = number.partition(".")
    moved = decimals[:power].ljust(power, "0")
    rest = decimals[power:]
    return (whole + moved).lstrip("0").rjust(1, "0") + (f".{rest}" if rest else "")


def _power(text: str) -> str | None:
    base, _, exponent = text.replace("**", "^").partition("^")
    power, base = int(exponent.strip("{ }")), base.strip()
    if base == "10":
        return _times_ten("1", power)
    size = abs(power) * len(base)
    if size > LARGEST_POWER or (power < 0 and not base.strip("0.")):
        return None
    return _text(Fraction(base) ** power)


def _repeating(text: str) -> str | None:
    """Return the value of digits of which the last repeat for ever."""
    fixed, _, repeated = text.partition("\\")
    digits = re.sub(r"\D", "", repeated)
    whole, _, decimals = fixed.partition(".")
    if len(text) > LONGEST:
        return None
    rest = Fraction(int(digits), 10 ** len(digits) - 1) / 10 ** len(decimals)
    return _text(Fraction(f"{whole or 0}.{decimals or 0}") + rest)


def _quotient(found: re.Match[str]) -> str | None:
    """Return the value of a fraction or of a mixed number."""
    part = found["mixed_frac"] or found["mixed_slash"] or found["frac"] or found["slash"]
    inner = re.fullmatch(FRACTION, part)
    above, below = (inner[1], inner[2]) if inner else re.split(r"\s?/\s?", part)
    top, bottom = _signed(above), _signed(below)
    if top is None or bottom is None or len(top) + len(bottom) > LONGEST:
        return None
    over, under = Fraction(top), Fraction(bottom)
    if under == 0:
        return None
    if found["mixed"] is not None:
        if len(found["mixed"]) > LONGEST or not 0 <= over < under:
            return None
        return _text(int(found["mixed"]) + over / under)
    if top.isdigit() and bottom.isdigit():
        return f"{top}/{bottom}"
    return _text(over / under)


def _signed(text: str) -> str | None:
    """Return the plain text of a number in a fraction."""
    found = re.fullmatch(rf"\s*([-+]?)\s*({SIZE})\s*", text.strip("{}"))
    return None if found is None else f"{'-' if found[1] == '-' else ''}{_decimal(found[2])}"


def _text(value: Fraction) -> str:
    return str(value) if value.denominator > 1 else str(value.numerator)


def exact_value(number: str) -> str:
    """Return the canonical text of a number, in exact arithmetic.

    Examples
    --------
    >>> exact_value("7.00"), exact_value("-0070"), exact_value("7e1"), exact_value("2/4") == exact_value("0.5")
    ('7e0', '-7e1', '7e1', True)
    """
    if "/" in number:
        return _of_fraction(Fraction(number))
    mantissa, _, exponent = number.lower().partition("e")
    whole, _, decimals = mantissa.removeprefix("-").partition(".")
    digits = (whole + decimals).lstrip("0")
    shortest = digits.rstrip("0")
    if not shortest:
        return "0"
    power = int(exponent or 0) - len(decimals) + len(digits) - len(shortest)
    return f"{'-' if number[0] == '-' else ''}{shortest}e{power}"


def _of_fraction(value: Fraction) -> str:
    """Return the canonical text of a fraction, which is that of a decimal number if it has one."""
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for factor in (2, 5):
        while rest % factor == 0:
            rest, places = rest // factor, places + 1
    return str(value) if rest > 1 else exact_value(f"{int(value * 10**places)}e-{places}")
