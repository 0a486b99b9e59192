"""A real Dask scheduler with two worker processes: the same bits, also when a worker is killed in mid-run."""

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path
from types import SimpleNamespace

import distributed
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import cfexecutor

import mssim.engine.versions
from mssim import MssimError, evaluate, merge
from mssim.engine.dask_cluster import dask_executor
from mssim.engine.scheduler import run_blocks
from mssim.pools.loading import read_pool
from tests.cli import test_cli
from tests.long_runs import AtOnce, assert_same, make_pool, run, small_blocks

pytestmark = pytest.mark.slow

command, pool_path = test_cli.run, test_cli.pool_path

ANY_PORT = {"dashboard_address": ":0", "worker_dashboard_address": ":0"}

# Of a worker, which has 130 MB when it starts, 200 MB with mssim, and 360 MB after it has compiled all rules below.
LIMIT = 700_000_000

# Started by hand, as on a cluster: a worker without mssim must not have what the others inherit.
WITHOUT_MSSIM = """if True:
    import sys
    sys.modules["mssim"] = None
    from distributed.cli.dask_worker import main
    main()
    """


@pytest.fixture(scope="module")
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "memory_limit": LIMIT}
    with distributed.LocalCluster(**options, **ANY_PORT) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        yield


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.fixture(scope="module")
def whole(pool):
    return run(pool, AtOnce())


def test_the_same_bits_on_a_cluster(pool, whole, client):
    assert_same(run(pool, client.get_executor()), whole)


def test_a_cluster_by_its_address(pool, whole, cluster, tmp_path):
    with dask_executor(cluster.scheduler_address) as executor:
        assert_same(run(pool, executor), whole)
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": cluster.scheduler_address}))
    with dask_executor(str(tmp_path / "scheduler.json")) as executor:
        assert_same(run(pool, executor, checkpoint=tmp_path / "run.ckpt"), whole)
    assert_same(merge(tmp_path / "run.ckpt"), whole)


def test_an_interrupt_on_a_cluster_and_going_on_without_it(pool, whole, client, tmp_path):
    def interrupt(done, _):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pool, client.get_executor(), checkpoint=tmp_path / "run.ckpt", progress=interrupt)
    seen = []
    progress = lambda *counts: seen.append(counts)  # noqa: E731
    assert_same(run(pool, AtOnce(), checkpoint=tmp_path / "run.ckpt", progress=progress), whole)
    assert seen[0][0] >= 5


def test_a_worker_killed_in_mid_run_loses_nothing(pool, whole, client):
    client.wait_for_workers(2)
    victim, other = client.run(os.getpid).items()
    killed = []

    def kill(done, total):
        assert total > 100
        if done >= 3 and not killed:
            (held,) = client.run(lambda dask_worker: len(dask_worker.state.tasks), workers=[victim[0]]).values()
            if held > 0:  # a worker that gets little time may have finished what it had, and is asked again
                killed.append(total - done)
                os.kill(victim[1], signal.SIGKILL)

    executor = client.get_executor(workers=[victim[0], other[0]], allow_other_workers=True)
    assert_same(run(pool, executor, progress=kill), whole)
    assert killed[0] > 0  # it ended with blocks of its own, in mid-run


def test_a_block_that_dask_cancels_is_computed_again(pool, whole, client):
    cancelled = []

    def cancel(*_):
        pending = [state for state in list(client.futures.values()) if state.status == "pending"]
        if pending and not cancelled:
            cancelled.append(pending[-1])
            client.loop.add_callback(pending[-1].cancel, reason="a test", msg="as if its worker had died")

    assert_same(run(pool, client.get_executor(), progress=cancel), whole)
    assert cancelled


# Workers that read -----------------------------------------


def write_pool(folder, n_questions=2000, n_samples=30, longest=18_000):
    """A pool in four files, whose arrays are as long as the samples of one question: 720 MB, with costs."""
    rng = np.random.default_rng(0)
    n = np.full(n_questions, n_samples)
    n[7] = longest
    question = np.repeat(np.arange(n_questions), n)
    ids = pa.array([f"question {q}" for q in range(n_questions)])
    tables = [
        pa.table(
            {
                "question_id": ids.take(pa.array(question)),
                "model": pa.repeat(model, question.size),
                "sample_index": np.concatenate([np.arange(size) for size in n]),
                "answer": pa.array(["a", "b", "c"]).take(pa.array(rng.integers(0, 3, question.size))),
                "truth": pa.repeat("a", question.size),
                "cost": rng.random(question.size),
            }
        )
        for model in "xy"
    ]
    for number, part in enumerate((0, 1, 0, 1)):
        half = question < n_questions // 2
        table = tables[part].filter(pa.array(half if number < 2 else ~half))
        pq.write_table(table, folder / f"samples-{number}.parquet", row_group_size=3000)


class Measuring(Executor):
    """Passes tasks on, and keeps how many bytes they have."""

    def __init__(self, executor):
        self._client, self._executor, self.sizes = getattr(executor, "_client", None), executor, []

    def submit(self, function, *args):
        self.sizes.append(len(pickle.dumps(args)))
        return self._executor.submit(function, *args)


def memory(field):
    """A field of the status of this process, in bytes."""
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[field].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux reports it")
def test_a_pool_larger_than_the_memory_of_a_worker(client, tmp_path, monkeypatch):
    monkeypatch.undo()
    write_pool(tmp_path)
    pool = read_pool(tmp_path)
    assert pool.codes.nbytes + pool.numbers["cost"].nbytes > LIMIT
    task = {"strategies": "sc:x,stop=beta", "budgets": [4, 10], "n_replays": 20}
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 10_000_000)
    expected = evaluate(pool, **task)
    monkeypatch.setattr("mssim.engine.read_by_workers._PER_ROW", 0)  # 20 replays would not be worth it
    monkeypatch.setattr("mssim.engine.areas._ROWS", 2**19)  # of 5 MB
    executor = Measuring(client.get_executor(pure=False))
    assert_same(evaluate(pool, **task, executor=executor), expected)
    assert sum(executor.sizes) < 500_000  # of 216 MB that the arrays of all blocks have
    peaks = client.run(memory, "VmHWM").values()
    assert max(peaks) < LIMIT


class Misreading(Executor):
    """Runs tasks at once, and hands each outcome over as Dask does if the worker dies in the meantime."""

    def submit(self, function, *args):
        async def cascade():
            async def outcome(raiseit):  # noqa: ARG001
                return function(*args)

            await cfexecutor._cascade_future(SimpleNamespace(_result=outcome, status="pending"), future)

        future = Future()
        asyncio.run(cascade())
        return future


def test_an_outcome_that_dask_takes_for_an_error_is_computed_again(pool, whole):
    assert_same(run(pool, Misreading()), whole)


def test_an_error_of_a_task_remains_an_error():
    failing = SimpleNamespace(nbytes=1, run=lambda: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        run_blocks([0], lambda _: failing, lambda *_: None, AtOnce())


def test_other_versions_are_named_before_the_work_begins(cluster, monkeypatch):
    other = {**mssim.engine.versions.versions(), "numpy": "1.0", "python": "2.7"}
    monkeypatch.setattr("mssim.engine.dask_cluster.versions", FromElsewhere(other))
    numbers = r"numpy \d+\.\d+\.\d+ \(here 1\.0\), python 3\.\d+ \(here 2\.7\)\. Install the same"
    with pytest.raises(MssimError, match=rf"the worker at tcp://[\d.:]+ has other versions, .*: {numbers}"):
        dask_executor(cluster.scheduler_address).__enter__()


class FromElsewhere:
    """Answers here with versions of its own; workers are asked for theirs."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self):
        return self.answer

    def __reduce__(self):
        return getattr, (mssim.engine.versions, "versions")


def test_nothing_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(MssimError, match=rf"--dask {address}: no scheduler answers \(Connection refused\)"):
            dask_executor(address).__enter__()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("localhost", r"--dask localhost: not a valid address \(missing port.*\). Use tcp://HOST:8786"),
        ("http://localhost:80", r"not a valid address \(unknown address scheme 'http'"),
        ("nowhere/scheduler.json", r"not a scheduler file \(No such file or directory\). Use a file written by `dask"),
    ],
)
def test_addresses_that_are_none(address, says):
    with pytest.raises(MssimError, match=says):
        dask_executor(address).__enter__()


def test_dask_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MssimError, match=r'--dask: Dask is not installed .* Run pip install "mssim\[dask\]"'):
        dask_executor("tcp://localhost:8786").__enter__()


# Workers that do not come, or cannot work ------------------


@pytest.fixture(scope="module")
def lonely():
    """A scheduler without workers."""
    with distributed.LocalCluster(n_workers=0, processes=True, **ANY_PORT) as cluster:
        yield cluster


def test_no_workers_come(lonely):
    with pytest.raises(MssimError, match=r"has no workers after 0\.1 seconds\. Start workers with `dask worker tcp://"):
        dask_executor(lonely.scheduler_address, patience=0.1).__enter__()


def test_a_worker_without_mssim_is_named(lonely):
    options = ("--no-nanny", "--no-dashboard", "--nthreads", "1")
    command = [sys.executable, "-c", WITHOUT_MSSIM, lonely.scheduler_address, *options]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with pytest.raises(MssimError, match=r"the worker at tcp://[\d.:]+ cannot run mssim \(.*mssim.*\)\. Install"):
            dask_executor(lonely.scheduler_address).__enter__()
    finally:
        worker.kill()
        worker.wait()


# The command line ------------------------------------------


def test_the_command_line_on_a_cluster(cluster, command, pool_path):
    options = (pool_path, "--where", "prompt=long", "--strategy", "ms:x+y", "--budgets", "2,6", "--n-replays", "50")
    alone = command("evaluate", *options, "--json")
    assert alone[0] == 0
    code, out, _ = command("evaluate", *options, "--json", "--dask", cluster.scheduler_address)
    assert (code, out) == alone[:2]
    test_cli.bad(command("evaluate", *options, "--dask", "localhost"), "--dask localhost: not a valid address")
