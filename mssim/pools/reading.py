"""Readers of long tables in Parquet, CSV and JSONL format.

Input is untrusted: nothing is unpickled or evaluated, and the types of answers are not guessed.
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
from mssim.pools.arrow import _once, encode, encode_text, table_of
from mssim.pools.delimiters import delimiter_of
from mssim.pools.plain_types import plain_types
from mssim.pools.texts import alike, encodable

__all__ = [
    "BLOCK_ROWS",
    "DEEPEST",
    "KEYS",
    "cut",
    "encode",
    "encode_text",
    "is_deep",
    "read_blocks",
    "read_table",
    "suffix_of",
]


KEYS = ("question_id", "model", "answer", "truth")
_FORMATS = (".parquet", ".csv", ".tsv", ".jsonl")
DEEPEST = 50  # levels of nesting in a value
_COMPRESSED = (".gz", ".zst", ".zstd")
_MOST_BYTES = 2**30  # bytes of a Parquet file to read at once
BLOCK_ROWS = 2**20  # balances the size of temporary arrays and the number of blocks


def read_table(path: Path, *, text: Sequence[str] = (), exact: bool = False) -> pa.Table:
    """Read a Parquet, CSV or JSONL file as an Arrow table.

    Columns of a CSV file that are in `KEYS` or in `text` are read as text. Half a surrogate pair in JSON becomes U+FFFD
    or, if the text must be `exact`, raises `PoolError`. So does a damaged file.
    """
    csv = partial(_csv, text=(*KEYS, *text))
    tsv = partial(_csv, text=(*KEYS, *text), delimiter="\t")
    jsonl = partial(_jsonl, exact=exact)
    readers: dict[str, Callable[[Path], pa.Table]] = {".parquet": _parquet, ".csv": csv, ".tsv": tsv, ".jsonl": jsonl}
    reader = readers.get(suffix_of(path) if suffix_of(path) in (".csv", ".tsv") else path.suffix.lower())
    if reader is None:
        raise PoolError(
            f"{path}: unknown file format. Supported are {', '.join(_FORMATS)} files and folders with samples.parquet."
        )
    with _sound(path):
        table = reader(path)
    _once(table.column_names)
    return plain_types(table)


def suffix_of(path: Path) -> str:
    """Return the ending of a file name without the ending of a compression.

    Examples
    --------
    >>> suffix_of(Path("answers.CSV.gz"))
    '.csv'
    """
    name = path.name.lower()
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return Path(name).suffix


def read_blocks(path: Path, *, without: Sequence[str] = (), groups: Sequence[int] | None = None) -> Iterator[pa.Table]:
    """Yield tables of about `BLOCK_ROWS` rows, at least one; Parquet files are read block by block.

    `groups` are the numbers of the row groups of a Parquet file to read; by default all.
    """
    if path.suffix.lower() == ".parquet":
        with _sound(path):
            yield from _parquet_blocks(path, without, groups)
    else:
        yield from cut(read_table(path).drop_columns(without))


def cut(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table into blocks, at least one."""
    for start in range(0, max(table.num_rows, 1), BLOCK_ROWS):
        yield table.slice(start, BLOCK_ROWS)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Convert read errors to a `PoolError` that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        utf8 = "UTF8" in reason or "utf-8" in reason
        remedy = (
            'Save it as UTF-8, in Excel as "CSV UTF-8"' if utf8 else "Check whether the file is damaged or truncated"
        )
        raise PoolError(f"{path}: cannot be read ({reason}). {remedy}.") from error


def _parquet(path: Path) -> pa.Table:
    return pa.concat_tables(_parquet_blocks(path))


def _parquet_blocks(path: Path, without: Sequence[str] = (), groups: Sequence[int] | None = None) -> Iterator[pa.Table]:
    schema = pa.parquet.read_schema(path)
    _once(schema.names)
    text = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    metadata = pa.parquet.read_metadata(path)
    coded = [name for name in text if name in (*KEYS, "text") and name not in _long_columns(metadata)]
    with pa.parquet.ParquetFile(path, read_dictionary=coded) as file:
        names = [name for name in schema.names if name not in without]
        batches: list[pa.RecordBatch] = []
        rows, nothing = 0, True
        for batch in file.iter_batches(_batch_rows(metadata), row_groups=groups, columns=names):
            batch.validate(full=True)  # finds invalid UTF-8 and codes out of range, which the reader accepts
            batches, rows, nothing = [*batches, batch], rows + batch.num_rows, False
            if rows >= BLOCK_ROWS:
                yield _joined(batches)
                batches, rows = [], 0
        if batches or nothing:
            yield _joined(batches, pa.schema([file.schema_arrow.field(name) for name in names]))


def _batch_rows(metadata: pa.parquet.FileMetaData) -> int:
    """Return the number of rows to read at once; long texts need smaller batches because an array holds 2 GB."""
    longest = max((_bytes_per_row(metadata.row_group(i)) for i in range(metadata.num_row_groups)), default=1)
    return min(BLOCK_ROWS, max(1, _MOST_BYTES // longest))


def _bytes_per_row(group: pa.parquet.RowGroupMetaData) -> int:
    size, rows = int(group.total_byte_size), int(group.num_rows)
    return max(1, size // max(1, rows))


def _long_columns(metadata: pa.parquet.FileMetaData) -> set[str]:
    """Return the columns with row groups too large for one dictionary of texts."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
    return {chunk.path_in_schema for chunk in chunks if chunk.total_uncompressed_size > _MOST_BYTES}


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema | None = None) -> pa.Table:
    # Metadata about a pandas index is untrusted input as well.
    return pa.Table.from_batches(batches, None if batches else schema).replace_schema_metadata(None)


def _csv(path: Path, text: Sequence[str], delimiter: str | None = None) -> pa.Table:
    # Key columns are read as text: "7" and 7 are one answer, and 007 differs from 7.
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(text, pa.string()), null_values=[""], strings_can_be_null=True
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True, delimiter=delimiter or delimiter_of(path))
    table = pa.csv.read_csv(path, parse_options=parse, convert_options=convert)  # decompresses .gz and .zst
    pair = ("answer", "truth")
    if not {*pair} <= {*table.column_names} or not all(pa.types.is_string(table[name].type) for name in pair):
        return table
    for name, column in zip(pair, alike(*(table[name] for name in pair)), strict=True):
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _jsonl(path: Path, exact: bool) -> pa.Table:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                raise PoolError(
                    f"{path}, line {number}: not valid JSON ({error}). Write one JSON object per line."
                ) from error
            if not isinstance(row, dict):
                raise PoolError(
                    f"{path}, line {number}: a {type(row).__name__}, not an object. Write one JSON object per line."
                )
            if is_deep(row):
                raise PoolError(
                    f"{path}, line {number}: nested more than {DEEPEST} levels deep. Store plain values only."
                )
            rows.append(row)
    try:
        return table_of(pd.DataFrame(rows, dtype=object))  # dtype=object keeps integers beside missing values
    except UnicodeEncodeError:
        if exact:
            raise PoolError(
                f"{path}, line {_surrogate_line(path)}: contains a lone surrogate (\\ud800 to \\udfff). Write the "
                "whole character, or remove it."
            ) from None
        return table_of(
            pd.DataFrame([json.loads(encodable(json.dumps(row, ensure_ascii=False))) for row in rows], dtype=object)
        )


def _surrogate_line(path: Path) -> int:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            try:
                json.dumps(json.loads(line or "0"), ensure_ascii=False).encode()
            except UnicodeEncodeError:
                return number
            except ValueError:  # a blank line
                continue
    raise AssertionError("no line has a lone surrogate")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON, use null")


def is_deep(row: Any) -> bool:
    """Return whether values are nested too deeply for a table of moderate size."""
    level: list[Any] = [row]
    for _ in range(DEEPEST + 1):
        level = [v for o in level if isinstance(o, dict | list) for v in (o.values() if isinstance(o, dict) else o)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)
