"""Reading and writing of Parquet files of samples in pieces, so that memory use is bounded."""

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
_ROWS = 512  # rows read at once; texts may be long
_GROUP_ROWS, _GROUP_BYTES = 2**17, 2**23  # size of written row groups


def count_rows(path: Path) -> int:
    """Return the number of samples in a file. Raise if the file cannot be graded."""
    try:
        with pa.parquet.ParquetFile(path) as file:
            names, rows = file.schema_arrow.names, int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    for name in KEYS:
        if name not in names:
            raise PoolError(
                f"{path}: column {name!r} is missing. Rename one of the columns to {name!r}. "
                f"{choose_from(name, names)}."
            )
    if "text" not in names:
        raise PoolError(
            f"{path}: column 'text' is missing, so samples cannot be graded. Import samples with texts, or rename the "
            f"column of the texts. {choose_from('text', names)}."
        )
    if rows == 0:
        raise PoolError(f"{path}: has no samples. Record or import samples first.")
    return rows


def _damaged(path: Path, error: Exception) -> PoolError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return PoolError(f"{path}: cannot be read ({reason}). It may be damaged or truncated. Restore it from a copy.")


def batches(path: Path, columns: tuple[str, ...] | None = None) -> Iterator[pa.RecordBatch]:
    """Iterate over a file in small batches, restricted to the given columns if any."""
    try:
        # pre_buffer would read the whole file ahead
        with pa.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            for batch in file.iter_batches(_ROWS, columns=names):
                batch.validate(full=True)  # finds text that is not UTF-8
                yield batch
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def codes_of(batch: pa.RecordBatch, column: str, place: Mapping[str, int], before: int) -> list[int]:
    """Return codes of the names in a column. The batch follows `before` rows."""
    codes, labels = encode_text(pa.chunked_array([batch.column(column)]))
    if (codes < 0).any():
        raise PoolError(f"row {before + int(np.argmax(codes < 0)) + 1}: {column} is empty. Every sample needs one.")
    try:
        numbers = {code: place[labels[code]] for code in pd.unique(codes)}  # in the order in which they appear
    except KeyError as error:
        raise PoolError(
            f"{column} {error.args[0]!r} of the samples is not in the table of questions. Add the question."
        ) from None
    return [numbers[code] for code in codes]


def text_of(batch: pa.RecordBatch) -> pa.Array:
    """Return the texts. A missing text is replaced by the stored answer."""
    text = _plain(batch.column("text"))
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        raise PoolError(f"column 'text' has type {text.type}. It must contain text.")
    kept = [_plain(batch.column(name)) for name in ("extracted", "answer") if name in batch.schema.names]
    return pa.compute.coalesce(
        text, *(values.cast(text.type) for values in kept if not pa.types.is_nested(values.type))
    )


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_null(values.type):
        return values.cast(pa.string())
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def name_of(batch: pa.RecordBatch, row: int) -> str:
    """Return the description of a sample for messages."""
    question, model, index = (batch.column(name)[row].as_py() for name in KEYS)
    return f"question {question!r}, model {model!r}, sample_index {index}"


def write(path: Path, pieces: Iterator[pa.Table]) -> None:
    """Write tables with the same schema to one file, in row groups of bounded size."""
    first = next(pieces)
    held: list[pa.Table] = []
    rows = size = 0
    with pa.parquet.ParquetWriter(path, first.schema, compression="zstd") as file:
        for piece in chain([first], pieces):
            held.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
            if size >= _GROUP_BYTES or rows >= _GROUP_ROWS:
                file.write_table(pa.concat_tables(held).unify_dictionaries())
                held.clear()
                rows = size = 0
        if held:
            file.write_table(pa.concat_tables(held).unify_dictionaries())
