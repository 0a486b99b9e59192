"""Running blocks: a bounded number under way on any executor, taken in as they are done, none lost to an interrupt."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from queue import Empty, SimpleQueue
from typing import Protocol

from mssim.engine.blocks import Outcome
from mssim.engine.versions import check_versions, versions
from mssim.errors import MssimError

__all__ = ["Progress", "Task", "run_blocks"]

Progress = Callable[[int, int], None]

_MOST_UNDER_WAY = 1024  # tasks that an executor is given ahead: a cluster has enough to do,
_MOST_PER_THREAD = 4
_MOST_BYTES = 256_000_000  # and their arrays fit in memory
_PAUSE = 1.0  # seconds after which whoever waits for a block may do something else


class Task(Protocol):
    """What a worker is given."""

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, about."""

    def run(self) -> Outcome:
        """Do it."""


def run_blocks(
    numbers: Sequence[int],
    make: Callable[[int], Task],
    take: Callable[[int, Outcome], None],
    executor: Executor | None = None,
    *,
    progress: Progress | None = None,
    done: int = 0,
    pause: Callable[[], None] = lambda: None,
) -> None:
    """Run blocks of work and take in what comes of each, in the order in which they are done.

    Parameters
    ----------
    numbers : sequence of int
        Of the blocks.
    make : callable
        Makes the task of a block, when it is handed to the executor.
    take : callable
        Called with a block's number and outcome; after an interrupt once more for what was done in the meantime, so it
        must bear to be given a block again.
    executor : Executor, optional
        Default: one thread per processor.
    progress : callable, optional
        Called as progress(done, total) after every block, and first of all if some are done already.
    done : int, default 0
        Blocks that are done already, besides `numbers`.
    pause : callable, optional
        Called at least once a second, as long as no block takes the thread for longer.
    """
    total = done + len(numbers)
    if progress and done:
        progress(done, total)
    n_threads = _n_processors()
    most = _MOST_UNDER_WAY if executor else _MOST_PER_THREAD * n_threads
    with nullcontext(executor) if executor else ThreadPoolExecutor(n_threads) as workers:
        flight = _Flight(workers, take, most)
        try:
            for number in numbers:
                flight.start(number, make(number))
                while flight.full or flight.landed:
                    done = _next(flight, done, total, progress, pause)
            while flight.under_way:
                done = _next(flight, done, total, progress, pause)
        except BaseException:
            flight.abandon()
            raise


def _next(flight: _Flight, done: int, total: int, progress: Progress | None, pause: Callable[[], None]) -> int:
    """Wait for a block and take it in; returns how many are done."""
    while not flight.take_one():
        pause()
    pause()
    if progress:
        progress(done + 1, total)
    return done + 1


class _Flight:
    """Blocks under way."""

    def __init__(self, workers: Executor, take: Callable[[int, Outcome], None], most: int) -> None:
        self._workers, self._take, self._most = workers, take, most
        self._done: SimpleQueue[Future[Outcome]] = SimpleQueue()
        self._blocks: dict[Future[Outcome], tuple[int, int]] = {}  # number and bytes of each
        self._nbytes = 0

    @property
    def under_way(self) -> bool:
        return bool(self._blocks)

    @property
    def landed(self) -> bool:
        """Whether a block is done and not taken in."""
        return not self._done.empty()

    @property
    def full(self) -> bool:
        return len(self._blocks) >= self._most or self._nbytes >= _MOST_BYTES

    def start(self, number: int, task: Task) -> None:
        try:
            future = self._workers.submit(_run, task, versions())
        except BrokenExecutor:
            raise _dropped() from None
        self._blocks[future] = number, task.nbytes
        self._nbytes += task.nbytes
        future.add_done_callback(self._done.put)

    def take_one(self) -> bool:
        """Take in a block that is done, if one is soon."""
        try:
            future = self._done.get(timeout=_PAUSE)
        except Empty:
            return False
        number, nbytes = self._blocks[future]
        try:
            outcome = future.result()
        except (CancelledError, BrokenExecutor):
            raise _dropped() from None
        self._take(number, outcome)
        del self._blocks[future]
        self._nbytes -= nbytes
        return True

    def abandon(self) -> None:
        """Drop what has not begun, and take in what is done or cannot be stopped any more."""
        for future in self._blocks:
            future.cancel()
        for future, (number, _) in self._blocks.items():
            if not future.cancelled() and future.exception() is None:
                self._take(number, future.result())


def _dropped() -> MssimError:
    return MssimError(
        "the executor dropped blocks of work: was it shut down, did one of its processes end, or the scheduler that it "
        "stands for? Start it again; with a checkpoint, the same call goes on where it stopped"
    )


def _n_processors() -> int:
    """Processors that this process may use, which a batch system may have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(task: Task, made_with: Mapping[str, str]) -> Outcome:
    check_versions(made_with)
    return task.run()
