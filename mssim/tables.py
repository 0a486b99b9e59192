"""Long tables in any of the accepted formats: reading, choosing rows, and text columns as codes.

Text is never trusted: nothing here unpickles, evaluates or guesses types of answers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.errors import PoolError, choose_from

Where = Mapping[str, Any] | Sequence[tuple[str, str, Any]]

KEYS = ("question_id", "model", "answer", "truth")
_FORMATS = (".parquet", ".csv", ".jsonl")
_DEEPEST = 50  # levels of nesting in a value


def read_table(path: Path, *, text: Sequence[str] = ()) -> pa.Table:
    """Read one Parquet, CSV or JSONL file as an Arrow table; a damaged file is a `PoolError`.

    Columns of a CSV file that are in `KEYS` or in `text` stay as they are written.
    """
    csv = partial(_csv, text=(*KEYS, *text))
    readers: dict[str, Callable[[Path], pa.Table]] = {".parquet": _parquet, ".csv": csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PoolError(f"{path}: a table is one of {', '.join(_FORMATS)}, or a folder with samples.parquet")
    try:
        table = reader(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PoolError(f"{path}: cannot be read, is it damaged or truncated? ({reason})") from error
    _once(table.column_names)
    return table


def _parquet(path: Path) -> pa.Table:
    present = pa.parquet.read_schema(path)
    text = [field.name for field in present if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    table = pa.parquet.read_table(path, read_dictionary=[name for name in text if name in (*KEYS, "text")])
    table.validate(full=True)  # text that is not UTF-8 and codes beyond a dictionary: no format check sees them
    return table.replace_schema_metadata(None)  # what pandas notes about an index is not to be trusted either


def _csv(path: Path, text: Sequence[str]) -> pa.Table:
    # Key columns stay text as written: "7" and 7 are one answer, and 007 is not 7.
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(text, pa.string()), null_values=[""], strings_can_be_null=True
    )
    return pa.csv.read_csv(path, parse_options=pa.csv.ParseOptions(newlines_in_values=True), convert_options=convert)


def _jsonl(path: Path) -> pa.Table:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                raise PoolError(f"{path}, line {number}: not JSON ({error}); each line must be one object") from error
            if not isinstance(row, dict):
                raise PoolError(f"{path}, line {number}: a {type(row).__name__}; each line must be one JSON object")
            if _is_deep(row):
                raise PoolError(f"{path}, line {number}: nested more than {_DEEPEST} deep; tables hold plain values")
            rows.append(row)
    return table_from_frame(pd.DataFrame(rows, dtype=object))  # else a missing value turns whole numbers into floats


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; write null")


def _is_deep(row: Any) -> bool:
    """Whether values are nested so deep that a table of them would take much memory."""
    level: list[Any] = [row]
    for _ in range(_DEEPEST + 1):
        level = [v for o in level if isinstance(o, dict | list) for v in (o.values() if isinstance(o, dict) else o)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def table_from_frame(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame column by column; a column of mixed types becomes text."""
    _once([str(name) for name in frame.columns])
    columns: dict[str, pa.Array] = {}
    for name in frame.columns:
        values = frame[name]
        try:
            columns[str(name)] = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError):
            columns[str(name)] = pa.array([None if _missing(v) else _as_text(v) for v in values], pa.string())
    return pa.table(columns)


def _once(names: list[str]) -> None:
    counts = Counter(names)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise PoolError(f"column {repeated[0]!r} is there {counts[repeated[0]]} times; name each column once")


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _as_text(value: Any) -> str:
    """Write a value so that 7, 7.0 and "7" are the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        value = int(value)
    return value if isinstance(value, str) else str(value)


def plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Undo dictionary encoding, so that frames hold plain values."""
    return column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column


def encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return a code per row (-1 = missing) and the distinct values."""
    if pa.types.is_nested(column.type):  # lists and the like: compared as they are written
        rows = column.to_pylist()
        _, first, place = np.unique([repr(row) for row in rows], return_index=True, return_inverse=True)
        missing = np.array([row is None for row in rows], dtype=bool)
        return np.where(missing, -1, place).astype(np.int64), [rows[i] for i in first]
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return np.zeros(0, np.int64), []
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(codes).astype(np.int64), chunks[0].dictionary.to_pylist()


def encode_text(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Return a code per row and the sorted distinct texts; missing, empty and blank values have code -1."""
    codes, values = encode(column)
    texts = ["" if _missing(value) else _as_text(value) for value in values]
    labels = sorted({text for text in texts if text.strip()})
    place = {label: code for code, label in enumerate(labels)}
    translate = np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    return translate[codes], labels


def conditions(where: Where | None) -> list[tuple[str, str, Any]]:
    """Write `where` as (column, operator, value) triples."""
    if where is None:
        return []
    if isinstance(where, Mapping):
        return [(c, "in" if isinstance(v, list | tuple | set | frozenset) else "==", v) for c, v in where.items()]
    triples = list(where)
    for triple in triples:
        if not (isinstance(triple, tuple | list) and len(triple) == 3):
            raise PoolError(
                f"where: {triple!r} is not a (column, operator, value) triple, e.g. ('topic', '!=', 'Math')"
            )
    return [(c, "==" if op == "=" else op, v) for c, op, v in triples]


def matches(table: pa.Table, where: Where | None) -> NDArray[np.bool_]:
    """Return a mask of the rows that fulfil all conditions."""
    mask = np.ones(table.num_rows, dtype=bool)
    for column, operator, wanted in conditions(where):
        if column not in table.column_names:
            raise PoolError(f"where: no column {column!r}; {choose_from(column, table.column_names)}")
        codes, values = encode(table[column])
        for one in {"==": [wanted], "in": wanted}.get(operator, []):
            if not any(_fulfils(column, value, "==", one) for value in values):
                raise PoolError(f"where: {column}={one!r} fits no row; {choose_from(str(one), map(str, values))}")
        chosen = [_fulfils(column, value, operator, wanted) for value in values]
        mask &= np.array([*chosen, operator in ("!=", "not in")])[codes]  # the last is for rows without a value
    return mask


def _fulfils(column: str, value: Any, operator: str, wanted: Any) -> bool:
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    if operator in ("in", "not in"):
        return any(value == _like(column, value, w) for w in wanted) == (operator == "in")
    if operator not in compare:
        raise PoolError(f"where: operator {operator!r}; {choose_from(operator, [*compare, 'in', 'not in'])}")
    return compare[operator](value, _like(column, value, wanted))


def _like(column: str, value: Any, wanted: Any) -> Any:
    """Read `wanted`, which may be text from a command line, as the type of the column's values."""
    if isinstance(value, str):
        return _as_text(wanted)
    if isinstance(wanted, str):
        if isinstance(value, bool) and wanted.lower() in ("true", "false"):
            return wanted.lower() == "true"
        try:
            return float(wanted)
        except ValueError:
            raise PoolError(f"where: column {column!r} holds {type(value).__name__}s, given {wanted!r}") from None
    return wanted
