"""Cost budgets: the largest budget, in samples, whose expected spend per question is within a limit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mssim.engine.budgets import Limit, union_of
from mssim.engine.job import Job
from mssim.engine.requirements import enough_recorded
from mssim.engine.work import Work
from mssim.errors import BudgetError, MssimError, PoolWarning
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.results.quantities import why_unknown

__all__ = ["resolve_limits"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_FIRST = 8  # budgets that are evaluated at first; then as many again, twice as many and so on
_MOST_DRAWS = 2**15 - 1
_MOST_REPLAYS = 1000  # where spend is replayed; its error is then far below the difference between two budgets
_ROUNDING = 1e-9


def resolve_limits(job: Job, pool: Pool, run: Callable[[Job], Evaluation]) -> Job:
    """Return the job with budgets in place of its cost budgets.

    Parameters
    ----------
    job : Job
        Settings of an evaluation.
    pool : Pool
        Recorded samples.
    run : callable
        Evaluates a job. It is called with increasing budgets until a strategy spends more than its limit, with the
        settings of `job` but at most 1000 replays, and a single one where the spend is exact.

    Raises
    ------
    BudgetError
        If the smallest budget spends more than a limit.
    MssimError
        If it is not known what the samples of a strategy spend.

    Warns
    -----
    PoolWarning
        If the largest budget that can be drawn spends less than the limit.
    """
    if not job.limits or not isinstance(pool, Pool):  # the check of the job refuses other pools
        return job
    own = dict(job.own)
    for name, limits in job.limits.items():
        spends = _Spends(job, name, pool, run)
        for limit in limits:
            own[name] = np.union1d(own[name], [spends.largest(limit)]).astype(np.int64)
    return replace(job, budgets=union_of(own), own=own, limits={})


class _Spends:
    """What a strategy spends at increasing budgets, evaluated as far as required."""

    def __init__(self, job: Job, name: str, pool: Pool, run: Callable[[Job], Evaluation]) -> None:
        self._job, self._name, self._pool, self._run = job, name, pool, run
        self._strategy = job.strategies[name]
        self._parts: list[tuple[Ints, Evaluation]] = []

    def largest(self, limit: Limit) -> int:
        """Return the largest budget within a limit; it ends before budgets of which all spend more."""
        best, spent, last = 0, np.inf, 0
        for budgets, evaluation in self._evaluated():
            spend = self._mean(evaluation, limit)
            within = spend <= limit.most * (1 + _ROUNDING)
            if within.any():
                best, spent = int(budgets[within][-1]), float(spend[within][-1])
            elif not best:
                raise self._too_dear(limit, int(budgets[spend.argmin()]), float(spend.min()))
            else:
                return best
            last = int(budgets[-1])
        if best == last and spent < limit.most * (1 - _ROUNDING):
            self._warn(limit, best, spent)
        return best

    def _mean(self, evaluation: Evaluation, limit: Limit) -> Floats:
        why = why_unknown(evaluation, limit.quantity, owner="the samples")
        if why is not None:
            raise MssimError(f"{self._title(limit)}: {why}")
        return np.asarray(getattr(evaluation, limit.quantity)[0].mean(axis=1))

    def _evaluated(self) -> Iterator[tuple[Ints, Evaluation]]:
        """Yield budgets that can be drawn, in increasing parts, and their evaluation."""
        yield from self._parts
        while True:
            last = int(self._parts[-1][0][-1]) if self._parts else 0
            budgets = self._drawable(last + 1, max(2 * last, _FIRST))
            if not budgets.size and self._parts:
                return
            if not budgets.size:
                budgets = np.array([1])  # the evaluation raises an error that says what was recorded
            own = {self._name: budgets}
            one = replace(self._job, strategies={self._name: self._strategy}, budgets=budgets, own=own, limits={})
            one = replace(one, quantiles=False, mc_error=None)
            replays = min(_MOST_REPLAYS, one.n_replays) if Work(one, self._pool).adds_up else 1
            self._parts.append((budgets, self._run(replace(one, n_replays=replays))))
            yield self._parts[-1]

    def _drawable(self, first: int, last: int) -> Ints:
        """Return the budgets in a range that can be drawn, as far as larger ones draw more."""
        every = np.arange(first, min(last, self._most) + 1, dtype=np.int64)
        if not every.size:
            return every
        enough = [enough_recorded(self._pool, plan, self._job.replacement) for plan in self._strategy.plans(every)]
        return np.asarray(every[np.all(enough, axis=0)])

    @cached_property
    def _most(self) -> int:
        """The largest budget at which the strategy draws more than at the budget before."""
        rows = [self._pool.model_index(model) for model in set(self._strategy.models)]
        most = _MOST_DRAWS if self._job.replacement else max(1, int(self._pool.lengths[rows].max(axis=1).sum()))
        plans = self._strategy.plans(np.arange(1, most + 1, dtype=np.int64))
        grows = [(plan.sizes != plan.sizes[:, -1:]).any(axis=0) for plan in plans]
        return int(np.any(grows, axis=0).sum()) + 1

    def _too_dear(self, limit: Limit, budget: int, spend: float) -> BudgetError:
        return BudgetError(
            f"{self._title(limit)}: the limit is too low, because at budget {budget} the mean {limit.quantity} per "
            f"question is {spend:.6g}. Use a limit of at least that."
        )

    def _warn(self, limit: Limit, budget: int, spend: float) -> None:
        warnings.warn(
            f"{self._title(limit)}: the limit cannot be spent. Budget {budget} is the largest that can be drawn, and "
            f"its mean {limit.quantity} per question is only {spend:.6g}. Record more samples, or lower the limit.",
            PoolWarning,
            stacklevel=6,  # the caller of `evaluate`
        )

    def _title(self, limit: Limit) -> str:
        # With "@" the limit is not taken for an argument, which the command line would write as an option.
        return f"{self._name}@{limit.quantity}={limit.most:g}"
