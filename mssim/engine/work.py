"""Work of a job over a pool, divided into blocks that can be computed anywhere and in any order."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator

import numpy as np

from mssim.engine.allocation import Allocation
from mssim.engine.blocks import Block
from mssim.engine.division import Part, replay_blocks
from mssim.engine.exact_tasks import exact_blocks
from mssim.engine.job import Job
from mssim.engine.recipe import Asked, Recipe
from mssim.engine.replayed import Replayed, few_replays
from mssim.engine.scheduler import Task
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES

__all__ = ["Work"]


class Work:
    """Blocks of a job, and their tasks, which are created on demand because they hold copies of arrays of the pool.

    Parameters
    ----------
    job : Job
    pool : Pool
    given : Allocation, optional
        Numbers of replays. By default, every question has the largest number.

    Attributes
    ----------
    plans : list of Plan
        Plans of the job, and after them those of controls.
    blocks : list of Block
        Blocks in a fixed random order, so that progress and shards represent both fast exact and slow replayed blocks.
    known : list of str
        Quantities that are known for some samples.
    amounts : Amounts or None
        What samples spend, if any quantity is known.
    recipe : Recipe
        Settings of the tasks.
    """

    def __init__(self, job: Job, pool: Pool, given: Allocation | None = None) -> None:
        self.job, self.pool = job, pool
        self._replayed = Replayed(job, pool) if given is None else given.replayed
        self.controls = {} if given is None else given.controls
        self.plans = [*job.plans, *([] if given is None else given.control_plans)]
        self.closed = [*job.closed, *([] if given is None else given.control_closed)]
        self.blocks: list[Block] = []
        for i, (plan, closed) in enumerate(zip(self.plans, self.closed, strict=True)):
            if job.method != "monte_carlo" or i >= len(job.plans):
                self.blocks += exact_blocks(i, plan, closed, len(pool.questions))
        parts = [part for number in range(len(self._replayed.bundles)) for part in self._replays_of(number, given)]
        parts += [part for i in range(len(job.plans)) for part in self._latencies(i)]
        self.blocks += replay_blocks(parts, pool)
        random.Random(0).shuffle(self.blocks)
        self.known, self.amounts = self._replayed.known, self._replayed.amounts
        self.recipe = Recipe(
            job.seed, job.replacement, tuple(job.models), job.parallel, job.quantiles, job.method == "monte_carlo"
        )
        self._maker = self.recipe.maker(pool, self.amounts, dict(enumerate(self.plans)), frozenset(self.controls))

    def _replays_of(self, number: int, given: Allocation | None) -> Iterator[Part]:
        """Yield the replays of a bundle: questions with equal numbers of replays are together."""
        bundle = self._replayed.bundles[number]
        if given is None:
            replays = np.where(self._replayed.least(bundle) > 0, self.job.n_replays, 0)
        else:
            replays = given.replays[number]
        plans = [self.job.plans[i] for i in bundle.plans]
        for n in np.unique(replays[replays > 0]).tolist():
            yield Part(bundle.plans, plans, bundle.budgets, np.flatnonzero(replays == n), n)

    def _latencies(self, i: int) -> Iterator[Part]:
        """Yield what replays only the latency of windows, where the accuracy has a closed form."""
        every = np.arange(len(self.pool.questions))
        replayed = [b for bundle in self._replayed.bundles if i in bundle.plans for b in bundle.budgets]
        only = np.setdiff1d(np.flatnonzero(self._replayed.counted[i]), replayed)
        if only.size:
            few = few_replays(self.job.n_replays, every.size)
            yield Part((i,), [self.job.plans[i]], only, every, few)

    @property
    def units(self) -> tuple[float, ...]:
        """Units of the histograms of all quantities; NaN for unknown ones."""
        amounts, models, known = self._replayed.amounts, self.job.models, self._replayed.known
        if amounts is None:
            return (math.nan,) * len(QUANTITIES)
        return tuple(amounts.unit(name, models) if name in known else math.nan for name in QUANTITIES)

    @property
    def adds_up(self) -> bool:
        """Whether what a plan spends is the sum over replays, at one budget or more."""
        return any(counted.any() for counted in self._replayed.counted)

    def asked(self, number: int) -> Asked:
        """Return a block with what it computes."""
        block = self.blocks[number]
        i = block.plans[0]
        own = i < len(self.job.plans)  # else it is the plan of a control
        counts = own and bool(self._replayed.counted[i][list(block.budgets)].any())
        return Asked(block, self.closed[i], counts, own)

    def task(self, number: int) -> Task:
        """Create the task of a block, with all data that a worker needs."""
        return self._maker.task(self.asked(number))

    @property
    def fingerprint(self) -> str:
        """Hash of the blocks and of the plans to which they refer."""
        plans = [(*plan.models, plan.sizes.tolist(), plan.need.tolist()) for plan in self.plans]
        return hashlib.sha256(repr((plans, [tuple(block) for block in self.blocks])).encode()).hexdigest()[:16]
