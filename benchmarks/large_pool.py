"""A pool of 82 million answers.

This section measures time and memory to open, describe and evaluate a pool of 20,000 questions x 8 models x 512
samples. The budgets are 4, 8, ..., 64, with 1,000 replays where there is no closed form. The pool is SYNTHETIC. Each
question has 10 to 30 different answers, most of them rare, and models differ in skill. It consists of 16 Parquet files
with many row groups. All steps run in one new process on all cores, with compiled and cached kernels. "MB" is the peak
memory of that process so far. The section fails above ten minutes or 8 GB.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import mssim
from benchmarks.measuring import peak_memory
from mssim.pools.folder import write_info

MOST_SECONDS, MOST_MB = 600, 8000
N_REPLAYS = 1000
BLOCK = 1_000_000  # rows


class Size(NamedTuple):
    """Size of a pool and number of its files."""

    questions: int
    models: int
    samples: int
    files: int

    @property
    def width(self) -> int:
        """Number of questions in a block."""
        return max(1, min(BLOCK // self.samples, self.questions // 4))


FULL = Size(20_000, 8, 512, 16)
SMOKE = Size(40, 8, 64, 3)
BUDGETS = range(4, 65, 4)


def strategies(size: Size) -> dict[str, list[str]]:
    models = [f"m{m}" for m in range(size.models)]
    return {
        "Self-Consistency of every model": [f"sc:{model}" for model in models],
        "ModelSwitch of two, entropy": ["ms:m0+m1"],
        "ModelSwitch of all, entropy": ["ms:" + "+".join(models)],
        "ModelSwitch of two, plurality": ["ms:m0+m1,vote=plurality"],
    }


# The pool -------------------------------------------------------------------------------------------------------------


def blocks(size: Size) -> Iterator[pa.Table]:
    """Yield the samples of each model in blocks of questions."""
    for model in range(size.models):
        for first in range(0, size.questions, size.width):
            yield block(size, model, np.arange(first, min(first + size.width, size.questions)))


def block(size: Size, model: int, questions: np.ndarray) -> pa.Table:
    """Return samples of a model: the correct answer with a probability per question, wrong ones by Zipf's law."""
    hard = np.random.default_rng([0, questions[0]])  # the same questions are hard for all models
    ease, n_wrong = hard.normal(0, 1.5, questions.size), hard.integers(9, 30, questions.size)
    rng = np.random.default_rng([1, model, questions[0]])
    chance = 1 / (1 + np.exp(-ease - 0.1 * model - rng.normal(0, 0.7, questions.size)))
    place = np.arange(n_wrong.max())
    wrong = np.where(place < n_wrong[:, None], (place + 1.0) ** -1.5, 0)
    shares = np.column_stack([chance, (1 - chance)[:, None] * wrong / wrong.sum(axis=1, keepdims=True)])
    row = np.repeat(np.arange(questions.size), size.samples)
    edges = (
        shares.cumsum(axis=1) + np.arange(questions.size)[:, None]
    )  # increasing, so that one search finds all answers
    drawn = np.searchsorted(edges.ravel(), rng.random(row.size) + row) - row * edges.shape[1]
    answer = np.minimum(drawn, n_wrong[row])
    no_answer = rng.random(row.size) < 0.01
    texts = pa.array([str(number) for number in range(10_000 + edges.shape[1])])
    return pa.table(
        {
            "question_id": names(size).take(pa.array(questions[row])),
            "model": pa.repeat(f"m{model}", row.size),
            "sample_index": pa.array(np.tile(np.arange(size.samples, dtype=np.int32), questions.size)),
            "answer": texts.take(pa.array(truths(questions)[row] + answer, mask=no_answer)),
            "correct": pa.array((answer == 0) & ~no_answer),
        }
    )


def names(size: Size) -> pa.Array:
    return pa.array([f"q{q:05}" for q in range(size.questions)])


def truths(questions: np.ndarray) -> np.ndarray:
    return 37 * questions % 10_000


def write_pool(folder: Path, size: Size) -> None:
    """Write the pool, one row group at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    n_blocks = size.models * -(-size.questions // size.width)
    last = {part[-1] for part in np.array_split(np.arange(n_blocks), size.files)}
    writer, number = None, 0
    for i, table in enumerate(blocks(size)):
        path = folder / f"samples-{number:05}-of-{size.files:05}.parquet"
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
        if i in last:
            writer.close()
            writer, number = None, number + 1
    questions = pa.table({"question_id": names(size), "truth": [str(t) for t in truths(np.arange(size.questions))]})
    pq.write_table(questions, folder / "questions.parquet")
    write_info(folder, folder, {"title": "large", "synthetic": True})


# Measurement ----------------------------------------------------------------------------------------------------------


def timed(step: str, call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    start = time.perf_counter()
    found = call()
    return found, {"step": step, "seconds": time.perf_counter() - start, "MB": peak_memory(), "methods": ""}


def steps(folder: Path, size: Size) -> list[dict[str, Any]]:
    """Run the steps of a user, and return one row per step."""
    shape = f"{size.questions} questions x {size.models} models x {size.samples} samples"
    pool, opened = timed(f"open {shape}", partial(mssim.load_pool, folder))
    rows = [opened, timed("describe", pool.describe)[1]]
    for what, named in strategies(size).items():
        call = partial(mssim.evaluate, pool, named, list(BUDGETS), n_replays=N_REPLAYS)
        result, row = timed(f"evaluate: {what}", call)
        used = result.to_frame()["method"].value_counts()
        rows.append(row | {"methods": ", ".join(f"{name} {n}" for name, n in used.items())})
    return rows


def measure(smoke: bool) -> pd.DataFrame:
    """Write the pool and measure; return one row per step and a total."""
    with tempfile.TemporaryDirectory() as temporary:
        small, large = Path(temporary) / "small", Path(temporary) / "large"
        alone(write_pool, small, SMOKE)
        rows = alone(steps, small, SMOKE)  # compiles and caches the kernels
        if not smoke:
            alone(write_pool, large, FULL)
            rows = alone(steps, large, FULL)
    frame = pd.DataFrame(rows)
    seconds, mb = frame["seconds"].sum(), frame["MB"].max()
    if not smoke and (seconds > MOST_SECONDS or mb > MOST_MB):
        raise SystemExit(
            f"{seconds:.0f} seconds and {mb:.0f} MB exceed the limits of {MOST_SECONDS} seconds or {MOST_MB} MB"
        )
    return pd.concat([frame, pd.DataFrame([{"step": "all", "seconds": seconds, "MB": mb, "methods": ""}])])


def alone(function: Callable[[Path, Size], Any], folder: Path, size: Size) -> Any:
    """Call a function in a new process, so that peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        return worker.submit(function, folder, size).result()
