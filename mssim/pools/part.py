"""Parts of a pool for workers: some questions, cut out of the pool or read from its files, with equal arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.pools.arrow import Names
from mssim.pools.assemble import assemble
from mssim.pools.pool import Pool
from mssim.pools.reading import read_blocks
from mssim.pools.row_blocks import RowBlock, blocks_of
from mssim.pools.row_checks import REQUIRED, with_text_keys
from mssim.pools.rows import gather

__all__ = ["PartOfFiles", "PartShape", "cut_out", "digest_of", "read_part"]

Columns = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class PartShape:
    """What parts of a pool have in common."""

    models: tuple[str, ...]
    columns: tuple[str, ...]  # recorded numbers per sample
    width: int  # length of the sample axis
    info: Mapping[str, Any]


@dataclass(frozen=True)
class PartOfFiles:
    """Where a worker finds a part of a pool, and how it recognises it."""

    shape: PartShape
    files: tuple[tuple[str, tuple[int, ...]], ...]  # paths, and row groups that can have rows of the questions
    question_ids: tuple[str, ...]
    of_questions: Columns  # columns with one number per question
    digest: str  # of `digest_of`


def cut_out(pool: Pool, shape: PartShape, questions: NDArray[np.int_], per_sample: Columns, described: Columns) -> Pool:
    """Return a part of a pool.

    Parameters
    ----------
    pool : Pool
        The whole pool.
    shape : PartShape
        Models and columns of the part.
    questions : ndarray of int
        Indices of the questions.
    per_sample : mapping of str to ndarray, shape (n_models, n_questions, n_samples)
        The columns of the shape for all models and questions of the pool.
    described : mapping of str to ndarray, shape (n_questions,)
        Columns with one number for each question of the pool.
    """
    chosen = np.ix_(np.array([pool.model_index(model) for model in shape.models]), questions)
    counts = np.diff(pool.class_offsets)[questions]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    classes = np.repeat(pool.class_offsets[questions] - offsets[:-1], counts) + np.arange(offsets[-1])
    every = pool.questions["question_id"]
    return _pool(
        shape,
        tuple(every.iloc[questions]),
        {name: values[questions] for name, values in described.items()},
        codes=pool.codes[chosen],
        lengths=pool.lengths[chosen],
        class_offsets=offsets,
        class_correct=pool.class_correct[classes],
        numbers={name: per_sample[name][chosen] for name in shape.columns},
    )


def read_part(part: PartOfFiles) -> Pool:
    """Read a part of a pool from its files, which must be those from which the pool was loaded.

    Answer classes are numbered per question, over the answers of all models, as when the whole pool is loaded.
    """
    questions = pa.table({"question_id": pa.array(part.question_ids, pa.large_string())})
    given = Pool(**assemble(gather(_blocks(part), None, questions), questions))
    shape, width = (len(part.shape.models), len(part.question_ids)), min(given.codes.shape[2], part.shape.width)
    lengths, codes = np.zeros(shape, np.int32), np.full((*shape, part.shape.width), -1, np.int16)
    numbers = {name: np.full(codes.shape, np.nan) for name in part.shape.columns}
    read = {name: given.number(name) for name in numbers}
    for i, model in enumerate(part.shape.models):
        if model not in given.models:  # it has no samples for these questions
            continue
        place = given.models.index(model)
        lengths[i], codes[i, :, :width] = given.lengths[place], given.codes[place, :, :width]
        for name, values in numbers.items():
            values[i, :, :width] = read[name][place, :, :width]
    return _pool(
        part.shape,
        part.question_ids,
        part.of_questions,
        codes=codes,
        lengths=lengths,
        class_offsets=given.class_offsets,
        class_correct=given.class_correct,
        numbers=numbers,
    )


def digest_of(pool: Pool) -> str:
    """Return a hexadecimal digest of all that a part of a pool has."""
    about = [pool.models, pool.codes.shape, pool.question_ids, dict(pool.info)]
    digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16)
    recorded = pool.recorded
    for array in (pool.lengths, np.diff(pool.class_offsets), pool.class_correct):
        digest.update(np.ascontiguousarray(array).data)
    digest.update(pool.codes[recorded].data)
    for name in sorted(pool.numbers):
        values = pool.numbers[name][recorded]
        values[np.isnan(values)] = np.nan  # one of its many bit patterns
        digest.update(name.encode())
        digest.update(values.data)
    for name in pool.questions.columns[1:]:
        digest.update(name.encode())
        digest.update(pool.questions[name].to_numpy(dtype=float).tobytes())
    return digest.hexdigest()


def _pool(shape: PartShape, question_ids: tuple[str, ...], described: Columns, **arrays: Any) -> Pool:
    """Return a pool with the given arrays, without texts."""
    return Pool(
        models=shape.models,
        questions=pd.DataFrame({"question_id": list(question_ids), **described}),
        class_labels=pa.nulls(arrays["class_correct"].size, pa.large_string()),
        extra=pa.table({}),
        info=shape.info,
        **arrays,
    )


def _blocks(part: PartOfFiles) -> Iterator[RowBlock]:
    """Yield the rows of the questions of a part, of all models."""
    n_questions = len(part.question_ids)
    for path, groups in part.files:
        names = pyarrow.parquet.read_schema(path).names
        judged = "correct" if "correct" in names else "truth"
        without = [name for name in names if name not in (*REQUIRED, judged, *part.shape.columns)]
        for block in blocks_of(read_blocks(Path(path), without=without, groups=groups)):
            found = Names(part.question_ids).codes(with_text_keys(block.table.select(["question_id"]))["question_id"])
            mine = (found >= 0) & (found < n_questions)
            if mine.any():
                yield block if mine.all() else block.choose(mine)
