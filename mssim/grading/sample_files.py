"""Recorded samples in a Parquet file, read and written piece by piece: texts are never all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.pools.reading import encode_text

KEYS = ("question_id", "model", "sample_index")
_ROWS = 512  # read at a time, so that even long texts fit in memory
_GROUP_ROWS, _GROUP_BYTES = 2**17, 2**23  # of what is written


def count_rows(path: Path) -> int:
    """Return the number of samples in a file that can be graded; refuse others."""
    try:
        with pa.parquet.ParquetFile(path) as file:
            names, rows = file.schema_arrow.names, int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    for name in KEYS:
        if name not in names:
            raise PoolError(f"{path}: column {name!r} is missing; {choose_from(name, names)}")
    if "text" not in names:
        raise PoolError(
            f"{path}: no column 'text', so there is nothing to grade; record with texts, or rename the column that "
            f"holds them: {choose_from('text', names)}"
        )
    if rows == 0:
        raise PoolError(f"{path}: no sample is there; record some first")
    return rows


def _damaged(path: Path, error: Exception) -> PoolError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return PoolError(f"{path}: cannot be read, is it damaged or truncated? ({reason})")


def batches(path: Path, columns: tuple[str, ...] | None = None) -> Iterator[pa.RecordBatch]:
    """Read a file, or those of some columns that it has, in small batches."""
    try:
        # pre_buffer reads the whole file ahead
        with pa.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            for batch in file.iter_batches(_ROWS, columns=names):
                batch.validate(full=True)  # text that is not UTF-8: no format check sees it
                yield batch
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def codes_of(batch: pa.RecordBatch, column: str, place: Mapping[str, int], before: int) -> list[int]:
    """Look up the names in a column; `before` rows were read earlier."""
    codes, labels = encode_text(pa.chunked_array([batch.column(column)]))
    if (codes < 0).any():
        raise PoolError(f"row {before + int(np.argmax(codes < 0)) + 1}: {column} is empty; every sample needs one")
    try:
        numbers = {code: place[labels[code]] for code in pd.unique(codes)}  # in the order in which they appear
    except KeyError as error:
        raise PoolError(f"{column} {error.args[0]!r} of the samples is not in the table of questions") from None
    return [numbers[code] for code in codes]


def text_of(batch: pa.RecordBatch) -> pa.Array:
    """The texts; where one is missing, the answer that was kept in its place."""
    text = _plain(batch.column("text"))
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        raise PoolError(f"column 'text' holds {text.type}; grading reads text")
    kept = [_plain(batch.column(name)) for name in ("extracted", "answer") if name in batch.schema.names]
    return pa.compute.coalesce(
        text, *(values.cast(text.type) for values in kept if not pa.types.is_nested(values.type))
    )


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_null(values.type):
        return values.cast(pa.string())
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def name_of(batch: pa.RecordBatch, row: int) -> str:
    """Name a sample for messages."""
    question, model, index = (batch.column(name)[row].as_py() for name in KEYS)
    return f"question {question!r}, model {model!r}, sample_index {index}"


def write(path: Path, pieces: Iterator[pa.Table]) -> None:
    """Write tables of one schema as one file, in row groups of a good size."""
    first = next(pieces)
    held: list[pa.Table] = []
    with pa.parquet.ParquetWriter(path, first.schema, compression="zstd") as file:
        for piece in chain([first], pieces):
            held.append(piece)
            if sum(t.nbytes for t in held) >= _GROUP_BYTES or sum(t.num_rows for t in held) >= _GROUP_ROWS:
                file.write_table(pa.concat_tables(held).unify_dictionaries())
                held.clear()
        if held:
            file.write_table(pa.concat_tables(held).unify_dictionaries())
