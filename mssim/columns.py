"""Which columns of a long table describe questions and which describe samples."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from mssim.codes import Codes, codes_of
from mssim.errors import PoolError

__all__ = ["Columns"]


class Columns:
    """Columns that come block by block.

    A column describes questions if it is constant within every one. As long as it is, one value per question is kept:
    if a later block breaks that, the earlier rows are written out again.

    Parameters
    ----------
    known : collection of str or None
        Names of the columns that a table of questions has: those of samples are dropped, all others describe samples.
    per_sample : collection of str
        Columns that describe samples even if they are constant.
    """

    def __init__(self, known: Collection[str] | None, per_sample: Collection[str]) -> None:
        self._known, self._per_sample = known, per_sample
        self._names: list[str] = []
        self._values: dict[str, pa.ChunkedArray] = {}  # of questions, of columns that are constant so far
        self._parts: dict[str, list[pa.ChunkedArray]] = {}  # of samples
        self._questions: list[Codes] = []
        self._n_questions = 0

    def add(self, table: pa.Table, question: Codes, n_questions: int) -> None:
        """Take in a block, given the question of each row; questions are numbered as they appear."""
        if not self._questions:
            self._names = [name for name in table.column_names if self._known is None or name not in self._known]
        first = np.full(n_questions, -1)
        first[question[::-1]] = np.arange(question.size)[::-1]  # the last one written stays
        for name in self._names:
            column = table[name]
            if name not in self._parts and self._known is None and name not in self._per_sample:
                if self._is_constant(name, column, question, first):
                    self._extend(name, column, first)
                    continue
                self._write_out(name, column.type)
            self._parts.setdefault(name, []).append(column)
        self._questions.append(question)
        self._n_questions = n_questions

    def _is_constant(self, name: str, column: pa.ChunkedArray, question: Codes, first: Codes) -> bool:
        codes = codes_of(column)
        if not np.array_equal(codes, codes[first[question]]):
            return False
        again = np.nonzero(first[: self._n_questions] >= 0)[0]
        if not again.size:
            return True
        known, given = self._values[name].take(pa.array(again)), _plain(column.take(pa.array(first[again])))
        before, now = np.split(codes_of(_chained(name, [known, given])), 2)
        return np.array_equal(before, now)

    def _extend(self, name: str, column: pa.ChunkedArray, first: Codes) -> None:
        new = _plain(column.take(pa.array(first[self._n_questions :])))
        if name not in self._values:
            self._values[name] = new
        elif len(new):
            self._values[name] = _chained(name, [self._values[name], new])

    def _write_out(self, name: str, kind: pa.DataType) -> None:
        """Give every earlier row the value of its question."""
        self._parts[name] = []
        values = self._values.pop(name, None)
        for question in self._questions:
            part = values.take(pa.array(question))
            self._parts[name].append(_coded(part, kind) if pa.types.is_dictionary(kind) else part)

    def split(self) -> tuple[pa.Table, pa.Table]:
        """Return the columns that describe questions, in the order of their codes, and those that describe samples."""
        described = {name: self._values[name] for name in self._names if name in self._values}
        extra = {name: _chained(name, self._parts.pop(name)) for name in self._names if name in self._parts}
        return pa.table(described), pa.table(extra)


def _coded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Encode as the rest of the column is: other codes could not follow."""
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices.cast(kind.index_type), chunk.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
        for chunk in column.dictionary_encode().chunks
    ]
    return pa.chunked_array(chunks, kind)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _chained(name: str, parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column after the other; types that differ between files become one that holds both."""
    if len({part.type for part in parts}) > 1:
        parts = [_plain(part) for part in parts]
    try:
        return pa.concat_tables([pa.table({name: part}) for part in parts], promote_options="permissive")[name]
    except pa.ArrowException as error:
        kinds = " and ".join(dict.fromkeys(str(part.type) for part in parts))
        raise PoolError(f"column {name!r} holds {kinds}, which are no one type; write one in all files") from error
