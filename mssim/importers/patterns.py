"""Regular expressions from imported files, with a time limit against catastrophic backtracking."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import regex

from mssim.importers.fields import Fields

__all__ = ["Pattern"]

_SECONDS = 1.0  # time limit per text


class Pattern:
    """A compiled pattern with a time limit of one second per text.

    Parameters
    ----------
    pattern : str
        The regular expression.
    place : Fields
        The object that contains the pattern, named in error messages.
    """

    def __init__(self, pattern: str, place: Fields) -> None:
        self._place, self._pattern = place, pattern
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # future changes of regex syntax do not concern the user
                self._compiled = regex.compile(pattern)
        except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
            reason = str(error).splitlines()[0]
            place.refuse(f"the pattern {pattern!r:.80} is not a valid regular expression ({reason}). Correct it.")
        self.groups: int = self._compiled.groups

    def findall(self, text: str) -> list[Any]:
        """Return all matches, as texts or, with several groups, as tuples of texts."""
        found: list[Any] = self._timed(self._compiled.findall, text)
        return found

    def search(self, text: str) -> Any:
        """Return the first match, or None."""
        return self._timed(self._compiled.search, text)

    def without(self, text: str) -> str:
        """Return the text without the matches."""
        return str(self._timed(self._compiled.sub, "", text))

    def _timed(self, function: Callable[..., Any], *args: str) -> Any:
        try:
            return function(*args, timeout=_SECONDS)
        except TimeoutError:
            self._place.refuse(
                f"the pattern {self._pattern!r:.80} takes more than {_SECONDS:g} s for one text. Simplify it."
            )
