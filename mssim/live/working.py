"""What runs of strategies and of protocols share: pieces of work that go on at the same time and wait for samples."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from mssim.grading import Rule
from mssim.grading.equivalence import Judge
from mssim.live.results import LiveProgress
from mssim.recorder._export import CACHE
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import Journal
from mssim.recorder.plan import Server
from mssim.recorder.progress import Progress
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Sampler

__all__ = ["Options", "Working"]


class Options(TypedDict):
    """Arguments of `Run` that are passed on unchanged."""

    budget: Budget
    retry: Retry
    retry_failed: bool
    report: Callable[[Progress], None] | None


class Working(Run, abc.ABC):
    """A run whose subclass defines the work: `_jobs`, what to do, and `_complete`, what to do at the end."""

    def __init__(
        self,
        rule: Rule,
        journal: Journal,
        targets: Sequence[Target],
        samplers: Mapping[Server, Sampler],
        progress: LiveProgress,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(journal, targets, samplers, progress=progress, **options)
        self._rule, self._live = rule, progress
        self._of_model = {target.plan.name: target for target in targets}

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Allow requests within the block, as `Run.opened` does, and complete the work at its end."""
        self._free = {server: asyncio.Semaphore(server.concurrency) for server in self.samplers}
        versions, cache = self._rule.versions, self.journal.path.with_name(CACHE)
        with Judge(versions["math_verify"], cache) if versions else contextlib.nullcontext() as self._judge:
            async with super().opened():
                yield
            self._complete()

    @abc.abstractmethod
    def _jobs(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Iterate over pieces of work, in the order in which they begin."""

    @abc.abstractmethod
    def _complete(self) -> None:
        """Find the results of jobs that were cancelled or never began, as far as their samples are recorded."""

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Iterate over what does jobs: enough at once that each server may have its pending requests.

        Jobs begin in order, so that a run that ends early leaves few of them unfinished.
        """
        jobs = self._jobs()
        for _ in range(sum(server.concurrency for server in self.samplers)):
            yield self._do_each(jobs)

    async def _do_each(self, jobs: Iterator[Coroutine[Any, Any, None]]) -> None:
        try:
            for job in jobs:
                await job
        except Exception as error:  # the journal cannot be written, or a function of the user fails
            self._fail(error)

    async def _request(self, target: Target, place: int, indices: list[int]) -> None:
        """Request samples when the server is free, until they are recorded or given up."""
        async with self._free[target.plan.server]:
            try:
                await self._fill(target, place, indices)
            except Exception as error:  # the journal cannot be written, or the sampler has a bug
                self._fail(error)
