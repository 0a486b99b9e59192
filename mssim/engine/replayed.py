"""What of a job must be replayed, because it has no closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.engine.bundles import Bundle, bundles_of
from mssim.engine.exact import certain, counts_of, nothing_known
from mssim.engine.job import Job
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Ints, Plan
from mssim.rules.stops import WindowStop

__all__ = ["Replayed", "few_replays"]

# Replays for the latency of windows alone, of each question and of all: the error of its mean is as small as that of
# accuracies.
_FEW_REPLAYS, _FEW_IN_ALL = 300, 10_000


class Replayed:
    """What of a job must be replayed.

    Attributes
    ----------
    bundles : list of Bundle
        Plans that are replayed together, where their accuracy has no closed form.
    """

    def __init__(self, job: Job, pool: Pool) -> None:
        self.job, self.pool = job, pool
        amounts = job.amounts(pool)
        self.known = [name for name in QUANTITIES if amounts.is_recorded(name, job.models)]
        self.amounts = amounts if self.known else None
        self.counted = [self._counts(plan, closed) for plan, closed in zip(job.plans, job.closed, strict=True)]
        self._certain: dict[tuple[str, int | None], tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
        needed = [~closed | self._counts_all(plan) for plan, closed in zip(job.plans, job.closed, strict=True)]
        self.bundles = bundles_of(job.plans, needed, [bool(counted.any()) for counted in self.counted])

    def _counts(self, plan: Plan, closed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the budgets at which replays add up what they spend, because no closed form has it."""
        job = self.job
        if not self.known:
            return np.zeros_like(closed)
        if self._counts_all(plan):
            return np.ones_like(closed)
        if not isinstance(plan.stop, WindowStop):
            return np.zeros_like(closed)
        one_by_one = job.parallel == 1 or plan.stop.window == 1
        return ~closed | ("latency" in self.known and not one_by_one and not job.replacement)

    def _counts_all(self, plan: Plan) -> bool:
        """Return whether all replays of a plan add up what they spend, which is more than a latency."""
        job = self.job
        wanted = job.quantiles or job.method == "monte_carlo" or nothing_known(plan) is not None
        return bool(self.known) and wanted

    def least(self, bundle: Bundle) -> Ints:
        """Return the fewest replays that each question needs, however certain its answer seems, [question]."""
        job, n_questions = self.job, len(self.pool.questions)
        plans = [job.plans[i] for i in bundle.plans]
        spent = any(self.counted[i].any() for i in bundle.plans)
        if spent or job.method == "monte_carlo" or any(nothing_known(plan) is not None for plan in plans):
            return np.full(n_questions, few_replays(job.n_replays, n_questions))  # also for what is used and spent
        known = np.logical_and.reduce([self._is_certain(plan) for plan in plans])
        return np.where(known, 0, 1)

    def _is_certain(self, plan: Plan) -> NDArray[np.bool_]:
        """Return the questions on which all samples of a plan's models are right, or none is."""
        limits = plan.max_tokens or (None,) * len(plan.models)
        if plan.vote is None:
            return np.zeros(len(self.pool.questions), dtype=bool)
        found = [self._certain_of(model, limit) for model, limit in zip(plan.models, limits, strict=True)]
        all_right, all_wrong = (np.logical_and.reduce(which) for which in zip(*found, strict=True))
        return np.asarray(all_right | all_wrong)

    def _certain_of(self, model: str, limit: int | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        if (model, limit) not in self._certain:
            every = slice(0, len(self.pool.questions))
            found = certain(counts_of(self.pool, [model], every, [limit], replacement=self.job.replacement))
            self._certain[model, limit] = found == 1, found == 0
        return self._certain[model, limit]


def few_replays(n_replays: int, n_questions: int) -> int:
    """Return the number of replays where all but a latency has a closed form."""
    return min(n_replays, max(_FEW_REPLAYS, _FEW_IN_ALL // n_questions))
