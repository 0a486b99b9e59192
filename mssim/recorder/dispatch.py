"""Dispatch of requests for missing samples, with bounded concurrency, retries, limits and clean interruption."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mssim._validation import counted
from mssim.errors import RecordError
from mssim.recorder.budget import Budget, Need
from mssim.recorder.contact import Contact
from mssim.recorder.findings import other_model
from mssim.recorder.group_commit import Commits
from mssim.recorder.journal import Cell, Journal, Outcome
from mssim.recorder.plan import ModelPlan, Server
from mssim.recorder.progress import Progress
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Choice, Reply, Request, RequestFailed, Sampler
from mssim.recorder.usage import with_all_choices

_BLOCK = 16  # samples per question and round, so a recording that stops early has similar numbers for all
_IN_A_ROW = 20  # consecutive failures, over as many questions if possible, after which a model is stopped
_TICK = 0.5
_PROBE = 5.0  # longest wait in seconds between attempts to reach a server, so that its return is noticed soon
_LEAST_FREE = 2**26  # bytes of free disk, enough to store pending requests

Messages = Sequence[Mapping[str, str]]


@dataclass
class Target:
    """Cells and prompts of a model, and its state during a run."""

    plan: ModelPlan
    cells: Sequence[Cell]
    prompt: Callable[[int], Messages]  # by index of the cell
    per_request: int = 1
    honours_n: bool = False
    counts_one: bool = False  # the server reports the tokens of one choice for all
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
        workers: list[asyncio.Task[None]] = []
        with self._signals(workers):
            async with self.opened():
                workers += map(asyncio.create_task, self._workers())
                await asyncio.gather(*workers, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Allow requests within the block, and report progress. At its end, store what arrived and close the clients.

        Raises
        ------
        RecordError
            If the journal cannot be written.
        """
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Condition()
        self._not_before = dict.fromkeys(self.samplers, 0.0)
        self._contacts = {server: Contact() for server in self.samplers}
        self._commits = Commits(self.journal)
        started = time.monotonic()
        self._tell(started)
        ticker = asyncio.create_task(self._tick(started))
        try:
            yield
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

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Iterate over what requests samples: as many workers per server as requests may be pending."""
        for server in self.samplers:
            tasks = self._tasks([target for target in self.targets if target.plan.server == server])
            for _ in range(server.concurrency):
                yield self._work(tasks)

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
    def _signals(self, workers: Sequence[asyncio.Task[Any]]) -> Iterator[None]:
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
        silent = [contact.silent_since for contact in self._contacts.values() if contact.silent_since is not None]
        progress.silent_since = min(silent, default=None)
        if self.report is not None:
            self.report(progress)
        self._check_folder()

    def _check_folder(self) -> None:
        """End the run if its samples would be lost: the journal was removed, or the disk is nearly full."""
        path, least = self.journal.path, _LEAST_FREE >> 20
        try:
            there, free = path.exists(), shutil.disk_usage(path.parent).free
        except OSError:
            there, free = False, 0
        if not there:  # SQLite would go on writing to the file that no folder has
            problem = f"{path} was removed or moved while samples were recorded, so those since then are lost. Move it "
            self._fail(RecordError(f"{problem}back if it was moved, and rerun the same command."))
        elif free < _LEAST_FREE:
            self._full(f"The disk has only {free / 2**20:.0f} MB of free space. At least {least} MB are needed.")

    def _full(self, reason: str) -> None:
        self.stop(reason)

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
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Start no further requests, and raise the error when the pending ones are complete."""
        self._error = self._error or error
        self.stop(str(error))

    async def _fill(self, target: Target, place: int, indices: list[int]) -> None:
        """Request samples until they are recorded or given up."""
        messages, seen = target.prompt(place), 0
        failed: Counter[bool] = Counter()  # attempts, by whether the failure has a limit of its own
        size = target.plan.samples_per_request
        refusal: RequestFailed | None = None
        failure: RequestFailed | None = None
        while indices and target.stopped is None:
            asked = indices[: min(size, target.per_request)]
            if (need := await self._admitted(target, messages, len(asked))) is None:
                return
            if failure is not None and failure.retry_after is not None and target.successes > seen:
                failed.clear()  # a server that sends Retry-After while other requests succeed is busy, not broken
            outcome, failure = await self._ask(target, place, messages, asked, need, failed)
            seen = target.successes
            if failure is not None and failure.unreachable:
                self._wait_for_server(target, failure)
                continue
            await self._commits.store(outcome)
            self._count(outcome)
            if refusal is not None and outcome.indices:
                self._ask_for_fewer(target, size, refusal)
            indices = [index for index in indices if index not in {*outcome.indices, *outcome.failed}]
            if failure is None or outcome.failed:
                failed.clear()
            if failure is not None and indices and target.stopped is None:
                if not outcome.failed and not self._again(failure, failed):
                    # The server may not support several, or so many, samples per request.
                    size = len(asked) // 2 if failure.fewer else 1
                    failed.clear()
                    refusal = None if failure.transient else failure
                if failure.transient:
                    await self._pause(target.plan.server, failure, failed.total())

    def _ask_for_fewer(self, target: Target, size: int, refusal: RequestFailed) -> None:
        """Ask for at most `size` samples per request from now on, since the server refused more."""
        if size < target.per_request and (refusal.fewer or not target.honours_n):
            target.per_request = size
            self.progress.warn(
                f"requests for {target.plan.name} have {counted(size, 'sample')} instead of "
                f"{target.plan.samples_per_request}, since the server refused more: {refusal.reason}"
            )

    def _wait_for_server(self, target: Target, failure: RequestFailed) -> None:
        """Let all requests to a server that does not answer wait, or stop its models."""
        server, now = target.plan.server, time.monotonic()
        self.progress.trouble = failure.reason
        if now < self._not_before[server]:  # a concurrent request failed before
            return
        contact = self._contacts[server]
        if reason := contact.lost(failure.reason):
            for one in self.targets:
                if one.plan.server == server:
                    one.stopped = one.stopped or reason
            self._stop_if_all_stopped()
        self._not_before[server] = now + min(self.retry.wait(contact.attempts), _PROBE)

    def _stop_if_all_stopped(self) -> None:
        if all(target.stopped is not None for target in self.targets):
            self._stop.set()

    def _again(self, failure: RequestFailed, failed: Counter[bool]) -> bool:
        """Return whether to repeat the same request."""
        limited = failure.attempts is not None and failed[True] >= failure.attempts
        return failure.transient and not limited and failed.total() < self.retry.attempts

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
        self, target: Target, place: int, messages: Messages, asked: list[int], need: Need, failed: Counter[bool]
    ) -> tuple[Outcome, RequestFailed | None]:
        plan, cell = target.plan, target.cells[place]
        seed = plan.sample_seed(cell.question, asked[0], cell.model)
        request = Request(plan.model_id, messages, len(asked), plan.settings, plan.logprobs, seed)
        reply, failure = Reply(()), None
        started = time.monotonic()
        try:
            reply = self._examined(target, _checked(await self.samplers[plan.server].sample(request), len(asked)))
            if not reply.choices:
                failure = RequestFailed(reply.error or "the response has no choices")
        except RequestFailed as error:
            failure, reply = error, Reply((), *error.tokens)
        finally:
            latency = time.monotonic() - started
            tokens = (reply.input_tokens, reply.output_tokens)
            cost = self.budget.end(need, plan, len(reply.choices), tokens, asked=len(asked))
            if failure is not None:
                failed[failure.attempts is not None] += not failure.unreachable
            if failure is not None and failure.unreachable:
                self.budget.forget()
            else:
                self._contacts[plan.server].reached()
            async with self._ended:
                self._ended.notify_all()
        outcome = Outcome(
            cell=cell,
            server=plan.server.base_url,
            asked=len(asked),
            indices=asked[: len(reply.choices)],
            reply=reply,
            error=None if failure is None else failure.reason,
            failed=() if failure is None else self._given_up(target, cell, asked, failure, failed),
            latency=latency,
            time=time.time(),
            cost=cost,
        )
        if reply.error is None:
            self._learn(target, len(asked), len(reply.choices))
        elif reply.choices:
            self._learn(target, len(reply.choices), len(reply.choices))
        return outcome, failure

    def _examined(self, target: Target, reply: Reply) -> Reply:
        """Return a reply with the tokens of all choices, and warn of what the user should know at once."""
        plan, warn = target.plan, self.progress.warn
        reply, target.counts_one = with_all_choices(reply, plan.most_tokens(), target.counts_one)
        if target.counts_one:
            warn(
                f"the server of {plan.name} reports the tokens of one choice for requests with several. Tokens, cost "
                "and limits count all choices."
            )
        if plan.logprobs and any(choice.text and choice.confidence is None for choice in reply.choices):
            warn(f"samples of {plan.name} lack known log-probabilities although they are requested")
        if reply.choices and (other := other_model(plan.name, plan.model_id, reply.served_model)):
            warn(other)
        return reply

    def _given_up(
        self, target: Target, cell: Cell, asked: list[int], failure: RequestFailed, failed: Counter[bool]
    ) -> Sequence[int]:
        """Return the samples that are given up after a failure."""
        if failure.unreachable:
            return ()
        if failure.everywhere:
            target.stopped = failure.reason
            return ()
        if self._again(failure, failed):
            return ()
        # It may have failed because it asked for several samples, unless the reply has the wrong shape.
        if len(asked) > 1 and (failure.fewer or not target.honours_n) and failure.attempts is None:
            return ()
        target.failures += 1
        target.failing.add(cell.question)
        many = target.failures >= _IN_A_ROW
        if many and len(target.failing) >= min(_IN_A_ROW, len({cell.question for cell in target.cells})):
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

    def _count(self, outcome: Outcome) -> None:
        arrived, failed = len(outcome.indices), len(outcome.failed)
        self.progress.arrived += arrived
        self.progress.done += arrived
        self.progress.failed += failed
        partly = outcome.reply.error if outcome.reply is not None else None
        self.progress.trouble = outcome.error or partly
        self._stop_if_all_stopped()

    async def _pause(self, server: Server, failure: RequestFailed, attempt: int) -> None:
        if failure.retry_after is not None:  # applies to all requests to this server
            until = time.monotonic() + failure.retry_after
            self._not_before[server] = max(self._not_before[server], until)
        await self._sleep(self.retry.wait(max(attempt, 1)))

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _problem(reply: Reply) -> str | None:
    """Return what the journal cannot store or would spoil limits and export, else None."""
    if not isinstance(reply, Reply) or not all(isinstance(choice, Choice) for choice in reply.choices):
        return "It must return a Reply with a tuple of Choice."
    if not all(isinstance(choice.text, str) for choice in reply.choices):
        return "The text of each choice must be a str."
    names = [reply.served_model, reply.fingerprint, reply.request_id, reply.error]
    counts = [reply.input_tokens, reply.output_tokens]
    for choice in reply.choices:
        names += [choice.finish_reason, choice.reasoning, choice.refusal, choice.tool_calls]
        counts.append(choice.output_tokens)
        sure = choice.confidence
        if not (sure is None or (isinstance(sure, float | int) and abs(sure) != math.inf)):
            return "The confidence of each choice must be a finite float or None."
    if not all(name is None or isinstance(name, str) for name in names):
        return "Names, finish reasons, reasoning, refusals and tool calls must be a str or None."
    if not all(count is None or (isinstance(count, int) and count >= 0) for count in counts):
        return "Numbers of tokens must be an int of at least 0 or None."
    return None


def _checked(reply: Reply, n: int) -> Reply:
    """Raise if a sampler returned an invalid reply, and drop choices that were not requested."""
    if problem := _problem(reply):
        raise TypeError(f"sampler: it returned {reply!r:.200}. {problem}")
    return reply if len(reply.choices) <= n else replace(reply, choices=reply.choices[:n])
