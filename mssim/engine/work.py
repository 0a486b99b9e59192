"""Work of a job over a pool, divided into blocks that can be computed anywhere and in any order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.exact import ExactTask, exact_blocks, exact_task
from mssim.engine.job import Job
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks, replay_blocks
from mssim.pools.pool import Pool
from mssim.rules.plan import Plan

__all__ = ["Totals", "Work"]


class Work:
    """Blocks of a job, and their tasks, which are created on demand because they hold copies of arrays of the pool.

    Attributes
    ----------
    blocks : list of Block
        Blocks in a fixed random order, so that progress and shards represent both fast exact and slow replayed blocks.
    """

    def __init__(self, job: Job, pool: Pool) -> None:
        self.job, self.pool = job, pool
        self.blocks: list[Block] = []
        for i, (plan, closed) in enumerate(zip(job.plans, job.closed, strict=True)):
            if job.method != "monte_carlo":
                self.blocks += exact_blocks(i, plan, closed, len(pool.questions))
            still = np.nonzero(~closed)[0]
            if still.size:
                self.blocks += replay_blocks(i, plan, still, pool, job.n_replays)
        random.Random(0).shuffle(self.blocks)
        self._replays = ReplayTasks(pool, job.seed, replacement=job.replacement)

    def task(self, number: int) -> ExactTask | ReplayTask:
        """Create the task of a block, with all data that a worker needs."""
        block, job = self.blocks[number], self.job
        plan = job.plans[block.plan]
        if block.exact:
            return exact_task(self.pool, plan, block, job.closed[block.plan], replacement=job.replacement)
        return self._replays.task(plan, block)

    @property
    def fingerprint(self) -> str:
        """Hash of the blocks and of the plans to which they refer."""
        plans = [(*plan.models, plan.sizes.tolist(), plan.need.tolist()) for plan in self.job.plans]
        return hashlib.sha256(repr((plans, [tuple(block) for block in self.blocks])).encode()).hexdigest()[:16]


class Totals:
    """Sum of the outcomes of finished blocks.

    Sums over replays are integers, which floats add without rounding, so the order of blocks has no effect.
    """

    def __init__(self, plans: Sequence[Plan], n_questions: int) -> None:
        self._exact, self._replayed = (
            [Outcome(*(np.full(shape, fill) for shape in _shapes(plan, n_questions))) for plan in plans]
            for fill in (np.nan, 0.0)
        )
        self._n_replays = [np.zeros(_shapes(plan, n_questions)[0], np.int64) for plan in plans]

    def add(self, block: Block, outcome: Outcome) -> None:
        """Add the outcome of a block; each block must be added once."""
        if block.exact:
            for whole, part in zip(self._exact[block.plan], outcome, strict=True):
                whole[..., block.questions] = part
        else:
            budgets = np.array(block.budgets)
            for whole, part in zip(self._replayed[block.plan], outcome, strict=True):
                whole[..., budgets, block.questions] += part
            self._n_replays[block.plan][budgets, block.questions] += block.n_replays

    def complete(self, closed: Sequence[NDArray[np.bool_]], n_replays: int) -> bool:
        """Return whether every question has its closed form or all its replays at every budget."""
        return all(
            not np.isnan(exact.right[known]).any() and (done == np.where(known, 0, n_replays)[:, None]).all()
            for exact, done, known in zip(self._exact, self._n_replays, closed, strict=True)
        )

    def outcomes(self, n_replays: int) -> list[Outcome]:
        """Return the outcome of each plan: closed forms where available, otherwise means of replays."""
        return [
            Outcome(*(np.where(np.isnan(known), sums / n_replays, known) for known, sums in zip(*pair, strict=True)))
            for pair in zip(self._exact, self._replayed, strict=True)
        ]


def _shapes(plan: Plan, n_questions: int) -> tuple[tuple[int, ...], ...]:
    n_stages, n_budgets = plan.sizes.shape
    return (n_budgets, n_questions), (n_stages, n_budgets, n_questions), (n_budgets, n_questions)
