"""Dispatch of requests for missing samples, with bounded concurrency, retries, limits and clean interruption."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mssim.errors import RecordError
from mssim.recorder.budget import Budget, Need
from mssim.recorder.group_commit import Commits
from mssim.recorder.journal import Cell, Journal, Outcome
from mssim.recorder.plan import ModelPlan, Server
from mssim.recorder.progress import Progress
from mssim.recorder.sampler import Reply, Request, RequestFailed, Sampler

_BLOCK = 16  # samples per question and round, so a recording that stops early has similar numbers for all
_IN_A_ROW = 20  # consecutive failures, over as many questions if possible, after which a model is stopped
_TICK = 0.5
_LEAST_FREE = 2**26  # bytes of free disk, enough to store pending requests

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Retry:
    """Exponential backoff of failed requests.

    The wait doubles after each attempt and is multiplied by a random factor from 0.5 to 1, so that waiting requests do
    not return at the same time.

    Parameters
    ----------
    attempts : int, default 8
        Number of attempts before the samples of a request are given up.
    first : float, default 0.5
        Seconds to wait after the first attempt.
    most : float, default 60
        Maximum wait in seconds.

    Examples
    --------
    >>> from mssim.recorder import Retry
    >>> 1 <= Retry(first=0.5).wait(3) <= 2
    True
    """

    attempts: int = 8
    first: float = 0.5
    most: float = 60.0

    def wait(self, attempt: int) -> float:
        """Return the wait after an attempt.

        Parameters
        ----------
        attempt : int
            Number of the attempt, from 1.

        Returns
        -------
        float
            Seconds, drawn at random.
        """
        return float(min(self.first * 2.0 ** (attempt - 1), self.most) * random.uniform(0.5, 1))


@dataclass
class Target:
    """Cells and prompts of a model, and its state during a run."""

    plan: ModelPlan
    cells: Sequence[Cell]
    prompt: Callable[[int], Messages]  # by index of the cell
    per_request: int = 1
    honours_n: bool = False
    fell_short: int = 0
    failures: int = 0  # since the last success
    failing: set[str] = field(default_factory=set)  # questions that failed since then
    stopped: str | None = None
    successes: int = 0


class Run:
    """One run of the recorder with an open journal. The arguments are described in `record`."""

    def __init__(
        self,
        journal: Journal,
        targets: Sequence[Target],
        samplers: Mapping[Server, Sampler],
        *,
        budget: Budget,
        progress: Progress,
        retry: Retry,
        retry_failed: bool = False,
        report: Callable[[Progress], None] | None = None,
    ) -> None:
        self.journal = journal
        self.targets = targets
        self.samplers = samplers
        self.budget = budget
        self.progress = progress
        self.retry = retry
        self.retry_failed = retry_failed
        self.report = report
        self.stopped: str | None = None
        self._error: Exception | None = None

    async def run(self) -> None:
        """Request samples until none is missing, a limit is reached or a signal arrives. Complete pending requests."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ended = asyncio.Condition()
        self._not_before = dict.fromkeys(self.samplers, 0.0)
        self._commits = Commits(self.journal)
        started = time.monotonic()
        self._tell(started)
        workers = [
            asyncio.create_task(self._work(tasks))
            for server in self.samplers
            for tasks in [self._tasks([target for target in self.targets if target.plan.server == server])]
            for _ in range(server.concurrency)
        ]
        ticker = asyncio.create_task(self._tick(started))
        with self._signals(workers):
            try:
                await asyncio.gather(*workers, return_exceptions=True)
            finally:
                ticker.cancel()
                lost = await self._commits.close()
                for sampler in self.samplers.values():
                    await sampler.close()
        self._tell(started)
        if lost:
            raise RecordError(f"{str(self._error).removesuffix('.')}. {lost} received samples could not be stored.")
        if self._error is not None:
            raise self._error

    def stop(self, reason: str) -> None:
        """Start no further requests."""
        self.stopped = self.stopped or reason
        self._stop.set()

    def notes(self) -> list[str]:
        """Return why the run ended early, if it did."""
        stopped = [f"Requests to model {t.plan.name!r} were stopped: {t.stopped}" for t in self.targets if t.stopped]
        return [*([self.stopped] if self.stopped else []), *stopped]

    def interrupt(self) -> None:
        """Stop from another thread."""
        self._loop.call_soon_threadsafe(self.stop, "Interrupted.")

    @contextlib.contextmanager
    def _signals(self, workers: Sequence[asyncio.Task[None]]) -> Iterator[None]:
        """Stop on the first SIGINT or SIGTERM. On the second, cancel pending requests."""
        loop = asyncio.get_running_loop()

        def interrupt(number: int) -> None:
            if self._stop.is_set():
                for worker in workers:
                    worker.cancel()
            self.stop(f"Interrupted by {signal.Signals(number).name}.")

        handled = []
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(NotImplementedError):  # on Windows, KeyboardInterrupt ends the loop
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, interrupt, number)
                    handled.append(number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    async def _tick(self, started: float) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._tell(started)

    def _tell(self, started: float) -> None:
        progress, budget = self.progress, self.budget
        progress.seconds = time.monotonic() - started
        progress.in_flight = budget.in_flight
        progress.cost = budget.cost if budget.prices else None
        if self.report is not None:
            self.report(progress)
        free = shutil.disk_usage(self.journal.path.parent).free
        if free < _LEAST_FREE:
            self.stop(
                f"The disk has only {free / 2**20:.0f} MB of free space. At least {_LEAST_FREE >> 20} MB are needed."
            )

    def _tasks(self, targets: Sequence[Target]) -> Iterator[tuple[Target, int, list[int]]]:
        """Iterate over the missing samples of one server, in rounds of some samples per question."""
        sizes = [-(-_BLOCK // t.plan.samples_per_request) * t.plan.samples_per_request for t in targets]
        rounds = max(-(-t.plan.samples // size) for t, size in zip(targets, sizes, strict=True))
        for turn, place in itertools.product(range(rounds), range(len(targets[0].cells))):
            for target, size in zip(targets, sizes, strict=True):
                if target.stopped is None:
                    for indices in self._missing(target, place, turn * size, (turn + 1) * size):
                        yield target, place, indices

    def _missing(self, target: Target, place: int, start: int, stop: int) -> Iterator[list[int]]:
        """Split the missing samples of a question into requests."""
        cell, stop, size = target.cells[place], min(stop, target.plan.samples), target.plan.samples_per_request
        missing = self.journal.missing(cell, start, stop, retry_failed=self.retry_failed)
        return (missing[first : first + size] for first in range(0, len(missing), size))

    async def _work(self, tasks: Iterator[tuple[Target, int, list[int]]]) -> None:
        try:
            for target, place, indices in tasks:
                await self._fill(target, place, indices)
                if self._stop.is_set():
                    return
        except Exception as error:  # the journal cannot be written, or the sampler has a bug
            self._error = self._error or error
            self.stop(str(error))

    async def _fill(self, target: Target, place: int, indices: list[int]) -> None:
        """Request samples until they are recorded or given up."""
        messages, attempt, alone, seen = target.prompt(place), 0, "", 0
        failure: RequestFailed | None = None
        while indices and target.stopped is None:
            asked = indices[: 1 if alone else target.per_request]
            if (need := await self._admitted(target, messages, len(asked))) is None:
                return
            if failure is not None and failure.retry_after is not None and target.successes > seen:
                attempt = 0  # a server that sends Retry-After while other requests succeed is busy, not broken
            outcome, failure = await self._ask(target, place, messages, asked, need, attempt + 1)
            seen = target.successes
            await self._commits.store(outcome)
            self._count(target, outcome)
            if alone == "refused" and outcome.indices and not target.honours_n:
                target.per_request = 1
            indices = [index for index in indices if index not in {*outcome.indices, *outcome.failed}]
            attempt = 0 if failure is None or outcome.failed else attempt + 1
            if failure is not None and indices:
                if not alone and not outcome.failed and not self._again(failure, attempt):
                    # The server may not support several samples per request, so try one at a time.
                    alone, attempt = "given up" if failure.transient else "refused", 0
                if failure.transient:
                    await self._pause(target.plan.server, failure, attempt)

    def _again(self, failure: RequestFailed, attempt: int) -> bool:
        """Return whether to repeat the same request."""
        return failure.transient and attempt < self.retry.attempts

    async def _admitted(self, target: Target, messages: Messages, n: int) -> Need | None:
        """Wait until a request may start and return its bounds, or None if no request may start anymore."""
        while (wait := self._not_before[target.plan.server] - time.monotonic()) > 0 and not self._stop.is_set():
            await self._sleep(wait + random.uniform(0, self.retry.first))  # spread the requests
        need = self.budget.need(target.plan, messages, n)
        async with self._ended:
            while not self._stop.is_set() and target.stopped is None:
                if self.budget.take(need, target.plan.name):
                    return need
                if self.budget.in_flight:
                    await self._ended.wait()
                elif reached := self.budget.reached():
                    self.stop(reached)
                else:
                    target.stopped = self.budget.why()
        return None

    async def _ask(
        self, target: Target, place: int, messages: Messages, asked: list[int], need: Need, attempt: int
    ) -> tuple[Outcome, RequestFailed | None]:
        plan, cell = target.plan, target.cells[place]
        seed = plan.sample_seed(cell.question, asked[0])
        request = Request(plan.model_id, messages, len(asked), plan.settings, plan.logprobs, seed)
        reply, failure = Reply(()), None
        started = time.monotonic()
        try:
            reply = _checked(await self.samplers[plan.server].sample(request), len(asked))
            if not reply.choices:
                failure = RequestFailed("the response has no choices")
        except RequestFailed as error:
            failure = error
        finally:
            latency = time.monotonic() - started
            tokens = (reply.input_tokens, reply.output_tokens)
            cost = self.budget.end(need, plan, len(reply.choices), tokens)
            async with self._ended:
                self._ended.notify_all()
        outcome = Outcome(
            cell=cell,
            server=plan.server.base_url,
            asked=len(asked),
            indices=asked[: len(reply.choices)],
            reply=reply,
            error=None if failure is None else failure.reason,
            failed=() if failure is None else self._given_up(target, cell, asked, failure, attempt),
            latency=latency,
            time=time.time(),
            cost=cost,
        )
        self._learn(target, len(asked), len(reply.choices))
        return outcome, failure

    def _given_up(
        self, target: Target, cell: Cell, asked: list[int], failure: RequestFailed, attempt: int
    ) -> Sequence[int]:
        """Return the samples that are given up after a failure."""
        if failure.everywhere:
            target.stopped = failure.reason
            return ()
        if self._again(failure, attempt):
            return ()
        if len(asked) > 1 and not target.honours_n:  # it may have failed because it asked for several samples
            return ()
        target.failures += 1
        target.failing.add(cell.question)
        if target.failures >= _IN_A_ROW and len(target.failing) >= min(_IN_A_ROW, len(target.cells)):
            target.stopped = f"{target.failures} consecutive requests failed, the last with: {failure.reason}"
        return asked

    def _learn(self, target: Target, asked: int, got: int) -> None:
        if got:
            target.successes += 1
            target.failures = 0
            target.failing.clear()
        if asked > 1 and got >= asked:
            target.honours_n = True
        elif 0 < got < asked and not target.honours_n:
            target.fell_short += 1
            if target.fell_short > 1:
                target.per_request = 1

    def _count(self, target: Target, outcome: Outcome) -> None:
        arrived, failed = len(outcome.indices), len(outcome.failed)
        self.progress.arrived += arrived
        self.progress.done += arrived
        self.progress.failed += failed
        self.progress.trouble = outcome.error
        if target.stopped is not None and all(t.stopped is not None for t in self.targets):
            self._stop.set()

    async def _pause(self, server: Server, failure: RequestFailed, attempt: int) -> None:
        if failure.retry_after is not None:  # applies to all requests to this server
            until = time.monotonic() + failure.retry_after
            self._not_before[server] = max(self._not_before[server], until)
        await self._sleep(self.retry.wait(max(attempt, 1)))

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _checked(reply: Reply, n: int) -> Reply:
    """Raise if a sampler returned an invalid reply, and drop choices that were not requested."""
    if not all(isinstance(choice.text, str) for choice in reply.choices):
        raise TypeError(f"sampler: it returned {reply!r:.200}. The text of each choice must be a str.")
    return reply if len(reply.choices) <= n else replace(reply, choices=reply.choices[:n])
