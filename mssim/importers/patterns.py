"""Regular expressions that files bring along: one that would search for ever is an error after a second."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import regex

from mssim.importers.fields import Fields

__all__ = ["Pattern"]

_SECONDS = 1.0  # for one text


class Pattern:
    """A compiled pattern, with the methods of `re` that readers need.

    Parameters
    ----------
    pattern : str
    place : Fields
        Where it stands, for messages.
    """

    def __init__(self, pattern: str, place: Fields) -> None:
        self._place, self._pattern = place, pattern
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of patterns that are read differently elsewhere
                self._compiled = regex.compile(pattern)
        except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
            place.refuse(f"the pattern {pattern!r:.80} does not compile ({str(error).splitlines()[0]})")
        self.groups: int = self._compiled.groups

    def findall(self, text: str) -> list[Any]:
        """All matches: texts, or with several groups tuples of texts."""
        found: list[Any] = self._timed(self._compiled.findall, text)
        return found

    def search(self, text: str) -> Any:
        """The first match, or None."""
        return self._timed(self._compiled.search, text)

    def without(self, text: str) -> str:
        """The text without its matches."""
        return str(self._timed(self._compiled.sub, "", text))

    def _timed(self, function: Callable[..., Any], *args: str) -> Any:
        try:
            return function(*args, timeout=_SECONDS)
        except TimeoutError:
            self._place.refuse(f"the pattern {self._pattern!r:.80} takes more than {_SECONDS:g} s for one text")
