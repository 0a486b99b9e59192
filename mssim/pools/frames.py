"""Tables of other libraries as Arrow tables, by the protocols that they share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.interchange

from mssim._validation import shown
from mssim.errors import MssimError, PoolError
from mssim.pools.arrow import _once, table_from_frame
from mssim.pools.plain_types import plain_types

__all__ = ["Frame", "table_from"]

_REMEDY = "Convert it to a pandas DataFrame with one row per sample."


class _Stream(Protocol):
    """A table with the Arrow PyCapsule interface, such as a polars DataFrame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class _Interchange(Protocol):
    """A table with the dataframe interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any: ...


class _ToPandas(Protocol):
    """A table that pandas can hold, such as a `datasets.Dataset`."""

    def to_pandas(self) -> Any: ...


Frame: TypeAlias = pd.DataFrame | _Stream | _Interchange | _ToPandas


def table_from(frame: Frame) -> pa.Table:
    """Convert a table of any library to an Arrow table.

    Parameters
    ----------
    frame : DataFrame, pyarrow.Table or other table
        A pandas DataFrame, or an object with the Arrow PyCapsule interface, the dataframe interchange protocol or a
        method to_pandas, in this order.

    Returns
    -------
    pyarrow.Table
        The columns, with types that a pool supports.

    Raises
    ------
    PoolError
        If the object is not a table, if its columns cannot be read, or if a name appears twice.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mssim.pools.frames import table_from
    >>> table_from(pa.table({"answer": ["7", "8"]})).num_rows
    2
    """
    if isinstance(frame, pd.DataFrame):
        return table_from_frame(frame)
    try:
        found = _converted(frame)
        if isinstance(found, pd.DataFrame):
            return table_from_frame(found)
        found.validate(full=True)  # finds invalid UTF-8 and codes out of range
    except MssimError:
        raise
    except Exception as error:  # any that the library of the object raises
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise PoolError(f"frame: this {_name(frame)} cannot be read ({reason}). {_REMEDY}") from error
    _once(found.column_names)
    return plain_types(found.replace_schema_metadata(None))


def _converted(frame: Any) -> pa.Table | pd.DataFrame:
    if isinstance(frame, type):
        _refuse(frame)
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame).read_all()
    if hasattr(frame, "__dataframe__"):
        return pa.interchange.from_dataframe(frame)
    if not hasattr(frame, "to_pandas"):
        _refuse(frame)
    found = frame.to_pandas()
    if not isinstance(found, pd.DataFrame):
        raise PoolError(f"frame: to_pandas of this {_name(frame)} returns {_name(found)}, not a DataFrame. {_REMEDY}")
    return _with_labels(found, getattr(frame, "features", None))


def _with_labels(frame: pd.DataFrame, features: Any) -> pd.DataFrame:
    """Replace the codes of the `ClassLabel` columns of a `datasets.Dataset` by the names of the classes."""
    features = features if isinstance(features, Mapping) else {}
    labels = {name: feature.names for name, feature in features.items() if hasattr(feature, "int2str")}
    named = {
        name: frame[name].map(dict(enumerate(names)), na_action="ignore")
        for name, names in labels.items()
        if name in frame.columns
    }
    return frame.assign(**named)


def _refuse(frame: Any) -> NoReturn:
    tables = (
        [name for name, value in frame.items() if hasattr(value, "to_pandas")] if isinstance(frame, Mapping) else []
    )
    if tables:
        names = ", ".join(shown(name) for name in tables[:5])
        raise PoolError(f"frame: this {_name(frame)} holds several tables ({names}). Pass one of them.")
    remedy = _REMEDY
    if isinstance(frame, str | os.PathLike):
        remedy = "Use load_pool to read a file."
    elif hasattr(frame, "collect") and not isinstance(frame, type):
        remedy = "Pass the result of its method collect."
    raise PoolError(f"frame: {_name(frame)} is not a table. {remedy}")


def _name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
