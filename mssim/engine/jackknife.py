"""Jackknife of an evaluation: the variance of every accuracy that is due to the number of recorded samples."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.exact import counts_of
from mssim.engine.job import Job
from mssim.engine.left_out import LeftOut, LeftOutTask, groups_left_out, left_out
from mssim.engine.limited import limits_by_model
from mssim.engine.monte_carlo import ReplayTask
from mssim.engine.sample_groups import GroupWork, group_numbers
from mssim.engine.scheduler import Progress, run_blocks
from mssim.engine.verdicts import verified_counts
from mssim.errors import BudgetError, StrategyError
from mssim.kernels.draw_weights import Counts
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool
from mssim.results.jackknife import Jackknife
from mssim.rules.plan import Plan

__all__ = ["JackknifeWork", "check_jackknife"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_SHARE = 0.75  # of the recorded samples that a run draws; above, single samples are left out with a large bias
_MOST_REPLAYS = 10_000
_QUESTIONS_PER_TASK = 4  # each is evaluated once per model and distinct answer


def check_jackknife(job: Job, pool: Pool) -> None:
    """Raise if no sample can be left out."""
    for name, plan in zip(job.names, job.plans, strict=True):
        if plan.is_joint:
            raise StrategyError(
                f"{name}: jackknife is not available where questions depend on each other, because the accuracy on one "
                "question then depends on the samples of all. Evaluate this strategy without it."
            )
    for name, strategy in job.strategies.items():
        if strategy.learns(pool.questions):
            raise StrategyError(
                f"{name}: jackknife is not available where a strategy learns from other questions, because a sample "
                "left out there changes what it does here. Evaluate this strategy without it."
            )
    for model in job.models:
        lengths = pool.lengths[pool.model_index(model)]
        if lengths.min() < 2:
            question = pool.question_ids[int(lengths.argmin())]
            selecting = selecting_asked(pool, dict.fromkeys(job.models, 2))
            remedy = f"Use {selecting}, or" if selecting else "Use"
            raise BudgetError(
                f"jackknife: one sample is left out in turn, but question {question!r} has {lengths.min()} of model "
                f"{model!r}. {remedy} scope='questions', which needs no jackknife."
            )


class JackknifeWork:
    """Tasks of the jackknife of a job, and their outcomes.

    Attributes
    ----------
    n_tasks : int
        Number of tasks.
    """

    def __init__(self, job: Job, pool: Pool) -> None:
        check_jackknife(job, pool)
        self._job, self._pool = job, pool
        n_questions = len(pool.questions)
        self._variance = [np.zeros((job.own[name].size, n_questions)) for name in job.strategies]
        self._keys: list[tuple[int, bool, slice] | tuple[int, int, int, Block]] = []
        self._groups: dict[int, tuple[Ints, GroupWork]] = {}  # budgets and work of strategies that are replayed
        closed = iter(job.closed)
        self._closed = [
            np.logical_and.reduce([next(closed) for _ in plans])
            & (not _linked(plans) and len({plan.accepts for plan in plans}) == 1)
            for plans in job.per_strategy
        ]
        self._shares = self._largest_shares()
        parts = [
            slice(q, min(q + _QUESTIONS_PER_TASK, n_questions)) for q in range(0, n_questions, _QUESTIONS_PER_TASK)
        ]
        for s, known in enumerate(self._closed):
            for grouped in (False, True):
                if (known & (self._in_groups(s) == grouped)).any():
                    self._keys += [(s, grouped, part) for part in parts]
            if not known.all():
                work = self._group_work(s, np.nonzero(~known)[0])
                self._keys += [(s, *key) for key in work.blocks]
        self.n_tasks = len(self._keys)

    def _group_work(self, s: int, budgets: Ints) -> GroupWork:
        job = self._job
        strategy = list(job.strategies.values())[s]
        plans = [plan.at(budgets) for plan in job.per_strategy[s]]
        n_replays = min(job.n_replays, _MOST_REPLAYS)
        work = GroupWork(strategy, plans, self._pool, n_replays, job.seed, replacement=job.replacement)
        self._groups[s] = budgets, work
        return work

    def run(self, executor: Executor | None, progress: Progress | None = None, done: int = 0) -> Jackknife:
        """Run all tasks, and return the result; `done` tasks of other work count as finished."""
        run_blocks(range(self.n_tasks), self._task, self._take, executor, progress=progress, done=done)
        for s, (budgets, work) in self._groups.items():
            self._variance[s][budgets] = work.variance()
        return Jackknife(self._job.on_grid(self._variance), self._job.on_grid(self._shares))

    def _models(self, s: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for plan in self._job.per_strategy[s] for model in plan.models))

    def _task(self, number: int) -> LeftOutTask | ReplayTask:
        key = self._keys[number]
        if len(key) == 4:
            s, half, group, block = key
            return self._groups[s][1].task(half, group, block)
        s, grouped, questions = key
        models, closed = self._models(s), self._budgets(s, grouped)
        plans = tuple(plan.at(closed) for plan in self._job.per_strategy[s])
        lacking = (
            self._without_groups(s, questions)
            if grouped
            else left_out(self._counts(s, questions), alike=plans[0].accepts is None)
        )
        strategy = list(self._job.strategies.values())[s]
        return LeftOutTask(strategy, plans, models, lacking, self._pool.questions.iloc[questions])

    def _take(self, number: int, outcome: Outcome) -> None:
        key = self._keys[number]
        if len(key) == 4:
            s, half, group, block = key
            self._groups[s][1].add(half, group, block, outcome)
        else:
            s, grouped, questions = key
            self._variance[s][self._budgets(s, grouped), questions] = outcome.right

    def _in_groups(self, s: int) -> NDArray[np.bool_]:
        """Return the budgets for which groups are left out, because a run votes over nearly all samples.

        Coverage is less affected, and groups would miss a rare right answer.
        """
        votes = all(plan.vote is not None for plan in self._job.per_strategy[s])
        return np.asarray((self._shares[s] > _MOST_SHARE) & (votes and not self._job.replacement))

    def _budgets(self, s: int, grouped: bool) -> Ints:
        return np.nonzero(self._closed[s] & (self._in_groups(s) == grouped))[0]

    def _counts(self, s: int, questions: slice, kept: NDArray[np.bool_] | bool = True) -> Counts:
        plans, models, replacement = self._job.per_strategy[s], self._models(s), self._job.replacement
        (limits,) = zip(*limits_by_model(plans).values(), strict=True)
        verifier = plans[0].accepts
        if verifier is not None:
            return verified_counts(self._pool, models, verifier, questions, limits, replacement=replacement, kept=kept)
        return counts_of(self._pool, models, questions, limits, replacement=replacement, kept=kept)

    def _without_groups(self, s: int, questions: slice) -> LeftOut:
        numbers = group_numbers(self._pool, self._models(s))[questions]
        group_of = np.arange(self._pool.codes.shape[2]) % numbers[:, None]
        parts = [self._counts(s, questions, group_of != group) for group in range(numbers.max())]
        return groups_left_out(parts, numbers)

    def _largest_shares(self) -> list[Floats]:
        shares = [np.max([*self._shares_of(plans)], axis=0) for plans in self._job.per_strategy]
        return [np.minimum(one.astype(float), 1.0) for one in shares]

    def _shares_of(self, plans: tuple[Plan, ...]) -> Iterator[Floats]:
        """Yield the largest share of the recorded samples that a plan draws of each model, [budget]."""
        for plan in plans:
            for model in dict.fromkeys(plan.models):
                asked = plan.sizes[[other == model for other in plan.models]].sum(axis=0)
                yield asked / self._pool.lengths[self._pool.model_index(model)].min()


def _linked(plans: tuple[Plan, ...]) -> bool:
    """Return whether one recorded sample has two parts in a strategy, so that no model can be left out on its own."""
    limits = limits_by_model(plans)
    orders = {order for plan in plans for order in plan.orders or plan.models}
    return len(orders) < len(limits) or any(len(of_model) > 1 for of_model in limits.values())
