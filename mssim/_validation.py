"""Validation of arguments and words of messages, shared by several packages."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeGuard

from mssim.errors import MssimError

__all__ = ["choose_from", "counted", "is_finite", "is_number", "level", "printable", "shown", "whole_number"]


def choose_from(given: object, allowed: Iterable[str]) -> str:
    """Return a hint with the closest allowed names and at most twelve of all, in sentences without the last period."""
    names = [str(name) for name in allowed]
    if not names:
        return "There is nothing to choose from"
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.6)
    listed = ", ".join(repr(name) for name in names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    hint = f"Did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
    return f"{hint}Choose from {listed}"


def counted(number: int, what: str, plural: str = "") -> str:
    """Return e.g. "1 model" or "2 models"."""
    return f"{number} {what if number == 1 else plural or what + 's'}"


def printable(text: object) -> str:
    """Return one line for a terminal, with non-printable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def shown(value: Any, most: int = 200) -> str:
    """Return the repr of an argument for a message, cut to a length that fits into a line."""
    try:
        text = " ".join(repr(value).splitlines())  # tables and arrays have several lines
    except ValueError:  # Python does not convert integers of more than 4300 digits
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= most else f"{text[: most - 20]} ... {text[-15:]}"


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """Return an integer, possibly of NumPy, as int; raise if it is out of range."""
    try:
        number = None if isinstance(value, bool) or _is_array(value) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise MssimError(f"{name}={shown(value)} is not an integer. Use an integer from {low} to {high}.")
    if not low <= number <= high:
        raise MssimError(f"{name}={shown(value)} is out of range. Use an integer from {low} to {high}.")
    return number


def level(confidence_level: Any) -> float:
    """Return a confidence level as float; raise if it is not a number between 0 and 1."""
    if not is_number(confidence_level) or not 0 < confidence_level < 1:
        raise MssimError(f"confidence_level={shown(confidence_level)} is not between 0 and 1. Use e.g. 0.95.")
    return float(confidence_level)


def _is_array(value: Any) -> bool:
    shape: Any = getattr(value, "shape", ())  # arrays claim that they can be an index
    return bool(shape != ())


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a real number other than a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_finite(value: Any) -> TypeGuard[float]:
    """Return whether a value is a real number other than a bool, and finite as a float.

    Examples
    --------
    >>> is_finite(0.5), is_finite(float("inf")), is_finite(10**400)
    (True, False, False)
    """
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False
