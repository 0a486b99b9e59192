"""No number changes by a bit, whoever does the work and in how many parts; parts that do not fit are refused."""

import json
import sqlite3
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from queue import SimpleQueue

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError, OwnStop, SelfConsistency, StrategyError, Vote, evaluate, evaluate_shard, merge
from mssim.engine.checkpoint import Checkpoint, _crc
from mssim.engine.versions import versions
from tests.conftest import Backwards
from tests.long_runs import (
    BUDGETS,
    OPTIONS,
    RULES,
    AtOnce,
    Counting,
    assert_same,
    is_finite,
    make_pool,
    run,
    small_blocks,
)
from tests.recording_http import FORKS


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        yield


@pytest.fixture(scope="module")
def whole(pool):
    """What one thread finds."""
    with ThreadPoolExecutor(1) as one:
        result = run(pool, one)
    assert is_finite(result)
    return result


def part(pool, path, i, n, rules=RULES, **options):
    return evaluate_shard(
        pool, rules, BUDGETS, shard=(i, n), checkpoint=path, **{**OPTIONS, "executor": AtOnce(), **options}
    )


# The same bits ---------------------------------------------


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), lambda: ThreadPoolExecutor(5), Backwards, AtOnce])
def test_executors(pool, whole, make):
    with make() as executor:
        assert_same(run(pool, executor), whole)


def test_one_thread_per_processor(pool, whole):
    assert_same(run(pool), whole)


def test_other_processes(pool, whole):
    with ProcessPoolExecutor(2, mp_context=FORKS) as executor:
        assert_same(run(pool, executor), whole)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shards(pool, whole, tmp_path, n):
    files = [tmp_path / f"{i}.ckpt" for i in range(1, n + 1)]
    with ThreadPoolExecutor(2) as executor:
        counts = [part(pool, path, i, n, executor=executor) for i, path in enumerate(files, 1)]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) > 100
    assert_same(merge(files), whole)


def test_a_checkpoint_is_a_shard_of_one_and_shards_can_be_finished_in_one_place(pool, whole, tmp_path):
    assert_same(run(pool, checkpoint=tmp_path / "all.ckpt"), whole)
    assert_same(merge(tmp_path / "all.ckpt"), whole)
    part(pool, tmp_path / "part.ckpt", 2, 3)
    assert_same(run(pool, checkpoint=tmp_path / "part.ckpt"), whole)
    assert_same(merge(str(tmp_path / "part.ckpt")), whole)


FEW = ["sc:x", "ms:x+y", "alloc:x,cap=6"]


@pytest.fixture(scope="module")
def few(pool):
    return evaluate(pool, FEW, BUDGETS, **OPTIONS)


@settings(max_examples=6)
@given(st.integers(1, 9), st.integers(1, 4), st.randoms(use_true_random=False))
def test_any_number_of_shards_in_any_files_and_order(pool, few, tmp_path_factory, n, n_files, rng):
    folder = tmp_path_factory.mktemp("any")
    shards = [*range(1, n + 1), *(rng.randint(1, n) for _ in range(2))]  # some of them twice
    rng.shuffle(shards)
    files = {folder / f"{rng.randrange(n_files)}.ckpt" for _ in shards}
    names = sorted(files)
    for i in shards:
        part(pool, rng.choice(names), i, n, FEW)
    names = [name for name in names if name.exists()]
    rng.shuffle(names)
    assert_same(merge(names), few)


def test_prices_and_names_of_any_kind_survive(pool, tmp_path):
    frame = pool.to_frame().replace({"model": {"x": "a+b", "y": "c,d"}}).drop(columns="cost")
    odd = type(pool).from_frame(frame)
    rules = {
        "one": {"kind": "ms", "models": ["a+b", "c,d"], "vote": Vote.entropy(prior=(2, 1.5), ties="random")},
        "two": {"kind": "random", "models": ["c,d", "a+b"], "shares": (3, 1), "stop": "majority:0.7/3"},
    }
    for options in ({}, {"prices": {"a+b": 0.1, "c,d": 3}}, {"replacement": True, "method": "monte_carlo"}):
        name = tmp_path / f"{len(str(options))}.ckpt"
        result = evaluate(odd, rules, BUDGETS, checkpoint=name, **OPTIONS, **options)
        assert_same(result, evaluate(odd, rules, BUDGETS, **OPTIONS, **options))
        assert_same(merge([name]), result)


class OnDemand(AtOnce):
    """Does a task when `let_one_go` is called; counts how many wait."""

    def __init__(self):
        self.waiting, self.most = [], 0

    def submit(self, function, *args):
        future = Future()
        self.waiting.append((future, function, args))
        self.most = max(self.most, len(self.waiting))
        return future

    def let_one_go(self):
        future, function, args = self.waiting.pop(0)
        future.set_result(function(*args))


@pytest.mark.parametrize(("limit", "value", "most"), [("_MOST_PENDING", 5, 5), ("_MOST_BYTES", 1, 1)])
def test_tasks_are_made_when_there_is_room_for_them(pool, whole, monkeypatch, limit, value, most):
    monkeypatch.setattr(f"mssim.engine.scheduler.{limit}", value)
    executor = OnDemand()

    class Asks(SimpleQueue):
        def get(self, timeout):
            if self.empty():
                executor.let_one_go()
            return super().get(timeout=timeout)

    monkeypatch.setattr("mssim.engine.scheduler.SimpleQueue", Asks)
    assert_same(run(pool, executor), whole)
    assert executor.most == most


def test_what_has_not_begun_is_cancelled_for_executors_that_were_given(pool):
    begun = []

    class Stalls(ThreadPoolExecutor):
        def submit(self, function, *args):
            return super().submit(lambda: (begun.append(args), function(*args))[1])

    def interrupt(*_):
        raise KeyboardInterrupt

    with Stalls(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            run(pool, executor, progress=interrupt)
        at_once = len(begun)
        assert executor.submit(int).result() == 0  # it is left open
    assert len(begun) == at_once + 1


class Dropping(AtOnce):
    def submit(self, *_):
        future = Future()
        future.cancel()
        return future


def test_an_executor_that_drops_its_work_is_named(pool):
    with pytest.raises(MssimError, match="executor: it stopped before all blocks were finished"):
        run(pool, Dropping())


class Elsewhere(AtOnce):
    """A worker for whom the work was made with another NumPy."""

    def submit(self, function, task, made_with):
        future = Future()
        try:
            future.set_result(function(task, {**made_with, "numpy": "1.0"}))
        except MssimError as error:
            future.set_exception(error)
        return future


def test_a_worker_with_other_versions_is_named(pool):
    with pytest.raises(
        MssimError, match=r"executor: the worker on .* has other versions, .*numpy .* \(here 1\.0\)\. Install"
    ):
        run(pool, Elsewhere())


# What does not fit -----------------------------------------


def test_what_is_missing_is_named(pool, tmp_path):
    files = [tmp_path / f"{i}.ckpt" for i in range(1, 4)]
    for i in (1, 3):
        part(pool, files[i - 1], i, 3, FEW)
    total = n_of(pool)
    with pytest.raises(
        MssimError, match=rf"of {total} blocks are missing: shard 2/3 is not among the files\. Run what"
    ):
        merge([files[0], files[2]])
    with pytest.raises(MssimError, match=r"shard 2/3 is not among the files, 3/3 is not among the files\. Run"):
        merge(files[0])
    with sqlite3.connect(files[2]) as file:
        file.execute("DELETE FROM blocks WHERE number % 2 = 0")
    file.close()
    part(pool, files[1], 2, 3, FEW)
    with pytest.raises(MssimError, match=rf"of {total} blocks are missing: shard 3/3 is not finished\. Run what is"):
        merge(files)
    part(pool, files[2], 3, 3, FEW)
    merge(files)


def n_of(pool):
    counting = Counting()
    evaluate(pool, FEW, BUDGETS, executor=counting, **OPTIONS)
    return len(counting.tasks)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 8}, r"seed: 7 and 8\)"),
        ({"n_replays": 121}, r"n_replays: 120 and 121\)"),
        ({"replacement": True}, r"replacement: false and true"),
        ({"method": "monte_carlo"}, 'method: "auto" and "monte_carlo"'),
        ({"prices": {"x": 1, "y": 2}}, r"prices: nothing and \{"),
        ({"rules": FEW[:2]}, r"strategies alloc:x,cap=6: \{.*\} and nothing"),
    ],
)
def test_files_of_different_runs_are_refused(pool, tmp_path, changed, says):
    part(pool, tmp_path / "1.ckpt", 1, 2, FEW)
    part(pool, tmp_path / "2.ckpt", 2, 2, **{"rules": FEW, **changed})
    with pytest.raises(MssimError, match=rf"1\.ckpt and .*2\.ckpt are from different runs \({says}.*same settings"):
        merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])


def test_blocks_with_other_bits_are_refused(pool, tmp_path):
    for name in ("1.ckpt", "2.ckpt"):
        part(pool, tmp_path / name, 1, 1, FEW)
    file = sqlite3.connect(tmp_path / "2.ckpt")
    number, block, data = file.execute("SELECT number, block, data FROM blocks").fetchone()
    data = bytes([data[0] ^ 1]) + data[1:]
    file.execute("UPDATE blocks SET data = ?, crc = ? WHERE number = ?", (data, _crc(number, block, data), number))
    file.commit()
    file.close()
    with pytest.raises(MssimError, match=r"2\.ckpt: block \d+ differs from that of another file.*the same type"):
        merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])


def test_another_mssim_does_not_merge(pool, tmp_path, monkeypatch):
    part(pool, tmp_path / "1.ckpt", 1, 1, FEW)
    other = {**versions(), "code of mssim": "0123456789ab"}
    monkeypatch.setattr("mssim.engine.merge.versions", lambda: other)
    with pytest.raises(MssimError, match=r"written by another version of mssim .*, here 0123456789ab\)\. Merge with"):
        merge(tmp_path / "1.ckpt")


@pytest.mark.parametrize(
    ("shard", "says"),
    [
        ((0, 2), r"shard\[0\]=0 is out of range. Use an integer from 1 to 2"),
        ((3, 2), r"shard\[0\]=3 is out of range. Use an integer from 1 to 2"),
        ((1, 0), r"shard\[1\]=0 is out of range. Use an integer from 1"),
        ((1.0, 2), r"shard\[0\]=1\.0 is not an integer. Use an integer"),
        ((1,), r"shard=\(1,\) is not a pair of integers\. Use \(1, 8\) for"),
        ("1/2", "shard='1/2' is not a pair of integers"),
        (2, "shard=2 is not a pair of integers"),
    ],
)
def test_shards_that_are_none(pool, tmp_path, shard, says):
    with pytest.raises(MssimError, match=says):
        evaluate_shard(pool, FEW, BUDGETS, shard=shard, checkpoint=tmp_path / "1.ckpt")
    assert not (tmp_path / "1.ckpt").exists()


def test_nothing_to_merge(tmp_path):
    with pytest.raises(MssimError, match="paths: no files are given"):
        merge([])
    with pytest.raises(MssimError, match=r"1\.ckpt does not exist\. Use the path of a checkpoint"):
        merge([tmp_path / "1.ckpt"])


@pytest.mark.parametrize("own", [{"vote": Vote.own(lambda counts, _: counts[0])}, {"stop": OwnStop(lambda *_: True)}])
def test_rules_without_a_text_have_no_checkpoint(pool, tmp_path, own):
    own = {"mine": SelfConsistency("x", **own)}
    with pytest.raises(MssimError, match="mine: checkpoints do not support functions and classes of your own"):
        evaluate(pool, own, BUDGETS, checkpoint=tmp_path / "1.ckpt")
    assert not (tmp_path / "1.ckpt").exists()


def test_a_shard_refuses_what_evaluate_refuses(pool, tmp_path):
    with pytest.raises(StrategyError, match="sc:z"):
        part(pool, tmp_path / "1.ckpt", 1, 1, ["sc:z,"])


def test_the_file_can_be_read_without_mssim(pool, tmp_path):
    part(pool, tmp_path / "1.ckpt", 1, 2, FEW)
    file = sqlite3.connect(tmp_path / "1.ckpt")
    told = json.loads(file.execute("SELECT settings FROM run").fetchone()[0])
    assert (told["seed"], told["budgets"], list(told["strategies"])) == (7, BUDGETS, FEW)
    plan, exact, budgets, first, end, replay, n = json.loads(file.execute("SELECT block FROM blocks").fetchone()[0])
    assert 0 <= plan < 3
    assert 0 <= first < end <= 8
    assert set(budgets) <= {0, 1, 2}
    assert exact == (n == 0)
    assert replay <= 120
    assert file.execute("SELECT i, n FROM shards").fetchall() == [(1, 2)]
    file.close()


SWAPPED = ["ms:x+y,agreement=0.6", "mix:x+y"]  # plans of equal sizes


def test_rules_in_another_order_are_another_run(pool, tmp_path):
    part(pool, tmp_path / "1", 1, 2, SWAPPED)
    part(pool, tmp_path / "2", 2, 2, SWAPPED[::-1])
    with pytest.raises(MssimError, match=r"are from different runs .*order of strategies"):
        merge([tmp_path / "1", tmp_path / "2"])
    with pytest.raises(MssimError, match=r"belongs to another run .*order of strategies"):
        part(pool, tmp_path / "1", 1, 2, SWAPPED[::-1])


def forged(path, columns):
    """Change the block that comes first, with a checksum that fits."""
    file = sqlite3.connect(path)
    number, text, data = file.execute("SELECT number, block, data FROM blocks ORDER BY number").fetchone()
    fields = ["plan", "exact", "budgets", "first_question", "end_question", "first_replay", "n_replays"]
    values = dict(zip(fields, json.loads(text), strict=True)) | columns
    other = values.pop("number", number)
    row = (other, json.dumps([values[name] for name in fields]), data)
    file.execute("UPDATE blocks SET number = ?, block = ?, crc = ? WHERE number = ?", (*row[:2], _crc(*row), number))
    file.commit()
    file.close()


@pytest.mark.parametrize(
    "columns",
    [
        {"number": 10**12},
        {"number": -1},
        {"plan": 99},
        {"plan": -1},
        {"plan": "x"},
        {"budgets": [0, 7]},
        {"budgets": [-1]},
        {"first_question": -2},
        {"end_question": 10**9},
        {"n_replays": 10**6},
    ],
)
def test_blocks_that_no_run_has_are_damage(pool, tmp_path, columns):
    path = tmp_path / "run"
    part(pool, path, 1, 1, SWAPPED, method="monte_carlo")
    forged(path, columns)
    with pytest.raises(MssimError, match="is damaged"):
        merge(path)
    with pytest.raises(MssimError, match="is damaged"):
        run_whole(pool, path)


def run_whole(pool, path):
    """Go on with a file, which reads all of its blocks."""
    return evaluate(pool, SWAPPED, BUDGETS, **OPTIONS, method="monte_carlo", checkpoint=path, executor=AtOnce())


def test_an_interrupt_between_writing_and_noting_a_block(pool, tmp_path, monkeypatch):
    class Once(set):
        def add(self, number):
            if len(self) == 3:
                raise KeyboardInterrupt
            super().add(number)

    made = Checkpoint.__init__

    def with_interrupt(file, *asked):
        made(file, *asked)
        file._held = Once(file._held)

    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "__init__", with_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_whole(pool, path)
    result = run_whole(pool, path)
    assert_same(result, evaluate(pool, SWAPPED, BUDGETS, **OPTIONS, method="monte_carlo", executor=AtOnce()))


def test_a_pool_of_processes_that_breaks_is_named(pool):
    class Broken(AtOnce):
        def submit(self, *_):
            raise BrokenExecutor("a process ended")

    with pytest.raises(MssimError, match="a worker or its scheduler died"):
        run(pool, Broken())
