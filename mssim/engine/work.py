"""The work of a job over a pool, in blocks that can be done anywhere, in any order and more than once."""

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
    """All blocks of a job, and the task of each, which is made when it is wanted: it holds copies of the pool's arrays.

    Attributes
    ----------
    blocks : list of Block
        Quick exact blocks and slow replayed ones come in no order, always the same: what is done at any time, or in any
        shard, is a fair sample of the whole.
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
        """Make the task of a block: all that a worker needs."""
        block, job = self.blocks[number], self.job
        plan = job.plans[block.plan]
        if block.exact:
            return exact_task(self.pool, plan, block, job.closed[block.plan], replacement=job.replacement)
        return self._replays.task(plan, block)

    @property
    def fingerprint(self) -> str:
        """A hash of the list of blocks and of the plans that they name by number."""
        plans = [(*plan.models, plan.sizes.tolist(), plan.need.tolist()) for plan in self.job.plans]
        return hashlib.sha256(repr((plans, [tuple(block) for block in self.blocks])).encode()).hexdigest()[:16]


class Totals:
    """What the blocks that are done add up to.

    Sums over replays are whole numbers, which floats add without rounding: the order in which they come is of no
    consequence.
    """

    def __init__(self, plans: Sequence[Plan], n_questions: int) -> None:
        self._exact, self._replayed = (
            [Outcome(*(np.full(shape, fill) for shape in _shapes(plan, n_questions))) for plan in plans]
            for fill in (np.nan, 0.0)
        )
        self._n_replays = [np.zeros(_shapes(plan, n_questions)[0], np.int64) for plan in plans]

    def add(self, block: Block, outcome: Outcome) -> None:
        """Take in what a block led to; each block once."""
        if block.exact:
            for whole, part in zip(self._exact[block.plan], outcome, strict=True):
                whole[..., block.questions] = part
        else:
            budgets = np.array(block.budgets)
            for whole, part in zip(self._replayed[block.plan], outcome, strict=True):
                whole[..., budgets, block.questions] += part
            self._n_replays[block.plan][budgets, block.questions] += block.n_replays

    def complete(self, closed: Sequence[NDArray[np.bool_]], n_replays: int) -> bool:
        """Whether every question has, at every budget, its closed form or all its replays."""
        return all(
            not np.isnan(exact.right[known]).any() and (done == np.where(known, 0, n_replays)[:, None]).all()
            for exact, done, known in zip(self._exact, self._n_replays, closed, strict=True)
        )

    def outcomes(self, n_replays: int) -> list[Outcome]:
        """What each plan led to: exact where that is known, else means of replays."""
        return [
            Outcome(*(np.where(np.isnan(known), sums / n_replays, known) for known, sums in zip(*pair, strict=True)))
            for pair in zip(self._exact, self._replayed, strict=True)
        ]


def _shapes(plan: Plan, n_questions: int) -> tuple[tuple[int, ...], ...]:
    n_stages, n_budgets = plan.sizes.shape
    return (n_budgets, n_questions), (n_stages, n_budgets, n_questions), (n_budgets, n_questions)
