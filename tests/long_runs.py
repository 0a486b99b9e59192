"""What the tests of long runs share: rules of every kind in many small blocks, results as bits, and executors."""

import pickle
import random
import sqlite3
from concurrent.futures import Executor, Future

import numpy as np
import pandas as pd

from mssim import Pool, evaluate, evaluate_shard
from mssim.engine.read_task import _Parts

# Closed forms, replays, stop rules, recorded scores, plans of several models, turns of one model, a shared budget.
RULES = [
    *("sc:x", "ms:x+y", "sc:x,stop=beta", "sc:x,vote=best_of_n", "mix:x+y,vote=score_sum,column=chars"),
    *("random:x+y,shares=2/1", "oracle:x+y,stop=window:2", "ms:x+x", "alloc:x,cap=6", "cov:y+x"),
    *("rel:y,tau=0.6", "rel:x,tau=mean", "until:x+y", "until:y,column=chars,threshold=60"),
]
BUDGETS = [1, 2, 5]
OPTIONS = {"n_replays": 120, "seed": 7}
ARRAYS = ("accuracy", "samples_used", "agreed", "cost")


def make_pool(n_questions=8, n_samples=10):
    """A pool with scores, costs and a further column, and questions with columns of several types."""
    rng = random.Random(1)
    rows = [
        {
            "question_id": f"q{q}",
            "model": model,
            "sample_index": i,
            "answer": rng.choice(["a", "a", "b", "c", None]),
            "truth": "a",
            "score": rng.random(),
            "cost": rng.random(),
            "chars": rng.randrange(100),
            "topic": "even" if q % 2 else "odd",
            "level": q,
            "share": None if q == 3 else q / 7,
        }
        for q in range(n_questions)
        for model in "xy"
        for i in range(n_samples)
    ]
    return Pool.from_frame(pd.DataFrame(rows), info={"title": "made up", "synthetic": True})


def assert_same(result, expected):
    """The same bits, and the same tables."""
    for name in (*ARRAYS, "n_replays", "budgets"):
        one, other = getattr(result, name), getattr(expected, name)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    assert result.strategies == expected.strategies
    assert result.provenance == expected.provenance
    pd.testing.assert_frame_equal(result.questions, expected.questions)
    pd.testing.assert_frame_equal(result.to_frame(), expected.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(result.per_question(), expected.per_question(), check_exact=True)


class AtOnce(Executor):
    """Does every task when it is submitted."""

    def submit(self, function, *args, **options):
        future = Future()
        future.set_result(function(*args, **options))
        return future


class Counting(AtOnce):
    """Counts what it is given."""

    def __init__(self):
        self.tasks = []

    def submit(self, function, *args, **options):
        self.tasks.append(args)
        return super().submit(function, *args, **options)


class Elsewhere(Counting):
    """Does every task when it is submitted, from its bytes, as another process does."""

    def submit(self, function, *args, **options):
        return super().submit(function, *pickle.loads(pickle.dumps(args)), **options)


def reads_at_once(patch, rows=40):
    """Let workers read however little there is, in areas of few rows, with parts that no earlier test has left."""
    patch.setattr("mssim.engine.read_by_workers._LEAST_BYTES", 0)
    patch.setattr("mssim.engine.read_by_workers._PER_ROW", 0)
    patch.setattr("mssim.engine.areas._ROWS", rows)
    patch.setattr("mssim.engine.read_task._parts", _Parts())


def small_blocks(patch):
    """Split work on the pool above into some hundred blocks."""
    patch.setattr("mssim.engine.division._DRAWS_PER_TASK", 1500)
    patch.setattr("mssim.engine.exact_tasks._CELLS_PER_TASK", 1)


def run(pool, executor=None, **options):
    return evaluate(pool, RULES, BUDGETS, **{**OPTIONS, "executor": executor, **options})


def n_blocks(pool):
    seen = []
    run(pool, progress=lambda *counts: seen.append(counts))
    return seen[-1][1]


def is_finite(result):
    return all(np.isfinite(getattr(result, name)).all() for name in ARRAYS)


# Runs that a checkpoint keeps ----------------------------------------------------------------------------------------

KEPT = ["sc:x", "ms:x+y", "sc:x,stop=beta:0.9"]


def kept(pool, path=None, executor=None, **options):
    """A run of few rules, kept in a checkpoint if a path is given."""
    options = {"strategies": KEPT, "budgets": BUDGETS, **OPTIONS, **options}
    return evaluate(pool, checkpoint=path, executor=executor or AtOnce(), **options)


def held(path):
    """How many blocks a checkpoint has."""
    file = sqlite3.connect(path)
    try:
        return file.execute("SELECT count(*) FROM blocks").fetchone()[0]
    finally:
        file.close()


def finish(pool, path, whole, total):
    """Go on; returns how many blocks were left to do."""
    before, counting, seen = held(path), Counting(), []
    result = kept(pool, path, counting, progress=lambda *counts: seen.append(counts))
    assert_same(result, whole)
    assert len(counting.tasks) == total - before
    assert seen == [(i, total) for i in range(before if before else 1, total + 1)]
    assert held(path) == total
    return len(counting.tasks)


def stops_at(k, error):
    def progress(done, _):
        if done == k:
            raise error

    return progress


# Runs in shards -------------------------------------------------------------------------------------------------------

FEW = ["sc:x", "ms:x+y", "alloc:x,cap=6"]


def part(pool, path, i, n, rules=RULES, **options):
    """One shard of the run of some rules."""
    return evaluate_shard(
        pool, rules, BUDGETS, shard=(i, n), checkpoint=path, **{**OPTIONS, "executor": AtOnce(), **options}
    )


SWAPPED = ["ms:x+y,agreement=0.6", "mix:x+y"]  # plans of equal sizes


def run_whole(pool, path):
    """Go on with a file, which reads all of its blocks."""
    return evaluate(pool, SWAPPED, BUDGETS, **OPTIONS, method="monte_carlo", checkpoint=path, executor=AtOnce())
