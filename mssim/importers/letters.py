"""Letters of choices in answers and truths: "B", "(b)", "A, C", "AC" and the like."""

from __future__ import annotations

import re

__all__ = ["named"]

_LETTERS = 26  # choices after the 26th have the numbers 1, 2, ...
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?|\(?([A-Z]{2,26})\)?")
_BEFORE = re.compile(r"(?:(?:the|my|final|correct)\s+)*(?:answer|option|choice)(?:\s+is\b)?\s*:?\s+", re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|text|mathrm|mathbf)\{(.*)\}", re.DOTALL)
_AROUND = " \t\r\n,.*_$`'\""
_BETWEEN = re.compile(r"\s*[,;|&/]\s*(?:and\s+)?|\s+and\s+|\s+")


def named(text: str, number: int = _LETTERS) -> tuple[int, ...] | None:
    """Return the positions of the choices that letters name, or None if a text is not letters of choices.

    Parameters
    ----------
    text : str
        One letter or several, such as "B", "(b)", "A, C" or "AC". Choices after the 26th have the numbers 1, 2, ....
    number : int, default 26
        Number of choices.

    Returns
    -------
    tuple of int or None
        Positions in ascending order, from 0.

    Examples
    --------
    >>> named("B", 4), named("C, A", 4), named("AC", 4), named("E", 4), named("Paris", 4)
    ((1,), (0, 2), (0, 2), None, None)
    """
    if len(text) > 4 * max(number, _LETTERS):
        return None
    while inner := _BOX.fullmatch(text := text.strip(_AROUND)):
        text = inner[1]
    lead = _BEFORE.match(text)
    found: list[int] = []
    for word in _BETWEEN.split(text[lead.end() if lead else 0 :].strip(_AROUND)):
        letters = _LETTER.fullmatch(word)
        if letters:
            found += [ord(letter) - ord("A") for letter in (letters[1] or letters[2]).upper()]
        else:
            found.append(int(word) + _LETTERS - 1 if word.isdecimal() and int(word) else number)
    return tuple(sorted(found)) if max(found) < number and len(set(found)) == len(found) else None
