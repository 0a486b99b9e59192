"""Conversion of a pool to a long table with one row per sample, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from mssim.pools import reading
from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import table_from_frame

__all__ = ["GROUP_ROWS", "long_tables", "write_samples"]

GROUP_ROWS = 2**17  # a worker that wants some questions of several models reads whole groups


def long_tables(pool: PoolArrays, *, questions: bool = True) -> Iterator[pa.Table]:
    """Yield tables of about `BLOCK_ROWS` rows in pool order; at least one table."""
    described = table_from_frame(pool.questions.drop(columns="question_id"))
    ids, models = pa.array(pool.question_ids), pa.array(pool.models)
    lengths = pool.lengths.ravel().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    _, edges = np.unique(starts // reading.BLOCK_ROWS, return_index=True)
    for first, last in pairwise([*edges.tolist(), lengths.size]):
        group = np.repeat(np.arange(first, last), lengths[first:last])
        if first and not group.size:
            continue
        model, question = np.divmod(group, len(ids))
        sample = np.arange(starts[first], starts[first] + group.size) - starts[group]
        codes = pool.codes[model, question, sample]
        no_answer, label = codes < 0, codes + pool.class_offsets[question]
        correct = np.zeros(group.size, dtype=bool)
        correct[~no_answer] = pool.class_correct[label[~no_answer]]
        columns = {
            "question_id": ids.take(pa.array(question)),
            "model": models.take(pa.array(model)),
            "sample_index": pa.array(sample),
            "answer": pool.class_labels.take(pa.array(label, mask=no_answer)),
            "correct": pa.array(correct),
        }
        columns |= {n: pa.array(v[model, question, sample], from_pandas=True) for n, v in pool.numbers.items()}
        columns |= {n: pool.extra[n].slice(starts[first], group.size) for n in pool.extra.column_names}
        if questions and described.num_columns:
            per_row = described.take(pa.array(question))
            columns |= {name: per_row[name] for name in per_row.column_names}
        yield pa.table(columns)


def write_samples(pool: PoolArrays, path: Path) -> None:
    """Write samples.parquet in row groups of up to `GROUP_ROWS` rows."""
    blocks = long_tables(pool, questions=False)
    first = next(blocks)
    with pa.parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for block in chain([first], blocks):
            writer.write_table(block, GROUP_ROWS)
