"""Workers that read their blocks from the files of the pool find the same bits as threads that have it in memory."""

import datetime
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import MssimError, PoolError, Prices, evaluate
from mssim.engine import read_by_workers, read_task
from mssim.engine.read_by_workers import n_workers
from mssim.engine.read_task import ReadTask
from mssim.pools.loading import read_pool
from tests import long_runs
from tests.conftest import Backwards
from tests.long_runs import BUDGETS, OPTIONS, RULES, AtOnce, Elsewhere, assert_same, kept, reads_at_once, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pool):
    folder = tmp_path_factory.mktemp("pools") / "pool"
    pool.save(folder)
    return folder


@pytest.fixture
def files(folder):
    return read_pool(folder)


@pytest.fixture(autouse=True)
def _reads(monkeypatch):
    reads_at_once(monkeypatch)


def read_tasks(executor):
    return [args[0] for args in executor.tasks if isinstance(args[0], ReadTask)]


def both(pool, strategies, budgets=BUDGETS, **options):
    """What workers find that read, and their number of tasks, after it was compared with threads."""
    options = {**OPTIONS, **options}
    with ThreadPoolExecutor(1) as one:
        expected = evaluate(pool, strategies, budgets, executor=one, **options)
    executor = Elsewhere()
    found = evaluate(pool, strategies, budgets, executor=executor, **options)
    assert_same(found, expected)
    for name in ("tokens", "latency"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    return found, len(read_tasks(executor))


# The same bits --------------------------------------------------------------------------------------------------------


def test_every_kind_of_rule(files, whole):
    executor = Elsewhere()
    assert_same(run(files, executor), whole)
    tasks = read_tasks(executor)
    assert len({task.part.digest for task in tasks}) > 3  # of eight questions, two at a time where blocks allow it
    assert {type(args[0]).__name__ for args in executor.tasks} == {"ReadTask", "ReplayTask"}  # of the shared budget


@pytest.mark.parametrize(
    "chosen",
    [{"models": ["y", "x"]}, {"questions": ["q5", "q1", "q6"]}, {"where": {"topic": "odd"}}, {"min_samples": 10}],
)
def test_selections(files, chosen):
    assert both(files.select(**chosen), RULES)[1] > 0


def spending_pool(folder):
    """Files with tokens of requests, costs and seconds, which differ between questions; some costs are unknown."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "question_id": f"q{q}",
            "model": model,
            "sample_index": i,
            "answer": str(rng.integers(3)),
            "truth": "0",
            "output_tokens": int(more + rng.integers(5, 40 + q)),
            "request_input_tokens": int(more + rng.integers(100)),
            "request_samples": q + 1,
            "latency": more + rng.random() * (q + 1),
            "cost": more + rng.random() if q < 6 else None,
        }
        for q in range(8)
        for model, more in (("x", 0), ("y", 100))
        for i in range(12)
    ]
    pq.write_table(pa.Table.from_pandas(pd.DataFrame(rows)), folder / "samples.parquet", row_group_size=30)
    (folder / "pool.json").write_text('{"schema": 1, "models": {"x": {"model_id": "served"}}}')
    return read_pool(folder)


SPENDING = ["sc:x", "ms:x+y", "sc:y,stop=beta", "until:x+y", "sc:x,max_tokens=30", "mix:x+y,max_tokens=30"]
PRICES = Prices(datetime.date(2026, 11, 1), {"served": (0.25, 1.0), "y": (1.0, 3.0)})


@pytest.mark.filterwarnings("ignore:cost. 24 samples of model")
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"tokens": "output"}, {"prices": PRICES}, {"prices": {"x": 1.0, "y": 2.5}}, {"parallel": 2}),
        *({"shares_draws": [("x", "y")]}, {"method": "monte_carlo"}, {"replacement": True}),
    ],
    ids=str,
)
def test_what_draws_spend(tmp_path, options):
    """Units and shares of tokens depend on the whole pool, of which a worker has a part."""
    found, n_read = both(spending_pool(tmp_path), SPENDING[: 4 if "shares_draws" in options else None], **options)
    assert n_read > 0
    assert np.isfinite(found.latency).any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_replays_for_an_error_and_shared_by_plans(files, method):
    """Questions of a block are scattered, plans share its draws, and some have a control."""
    rules = ["ms:x+y", "ms:x+y,agreement=0.6", "mix:x+y", "mix:x+y,vote=plurality", "sc:x,stop=beta"]
    _, n_read = both(files, rules, [4, 9], method=method, mc_error=0.01, n_replays=3000)
    assert n_read > 0


def test_a_model_without_samples_of_some_questions(tmp_path):
    frame = pd.DataFrame(
        [
            {"question_id": f"q{q}", "model": model, "sample_index": i, "answer": str((i * q) % 3), "truth": "0"}
            for q in range(6)
            for model in "xy"
            for i in range(3 + q)
            if model == "x" or q not in (2, 3)
        ]
    )
    frame.to_parquet(tmp_path / "samples.parquet", row_group_size=10)
    found, n_read = both(read_pool(tmp_path), ["sc:x,stop=beta", "rel:x,tau=0.6"], [1, 3], method="monte_carlo")
    assert n_read > 0
    assert np.isfinite(found.accuracy).all()


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ("ms:x+y", {"quantiles": True}),
        ("alloc:x,cap=6", {}),
        pytest.param("sc:x,stop=optimal:0.9", {}, marks=pytest.mark.slow),
    ],
)
def test_what_needs_all_questions_is_sent(files, rule, options):
    assert both(files, rule, **options)[1] == 0


def test_pools_without_files_and_small_work_are_sent(pool, files, monkeypatch):
    assert both(pool, "ms:x+y")[1] == 0
    monkeypatch.setattr(read_by_workers, "_LEAST_BYTES", 10**9)
    assert both(files, "ms:x+y")[1] == 0
    monkeypatch.setattr(read_by_workers, "_LEAST_BYTES", 0)
    monkeypatch.setattr(read_by_workers, "_PER_ROW", 1.0)  # to read takes longer than the draws
    assert both(files, "ms:x+y")[1] == 0
    monkeypatch.setattr(read_by_workers, "_PER_BYTE", 1.0)  # but not longer than to send
    assert both(files, "ms:x+y")[1] > 0


@pytest.mark.filterwarnings("ignore:cost. 24 samples of model")
def test_a_column_that_is_not_of_numbers_is_sent(tmp_path):
    pool = spending_pool(tmp_path)
    exact = pool.extra["request_input_tokens"].cast(pa.decimal128(25, 2))
    table = pq.read_table(tmp_path / "samples.parquet").drop_columns("request_input_tokens")
    pq.write_table(table.append_column("request_input_tokens", exact), tmp_path / "samples.parquet")
    assert both(read_pool(tmp_path), "ms:x+y")[1] == 0


# How it is done -------------------------------------------------------------------------------------------------------


def test_threads_have_the_pool_in_memory(files, whole, monkeypatch):
    monkeypatch.setattr(read_by_workers.Reading, "of", None)  # it is not asked
    with ThreadPoolExecutor(2) as threads:
        assert_same(run(files, threads), whole)
    assert_same(run(files), whole)


def test_little_is_sent(monkeypatch, tmp_path):
    """A pool of 64,000 samples in blocks of some questions, of which names and plans are sent."""
    n = 64_000
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 40_000)
    frame = pd.DataFrame(
        {
            "question_id": [f"q{i // 1000:02}" for i in range(n)],
            "model": "m",
            "sample_index": np.arange(n) % 1000,
            "answer": np.random.default_rng(0).choice(["a", "b", "c"], n),
            "truth": "a",
            "cost": np.random.default_rng(1).random(n),
        }
    )
    frame.to_parquet(tmp_path / "samples.parquet", row_group_size=4000)
    pool = read_pool(tmp_path)
    sizes = {}
    for least in (0, 10**9):
        monkeypatch.setattr(read_by_workers, "_LEAST_BYTES", least)
        executor = Elsewhere()
        evaluate(pool, ["sc:m,stop=beta"], [20], n_replays=100, executor=executor)
        sizes[least] = [len(pickle.dumps(args)) for args in executor.tasks]
        assert len(sizes[least]) > 1
    assert max(sizes[0]) < 4000
    assert min(sizes[10**9]) > 50_000


def test_blocks_of_an_area_come_in_bundles(files, whole, monkeypatch):
    monkeypatch.setattr(read_by_workers, "_MANY", 1)
    executor, seen = Elsewhere(), []
    assert_same(run(files, executor, progress=lambda *counts: seen.append(counts)), whole)
    tasks = read_tasks(executor)
    assert max(len(task.asked) for task in tasks) > 5
    n_blocks = sum(len(task.asked) for task in tasks) + len(executor.tasks) - len(tasks)
    assert seen == [(i, n_blocks) for i in range(1, n_blocks + 1)]


def test_order_and_checkpoints_do_not_matter(files, whole, whole_kept, total, tmp_path, monkeypatch):
    monkeypatch.setattr(read_by_workers, "_MANY", 1)
    with Backwards() as executor:
        assert_same(run(files, executor), whole)
    path, executor = tmp_path / "run.ckpt", Elsewhere()
    with pytest.raises(KeyboardInterrupt):
        kept(files, path, executor, progress=long_runs.stops_at(5, KeyboardInterrupt))
    assert 5 <= long_runs.held(path) < total
    seen = []
    assert_same(kept(files, path, executor, progress=lambda *counts: seen.append(counts)), whole_kept)
    assert seen[0][0] >= 5
    assert seen == [(i, total) for i in range(seen[0][0], total + 1)]


def test_workers_without_the_files_receive_arrays(files, whole, monkeypatch):
    n_opened = 0

    def opened(self, *args):
        nonlocal n_opened
        n_opened += 1
        if n_opened > 3:
            raise PermissionError(13, "Permission denied", str(self))
        return open(self, *args)  # noqa: PTH123

    monkeypatch.setattr(read_task.Path, "open", opened)
    executor, seen = Elsewhere(), []
    assert_same(run(files, executor, progress=lambda *counts: seen.append(counts)), whole)
    kinds = [type(args[0]).__name__ for args in executor.tasks]
    assert kinds.count("ReadTask") == n_opened == 4  # of which the last could not, and nobody was asked again
    assert {"SkippedTask", "ReplayTask", "ExactTask"} <= set(kinds)
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))


def test_files_that_have_changed(pool, tmp_path):
    pool.save(tmp_path / "pool")
    loaded = read_pool(tmp_path / "pool")
    long_runs.make_pool(n_samples=11).save(tmp_path / "pool", overwrite=True)
    message = r"executor: on .*, .*samples\.parquet does not contain the samples that were loaded from it"
    with pytest.raises(PoolError, match=message):
        run(loaded, Elsewhere())


def test_files_that_are_gone(pool, whole, tmp_path):
    pool.save(tmp_path / "pool")
    loaded = read_pool(tmp_path / "pool")
    (tmp_path / "pool" / "samples.parquet").unlink()
    assert_same(run(loaded, Elsewhere()), whole)


def test_the_number_of_workers():
    assert n_workers(SimpleNamespace(_client=SimpleNamespace(nthreads=lambda: {"tcp://a": 8, "tcp://b": 8}))) == 16
    with ProcessPoolExecutor(3) as executor:
        assert n_workers(executor) == 3
    assert n_workers(AtOnce()) == read_by_workers._MANY


def test_what_is_no_executor_is_refused(files):
    with pytest.raises(MssimError, match="executor=3 is not an executor"):
        run(files, 3)
