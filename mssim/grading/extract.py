r"""Extraction of answers from texts (boxes, numbers, dates, choices) in linear time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Boxes ----------------------------------------------------------------------------------------------------------------

_BRACES = re.compile(r"\\\\|\\[{}]|(?<=\\)(?:boxed|fbox)\s*\{|[{}]")


def last_boxed(text: str) -> str | None:
    r"""Return the content of the last closed \boxed{...} or \fbox{...}. Escaped braces are text.

    Examples
    --------
    >>> last_boxed(r"\boxed{1}, no: \boxed{\frac{1}{2}}, or was it \boxed{3")
    '\\frac{1}{2}'
    """
    if "\\boxed" not in text and "\\fbox" not in text:
        return None
    opened: list[int] = []  # start of the content of a box, 0 for other braces
    start = end = 0
    for token in _BRACES.finditer(text):
        match token.group():
            case "}":
                begun = opened.pop() if opened else 0
                if begun > start:
                    start, end = begun, token.start()
            case "{":
                opened.append(0)
            case other if other[0] != "\\":
                opened.append(token.end())
    return text[start:end].strip() if start else None


# Numbers --------------------------------------------------------------------------------------------------------------

_MINUS = "-\N{MINUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}"
_SIZE = r"(?:\d+(?:\.\d+)?|(?<![\w.])\.\d+)(?:[eE][-+]?\d{1,9}(?!\w))?"
_NUMBER = re.compile(rf"(?:(?<![\w)\]}}])([{_MINUS}])(?:\\?\$)?)?({_SIZE})")
_WHOLE_NUMBER = re.compile(rf"([{_MINUS}]?)\+?({_SIZE})\.?")
_DIGIT = re.compile(r"\d")
_COMMAS = re.compile(r"(?<=\d)(?:,(?:\\!)?|\{,\})(?=\d)")


def last_number(text: str) -> str | None:
    r"""Return the last number of the last box or, without a box, of the whole text.

    Commas between digits are dropped (LaTeX's {,} and ,\! too). A minus counts where it stands directly before the
    number or its $, and not directly after a letter, digit or closing bracket: 10-5 ends in 5, x=-5 in -5. A point
    belongs to a number only if a digit follows, 1e5 is one number, and digits of any script are written as 0 to 9.

    Examples
    --------
    >>> last_number("It was $999, now it costs $1,234.50."), last_number("none")
    ('1234.50', None)
    """
    boxed = last_boxed(text)
    # No number goes across white space, so the last word with a digit holds the last one.
    word = next((word for word in reversed((text if boxed is None else boxed).split()) if _DIGIT.search(word)), "")
    found = _NUMBER.findall(_COMMAS.sub("", word))
    return _plain(*found[-1]) if found else None


def read_number(text: str) -> str | None:
    """Return a text that consists of one number, without commas, $ and white space."""
    found = _WHOLE_NUMBER.fullmatch(re.sub(r"\\?\$|[,\s]", "", text))
    return _plain(*found.groups()) if found else None


def _plain(sign: str, size: str) -> str:
    if not size.isascii():
        size = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in size)
    return f"-{size}" if sign else size


def exact_value(number: str) -> str:
    """Return the canonical text of a number, in exact decimal arithmetic.

    Examples
    --------
    >>> exact_value("7.00"), exact_value("-0070"), exact_value("7e1")
    ('7e0', '-7e1', '7e1')
    """
    mantissa, _, exponent = number.lower().partition("e")
    whole, _, decimals = mantissa.removeprefix("-").partition(".")
    digits = (whole + decimals).lstrip("0")
    shortest = digits.rstrip("0")
    if not shortest:
        return "0"
    power = int(exponent or 0) - len(decimals) + len(digits) - len(shortest)
    return f"{'-' if number[0] == '-' else ''}{shortest}e{power}"


_PAPER_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def last_number_of_paper(text: str) -> str | None:
    r"""Return the last number as in the code of ModelSwitch, where a box ends at its first } and 10-5 ends in -5.

    Examples
    --------
    >>> last_number_of_paper(r"\boxed{\frac{11}{6}}")
    '11'
    """
    start = text.rfind("\\boxed{", 0, text.rfind("}") + 1)
    boxed = text if start < 0 else text[start : text.index("}", start)]
    found = _PAPER_NUMBER.findall(re.sub(r"(?<=\d),(?=\d)", "", boxed))
    return found[-1] if found else None


# Dates ----------------------------------------------------------------------------------------------------------------

_DATE = re.compile(r"(?<!\d)\d{1,2}/\d{1,2}/\d{4}(?!\d)", re.ASCII)


def last_date(text: str) -> str | None:
    """Return the last MM/DD/YYYY, as written. It is not checked against the calendar."""
    found = _DATE.findall(text)
    return found[-1] if found else None


def read_date(text: str) -> str | None:
    """Return a text that consists of MM/DD/YYYY."""
    return text.strip() if _DATE.fullmatch(text.strip()) else None


def padded_date(date: str) -> str:
    """Pad a date with zeros, such as 1/2/2020 to 01/02/2020."""
    return "/".join(part.zfill(2) for part in date.split("/"))


# Choices --------------------------------------------------------------------------------------------------------------

_ANSWER_IS = re.compile(r"answer(?:\s+is)?[\s:]*", re.IGNORECASE)
_AROUND = " \t\r\n*_$.,:;!\"'`()[]{}"
# "I think" and "A reason" do not name a choice, but "A is right" does.
_LETTER = re.compile(r"(?<![^\W_])(?:[B-HJ-Z]|[AI](?!['\u2019]| (?!is\b)[a-z]))(?![^\W_]|['\u2019]\w)")


def choice_in(text: str, letters: str, choices: Sequence[str]) -> str | None:
    r"""Return the letter of the choice that a text names.

    The first that applies is used: the last box; the text after the last "answer is", "answer:" or "answer"; the whole
    text, if it is the text of a choice; the last separate capital letter.

    Examples
    --------
    >>> choice_in("A is out. The answer is (C), not D.", "ABCD", ())
    'C'
    """
    boxed = last_boxed(text)
    if boxed is not None and (found := read_choice(boxed, letters, choices)):
        return found
    for lead in [*_ANSWER_IS.finditer(text)][-1:]:
        if found := _at_start(text[lead.end() : lead.end() + 1000].partition("\n")[0], letters, choices):
            return found
    if found := read_choice(text, letters, choices):
        return found
    alone = [letter for letter in _LETTER.findall(text) if letter in letters]
    return alone[-1] if alone else None


def _at_start(line: str, letters: str, choices: Sequence[str]) -> str | None:
    word = re.match(r"\W*([A-Z]|(?<=\()[a-z](?=\)))(?![^\W_])", line)
    if word and word[1].upper() in letters:
        return word[1].upper()
    return read_choice(line, letters, choices)


def read_choice(text: str, letters: str, choices: Sequence[str]) -> str | None:
    """Return the letter of a text that consists of the letter or the text of one choice, ignoring case."""
    short = _bare(text) if len(text) < 2000 else ""
    if len(short) == 1 and short.upper() in letters:
        return short.upper()
    spelled = [letter for letter, choice in zip(letters, choices, strict=False) if _bare(choice) == short]
    return spelled[0] if len(spelled) == 1 and short else None


def _bare(text: str) -> str:
    r"""Remove punctuation around a text, \text{} and similar commands, and case."""
    inner = re.fullmatch(r"\\(?:text|textbf|mathrm|mathbf)\s*\{(.*)\}", text.strip(), re.DOTALL)
    return " ".join((inner[1] if inner else text).strip(_AROUND).split()).casefold()
