"""Dictionary encoding of Arrow columns: one integer code per row, and the values of the codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.pools.plain_types import plain_types
from mssim.pools.texts import as_text, is_missing, listed, normal_texts, texts_of, texts_of_list

__all__ = [
    "Names",
    "Texts",
    "as_text",
    "codes_of",
    "distinct_values",
    "encode",
    "encode_text",
    "in_order",
    "is_missing",
    "large",
    "narrow",
    "plain",
    "table_from_frame",
    "table_of",
    "text_codes",
]

Codes = NDArray[np.signedinteger[Any]]


def narrow(codes: Codes, most: int) -> Codes:
    """Cast codes up to `most` to the smallest sufficient integer type."""
    return codes.astype(_narrowest(most), copy=False)


def _narrowest(most: int) -> type[np.signedinteger[Any]]:
    return np.int16 if most < 2**15 else np.int32 if most < 2**31 else np.int64


def large(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast text and bytes to large types, because views lack compute kernels and small types end at 2 GB."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        wide = _wide(kind.value_type)
        if wide == kind.value_type:
            return column
        chunks = [pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(wide)) for c in column.chunks]
        return pa.chunked_array(chunks, pa.dictionary(kind.index_type, wide))
    return column.cast(_wide(kind))


def _wide(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(kind) or pa.types.is_binary_view(kind) else kind


def _dictionary(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return a code per row (-1 = missing) and the distinct values of a column that is not nested."""
    column = large(column)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if pa.types.is_null(column.type.value_type):  # Arrow cannot unify dictionaries of type null
        return np.full(len(column), -1, np.int32), pa.array([], pa.null())
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return np.zeros(0, np.int32), pa.array([], column.type.value_type)
    if not pa.types.is_signed_integer(column.type.index_type):
        codes = [chunk.indices.cast(pa.int64()) for chunk in chunks]
    else:
        codes = [chunk.indices for chunk in chunks]
    return np.concatenate([c.fill_null(-1).to_numpy(zero_copy_only=False) for c in codes]), chunks[0].dictionary


def _written(column: pa.ChunkedArray) -> tuple[Codes, list[Any]]:
    """Return codes and distinct values of a nested column, compared by their repr."""
    rows = listed(column)
    _, first, place = np.unique([repr(row) for row in rows], return_index=True, return_inverse=True)
    missing = np.array([row is None for row in rows], dtype=bool)
    return np.where(missing, -1, place), [rows[i] for i in first]


def distinct_values(column: pa.ChunkedArray) -> tuple[Codes, pa.Array | list[Any]]:
    """Return a code per row (-1 = missing) and the distinct values, a list if the column is nested."""
    return _written(column) if pa.types.is_nested(column.type) else _dictionary(column)


def codes_of(column: pa.ChunkedArray) -> Codes:
    """Return a code per row (-1 = missing)."""
    return distinct_values(column)[0]


def encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a code per row (-1 = missing) and the distinct values."""
    codes, values = distinct_values(column)
    return codes.astype(np.int64), values if isinstance(values, list) else listed(values)


def encode_text(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Return a code per row and the sorted distinct texts; missing, empty and blank values have code -1."""
    codes, texts = text_codes(column)
    ranks, labels = in_order(texts)
    return np.append(ranks, -1)[codes], labels.to_pylist()


def text_codes(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return a code per row and the distinct texts in order of first appearance.

    Texts that differ only in surrounding white space or in their Unicode normal form are one text. Missing, empty and
    blank values have code -1.
    """
    rows, values = distinct_values(column)
    texts = texts_of_list(values) if isinstance(values, list) else texts_of(values)
    named = pd.unique(rows)
    named = named[named >= 0]
    place, distinct = _distinct([_not_blank(texts.take(pa.array(named)))])
    places = np.full(len(texts) + 1, -1)
    places[named] = place
    return narrow(places, len(distinct))[rows], distinct


def in_order(texts: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the rank of every text and the sorted texts."""
    order = pa.compute.sort_indices(texts).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks, texts.take(pa.array(order))


class Names:
    """Encoder of names over several blocks, with codes in order of first appearance.

    Parameters
    ----------
    known : iterable of str, optional
        Names that receive the first codes.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._places = {name: place for place, name in enumerate(known)}

    def __len__(self) -> int:
        return len(self._places)

    def to_list(self) -> list[str]:
        """Return all names in the order of their codes."""
        return list(self._places)

    def codes(self, column: pa.ChunkedArray) -> Codes:
        """Return a code per row; missing, empty and blank values have code -1."""
        codes, texts = text_codes(column)
        places = [self._places.setdefault(text, len(self)) for text in texts.to_pylist()]
        return narrow(np.array([*places, -1]), len(self))[codes]


class Texts:
    """Encoder of distinct texts over several blocks, with codes in order of first appearance.

    Arrow stores the texts, so that millions of distinct answers fit in memory. Merging hashes all texts. New texts are
    therefore buffered until they are as many as the known ones, which bounds the amortized work per text.
    """

    def __init__(self) -> None:
        self._known = pa.array([], pa.large_string())
        self._waiting: list[pa.Array] = []
        self._places: list[Codes] = []  # codes of the texts of each block

    def add(self, texts: pa.Array) -> None:
        """Add the distinct texts of a block."""
        self._waiting.append(texts)
        if sum(map(len, self._waiting)) >= len(self._known):
            self._join()

    def _join(self) -> None:
        if not self._waiting:
            return
        places, self._known = _distinct([self._known, *self._waiting])
        ends = np.cumsum([len(places) - sum(map(len, self._waiting)), *map(len, self._waiting)])
        self._places += np.split(places, ends)[1:-1]
        self._waiting = []

    def joined(self, blocks: Sequence[Codes]) -> tuple[Codes, pa.Array]:
        """Return the codes of all rows and all distinct texts, given the codes within each block."""
        self._join()
        ends = np.cumsum([0, *map(len, blocks)])
        codes = np.empty(ends[-1], _narrowest(len(self._known)))
        for start, block, places in zip(ends[:-1], blocks, self._places, strict=True):
            codes[start : start + len(block)] = np.append(places, -1)[block]
        return codes, self._known


def _distinct(texts: Sequence[pa.Array]) -> tuple[Codes, pa.Array]:
    """Return a code per text (-1 = missing) and the distinct texts in order of first appearance."""
    chunks = pa.chunked_array(texts, pa.large_string()).dictionary_encode().chunks  # all have the same dictionary
    if not chunks:
        return np.zeros(0, np.int32), pa.array([], pa.large_string())
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(codes), chunks[0].dictionary


def _not_blank(texts: pa.Array) -> pa.Array:
    """Return the texts in normal form; blank texts are null."""
    trimmed = normal_texts(texts)
    return pa.compute.if_else(pa.compute.equal(trimmed, ""), pa.scalar(None, pa.large_string()), trimmed)


def table_from_frame(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame column by column; a column of mixed types becomes text."""
    try:
        return table_of(frame)
    except UnicodeEncodeError as error:
        raise PoolError(
            f"a text contains a lone surrogate (\\ud800 to \\udfff), which is not a character: {error.object!r:.60}. "
            "Write the whole character, or remove it."
        ) from None


def table_of(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame as `table_from_frame`, and raise `UnicodeEncodeError` if a text has a lone surrogate."""
    _once([str(name) for name in frame.columns])
    return plain_types(pa.table({str(name): _column(frame[name]) for name in frame.columns}))


def _column(values: pd.Series[Any]) -> pa.Array:
    try:
        return pa.array(_without_periods(values), from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if is_missing(v) else as_text(v) for v in values], pa.string())


def _without_periods(values: pd.Series[Any]) -> pd.Series[Any]:
    """Write periods and intervals of pandas as text, because only pandas can read their types."""
    pandas_only = isinstance(values.dtype, pd.PeriodDtype | pd.IntervalDtype)
    return values.astype(str).where(values.notna()) if pandas_only else values


def _once(names: list[str]) -> None:
    counts = Counter(names)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise PoolError(
            f"column {repeated[0]!r}: the name appears {counts[repeated[0]]} times. Rename or drop the duplicates."
        )


def plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Undo the dictionary encoding of a frame column."""
    return column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column
