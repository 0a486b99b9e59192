"""Arrow types that pandas, Parquet or the compute functions of Arrow do not support, as types that they do."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pandas as pd
import pyarrow as pa

from mssim.pools.texts import as_text, is_missing, listed

__all__ = ["has_empty_struct", "plain_types", "rows_of", "to_frame"]


def plain_types(table: pa.Table) -> pa.Table:
    """Convert columns of unusual types.

    A UUID becomes text and other extension types become the type that stores them. A narrow decimal becomes one of 128
    bits, a timestamp of an unknown time zone one of UTC, and a column of empty objects their JSON text.
    """
    for place, field in enumerate(table.schema):
        column = _plain(table.column(place))
        if column is not table.column(place) and column.type != field.type:
            table = table.set_column(place, field.name, column)
    return table


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(_stored(column))
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return column.cast(pa.decimal128(kind.precision, kind.scale))
    if pa.types.is_timestamp(kind) and kind.tz is not None and not _is_known(kind.tz):
        return column.cast(pa.timestamp(kind.unit, "UTC"))
    if pa.types.is_interval(kind):
        return pa.chunked_array(
            [pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.large_string())]
        )
    if pa.types.is_nested(kind) and has_empty_struct(kind):
        rows = [None if row is None else json.dumps(row, ensure_ascii=False, default=str) for row in column.to_pylist()]
        return pa.chunked_array([pa.array(rows, pa.large_string())])
    return column


def _stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values of an extension type in the type that stores them."""
    stored = [chunk.storage for chunk in column.chunks]
    whole = pa.chunked_array(stored, column.type.storage_type)
    name = getattr(column.type, "extension_name", "")
    if name == "arrow.uuid":
        texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in whole.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.large_string())])
    return whole.cast(pa.bool_()) if name == "arrow.bool8" else whole


def _is_known(zone: str) -> bool:
    try:
        pa.lib.string_to_tzinfo(zone)
    except (ValueError, OSError, pa.ArrowException):
        return False
    return True


def has_empty_struct(kind: pa.DataType) -> bool:
    """Return whether a type has objects without fields, which Parquet cannot store."""
    if pa.types.is_struct(kind) and kind.num_fields == 0:
        return True
    return any(has_empty_struct(kind.field(i).type) for i in range(kind.num_fields))


# What leaves Arrow ----------------------------------------------------------------------------------------------------


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert a table to a frame; a column of dates and times that pandas does not have becomes text."""
    try:
        whole: pd.DataFrame = table.to_pandas()
        return whole
    except (ValueError, OverflowError, pa.ArrowException):
        columns = {name: _series(table[name]) for name in table.column_names}
        return pd.DataFrame(columns)


def _series(column: pa.ChunkedArray) -> pd.Series[Any]:
    try:
        series: pd.Series[Any] = column.to_pandas()
        return series
    except (ValueError, OverflowError, pa.ArrowException):
        texts = [None if is_missing(value) else as_text(value) for value in _texts(column)]
        return pd.Series(texts, dtype=object)


def _texts(column: pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.cast(pa.large_string()).to_pylist())
    except pa.ArrowException:
        return list(column.to_pylist())


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table as mappings; maps are objects, and dates and times that Python does not have text."""
    columns = [listed(table[name]) for name in table.column_names]
    for place, field in enumerate(table.schema):
        if _has_map(field.type):
            columns[place] = [_object(value, field.type) for value in columns[place]]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _has_map(kind: pa.DataType) -> bool:
    return pa.types.is_map(kind) or any(_has_map(kind.field(i).type) for i in range(kind.num_fields))


def _object(value: Any, kind: pa.DataType) -> Any:
    """Return a value of Arrow with an object in place of each map, which Arrow returns as a list of pairs."""
    if value is None or not _has_map(kind):
        return value
    if pa.types.is_map(kind):
        return {as_text(key): _object(item, kind.item_type) for key, item in value}
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _object(item, kind.field(i).type) for i, item in enumerate(value.values())}
    return [_object(item, kind.value_type) for item in value]
