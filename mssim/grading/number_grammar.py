r"""Patterns of numbers in texts and in LaTeX, after the spelling of characters is made uniform."""

from __future__ import annotations

import re

from mssim.grading.characters import GROUP_SPACE as S
from mssim.grading.characters import NO_SPACES, plain

__all__ = ["CURRENCY", "FRACTION", "MINUS", "NUMBER", "SIZE", "SPACE", "STYLE", "TEX_COMMA", "spelled"]

# Spelling of LaTeX ----------------------------------------------------------------------------------------------------

TEX_COMMA = "\ue000"  # stands for {,} and ,\! of LaTeX, which never separate numbers
_GROUP_COMMA = re.compile(r"(?:\\(?:text|math(?:ord|punct)))?\{,\}|,\s?\\!|\\!,")
_TEX_SPACE = re.compile(r"\{?\\(?:[,;:> ]|thinspace(?![A-Za-z]) ?)\}?|(?<=\d)~(?=\d)")
_DROPPED = re.compile(
    r"\\!|\\(?:left|right|displaystyle|rm|bf|[lL]arge|LARGE|[hH]uge)(?![A-Za-z])\s?"
    r"|\\(?:text)?color(?:box)?\s?\{[A-Za-z]*\}"
)
_QUAD = re.compile(r"\\q?quad(?![A-Za-z])")
_BRACED_SIGN = re.compile(r"\{([-+.])\}")
_OVER = re.compile(r"\{([^{}\\]*)\\over(?![A-Za-z])([^{}\\]*)\}")
_LIST_COMMA = re.compile(r"，(?!\d{3}(?!\d))")  # where it does not separate a group of digits, it separates numbers
STYLE = r"\\(?:text(?:bf|it|rm|tt)?|math(?:rm|bf|it|sf|tt)|emph|mbox|bm|boldsymbol|operatorname|underline)"


def spelled(text: str) -> str:
    r"""Return a text in characters of ASCII, in which each mark of a group of digits is one character.

    Examples
    --------
    >>> spelled(r"-10{,}000") == "-10" + TEX_COMMA + "000"
    True
    """
    text = plain(_LIST_COMMA.sub(", ", text) if "，" in text else text)
    if "\\" in text or "{" in text or "~" in text:
        text = _TEX_SPACE.sub(S, _GROUP_COMMA.sub(TEX_COMMA, text))
        text = _BRACED_SIGN.sub(r"\1", _DROPPED.sub("", _QUAD.sub("  ", text)))
        if "\\over" in text:
            text = _OVER.sub(r"\\frac{\1}{\2}", text)
    return text


# Patterns -------------------------------------------------------------------------------------------------------------

SPACE = rf"[ {S}]"
_FIRST = r"[1-9]\d{0,2}"  # digits before the first mark of a group
SIZE = "|".join(
    [
        rf"{_FIRST}(?:[,{TEX_COMMA}]\d{{3}})+(?![,{TEX_COMMA}]?\d)(?:\.\d+)?",
        r"[1-9]\d?(?:,\d\d)+,\d{3}(?!,?\d)(?:\.\d+)?",  # as in India
        rf"{_FIRST}(?:{S}\d{{3}})+(?!{S}?\d)(?:[.,{TEX_COMMA}]\d+)?",
        rf"{_FIRST}(?:'\d{{3}})+(?!'?\d)(?:[.,]\d+)?",
        rf"{_FIRST}(?:\\?_\d{{3}})+(?!\\?_?\d)(?:\.\d+)?",
        rf"(?<!\d ){_FIRST}(?: \d{{3}})+(?! ?\d)(?:[.,]\d+)?",
        rf"{_FIRST}(?:\.\d{{3}})+,\d+(?![.,]?\d)",
        rf"{_FIRST}(?:\.\d{{3}}){{2,}}(?![.,]?\d)",
        rf"\d+{TEX_COMMA}\d+(?!{TEX_COMMA}?\d)",
        # a decimal comma, outside of a list or pair
        r"(?<![(\[{\d])(?<!\d,)(?:\d{1,3},(?:\d{1,2}|\d{4,})|0,\d+|\d{4,},\d{1,2})(?![,.]?\d|[)\]])",
        rf"\d+\.\d{{3}}(?:{S}\d{{3}})*{S}\d{{1,3}}(?!\d)",  # groups after the point
        r"\d+(?:\.\d+)?",
        r"(?<![^\W_])(?<!\.)\.\d+",
    ]
)
_TEN = r"\s?(?:\\times|\\cdot|[×·*xX])\s*\{?10\}?\s?(?:\^|\*\*)\s?[({]?\s?([-+]?\d{1,9})(?!\.?\d)\s?[)}]?"
_SCALE = rf"(?:[eE][-+]?\d{{1,9}}(?!\w)|{_TEN})"
_PART = r"(\{[^{}]*\}|\d)"
FRACTION = rf"\\(?:[dtcs]|nice)?frac\s*{_PART}\s*{_PART}"
_SLASH = rf"(?<![\d/])(?:{SIZE})\s?/\s?(?:{SIZE})(?!\d|\s?/\s?\d)"  # three parts are a date
_MIXED = rf"{SPACE}*(?P<mixed_frac>{FRACTION})|{SPACE}(?:and{SPACE})?(?P<mixed_slash>\d+/\d+)(?![/\d])"
_POWER = r"\d+(?:\.\d+)?(?:\s?\^\s?|\*\*|\s\*\*\s)(?:\{\s?[-+]?\d{1,9}\s?\}|[-+]?\d{1,9}(?!\.?\d))"
_REPEATING = r"\d*\.\d*\\(?:overline|bar|dot)\s?(?:\{\d+\}|\d)"
NUMBER = (
    rf"(?P<repeating>{_REPEATING})|(?P<mixed>\d+)(?:{_MIXED})|(?P<frac>{FRACTION})|(?P<slash>{_SLASH})"
    rf"|(?P<power>{_POWER})|(?P<size>{SIZE})(?P<scale>{_SCALE})?"
)
# A dash is a minus if it does not follow a letter, digit or closing bracket. Some scripts write no spaces between
# words; a letter of theirs after a digit may be a unit. After an equals sign or an opening bracket, a space may follow
# the minus.
_BEFORE_MINUS = "到至是为為于於得或和与與及有はがをにも은는이가을를"
MINUS = (
    rf"-(?:(?<![^\W_]-)(?<![)\]}}]-)(?<!\d[%°€£¥℃℉‰]-)(?<!\\%-)|(?<=[{NO_SPACES}]-)(?<!\d[{NO_SPACES}]-)"
    rf"|(?<=[{_BEFORE_MINUS}]-)"
    rf"|(?<=[=≈({{\[$]-){SPACE}|(?<=[=≈] -){SPACE})"
)
CURRENCY = r"(?:US|[ACHN]Z?)?\\?\$|[€£¥₹₩₽₺₫฿₪₴]"
