"""Leave-one-group-out replays: the jackknife of strategies without a closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.division import Part, replay_blocks
from mssim.engine.left_out import expected_of, fit_plan
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks
from mssim.engine.totals import Totals
from mssim.pools.pool import Pool
from mssim.rules.base import Strategy
from mssim.rules.plan import Plan

__all__ = ["GroupWork", "group_numbers", "keep_samples", "product_variance", "without_group"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_GROUPS = 10


def group_numbers(pool: Pool, models: Sequence[str]) -> Ints:
    """Return the number of groups of each question: from two to ten, if possible each with two samples of a model."""
    rows = [pool.model_index(model) for model in models]
    least = pool.lengths[rows].min(axis=0)
    return np.asarray(np.minimum(np.maximum(least // 2, np.minimum(least, 2)), N_GROUPS), dtype=np.int64)


def without_group(pool: Pool, group: int, numbers: Ints) -> Pool:
    """Return a pool without the samples of a group; sample i of a question with n groups is in group i mod n.

    Questions with fewer groups keep all samples.
    """
    place = np.arange(pool.codes.shape[2])
    return keep_samples(pool, pool.recorded & (place % np.maximum(numbers, 1)[:, None] != group))


def keep_samples(pool: Pool, kept: NDArray[np.bool_]) -> Pool:
    """Return a pool with some of the recorded samples, given a mask of the shape of `codes`."""
    order = np.argsort(~kept, axis=2, kind="stable")
    return replace(
        pool,
        codes=np.take_along_axis(pool.codes, order, axis=2),
        lengths=kept.sum(axis=2, dtype=np.int32),
        numbers={name: np.take_along_axis(values, order, axis=2) for name, values in pool.numbers.items()},
        extra=pool.extra.filter(kept[pool.recorded]) if pool.extra.num_columns else pool.extra,
    )


def product_variance(halves: Floats, numbers: Ints) -> Floats:
    """Return the delete-a-group jackknife variance, [..., question].

    halves  : leave-one-group-out estimates [half, group, ..., question] of two independent sets of replays
    numbers : number of groups of each question

    The product of the deviations of two independent sets has no bias by Monte Carlo noise; a square would have.
    """
    first, second = (_deviations(half, numbers) for half in halves)
    return np.asarray((numbers - 1) / np.maximum(numbers, 1) * (first * second).sum(axis=0))


def _deviations(estimates: Floats, numbers: Ints) -> Floats:
    group = np.arange(len(estimates)).reshape(-1, *[1] * (estimates.ndim - 1))
    inside = group < numbers
    mean = np.where(inside, estimates, 0.0).sum(axis=0) / np.maximum(numbers, 1)
    return np.where(inside, estimates - mean, 0.0)


class GroupWork:
    """Replays of a strategy without each group of samples, in two independent sets.

    Attributes
    ----------
    blocks : list of (int, int, Block)
        Half, group and block of every task.
    """

    def __init__(
        self, strategy: Strategy, plans: Sequence[Plan], pool: Pool, n_replays: int, seed: int, *, replacement: bool
    ) -> None:
        models = list(dict.fromkeys(model for plan in plans for model in plan.models))
        self._strategy, self._pool, self._replacement = strategy, pool.select(models=models), replacement
        self._numbers = group_numbers(pool, models)
        self._n_replays = max(1, n_replays // 2)
        n_groups = int(self._numbers.max())
        self._seeds = np.random.SeedSequence([seed, n_groups]).generate_state(2 * n_groups, np.uint64).reshape(2, -1)
        self._plans = [self._fitted(plan) for plan in plans]
        budgets, questions = np.arange(plans[0].sizes.shape[1]), np.arange(len(pool.questions))
        parts = [Part((i,), [plan], budgets, questions, self._n_replays) for i, plan in enumerate(self._plans)]
        blocks = list(replay_blocks(parts, self._pool))
        self.blocks = [(half, group, block) for group in range(n_groups) for half in range(2) for block in blocks]
        self._totals = [[Totals(self._plans, len(pool.questions)) for _ in range(n_groups)] for _ in range(2)]
        self._made: tuple[int, list[ReplayTasks]] = (-1, [])

    def _fitted(self, plan: Plan) -> Plan:
        """Return a plan that does not need more samples than remain without any group."""
        if self._replacement:
            return plan
        lengths = self._pool.lengths[[self._pool.model_index(model) for model in plan.models]]
        largest = -(-lengths // self._numbers)
        return fit_plan(plan, (lengths - largest).min(axis=1).astype(np.int64))

    def task(self, half: int, group: int, block: Block) -> ReplayTask:
        """Create the task of a block."""
        if self._made[0] != group:
            pool = without_group(self._pool, group, self._numbers)
            tasks = [ReplayTasks(pool, int(s[group]), replacement=self._replacement) for s in self._seeds]
            self._made = (group, tasks)
        return self._made[1][half].task(self._plans[block.plans[0]], block)

    def add(self, half: int, group: int, block: Block, outcome: Outcome) -> None:
        """Add the outcome of a block."""
        self._totals[half][group].add(block, outcome)

    def variance(self) -> Floats:
        """Return the variance of the accuracy, [budget, question]."""
        halves = np.array([[self._accuracy(totals) for totals in row] for row in self._totals])
        return product_variance(halves, self._numbers)

    def _accuracy(self, totals: Totals) -> Floats:
        parts = [expected_of(estimate.outcome) for estimate in totals.estimates()]
        return self._strategy.combine(parts, self._pool.questions).accuracy
