"""A run that ends early goes on where it stopped; a file that is not its checkpoint is refused and left alone."""

import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import SimpleNamespace

import pytest

from mssim import MssimError, Pool, evaluate
from mssim.engine.checkpoint import Checkpoint
from mssim.engine.scheduler import run_blocks
from mssim.engine.versions import versions
from tests.conftest import Backwards, long_frame
from tests.long_runs import BUDGETS, OPTIONS, AtOnce, Counting, assert_same, make_pool, small_blocks
from tests.recording_http import FORKS

RULES = ["sc:x", "ms:x+y", "sc:x,stop=beta:0.9"]


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        yield


def run(pool, path=None, executor=None, **options):
    options = {"strategies": RULES, "budgets": BUDGETS, **OPTIONS, **options}
    return evaluate(pool, checkpoint=path, executor=executor or AtOnce(), **options)


@pytest.fixture(scope="module")
def whole(pool):
    return run(pool)


@pytest.fixture(scope="module")
def total(pool):
    counting = Counting()
    run(pool, executor=counting)
    return len(counting.tasks)


def held(path):
    file = sqlite3.connect(path)
    try:
        return file.execute("SELECT count(*) FROM blocks").fetchone()[0]
    finally:
        file.close()


def finish(pool, path, whole, total):
    """Go on; returns how many blocks were left to do."""
    before, counting, seen = held(path), Counting(), []
    result = run(pool, path, counting, progress=lambda *counts: seen.append(counts))
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


# Going on --------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_end_at_any_block_loses_nothing(pool, tmp_path, whole, total, error):
    assert 20 < total < 60
    for k in range(1, total + 1, 1 if error is KeyboardInterrupt else 7):
        path = tmp_path / f"{k}.ckpt"
        with pytest.raises(error):
            run(pool, path, progress=stops_at(k, error))
        assert held(path) == k
        assert finish(pool, path, whole, total) == total - k


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(3), Backwards, lambda: None])
def test_blocks_under_way_at_an_interrupt_are_kept(pool, tmp_path, whole, total, make):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            *(pool, RULES, BUDGETS),
            **OPTIONS,
            checkpoint=path,
            executor=make(),
            progress=stops_at(3, KeyboardInterrupt),
        )
    assert held(path) >= 3
    finish(pool, path, whole, total)


def test_again_and_again(pool, tmp_path, whole, total):
    path = tmp_path / "run.ckpt"
    for k in range(5, total, 5):
        with pytest.raises(KeyboardInterrupt):
            run(pool, path, progress=stops_at(k, KeyboardInterrupt))
    assert finish(pool, path, whole, total) <= 5
    assert finish(pool, path, whole, total) == 0


def test_a_block_that_fails_costs_no_other(pool, tmp_path, whole, total):
    class Fails(AtOnce):
        def submit(self, function, *args):
            future = super().submit(function, *args)
            if not self.left:
                future = type(future)()
                future.set_exception(ZeroDivisionError())
            self.left -= 1
            return future

        left = 9

    with pytest.raises(ZeroDivisionError):
        run(pool, tmp_path / "run.ckpt", Fails())
    assert finish(pool, tmp_path / "run.ckpt", whole, total) == total - 9


def killed(path, k):
    """Run until k blocks are done and committed, and then no further."""
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        patch.setattr("mssim.engine.checkpoint._COMMIT_EVERY", 0.0)

        def progress(done, _):
            if done == k:
                os.kill(os.getpid(), signal.SIGKILL)

        run(make_pool(), path, progress=progress)


def test_a_kill_loses_nothing_that_was_committed(pool, tmp_path, whole, total):
    path = tmp_path / "run.ckpt"
    process = FORKS.Process(target=killed, args=(path, 11))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert finish(pool, path, whole, total) == total - 11


def test_blocks_are_committed_once_a_second(pool, tmp_path, monkeypatch):
    now, commits, commit = [0.0], [], Checkpoint.commit
    monkeypatch.setattr("mssim.engine.checkpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Checkpoint, "commit", lambda file: (commits.append(now[0]), commit(file)))

    def progress(*_):
        now[0] += 0.25

    run(pool, tmp_path / "run.ckpt", progress=progress)
    assert commits[:3] == [1.0, 2.0, 3.0]


def test_while_a_slow_block_is_under_way_others_are_committed(monkeypatch):
    waits, calls = iter([True, False, True, True, False]), []

    class Waits(SimpleQueue):
        def get(self, timeout):
            assert timeout == 1
            if next(waits):
                calls.append("nothing yet")
                raise Empty
            return super().get(timeout=timeout)

    monkeypatch.setattr("mssim.engine.scheduler.SimpleQueue", Waits)
    task = SimpleNamespace(nbytes=0, run=lambda: "done")
    take = lambda number, outcome: calls.append((number, outcome))  # noqa: E731
    run_blocks([0, 1], lambda _: task, take, AtOnce(), pause=lambda: calls.append("pause"))
    slow = ["nothing yet", "pause"]
    assert calls == [*slow, (0, "done"), "pause", *slow, *slow, (1, "done"), "pause"]


# Files that are none ---------------------------------------


@pytest.fixture
def path(pool, tmp_path):
    """A checkpoint with some blocks."""
    with pytest.raises(KeyboardInterrupt):
        run(pool, tmp_path / "run.ckpt", progress=stops_at(5, KeyboardInterrupt))
    return tmp_path / "run.ckpt"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 8}, "seed: 7 in the file, 8 here"),
        ({"n_replays": 50}, "n_replays: 120 in the file, 50 here"),
        ({"replacement": True}, "replacement: false in the file, true here"),
        ({"method": "monte_carlo"}, 'method: "auto" in the file, "monte_carlo" here'),
        ({"budgets": [1, 2]}, r"budgets: \[1, 2, 5\] in the file, \[1, 2\] here"),
        ({"prices": {"x": 1, "y": 1}}, r'prices: nothing in the file, {"x": 1\.0, "y": 1\.0} here'),
        ({"strategies": ["sc:x", "ms:x+y"]}, "strategies sc:x,stop=beta:0.9: .* in the file, nothing here"),
        (
            {"strategies": {**dict(zip(RULES, RULES, strict=True)), "sc:x": "sc:y"}},
            r'sc:x models: \["x"\] in the file, \["y"',
        ),
    ],
)
def test_other_settings_are_refused(pool, path, changed, says):
    before = path.read_bytes()
    with pytest.raises(MssimError, match=rf"run\.ckpt belongs to another run \(.*{says}.*Use the settings of"):
        run(pool, path, **changed)
    assert path.read_bytes() == before


def test_other_answers_questions_and_columns_are_refused(pool, tmp_path):
    rules = ["mix:x+y,vote=score_sum,column=chars"]
    path = tmp_path / "run.ckpt"
    run(pool, path, strategies=rules)
    frame = pool.to_frame().drop(columns="correct")
    for column, says in (("answer", "pool answers"), ("chars", "pool column 'chars'"), ("topic", "pool questions")):
        changed = frame[column].where(frame.index > 0, "b") if column == "answer" else frame[column] * 2
        other = type(pool).from_frame(frame.assign(**{column: changed}), info=pool.info)
        with pytest.raises(MssimError, match=f"another run \\(.*{says}: "):
            run(other, path, strategies=rules)


def test_other_versions_are_refused(pool, path, monkeypatch):
    other = {**versions(), "numba": "9.9"}
    monkeypatch.setattr("mssim.engine.header.versions", lambda: other)
    with pytest.raises(MssimError, match=r'another run \(versions numba: ".*" in the file, "9\.9" here\)'):
        run(pool, path)


def test_other_blocks_are_refused(pool, path, monkeypatch):
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 700)
    with pytest.raises(MssimError, match=r"another run \(blocks number: \d+ in the file, \d+ here; blocks digest"):
        run(pool, path)


def foreign_database(path):
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE run (a)")
    file.commit()
    file.close()


def later_version(path):
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 2")
    file.commit()
    file.close()


def changed(query):
    def change(path):
        file = sqlite3.connect(path)
        file.execute(query)
        file.commit()
        file.close()

    return change


def truncated(path):
    path.write_bytes(path.read_bytes()[:-5000])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            lambda path: path.write_bytes(b"PAR1" * 1000),
            "is damaged or not a checkpoint .*file is not a database",
        ),
        (
            lambda path: (path.unlink(), foreign_database(path)),
            "is not a checkpoint of mssim and is not overwritten. Use another file",
        ),
        (later_version, "unsupported checkpoint version 2. This mssim reads version 1"),
        (truncated, "is damaged or not a checkpoint"),
        (changed("UPDATE blocks SET data = zeroblob(length(data))"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE blocks SET number = number + 1000"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE blocks SET block = '[]'"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE run SET settings = '{}'"), "is damaged.*the checksum of the header is wrong"),
        (changed("DELETE FROM run"), "is damaged.*0 headers instead of 1"),
        (changed("DROP TABLE blocks"), "is damaged.*no such table: blocks"),
    ],
)
def test_damage_is_told_and_the_file_left_alone(pool, path, damage, says):
    damage(path)
    before = path.read_bytes()
    with pytest.raises(MssimError, match=f"run.ckpt:? ?{says}"):
        run(pool, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["run.ckpt"]


def test_arrays_of_another_shape_are_damage(pool, path, monkeypatch):
    monkeypatch.setattr("mssim.engine.checkpoint._crc", lambda *_: 0)
    changed("UPDATE blocks SET data = substr(data, 9), crc = 0")(path)
    changed("UPDATE run SET crc = 0")(path)
    with pytest.raises(MssimError, match="is damaged"):
        run(pool, path)


def test_an_empty_file_is_a_beginning(pool, tmp_path, whole):
    (tmp_path / "run.ckpt").touch()
    assert_same(run(pool, tmp_path / "run.ckpt"), whole)


def test_places_that_are_none(pool, tmp_path):
    with pytest.raises(MssimError, match=r"is a folder\. Use the path of a file"):
        run(pool, tmp_path)
    with pytest.raises(MssimError, match=r"no does not exist\. Create it first"):
        run(pool, tmp_path / "no" / "run.ckpt")


def test_a_file_in_use_is_left_to_its_process(pool, path, whole):
    def other(done, _):
        if done == 8:
            with pytest.raises(MssimError, match=r"run\.ckpt is in use by another process\. Wait until it ends"):
                run(pool, path)
            with pytest.raises(MssimError, match="in use by another process"):
                Checkpoint(path)

    assert_same(run(pool, path, progress=other), whole)


def test_a_disk_that_is_full(pool, path, whole, total, monkeypatch):
    add = Checkpoint.add

    def full(file, *block):
        with file.clear_errors():
            if len(file.held) == 9:
                raise sqlite3.OperationalError("database or disk is full")
        return add(file, *block)

    monkeypatch.setattr(Checkpoint, "add", full)
    with pytest.raises(
        MssimError,
        match=r"run\.ckpt: cannot be read or written \(database or disk is full\)\. Check .* blocks are kept",
    ):
        run(pool, path)
    monkeypatch.setattr(Checkpoint, "add", add)
    assert finish(pool, path, whole, total) == total - 9


def test_without_samples_costs_are_unknown_in_the_file_too(tmp_path):
    pool = Pool.from_frame(long_frame({("x", "q1"): list("aab"), ("x", "q2"): list("abb")}))
    for _ in range(2):
        result = evaluate(pool, "sc:x", [2], checkpoint=tmp_path / "run.ckpt")
        assert result.cost.tolist() != result.cost.tolist()  # NaN
