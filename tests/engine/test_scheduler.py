"""Blocks on executors: how many at once, in which order, and what remains after an interrupt."""

import pickle
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import SimpleNamespace

import pytest

from mssim import MssimError
from mssim.engine.scheduler import run_blocks
from tests.conftest import Backwards
from tests.long_runs import AtOnce, assert_same, run
from tests.recording_http import FORKS


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


@pytest.mark.parametrize(
    "make",
    [
        Backwards,
        *(
            pytest.param(make, marks=pytest.mark.compiled)
            for make in (lambda: ThreadPoolExecutor(2), lambda: ThreadPoolExecutor(5), AtOnce)
        ),
    ],
)
def test_executors(pool, whole, make):
    with make() as executor:
        assert_same(run(pool, executor), whole)


def test_one_thread_per_processor(pool, whole):
    assert_same(run(pool), whole)


@pytest.mark.slow
def test_other_processes(pool, whole):
    with ProcessPoolExecutor(2, mp_context=FORKS) as executor:
        assert_same(run(pool, executor), whole)


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


@pytest.mark.parametrize("times", [1, 3])
def test_a_block_that_is_dropped_is_computed_again(pool, times):
    """As by Dask if a worker dies. It answers a call that is repeated with the future that was cancelled."""
    calls = {}

    class Drops(AtOnce):
        def submit(self, function, task, *args):
            call = pickle.dumps((task, args))
            if call not in calls:
                dropped = len(calls) % 7 < times
                calls[call] = Dropping().submit() if dropped else super().submit(function, task, *args)
            return calls[call]

    found = run(pool, Drops())
    assert sum(future.cancelled() for future in calls.values()) > times
    assert_same(found, run(pool, AtOnce()))


def test_a_pool_of_processes_that_breaks_is_named(pool):
    class Broken(AtOnce):
        def submit(self, *_):
            raise BrokenExecutor("a process ended")

    with pytest.raises(MssimError, match="a worker or its scheduler died"):
        run(pool, Broken())


@pytest.mark.parametrize("executor", ["threads", 4, 0, [], ThreadPoolExecutor])
def test_what_is_no_executor_is_refused(pool, executor):
    with pytest.raises(MssimError, match=r"executor=.* is not an executor"):
        run(pool, executor)


def test_what_cannot_be_called_is_no_progress():
    with pytest.raises(MssimError, match="progress=True cannot be called"):
        run_blocks([], lambda _: None, lambda *_: None, progress=True)


def test_an_executor_that_was_shut_down(pool):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(MssimError, match="executor: it stopped before"):
        run(pool, executor)
