"""Questions whose truth, text or choices differ under one id."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from mssim._validation import counted
from mssim.pools.texts import as_text, normal

__all__ = ["IDENTIFYING", "Conflicts", "form", "named"]

IDENTIFYING = ("truth", "question", "choices")  # columns that one question has once
_CALLED = {"truth": "truths", "question": "texts", "choices": "lists of choices"}
_NAMED = 3  # questions that a message describes
_SHOWN = 80  # characters of a value in a message
_CUT = "...(contenttruncated)"  # mark of Inspect AI in a text that it has shortened, without white space


class Conflicts:
    """Questions with two values of a column that identifies them. Of each, the first two values are kept, shortened.

    Examples
    --------
    >>> found = Conflicts()
    >>> found.compare("q1", "question", "What is 3 + 4?", "What  is 3+4?")
    >>> found.compare("q2", "truth", "7", "Paris")
    >>> found.message(["q1", "q2", "q3"], "Import them separately")[:58]
    "question_id: question 'q2' has two truths, '7' and 'Paris'"
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] = {}  # column and description by question_id

    def __contains__(self, question_id: str) -> bool:
        return question_id in self._found

    def compare(self, question_id: str, column: str, known: Any, given: Any) -> None:
        """Record a conflict if two values of a question differ.

        Truths are equal if votes treat them as equal. Texts of questions and choices that differ only in white space or
        in their Unicode normal form are equal.
        """
        if question_id not in self._found and not _equal(column, known, given):
            self._found[question_id] = (column, _described(column, known, given))

    def of(self, question_ids: Collection[str]) -> list[str]:
        """Return those of the given questions that have a conflict."""
        return [question_id for question_id in question_ids if question_id in self._found] if self._found else []

    def counts(self, question_ids: Collection[str]) -> dict[str, int]:
        """Return the number of conflicts by column."""
        columns = [self._found[question_id][0] for question_id in self.of(question_ids)]
        return {column: columns.count(column) for column in dict.fromkeys(columns)}

    def message(self, question_ids: Collection[str], remedy: str) -> str:
        """Return the message of an error about the given questions, with a remedy that distinguishes them."""
        ids = self.of(question_ids)
        told = [f"question {name!r:.{_SHOWN}} has {self._found[name][1]}" for name in ids[:_NAMED]]
        more = f"; and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        number = f"{len(ids)} questions have two values under one id: " if len(ids) > 1 else ""
        these = "this question" if len(ids) == 1 else "these questions"
        return (
            f"question_id: {number}{'; '.join(told)}{more}. The files contain different questions under the same ids. "
            f"{remedy}, or leave out {these} with drop_conflicts=True."
        )

    def note(self, question_ids: Collection[str]) -> str:
        """Return a warning that the given questions, which have conflicts, were left out."""
        ids = self.of(question_ids)
        kinds = " or ".join(_CALLED.get(column, column) for column in self.counts(ids))
        having = counted(len(ids), "question has", "questions have")
        return f"{having} two {kinds} under one id and {'is' if len(ids) == 1 else 'are'} left out: {named(ids)}."


def named(question_ids: Sequence[str]) -> str:
    """Return the first names of questions for a message."""
    more = f" and {len(question_ids) - _NAMED} more" if len(question_ids) > _NAMED else ""
    return ", ".join(f"{name!r:.{_SHOWN}}" for name in question_ids[:_NAMED]) + more


def _equal(column: str, known: Any, given: Any) -> bool:
    if type(known) is type(given) and isinstance(known, str | list | float) and known == given:
        return True  # usually, as every sample of a question repeats them
    one, other = form(column, known), form(column, given)
    cut = min((text.find(_CUT) for text in (one, other) if isinstance(text, str) and _CUT in text), default=None)
    return one[:cut] == other[:cut]


def form(column: str, value: Any) -> str | tuple[str, ...]:
    """Return a value such that equal values of an identifying column have equal forms."""
    return normal(as_text(value)) if column == "truth" else _form(value)


def _form(value: Any) -> str | tuple[str, ...]:
    """Return a value without white space, in Unicode normal form C."""
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(str(_form(one)) for one in value)
    return unicodedata.normalize("NFC", "".join(as_text(value).split()))


def _described(column: str, known: Any, given: Any) -> str:
    """Return e.g. "two truths, 'A' and 'B'"."""
    one, other = (_form(value) for value in (known, given))
    lists = column == "choices" and isinstance(one, tuple) and isinstance(other, tuple)
    orders = lists and sorted(one) == sorted(other)
    called = "orders of choices" if orders else _CALLED.get(column, f"values of {column}")
    return f"two {called}, {' and '.join(_shown(known, given))}"


def _shown(*values: Any) -> list[str]:
    """Return two values for a message, texts from shortly before the first difference."""
    listed = [list(value) if isinstance(value, tuple | np.ndarray) else value for value in values]
    texts = [" ".join(as_text(value).split()) for value in listed]
    start = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0) - _SHOWN // 2
    return [repr("..." + text[start : start + _SHOWN]) if start > 0 else f"{text!r:.{_SHOWN}}" for text in texts]
