"""Classification of the columns of a long table into question columns and sample columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from mssim.errors import PoolError
from mssim.pools.arrow import Codes, codes_of

__all__ = ["Columns"]


class Columns:
    """Accumulator that classifies columns block by block.

    A column describes questions if it is constant within every question. Such a column is stored as one value per
    question. If a later block violates this, the values of the earlier rows are restored.

    Parameters
    ----------
    known : collection of str or None
        Column names of a separate table of questions. Columns with these names are dropped, and all other columns
        describe samples.
    per_sample : collection of str
        Columns that describe samples even if they are constant.
    """

    def __init__(self, known: Collection[str] | None, per_sample: Collection[str]) -> None:
        self._known, self._per_sample = known, per_sample
        self._names: list[str] = []
        self._values: dict[str, _Values] = {}  # columns that are constant so far
        self._parts: dict[str, list[pa.ChunkedArray]] = {}  # columns that describe samples
        self._questions: list[Codes] = []
        self._n_questions = 0

    def add(self, table: pa.Table, question: Codes) -> None:
        """Add a block, given the question of each row; questions are numbered in order of appearance."""
        if not self._questions:
            self._names = [name for name in table.column_names if self._known is None or name not in self._known]
        asked = _Asked(question, self._n_questions)
        for name in self._names:
            column = table[name]
            if name not in self._parts and self._known is None and name not in self._per_sample:
                values = self._values.setdefault(name, _Values(name))
                if asked.is_constant(column) and values.fit(asked.known, column.take(asked.first_of_known)):
                    values.add(column.take(asked.first_of_new))
                    continue
                self._write_out(name, column.type)
            self._parts.setdefault(name, []).append(column)
        self._questions.append(question)
        self._n_questions += len(asked.first_of_new)

    def _write_out(self, name: str, kind: pa.DataType) -> None:
        """Expand a column from one value per question to one value per earlier row."""
        self._parts[name] = []
        values = self._values.pop(name)
        if not self._questions:
            return
        whole = values.whole()
        for question in self._questions:
            part = whole.take(pa.array(question))
            self._parts[name].append(_coded(part, kind) if pa.types.is_dictionary(kind) else part)

    def split(self) -> tuple[pa.Table, pa.Table]:
        """Return the table of question columns, in the order of the question codes, and that of sample columns."""
        described = {name: self._values[name].whole() for name in self._names if name in self._values}
        extra = {name: _chained(name, self._parts.pop(name)) for name in self._names if name in self._parts}
        return pa.table(described), pa.table(extra)


class _Asked:
    """The questions of a block, divided into known and new ones."""

    def __init__(self, question: Codes, n_known: int) -> None:
        self._within, asked = pd.factorize(question)
        self._first = np.empty(asked.size, np.int64)
        self._first[self._within[::-1]] = np.arange(question.size)[
            ::-1
        ]  # reversed, so that the first row of a question is written last
        known = asked < n_known
        self.known = asked[known]
        self.first_of_known, self.first_of_new = pa.array(self._first[known]), pa.array(self._first[~known])

    def is_constant(self, column: pa.ChunkedArray) -> bool:
        """Return whether the column is constant within every question."""
        codes = codes_of(column)
        return np.array_equal(codes, codes[self._first][self._within])


class _Values:
    """Values of a column, one per question.

    The values are stored in few pieces of decreasing length, which bounds the amortized cost of adding some.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pieces: list[pa.ChunkedArray] = []

    def add(self, values: pa.ChunkedArray) -> None:
        """Append the values of the next questions."""
        if self._pieces and not len(values):
            return
        self._pieces.append(_plain(values))
        while len(self._pieces) > 1 and len(self._pieces[-2]) <= len(self._pieces[-1]):
            self._pieces[-2:] = [_one_chunk(_chained(self._name, self._pieces[-2:]))]

    def fit(self, questions: Codes, values: pa.ChunkedArray) -> bool:
        """Return whether known questions have the given values."""
        ends = np.cumsum([len(piece) for piece in self._pieces])
        pieces = np.searchsorted(ends, questions, side="right")
        for number in np.unique(pieces):
            mine, piece = np.nonzero(pieces == number)[0], self._pieces[number]
            known = piece.take(pa.array(questions[mine] - (ends[number] - len(piece))))
            given = _plain(values.take(pa.array(mine)))
            before, now = np.split(codes_of(_chained(self._name, [known, given])), 2)
            if not np.array_equal(before, now):
                return False
        return True

    def whole(self) -> pa.ChunkedArray:
        """Return all values in the order of the questions."""
        return _one_chunk(_chained(self._name, self._pieces))


def _one_chunk(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Join chunks as far as the capacity of their type allows."""
    return pa.table([column], ["values"]).combine_chunks()["values"]


def _coded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Dictionary-encode a column like the rest of it, if its values can be cast."""
    try:
        column = column.cast(kind.value_type)
    except pa.ArrowException:
        return column
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(kind.index_type), chunk.dictionary, ordered=kind.ordered)
        for chunk in column.dictionary_encode().chunks
    ]
    return pa.chunked_array(chunks, kind)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _chained(name: str, parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Concatenate columns; types that differ between files are promoted to a common type."""
    if len({part.type for part in parts}) > 1:
        parts = [_plain(part) for part in parts]
    try:
        return pa.concat_tables([pa.table({name: part}) for part in parts], promote_options="permissive")[name]
    except pa.ArrowException as error:
        kinds = " and ".join(dict.fromkeys(str(part.type) for part in parts))
        raise PoolError(
            f"column {name!r}: the types {kinds} have no common type. Store the column with one type in all files."
        ) from error
