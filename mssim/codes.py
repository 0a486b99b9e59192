"""Columns as small whole numbers: a code per row, and what the codes stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

__all__ = ["Texts", "as_text", "codes_of", "encode", "encode_text", "is_missing", "narrow"]

Codes = NDArray[np.signedinteger[Any]]


def is_missing(value: Any) -> bool:
    """Whether a value stands for none."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def as_text(value: Any) -> str:
    """Write a value so that 7, 7.0 and "7" are the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        value = int(value)
    return value if isinstance(value, str) else str(value)


def narrow(codes: Codes, most: int) -> Codes:
    """Store codes up to `most` in as few bytes as they need."""
    return codes.astype(np.int16 if most < 2**15 else np.int32 if most < 2**31 else np.int64, copy=False)


def _dictionary(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return a code per row (-1 = missing) and the distinct values; not for lists and the like."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if pa.types.is_null(column.type.value_type):  # nothing is there, which Arrow does not unify
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
    """Lists and the like: compared as they are written."""
    rows = column.to_pylist()
    _, first, place = np.unique([repr(row) for row in rows], return_index=True, return_inverse=True)
    missing = np.array([row is None for row in rows], dtype=bool)
    return np.where(missing, -1, place), [rows[i] for i in first]


def codes_of(column: pa.ChunkedArray) -> Codes:
    """Return a code per row (-1 = missing)."""
    return _written(column)[0] if pa.types.is_nested(column.type) else _dictionary(column)[0]


def encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a code per row (-1 = missing) and the distinct values."""
    if pa.types.is_nested(column.type):
        codes, values = _written(column)
    else:
        codes, dictionary = _dictionary(column)
        values = dictionary.to_pylist()
    return codes.astype(np.int64), values


def encode_text(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Return a code per row and the sorted distinct texts; missing, empty and blank values have code -1."""
    texts = Texts()
    codes = texts.codes(column)
    ranks, labels = texts.in_order()
    return np.append(ranks, -1)[codes], labels.to_pylist()


class Texts:
    """Numbers distinct texts in the order in which rows name them, over any number of blocks.

    The texts are kept by Arrow, not as Python objects: millions of different answers fit.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = pa.array(list(known), pa.string())

    def __len__(self) -> int:
        return len(self._known)

    def to_list(self) -> list[str]:
        """All texts; the place of each is its code."""
        found: list[str] = self._known.to_pylist()
        return found

    def codes(self, column: pa.ChunkedArray) -> Codes:
        """Return a code per row; missing, empty and blank values have code -1."""
        if pa.types.is_nested(column.type):
            rows, values = _written(column)
            texts = _not_blank(_as_texts(values))
        else:
            rows, dictionary = _dictionary(column)
            texts = _not_blank(_texts(dictionary))
        place = self._places(texts)
        new = (place < 0) & texts.is_valid().to_numpy(zero_copy_only=False)
        if new.any():
            named = pd.unique(rows)
            named = named[named >= 0]
            self._known = pa.concat_arrays([self._known, texts.take(pa.array(named[new[named]])).unique()])
            place = self._places(texts)
        return narrow(np.append(place, -1), len(self))[rows]

    def _places(self, texts: pa.Array) -> Codes:
        found = pa.compute.index_in(texts, value_set=self._known)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False))

    def in_order(self) -> tuple[NDArray[np.int64], pa.Array]:
        """Return the rank of every text and the sorted texts."""
        order = pa.compute.sort_indices(self._known).to_numpy()
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        return ranks, self._known.take(pa.array(order))


def _texts(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return values.cast(pa.string())
    return _as_texts(values.to_pylist())


def _as_texts(values: list[Any]) -> pa.Array:
    return pa.array([None if is_missing(value) else as_text(value) for value in values], pa.string())


def _not_blank(texts: pa.Array) -> pa.Array:
    blank = pa.compute.equal(pa.compute.utf8_trim_whitespace(texts), "")
    return pa.compute.if_else(blank, pa.scalar(None, pa.string()), texts)
