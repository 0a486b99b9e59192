"""Reading by workers.

This section measures what a run on a Dask cluster costs besides its replays: a task that does nothing, the bytes of a
block that is sent or read, and what the client and the workers do for it. The pool is SYNTHETIC, with costs, and lies
in files ordered by questions. Two worker processes of one thread each run on this machine, and the scheduler runs in
the process of the client. All times are processor time, so that other load on the machine matters less. Bytes are those
of files, of arrays in memory, and of tasks. docs/explanation/scale.md extrapolates from this table. The section fails
if the two ways differ in any bit, or if the largest task that is read has more than a hundredth of the bytes.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import distributed
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mssim import load_pool
from mssim.engine import read_by_workers
from mssim.engine.job import read_job
from mssim.engine.read_by_workers import Reading, run_work
from mssim.engine.totals import Totals
from mssim.engine.work import Work
from mssim.pools.part import digest_of, read_part
from mssim.pools.pool import Pool

STRATEGIES = ["sc:m0,stop=beta", "ms:m0+m1", "ms:m0+m1+m2+m3"]
N_EMPTY = 2000  # tasks


class Size(NamedTuple):
    """Size of a pool, and replays of its strategies."""

    questions: int
    models: int
    samples: int
    files: int
    n_replays: int


FULL, SMOKE = Size(2000, 4, 500, 8, 2000), Size(40, 4, 50, 2, 20)


class Measuring(Executor):
    """Passes tasks on, and keeps them."""

    def __init__(self, executor: Any) -> None:
        self._client, self._executor = executor._client, executor
        self.tasks: list[Any] = []

    def submit(self, function: Any, *args: Any) -> Any:
        """Keep the task, and pass it on."""
        self.tasks.append(args[0])
        return self._executor.submit(function, *args)


def write_pool(folder: Path, size: Size) -> None:
    """Write a pool, one file after the other, each with all samples of some questions."""
    rng, width = np.random.default_rng(0), size.questions // size.files
    for number in range(size.files):
        question, model, sample = (
            index.ravel() for index in np.mgrid[number * width : (number + 1) * width, : size.models, : size.samples]
        )
        chance = np.random.default_rng(1).random((size.questions, size.models))[question, model]
        answer = np.where(rng.random(question.size) < chance, 0, rng.integers(1, 20, question.size))
        texts = pa.array([str(i) for i in range(20)])
        table = {
            "question_id": pa.array([f"q{q}" for q in range(size.questions)]).take(pa.array(question)),
            "model": pa.array([f"m{m}" for m in range(size.models)]).take(pa.array(model)),
            "sample_index": pa.array(sample.astype(np.int32)),
            "answer": texts.take(pa.array(answer)),
            "correct": pa.array(answer == 0),
            "cost": pa.array(rng.integers(1, 1000, question.size) / 1000),
        }
        pq.write_table(pa.table(table), folder / f"samples-{number:02}.parquet", row_group_size=2**17)


@contextmanager
def cluster() -> Iterator[distributed.Client]:
    options = {"dashboard_address": ":0", "worker_dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **options) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        yield client


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result, and the processor time of this process."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def row(step: str, each: str, number: int, seconds: float, size: float = np.nan) -> dict[str, Any]:
    """Return a row of a step with times or bytes for each of several things."""
    return {"step": step, "each": each, "number": number, "ms of each": 1e3 * seconds / number, "bytes of each": size}


def measure(smoke: bool) -> pd.DataFrame:
    size = SMOKE if smoke else FULL
    with tempfile.TemporaryDirectory() as temporary, cluster() as client:
        _, wrote = timed(lambda: write_pool(Path(temporary), size))
        pool, loaded = timed(lambda: load_pool(temporary))
        n_rows = int(pool.lengths.sum())
        on_disk = sum(path.stat().st_size for path in Path(temporary).iterdir()) / n_rows
        rows = [
            row("write", "million rows", 1, 1e6 * wrote / n_rows, 1e6 * on_disk),
            row("load, in the client", "million rows", 1, 1e6 * loaded / n_rows, 1e6 * _in_memory(pool)),
        ]
        return pd.DataFrame([*rows, *_empty(client, smoke), *_runs(client, pool, size)])


def _in_memory(pool: Pool) -> float:
    """Return bytes of arrays per row."""
    numbers = sum(values.nbytes for values in pool.numbers.values())
    return float((pool.codes.nbytes + numbers) / pool.lengths.sum())


def _empty(client: distributed.Client, smoke: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows of tasks that do nothing, for client and scheduler together."""
    executor = client.get_executor(pure=False)
    list(executor.map(abs, range(2)))  # connects
    number = 20 if smoke else N_EMPTY
    yield row("task that does nothing", "task", number, timed(lambda: list(executor.map(abs, range(number))))[1], 0)
    arrays = [np.full(10**6, i, np.uint8) for i in range(number // 10)]
    yield row("task with a million bytes", "task", number // 10, timed(lambda: list(executor.map(len, arrays)))[1], 1e6)


def _runs(client: distributed.Client, pool: Pool, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the rows of both ways, whose results must be the same."""
    settings = {"method": "monte_carlo", "seed": 0, "replacement": False}
    work = Work(read_job(STRATEGIES, [8, 16, 32], n_replays=size.n_replays, **settings), pool)
    few = Work(read_job(STRATEGIES, [8, 16, 32], n_replays=10, **settings), pool)
    every, results, numbers = {}, [], range(len(work.blocks))
    work.task(0)  # computes costs
    for way, least in (("sent", 1 << 60), ("read", 0)):
        with patch.object(read_by_workers, "_LEAST_BYTES", least), patch.object(read_by_workers, "_PER_ROW", 0):
            _run(few, client.get_executor(pure=False))  # compiles
            executor = Measuring(client.get_executor(pure=False))
            results.append(_run(work, executor))
            reading = Reading.of(work, numbers, 2)
        every[way], make = executor.tasks, work.task if reading is None else reading.task
        n_bytes = sum(len(pickle.dumps(task)) for task in every[way])
        _, cpu = timed(lambda: [make(i) and None for i in range(len(every[way]))])  # noqa: B023
        yield row(f"client, make tasks, {way}", "block", len(numbers), cpu, n_bytes / len(numbers))
        yield row(f"client, make tasks, {way}", "task", len(every[way]), cpu, n_bytes / len(every[way]))
    if not all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True)):
        raise SystemExit("scale: blocks that are read and blocks that are sent have different results")
    yield from _of_worker(every)


def _run(work: Work, executor: Executor) -> list[np.ndarray]:
    """Return the arrays of all outcomes."""
    totals = Totals(work.job.plans, len(work.pool.questions))
    run_work(work, range(len(work.blocks)), lambda i, found: totals.add(work.blocks[i], found), executor)
    return [array for plan in range(len(work.plans)) for array in totals.hits(plan)]


def _of_worker(every: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the processor time of what workers do, measured in this process."""
    blocks = every["sent"][:: max(1, len(every["sent"]) // 50)]
    for task in blocks[:2]:
        task.run()
    yield row("worker, compute", "block", len(blocks), timed(lambda: [task.run() for task in blocks])[1])
    copies, cpu = timed(lambda: [pickle.loads(pickle.dumps(task)) for task in blocks])
    yield row("pickle and unpickle", "block", len(copies), cpu)
    parts = list({task.part.digest: task.part for task in every["read"]}.values())[:8]
    pools, cpu = timed(lambda: [read_part(part) for part in parts])
    n_rows = sum(int(pool.lengths.sum()) for pool in pools)
    yield row("worker, read", "million rows", 1, 1e6 * cpu / n_rows)
    yield row("digest", "million rows", 1, 1e6 * timed(lambda: [digest_of(pool) for pool in pools])[1] / n_rows)
    sent, read = (max(len(pickle.dumps(task)) for task in every[way]) for way in ("sent", "read"))
    if read * 100 > sent and len(every["sent"]) > 20:
        raise SystemExit(f"scale: the largest task has {read} bytes if it is read, and {sent} if it is sent")
