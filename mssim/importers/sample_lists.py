"""Records that hold the samples of a question as lists: what looks lost or joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mssim._validation import counted
from mssim.importers.naming import RECORD

__all__ = ["NUMBERED", "SampleLists"]

_MOST = 4  # times as many records may have lost samples as have all
NUMBERED = f"names='question_id={RECORD}'"


class SampleLists:
    """Facts about the records of a file whose samples are lists.

    Examples
    --------
    >>> lists = SampleLists()
    >>> for number in (1, 2):
    ...     lists.add({"question_id": "q", "answer": ["7"]}, 1, {}, f"line {number}")
    >>> lists.notes("a.jsonl", numbered=True)
    ["a.jsonl: 1 question has several records, such as 'q', whose samples are joined."]
    """

    def __init__(self) -> None:
        self.found = False
        self._empty: list[str] = []  # places of records without samples
        self._seen: set[tuple[str, str]] = set()
        self._again: dict[str, None] = {}  # questions with several records of one model
        self._equal: Counter[str] = Counter()  # records with as many samples as items, by the name of another list
        self._shorter: set[str] = set()  # other lists with fewer items
        self._longer: dict[str, list[str]] = {}  # other lists with more items, and places of such records

    def add(self, row: Mapping[str, Any], length: int, others: Mapping[str, int], place: str) -> None:
        """Add a record.

        Parameters
        ----------
        row : mapping
            Its columns.
        length : int
            Number of samples.
        others : mapping of str to int
            Lengths of its lists that are not columns of samples.
        place : str
            Where it is.
        """
        self.found = True
        if length == 0:
            self.add_empty(place)
        key = str(row.get("question_id")), str(row.get("model"))
        if key in self._seen and "sample_index" not in row:
            self._again[key[0]] = None
        self._seen.add(key)
        for name, number in others.items():
            self._equal[name] += 1 < number == length
            if number < length:
                self._shorter.add(name)
            elif number > length:
                self._longer.setdefault(name, []).append(f"{place}, with {number} and {length}")

    def add_empty(self, place: str) -> None:
        """Add the place of a record without samples."""
        self._empty.append(place)

    def notes(self, name: str, *, numbered: bool) -> list[str]:
        """Return warnings about the file of a name, whose records are `numbered` as questions or have other ids."""
        notes = []
        if self._empty:
            holding = counted(len(self._empty), "record holds", "records hold")
            notes.append(
                f"{holding} no samples, such as {self._empty[0]}. Their questions may be missing from the pool."
            )
        if self._again:
            having = counted(len(self._again), "question has", "questions have")
            remedy = "" if numbered else f" If they are different questions, number the records with {NUMBERED}."
            first = next(iter(self._again))
            notes.append(f"{name}: {having} several records, such as {first!r:.80}, whose samples are joined.{remedy}")
        for other, places in self._longer.items():
            if other not in self._shorter and len(places) <= _MOST * self._equal[other]:  # else it holds no samples
                having = counted(len(places), "record has", "records have")
                notes.append(
                    f"{name}: {having} more items in {other!r} than samples, such as {places[0]}. If samples without "
                    "an answer are missing, accuracies are too high."
                )
        return notes
