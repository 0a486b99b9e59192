"""Work of a job over a pool, divided into blocks that can be computed anywhere and in any order."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.exact import nothing_known
from mssim.engine.exact_tasks import ExactTask, UntilTask, exact_blocks, exact_task
from mssim.engine.job import Job
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks, draws_per_task, planned_draws, replay_blocks
from mssim.pools.pool import Pool
from mssim.results.spread import Histogram
from mssim.rules.plan import QUANTITIES, Plan
from mssim.rules.stops import WindowStop

__all__ = ["Totals", "Work"]

# Replays for the latency of windows alone, of each question and of all: the error of its mean is as small as that of
# accuracies.
_FEW_REPLAYS, _FEW_IN_ALL = 300, 10_000


class Work:
    """Blocks of a job, and their tasks, which are created on demand because they hold copies of arrays of the pool.

    Attributes
    ----------
    blocks : list of Block
        Blocks in a fixed random order, so that progress and shards represent both fast exact and slow replayed blocks.
    """

    def __init__(self, job: Job, pool: Pool) -> None:
        self.job, self.pool = job, pool
        amounts = job.amounts(pool)
        self._known = [name for name in QUANTITIES if amounts.is_recorded(name, job.models)]
        self._amounts = amounts if self._known else None
        self._counted = [self._counts(plan, closed) for plan, closed in zip(job.plans, job.closed, strict=True)]
        self.blocks: list[Block] = []
        n_questions = len(pool.questions)
        few = _few(job.n_replays, n_questions)
        replayed: list[tuple[int, Plan, NDArray[np.int64], int]] = []
        for i, (plan, closed) in enumerate(zip(job.plans, job.closed, strict=True)):
            if job.method != "monte_carlo":
                self.blocks += exact_blocks(i, plan, closed, n_questions)
            replays = np.where(closed & ~self._counts_all(plan), self._counted[i] * few, job.n_replays)
            replayed += [(i, plan, np.nonzero(replays == n)[0], n) for n in np.unique(replays[replays > 0]).tolist()]
        draws = sum(planned_draws(plan.at(budgets), n_questions, n) for _, plan, budgets, n in replayed)
        for i, plan, budgets, n in replayed:
            self.blocks += replay_blocks(i, plan, budgets, pool, n, draws_per_task(draws))
        random.Random(0).shuffle(self.blocks)
        self._replays = ReplayTasks(
            pool,
            job.seed,
            replacement=job.replacement,
            amounts=self._amounts,
            models=job.models,
            parallel=job.parallel,
            bins=job.quantiles,
        )

    @property
    def units(self) -> tuple[float, ...]:
        """Units of the histograms of all quantities; NaN for unknown ones."""
        amounts, models = self._amounts, self.job.models
        if amounts is None:
            return (math.nan,) * len(QUANTITIES)
        return tuple(amounts.unit(name, models) if name in self._known else math.nan for name in QUANTITIES)

    @property
    def adds_up(self) -> bool:
        """Whether what a plan spends is the sum over replays, at one budget or more."""
        return any(counted.any() for counted in self._counted)

    def _counts(self, plan: Plan, closed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the budgets at which replays add up what they spend, because no closed form has it."""
        job = self.job
        if not self._known:
            return np.zeros_like(closed)
        if self._counts_all(plan):
            return np.ones_like(closed)
        if not isinstance(plan.stop, WindowStop):
            return np.zeros_like(closed)
        one_by_one = job.parallel == 1 or plan.stop.window == 1
        return ~closed | ("latency" in self._known and not one_by_one and not job.replacement)

    def _counts_all(self, plan: Plan) -> bool:
        """Return whether all replays of a plan add up what they spend, which is more than a latency."""
        job = self.job
        wanted = job.quantiles or job.method == "monte_carlo" or nothing_known(plan) is not None
        return bool(self._known) and wanted

    def task(self, number: int) -> ExactTask | UntilTask | ReplayTask:
        """Create the task of a block, with all data that a worker needs."""
        block, job = self.blocks[number], self.job
        plan = job.plans[block.plan]
        if block.exact:
            return exact_task(
                self.pool,
                plan,
                block,
                job.closed[block.plan],
                replacement=job.replacement,
                amounts=self._amounts,
                parallel=job.parallel,
            )
        return self._replays.task(plan, block, count=bool(self._counted[block.plan][list(block.budgets)].any()))

    @property
    def fingerprint(self) -> str:
        """Hash of the blocks and of the plans to which they refer."""
        plans = [(*plan.models, plan.sizes.tolist(), plan.need.tolist()) for plan in self.job.plans]
        return hashlib.sha256(repr((plans, [tuple(block) for block in self.blocks])).encode()).hexdigest()[:16]


def _few(n_replays: int, n_questions: int) -> int:
    """Return the number of replays where all but a latency has a closed form."""
    return min(n_replays, max(_FEW_REPLAYS, _FEW_IN_ALL // n_questions))


class Totals:
    """Sum of the outcomes of finished blocks.

    Sums over replays are integers, or such multiples of a power of two, which floats add without rounding. The order of
    blocks has therefore no effect.

    Attributes
    ----------
    histograms : list of Histogram
        What replays spend, one per plan.
    """

    def __init__(self, plans: Sequence[Plan], n_questions: int) -> None:
        self._exact = [[np.full(shape, np.nan) for shape in _shapes(plan, n_questions)] for plan in plans]
        self._replayed = [[np.zeros(shape) for shape in _shapes(plan, n_questions)] for plan in plans]
        self._n_replays = [np.zeros(_shapes(plan, n_questions)[0], np.int64) for plan in plans]
        self.histograms = [Histogram() for _ in plans]

    def add(self, block: Block, outcome: Outcome) -> None:
        """Add the outcome of a block; each block must be added once."""
        if block.exact:
            for whole, part in zip(self._exact[block.plan], outcome, strict=False):  # it has no histogram
                whole[..., block.questions] = part
        else:
            budgets = np.array(block.budgets)
            for whole, part in zip(self._replayed[block.plan], outcome, strict=False):
                whole[..., budgets, block.questions] += part
            self._n_replays[block.plan][budgets, block.questions] += block.n_replays
            self.histograms[block.plan].add(outcome.histogram)

    def complete(self, closed: Sequence[NDArray[np.bool_]], n_replays: int) -> bool:
        """Return whether every question has its closed form or all its replays at every budget."""
        return all(
            not np.isnan(exact[0][known]).any()
            and (done[~known] == n_replays).all()
            and np.isin(done, (0, _few(n_replays, done.shape[1]), n_replays)).all()
            for exact, done, known in zip(self._exact, self._n_replays, closed, strict=True)
        )

    def outcomes(self) -> list[Outcome]:
        """Return the outcome of each plan: closed forms where available, otherwise means of replays."""
        found = []
        for exact, sums, done in zip(self._exact, self._replayed, self._n_replays, strict=True):
            replays = np.where(done > 0, done, np.nan)
            pairs = zip(exact, sums, strict=True)
            found.append(Outcome.of(*(np.where(np.isnan(known), total / replays, known) for known, total in pairs)))
        return found


def _shapes(plan: Plan, n_questions: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of right, drawn, agreed and spent."""
    n_stages, n_budgets = plan.sizes.shape
    each = (n_budgets, n_questions)
    return each, (n_stages, *each), each, (len(QUANTITIES), *each)
