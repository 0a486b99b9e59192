"""Values as text: one spelling for values that are equal.

Surrounding white space, the Unicode normal form and the type of a column never make two answers of one.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from mssim.errors import PoolError

__all__ = [
    "alike",
    "as_text",
    "encodable",
    "is_missing",
    "listed",
    "normal",
    "normal_texts",
    "texts_of",
    "texts_of_list",
    "whole",
    "wholes",
]

_WHOLE = r"^(-?[0-9]+)\.0$"  # an integer as pandas writes it in a column of floats
_FIRST = 1000  # rows
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?$"


def is_missing(value: Any) -> bool:
    """Return whether a value represents a missing value."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def as_text(value: Any) -> str:
    """Convert a value to text such that 7, 7.0 and "7" are equal, and a value of JSON is written as JSON writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, np.float16 | np.float32):
        value = float(str(value))  # the shortest text of its own precision: 0.1, not 0.10000000149011612
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return whole(format(value.normalize(), "f"))
    try:
        return str(value)
    except ValueError as error:
        raise PoolError(f"an integer of more than 4300 digits cannot be written ({error}). Store it as text.") from None


def normal(text: str) -> str:
    r"""Return a text without surrounding white space, in Unicode normal form C.

    Examples
    --------
    >>> normal(" cafe\u0301 ") == "caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text.strip())


def encodable(text: str) -> str:
    r"""Return a text in which halves of surrogate pairs, which UTF-8 cannot encode, are U+FFFD.

    Examples
    --------
    >>> encodable("a\ud800b") == "a\ufffdb"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def normal_texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts without surrounding white space, in Unicode normal form C."""
    trimmed = pa.compute.utf8_trim_whitespace(texts)
    if pa.compute.all(pa.compute.string_is_ascii(trimmed)).as_py() is False:
        return pa.compute.utf8_normalize(trimmed, form="NFC")
    return trimmed


def texts_of(values: pa.Array) -> pa.Array:
    """Convert distinct values of a column to text; missing values are null."""
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return values.cast(pa.large_string())
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        short = np.float16 if pa.types.is_float16(kind) else np.float32
        return texts_of_list([None if is_missing(v) else short(v) for v in values.to_pylist()])
    return texts_of_list(listed(values))


def texts_of_list(values: list[Any]) -> pa.Array:
    """Convert Python values to text; missing values are null."""
    return pa.array([None if is_missing(value) else as_text(value) for value in values], pa.large_string())


def listed(values: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return values as Python objects, or as text if Python has no such dates and times."""
    try:
        return list(values.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        try:
            return list(values.cast(pa.large_string()).to_pylist())
        except pa.ArrowException:
            raise PoolError(
                f"a column of type {values.type} contains dates or times that Python does not have ({error}). Store "
                "them as text."
            ) from error


# Numbers that were written as text ------------------------------------------------------------------------------------


def whole(text: str) -> str:
    """Return 18 for 18.0, and any other text as it is."""
    return re.sub(_WHOLE, r"\1", text)


def wholes(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return 18 for 18.0, and any other text as it is."""
    return pa.compute.replace_substring_regex(texts, pattern=_WHOLE, replacement=r"\1")


def alike(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Write whole numbers alike in two columns of texts that are compared, such as answers and truths of a CSV file.

    pandas writes a column of integers with a missing value as 18.0, 17.0, .... If all texts of one column are floats as
    pandas writes them, and all texts of the other column are numbers, 18.0 becomes 18 in both. Other columns are
    returned as they are: 3.10 is not written by pandas, so version numbers remain different texts.
    """
    for rows in (slice(0, _FIRST), slice(None)):  # most columns of texts are told from numbers by their first rows
        texts = [_distinct(column[rows]) for column in (one, other)]
        floats = [_written_by_pandas(distinct) for distinct in texts]
        if not any(floats) or not all(map(_numeric, texts)):
            return one, other
    return (one, other) if all(floats) else (wholes(normal_texts(one)), wholes(normal_texts(other)))


def _distinct(column: pa.ChunkedArray) -> pa.Array:
    texts = pa.compute.drop_null(normal_texts(pa.compute.unique(column)))
    return texts.filter(pa.compute.not_equal(texts, ""))


def _written_by_pandas(texts: pa.Array) -> bool:
    """Return whether all texts are floats as pandas writes them; whole numbers end in .0."""
    return _numeric(texts) and all(text == repr(float(text)) for text in texts.to_pylist())


def _numeric(texts: pa.Array) -> bool:
    return bool(pa.compute.all(pa.compute.match_substring_regex(texts, _NUMBER), min_count=0).as_py())
