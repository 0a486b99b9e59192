"""Long tables in any of the accepted formats: reading them whole or block by block, and choosing rows.

Text is never trusted: nothing here unpickles, evaluates or guesses types of answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mssim.errors import PoolError
from mssim.pools.arrow import _once, encode, encode_text, table_from_frame

__all__ = [
    "BLOCK_ROWS",
    "KEYS",
    "cut",
    "encode",
    "encode_text",
    "read_blocks",
    "read_table",
]


KEYS = ("question_id", "model", "answer", "truth")
_FORMATS = (".parquet", ".csv", ".jsonl")
_DEEPEST = 50  # levels of nesting in a value
_MOST_BYTES = 2**30  # of a file, to be read at once
BLOCK_ROWS = 2**20  # few enough that temporary arrays of a block are small, enough that blocks are few


def read_table(path: Path, *, text: Sequence[str] = ()) -> pa.Table:
    """Read one Parquet, CSV or JSONL file as an Arrow table; a damaged file is a `PoolError`.

    Columns of a CSV file that are in `KEYS` or in `text` stay as they are written.
    """
    csv = partial(_csv, text=(*KEYS, *text))
    readers: dict[str, Callable[[Path], pa.Table]] = {".parquet": _parquet, ".csv": csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PoolError(f"{path}: a table is one of {', '.join(_FORMATS)}, or a folder with samples.parquet")
    with _sound(path):
        table = reader(path)
    _once(table.column_names)
    return table


def read_blocks(path: Path, *, without: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Read a file as tables of some `BLOCK_ROWS` rows: of a Parquet file no more is in memory; at least one."""
    if path.suffix.lower() == ".parquet":
        with _sound(path):
            yield from _parquet_blocks(path, without)
    else:
        yield from cut(read_table(path).drop_columns(without))


def cut(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table into blocks, at least one."""
    for start in range(0, max(table.num_rows, 1), BLOCK_ROWS):
        yield table.slice(start, BLOCK_ROWS)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PoolError(f"{path}: cannot be read, is it damaged or truncated? ({reason})") from error


def _parquet(path: Path) -> pa.Table:
    return pa.concat_tables(_parquet_blocks(path))


def _parquet_blocks(path: Path, without: Sequence[str] = ()) -> Iterator[pa.Table]:
    schema = pa.parquet.read_schema(path)
    _once(schema.names)
    text = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    metadata = pa.parquet.read_metadata(path)
    coded = [name for name in text if name in (*KEYS, "text") and name not in _long_columns(metadata)]
    with pa.parquet.ParquetFile(path, read_dictionary=coded) as file:
        names = [name for name in schema.names if name not in without]
        batches: list[pa.RecordBatch] = []
        rows, nothing = 0, True
        for batch in file.iter_batches(_batch_rows(metadata), columns=names):
            batch.validate(full=True)  # text that is not UTF-8, codes beyond a dictionary: no format check sees them
            batches, rows, nothing = [*batches, batch], rows + batch.num_rows, False
            if rows >= BLOCK_ROWS:
                yield _joined(batches)
                batches, rows = [], 0
        if batches or nothing:
            yield _joined(batches, pa.schema([file.schema_arrow.field(name) for name in names]))


def _batch_rows(metadata: pa.parquet.FileMetaData) -> int:
    """Rows to read at once: of long texts fewer than a block, since one array of codes holds up to 2 GB of them."""
    longest = max((_bytes_per_row(metadata.row_group(i)) for i in range(metadata.num_row_groups)), default=1)
    return min(BLOCK_ROWS, max(1, _MOST_BYTES // longest))


def _bytes_per_row(group: pa.parquet.RowGroupMetaData) -> int:
    size, rows = int(group.total_byte_size), int(group.num_rows)
    return max(1, size // max(1, rows))


def _long_columns(metadata: pa.parquet.FileMetaData) -> set[str]:
    """Columns of which a row group is so long that its texts may be too many for one dictionary."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
    return {chunk.path_in_schema for chunk in chunks if chunk.total_uncompressed_size > _MOST_BYTES}


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema | None = None) -> pa.Table:
    # What pandas notes about an index is not to be trusted either.
    return pa.Table.from_batches(batches, None if batches else schema).replace_schema_metadata(None)


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
