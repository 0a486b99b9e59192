"""Ways in which people and models write a decimal number, from a sign, digits before and digits after the point."""

import unicodedata
from fractions import Fraction

ARABIC, PERSIAN, DEVANAGARI, FULLWIDTH = (ord(unicodedata.lookup(f"{name} ZERO")) for name in (
    "ARABIC-INDIC DIGIT", "EXTENDED ARABIC-INDIC DIGIT", "DEVANAGARI DIGIT", "FULLWIDTH DIGIT"))  # fmt: skip
DASHES = "-\u2010\u2011\u2012\u2013\u2212\uff0d"


def groups(whole, mark):
    return f"{int(whole):,}".replace(",", mark)


def decimals(after, point="."):
    return point + after if after else ""


def script(text, zero):
    return "".join(chr(zero + int(c)) if c.isdecimal() else c for c in text)


def grouped(mark, point="."):
    return lambda sign, whole, after: sign + groups(whole, mark) + decimals(after, point)


def digits_of(zero, mark, point):
    return lambda sign, whole, after: script(sign + groups(whole, mark) + decimals(after, point), zero)


def plain(sign, whole, after):
    return sign + whole + decimals(after)


def power(times, raised):
    def write(sign, whole, after):
        digits = (whole + after).lstrip("0") or "0"
        shift = len(digits) - 1 - len(after)
        return f"{sign}{digits[0]}{decimals(digits[1:])}{times}{raised(shift)}"

    return write


def superscript(number):
    return "10" + str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def as_fraction(form):
    def write(sign, whole, after):
        value = Fraction(f"{whole}.{after or 0}")
        return sign + form % (value.numerator, value.denominator)

    return write


def of_plain(form):
    return lambda sign, whole, after: form % plain(sign, whole, after)


def dotted(sign, whole, after):
    """Dots separate groups if there are two of them or a decimal comma."""
    return sign + (
        groups(whole, ".") + decimals(after, ",")
        if len(whole) > 6 or (after and len(whole) > 3)
        else whole + decimals(after)
    )


WITHOUT_UNIT = {
    "plain": plain,
    "comma": grouped(","),
    "TeX comma": grouped("{,}"),
    "TeX comma and kern": grouped(",\\!"),
    "TeX thin space": grouped("\\,"),
    "TeX thick space": grouped("\\;"),
    "tie": grouped("~"),
    "thin space": grouped("\u2009"),
    "narrow no-break space": grouped("\u202f"),
    "no-break space and comma": grouped("\u00a0", ","),
    "space": grouped(" "),
    "apostrophe": grouped("'"),
    "typographic apostrophe": grouped("\u2019"),
    "underscore": grouped("_"),
    "dots": dotted,
    "fullwidth": digits_of(FULLWIDTH, "\uff0c", "\uff0e"),
    "Arabic": digits_of(ARABIC, "\u066c", "\u066b"),
    "Persian": digits_of(PERSIAN, "\u066c", "\u066b"),
    "Devanagari": digits_of(DEVANAGARI, ",", "."),
    "TeX power": power(r" \times ", lambda n: f"10^{{{n}}}"),
    "TeX dot": power(r" \cdot ", lambda n: f"10^{{{n}}}"),
    "Unicode power": power("×", superscript),
    "e": power("e", str),
    "E": power("E", lambda n: f"{n:+03d}"),
    "fraction": as_fraction(r"\frac{%d}{%d}"),
    "display fraction": as_fraction(r"\dfrac{%d}{%d}"),
    "slash": as_fraction("%d/%d"),
    "text": of_plain(r"\text{%s}"),
    "bold": of_plain(r"\mathbf{%s}"),
    "formula": of_plain("$%s$"),
}
WITH_UNIT = {
    "dollars": lambda sign, whole, after: f"{sign}${groups(whole, ',')}{decimals(after)}",
    "TeX dollars": lambda sign, whole, after: f"{sign}\\${groups(whole, ',')}{decimals(after)}",
    "euros": lambda sign, whole, after: f"{dotted(sign, whole, after)} €",
    "percent": of_plain("%s\\%%"),
    "unit": of_plain(r"%s \text{ km}"),
    "squared unit": of_plain("%s cm^2"),
    "degrees": of_plain(r"%s^\circ"),
    "Chinese unit": of_plain("%s元"),
    "name": of_plain("x = %s"),
}
