"""Dates of the form MM/DD/YYYY."""

from __future__ import annotations

import re

from mssim.grading.characters import plain

__all__ = ["last_date", "padded_date", "read_date"]

_DATE = re.compile(r"(?<!\d)\d{1,2}/\d{1,2}/\d{4}(?!\d)", re.ASCII)


def last_date(text: str) -> str | None:
    """Return the last MM/DD/YYYY, as written. It is not checked against the calendar.

    Examples
    --------
    >>> last_date("From 01/02/2020 to 1/3/2020.")
    '1/3/2020'
    """
    text = plain(text)
    found = _DATE.findall(text) if "/" in text else []
    return found[-1] if found else None


def read_date(text: str) -> str | None:
    """Return a text that consists of MM/DD/YYYY."""
    text = plain(text).strip()
    return text if _DATE.fullmatch(text) else None


def padded_date(date: str) -> str:
    """Pad a date with zeros, such as 1/2/2020 to 01/02/2020."""
    return "/".join(part.zfill(2) for part in date.split("/"))
