"""Types of the columns of imported tables."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.importers.columns import NO_VERDICT, SAID
from mssim.importers.safe_files import Source
from mssim.importers.sink import COLUMNS
from mssim.pools.arrow import distinct_values
from mssim.pools.reading import KEYS, encode, encode_text
from mssim.pools.row_checks import NUMBERS
from mssim.pools.verdicts import said_verdict

__all__ = ["typed"]

Codes = NDArray[np.int64]

_NEEDED = ("question_id", "model")
_DECIMAL = r"^\s*[+-]?[0-9]+(,[0-9]+)?\s*$"  # with a comma, as spreadsheets of many countries write it
_THOUSANDS = r",[0-9]{3}\s*$"  # or a fraction of three digits


def typed(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a column to the type that a pool needs, or to one that can be stored. Raise if a value does not fit."""
    kind = column.type
    try:
        if isinstance(kind, pa.BaseExtensionType):
            column = column.cast(kind.storage_type)
        elif pa.types.is_string_view(kind):
            column = column.cast(pa.string())
        elif pa.types.is_dictionary(kind) and name not in KEYS:
            column = column.cast(kind.value_type)
        if name in KEYS:
            return _key(source, name, column)
        if name == "correct":
            codes, values = encode(column)
            flags = [said_verdict(value) for value in values]
            unclear = np.array([flag is None for flag in flags] + [False])[codes]
            _refuse_first(source, name, column, unclear, NO_VERDICT)
            return _decoded(codes, flags, pa.bool_())
        if name == "sample_index":
            index = column.cast(pa.int64())
            _refuse_first(
                source, name, column, index.fill_null(-1).to_numpy() < 0, "It must be an integer of at least 0."
            )
            return index
        if name in SAID and pa.types.is_nested(kind):
            return pa.chunked_array([pa.array(map(SAID[name], column.to_pylist()), pa.string())])
        return _known(name, column) if name in COLUMNS else _storable(column)
    except PoolError:
        raise
    except (pa.ArrowException, ValueError, OverflowError) as error:
        source.refuse(
            f"column {name!r} has type {kind}, not {COLUMNS.get(name, 'a supported type')} ({_reason(error)}). Convert "
            "its values, or rename the column if it has another meaning."
        )


def _refuse_first(source: Source, name: str, column: pa.ChunkedArray, wrong: NDArray[np.bool_], remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        source.refuse(f"row {row + 1}: {name} is {column[row].as_py()!r:.80}. {remedy}")


def _key(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_nested(column.type):
        source.refuse(f"column {name!r} has type {column.type}. Convert its values to text or numbers.")
    texts = _texts(column)
    if name in _NEEDED:
        _refuse_first(source, name, column, texts.is_null().to_numpy(), "Every sample needs one.")
    return texts


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert values to text, such that 7, 7.0 and "7" are equal. Blank values are missing."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
    return _decoded(*encode_text(column), pa.string())


def _decoded(codes: Codes, values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind).take(pa.array(codes, mask=codes < 0))])


def _known(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a known column to its type. A setting may be text instead of a number."""
    given = column.type
    if name in NUMBERS and (pa.types.is_string(given) or pa.types.is_large_string(given)):
        column = _with_points(column)
    if COLUMNS[name] == pa.string() and not (pa.types.is_large_string(given) or pa.types.is_null(given)):
        return column if pa.types.is_string(given) else _texts(column)
    try:
        return column.cast(COLUMNS[name])
    except pa.ArrowException:
        return (
            column.cast(pa.float64()) if name in NUMBERS else _storable(column)
        )  # means of counts need not be integers


def _with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers with decimal commas as numbers with points, unless their commas may separate thousands."""
    matches = pa.compute.match_substring_regex
    known = column.drop_null()
    fractions = known.filter(matches(known, ","))
    if not len(fractions) or not pa.compute.all(matches(known, _DECIMAL)).as_py():
        return column
    if pa.compute.all(matches(fractions, _THOUSANDS)).as_py():
        return column
    return pa.compute.replace_substring(column, ",", ".")


def _storable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as it is, or as text if Parquet has no such type, as for objects without fields."""
    if pa.types.is_temporal(column.type) or pa.types.is_nested(column.type):
        values: Any = column if pa.types.is_nested(column.type) else distinct_values(column)[1]
        values.to_pylist()  # raises for dates that Python does not have
    try:
        pa.parquet.write_table(pa.schema([("column", column.type)]).empty_table(), io.BytesIO())
    except pa.ArrowException:
        return _texts(column)
    return column


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
