"""Values of a column as Python objects that can be compared with a value that a user gives."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mssim._validation import shown
from mssim.errors import PoolError
from mssim.pools.texts import as_text, listed, normal, normal_texts

__all__ = ["Comparable", "comparable"]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Comparable:
    """Distinct values of a column.

    Attributes
    ----------
    values : list
        The values: text, numbers, or nanoseconds.
    names : list of str
        The values as text, for messages.
    read : callable
        Converts a value that a user gives, possibly text from the command line, to one that compares with `values`.
    """

    values: list[Any]
    names: list[str]
    read: Callable[[Any], Any]


def comparable(column: str, kind: pa.DataType, values: pa.Array | list[Any]) -> Comparable:
    """Return distinct values of a column so that they can be compared; raise if their type has no order."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if isinstance(values, list) or not _has_order(kind):
        raise PoolError(
            f"where: column {column!r} has type {shown(str(kind), 60)[1:-1]}, whose values cannot be compared. Use a "
            "column of text, numbers, dates or times."
        )
    if pa.types.is_null(kind):
        return Comparable([], [], as_text)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = normal_texts(values).to_pylist()
        return Comparable(texts, texts, lambda wanted: normal(as_text(wanted)))
    names = [as_text(value) for value in listed(values)]
    if pa.types.is_temporal(kind):
        return Comparable(_nanoseconds(values), names, lambda wanted: _moment(column, kind, wanted))
    return Comparable(values.to_pylist(), names, lambda wanted: _number(column, kind, wanted))


def _has_order(kind: pa.DataType) -> bool:
    tests = (pa.types.is_null, pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_integer)
    more = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date, pa.types.is_time)
    return any(test(kind) for test in (*tests, *more))


def _refused(column: str, kind: str, wanted: Any, remedy: str = "Use a value of that type") -> PoolError:
    return PoolError(f"where: {shown(wanted)} cannot be compared with column {column!r} of type {kind}. {remedy}.")


# Numbers --------------------------------------------------------------------------------------------------------------


def _number(column: str, kind: pa.DataType, wanted: Any) -> Any:
    """Read a number, or true or false."""
    if pa.types.is_boolean(kind):
        name = "bool"
    else:
        name = "Decimal" if pa.types.is_decimal(kind) else "int" if pa.types.is_integer(kind) else "float"
    if name == "bool" and isinstance(wanted, str) and wanted.lower() in ("true", "false"):
        return wanted.lower() == "true"
    try:
        if name == "Decimal":
            return _decimal(wanted)
        if isinstance(wanted, str):
            return int(wanted) if wanted.strip().lstrip("+-").isdecimal() else float(wanted)
    except (ValueError, InvalidOperation):
        raise _refused(column, name, wanted) from None
    if not isinstance(wanted, Real | Decimal | np.bool_):
        raise _refused(column, name, wanted)
    return wanted


def _decimal(wanted: Any) -> Decimal:
    if not isinstance(wanted, str | Real | Decimal | np.bool_):
        raise InvalidOperation
    number = Decimal(int(wanted)) if isinstance(wanted, bool | np.bool_) else Decimal(str(wanted))
    if number.is_nan():
        raise InvalidOperation
    return number


# Dates and times ------------------------------------------------------------------------------------------------------


def _nanoseconds(values: pa.Array) -> list[Any]:
    """Return dates and times as integers, which also hold those that Python does not have."""
    kind = values.type
    if pa.types.is_date32(kind):
        return [None if value is None else value * 86_400 * 10**9 for value in values.cast(pa.int32()).to_pylist()]
    factor = _NANOSECONDS["ms" if pa.types.is_date64(kind) else kind.unit]
    integers = values.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64()).to_pylist()
    return [None if value is None else value * factor for value in integers]


def _moment(column: str, kind: pa.DataType, wanted: Any) -> int:
    """Read a date or time as nanoseconds."""
    is_time = pa.types.is_time(kind)
    example = "12:30:00" if is_time else "2026-01-05 or 2026-01-05T12:30:00"
    refused = _refused(column, str(kind), wanted, f"Use ISO format, e.g. {example}")
    try:
        return _time(wanted) if is_time else _date(kind, wanted)
    except (ValueError, TypeError, OverflowError):
        raise refused from None


def _time(wanted: Any) -> int:
    time = datetime.time.fromisoformat(wanted.strip()) if isinstance(wanted, str) else wanted
    if not isinstance(time, datetime.time) or time.tzinfo is not None:
        raise ValueError
    seconds = (time.hour * 60 + time.minute) * 60 + time.second
    return (seconds * 10**6 + time.microsecond) * 1000


def _date(kind: pa.DataType, wanted: Any) -> int:
    moment = datetime.datetime.fromisoformat(wanted.strip()) if isinstance(wanted, str) else wanted
    if isinstance(moment, np.datetime64):
        moment = pd.Timestamp(moment)
    nanoseconds = moment.nanosecond if isinstance(moment, pd.Timestamp) else 0
    if isinstance(moment, pd.Timestamp):
        moment = moment.to_pydatetime(warn=False)
    elif isinstance(moment, datetime.date) and not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, datetime.datetime):
        raise TypeError
    zone = pa.lib.string_to_tzinfo(kind.tz) if pa.types.is_timestamp(kind) and kind.tz is not None else None
    if zone is not None:  # a moment without a time zone is one of the column's
        moment = moment.replace(tzinfo=moment.tzinfo or zone).astimezone(datetime.UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000 + nanoseconds
