"""Extraction of numbers as in the released code of ModelSwitch (arXiv 2504.00762)."""

from __future__ import annotations

import re

__all__ = ["last_number_of_paper", "read_number_of_paper"]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TRUTH = re.compile(r"(-?)\+?(\d+(?:\.\d+)?|\.\d+)\.?")


def last_number_of_paper(text: str) -> str | None:
    r"""Return the last number as in the code of ModelSwitch, where a box ends at its first } and 10-5 ends in -5.

    Examples
    --------
    >>> last_number_of_paper(r"\boxed{\frac{11}{6}}")
    '11'
    """
    start = text.rfind("\\boxed{", 0, text.rfind("}") + 1)
    boxed = text if start < 0 else text[start : text.index("}", start)]
    found = _NUMBER.findall(re.sub(r"(?<=\d),(?=\d)", "", boxed))
    return found[-1] if found else None


def read_number_of_paper(text: str) -> str | None:
    """Return a truth that consists of one decimal number, without commas, $ and white space.

    Examples
    --------
    >>> read_number_of_paper("$1,234.50"), read_number_of_paper("3/4")
    ('1234.50', None)
    """
    found = _TRUTH.fullmatch(re.sub(r"\\?\$|[,\s]", "", text))
    return f"{found[1]}{found[2]}" if found else None
