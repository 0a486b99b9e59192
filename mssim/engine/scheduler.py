"""Run blocks on any executor, with bounded memory and without loss at an interrupt."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from mssim._validation import shown
from mssim.engine.blocks import Outcome, SharedOutcome
from mssim.engine.versions import check_versions, versions
from mssim.errors import MssimError

__all__ = ["Progress", "Task", "check_executor", "run_blocks"]

Progress = Callable[[int, int], None]

_MOST_PENDING = 1024  # pending tasks on an executor, enough for a cluster
_MOST_PER_THREAD = 4
_MOST_BYTES = 256_000_000  # arrays of all pending tasks
_MOST_ATTEMPTS = 4  # at one block, as many as Dask makes by default
_PAUSE = 1.0  # seconds between calls of `pause` while waiting


class Task(Protocol):
    """Task of a block, sent to a worker."""

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""

    def run(self) -> Any:
        """Compute the outcome, or those of several blocks."""


def run_blocks(
    numbers: Sequence[int],
    make: Callable[[int], Task],
    take: Callable[[int, Any], None],
    executor: Executor | None = None,
    *,
    progress: Progress | None = None,
    done: int = 0,
    pause: Callable[[], None] = lambda: None,
) -> None:
    """Run blocks of work, and pass on outcomes in the order in which they finish.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of the blocks.
    make : callable
        Called with the number of a block; returns its task.
    take : callable
        Called with the number and outcome of each finished block. After an interrupt it can be called a second time
        for the same block.
    executor : Executor, optional
        Executor of the tasks. Default: one thread per processor.
    progress : callable, optional
        Called as progress(done, total) after every block, and at the beginning if `done` is positive.
    done : int, default 0
        Number of blocks that were finished before, in addition to `numbers`.
    pause : callable, optional
        Called about once a second.
    """
    check_executor(executor, progress)
    total = done + len(numbers)
    if progress and done:
        progress(done, total)
    n_threads = _n_processors()
    most = _MOST_PENDING if executor else _MOST_PER_THREAD * n_threads
    with nullcontext(executor) if executor else ThreadPoolExecutor(n_threads) as workers:
        pending = _Pending(workers, take, most)
        try:
            for number in numbers:
                pending.start(number, make(number))
                while pending.full or pending.has_finished:
                    done = _next(pending, done, total, progress, pause)
            while pending.any_left:
                done = _next(pending, done, total, progress, pause)
        except BaseException:
            pending.cancel()
            raise


def check_executor(executor: Any, progress: Any) -> None:
    """Raise if an executor cannot run tasks, or `progress` cannot be called."""
    if executor is not None and (isinstance(executor, type) or not callable(getattr(executor, "submit", None))):
        raise MssimError(
            f"executor={shown(executor)} is not an executor. Pass a concurrent.futures.Executor, such as "
            "ThreadPoolExecutor(4), or the executor of a Dask client, client.get_executor()."
        )
    if progress is not None and not callable(progress):
        raise MssimError(
            f"progress={shown(progress)} cannot be called. Pass a function of (done, total), or leave it out."
        )


def _next(pending: _Pending, done: int, total: int, progress: Progress | None, pause: Callable[[], None]) -> int:
    """Wait for a block, pass on its outcome, and return the number of finished blocks."""
    while not pending.take_one():
        pause()
    pause()
    if progress:
        progress(done + 1, total)
    return done + 1


class _Pending:
    """Pending blocks."""

    def __init__(self, workers: Executor, take: Callable[[int, Any], None], most: int) -> None:
        self._workers, self._take, self._most = workers, take, most
        self._done: SimpleQueue[Future[Outcome | SharedOutcome]] = SimpleQueue()
        self._blocks: dict[Future[Outcome | SharedOutcome], tuple[int, Task]] = {}
        self._attempts: Counter[int] = Counter()  # at each block, by its number
        self._nbytes = 0

    @property
    def any_left(self) -> bool:
        return bool(self._blocks)

    @property
    def has_finished(self) -> bool:
        """Whether a block has finished and its outcome has not been passed on."""
        return not self._done.empty()

    @property
    def full(self) -> bool:
        return len(self._blocks) >= self._most or self._nbytes >= _MOST_BYTES

    def start(self, number: int, task: Task) -> None:
        # Dask knows a call by its arguments, and would answer a repeated one with the future that was cancelled.
        attempt = self._attempts[number]
        self._attempts[number] += 1
        try:
            future = self._workers.submit(_run, task, versions(), attempt)
        except RuntimeError:  # it is broken, or was shut down
            raise _stopped() from None
        self._blocks[future] = number, task
        self._nbytes += task.nbytes
        future.add_done_callback(self._done.put)

    def take_one(self) -> bool:
        """Pass on the outcome of a finished block; return False if none finishes in time."""
        try:
            future = self._done.get(timeout=_PAUSE)
        except Empty:
            return False
        number, task = self._blocks[future]
        try:
            outcome = future.result()
        except BrokenExecutor:
            raise _stopped() from None
        except CancelledError:  # Dask can cancel a block if its worker dies; an executor that was shut down refuses it
            if self._attempts[number] == _MOST_ATTEMPTS:
                raise _stopped() from None
            self._forget(future)
            self.start(number, task)
            return False
        except (AttributeError, TypeError, ValueError) as error:
            if not _misread(error):
                raise
            outcome = task.run()
        self._take(number, outcome)
        self._forget(future)
        return True

    def _forget(self, future: Future[Outcome | SharedOutcome]) -> None:
        _, task = self._blocks.pop(future)
        self._nbytes -= task.nbytes

    def cancel(self) -> None:
        """Cancel blocks that have not started, and pass on the outcomes of the others."""
        for future in self._blocks:
            future.cancel()
        for future, (number, _) in self._blocks.items():
            if not future.cancelled() and future.exception() is None:
                self._take(number, future.result())


def _misread(error: Exception) -> bool:
    """Return whether Dask took an outcome for an error, which happens if a worker dies just after it has finished."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # An error of a task also has the frames of the task.
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "distributed.cfexecutor"


def _stopped() -> MssimError:
    return MssimError(
        "executor: it stopped before all blocks were finished. It was shut down, or a worker or its scheduler died. "
        "Restart it and repeat the call; with a checkpoint, finished blocks are kept."
    )


def _n_processors() -> int:
    """Return the number of processors that this process may use, which a batch system can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(task: Task, made_with: Mapping[str, str], attempt: int) -> Any:  # noqa: ARG001
    check_versions(made_with)
    return task.run()
