"""Jackknife of an evaluation: the variance of every accuracy that is due to the number of recorded samples."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.exact import counts_of
from mssim.engine.job import Job
from mssim.engine.left_out import LeftOutTask
from mssim.engine.monte_carlo import ReplayTask
from mssim.engine.sample_groups import GroupWork
from mssim.engine.scheduler import Progress, run_blocks
from mssim.errors import BudgetError, StrategyError
from mssim.pools.pool import Pool
from mssim.results.jackknife import Jackknife
from mssim.rules.plan import Plan

__all__ = ["JackknifeWork", "check_jackknife"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_QUESTIONS_PER_TASK = 4  # each is evaluated once per model and distinct answer


def check_jackknife(job: Job, pool: Pool) -> None:
    """Raise if no sample can be left out."""
    for name, plan in zip(job.names, job.plans, strict=True):
        if plan.cap:
            raise StrategyError(
                f"{name}: jackknife is not available where questions share the budget, because the accuracy on one "
                "question then depends on the samples of all. Evaluate this strategy without it."
            )
    for model in job.models:
        lengths = pool.lengths[pool.model_index(model)]
        if lengths.min() < 2:
            question = pool.question_ids[int(lengths.argmin())]
            raise BudgetError(
                f"jackknife: one sample is left out in turn, but question {question!r} has {lengths.min()} of model "
                f"{model!r}. Use min_samples=2 to remove such questions, or evaluate without jackknife."
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
        self._job, self._pool, self._costs = job, pool, job.unit_costs(pool)
        n_questions = len(pool.questions)
        self._variance = np.zeros((len(job.strategies), job.budgets.size, n_questions))
        self._keys: list[tuple[int, slice] | tuple[int, int, int, Block]] = []
        self._groups: dict[int, tuple[Ints, GroupWork]] = {}  # budgets and work of strategies that are replayed
        closed = iter(job.closed)
        self._closed = [np.logical_and.reduce([next(closed) for _ in plans]) for plans in job.per_strategy]
        for s, known in enumerate(self._closed):
            if known.any():
                parts = range(0, n_questions, _QUESTIONS_PER_TASK)
                self._keys += [(s, slice(q, min(q + _QUESTIONS_PER_TASK, n_questions))) for q in parts]
            if not known.all():
                work = self._group_work(s, np.nonzero(~known)[0])
                self._keys += [(s, *key) for key in work.blocks]
        self.n_tasks = len(self._keys)

    def _group_work(self, s: int, budgets: Ints) -> GroupWork:
        job = self._job
        strategy = list(job.strategies.values())[s]
        plans = [plan.at(budgets) for plan in job.per_strategy[s]]
        work = GroupWork(strategy, plans, self._pool, job.n_replays, job.seed, replacement=job.replacement)
        self._groups[s] = budgets, work
        return work

    def run(self, executor: Executor | None, progress: Progress | None = None, done: int = 0) -> Jackknife:
        """Run all tasks, and return the result; `done` tasks of other work count as finished."""
        run_blocks(range(self.n_tasks), self._task, self._take, executor, progress=progress, done=done)
        for s, (budgets, work) in self._groups.items():
            self._variance[s, budgets] = work.variance(self._costs_of(self._models(s)))
        return Jackknife(self._variance, self._share())

    def _models(self, s: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for plan in self._job.per_strategy[s] for model in plan.models))

    def _costs_of(self, models: tuple[str, ...]) -> Floats:
        return self._costs[[self._job.models.index(model) for model in models]]

    def _task(self, number: int) -> LeftOutTask | ReplayTask:
        key = self._keys[number]
        if len(key) == 4:
            s, half, group, block = key
            return self._groups[s][1].task(half, group, block)
        s, questions = key
        models, closed = self._models(s), np.nonzero(self._closed[s])[0]
        counts = counts_of(self._pool, models, questions, replacement=self._job.replacement)
        plans = tuple(plan.at(closed) for plan in self._job.per_strategy[s])
        strategy = list(self._job.strategies.values())[s]
        return LeftOutTask(strategy, plans, models, counts, self._costs_of(models)[:, questions])

    def _take(self, number: int, outcome: Outcome) -> None:
        key = self._keys[number]
        if len(key) == 4:
            s, half, group, block = key
            self._groups[s][1].add(half, group, block, outcome)
        else:
            s, questions = key
            self._variance[s, self._closed[s], questions] = outcome.right

    def _share(self) -> Floats:
        shares = [np.max([*self._shares(plans)], axis=0) for plans in self._job.per_strategy]
        return np.asarray(np.minimum(np.array(shares, dtype=float), 1.0))

    def _shares(self, plans: tuple[Plan, ...]) -> Iterator[Floats]:
        """Yield the largest share of the recorded samples that a plan draws of each model, [budget]."""
        for plan in plans:
            for model in dict.fromkeys(plan.models):
                asked = plan.sizes[[other == model for other in plan.models]].sum(axis=0)
                yield asked / self._pool.lengths[self._pool.model_index(model)].min()
