"""A pilot: a few replays that are not counted, from which the numbers of replays and the controls are chosen.

The pilot has replays of its own, with high numbers. What it chooses is therefore independent of the replays that are
counted, and their means have no bias.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from mssim.engine.allocation import LEAST, Allocation, neyman, pilot_size, worst_case
from mssim.engine.blocks import Outcome, SharedOutcome
from mssim.engine.bundles import Bundle
from mssim.engine.division import Part, replay_blocks
from mssim.engine.estimates import SIXTEENTHS, Control
from mssim.engine.exact import obstacles
from mssim.engine.job import Job
from mssim.engine.monte_carlo import ReplayTasks
from mssim.engine.replayed import Replayed
from mssim.engine.scheduler import Task, run_blocks
from mssim.engine.shared_replays import AllTasks
from mssim.engine.totals import Totals
from mssim.pools.pool import Pool
from mssim.rules.plan import Floats, Ints, Plan
from mssim.rules.votes import Vote

__all__ = ["allocate", "control_of"]

_FIRST = 2**32  # number of the first replay of the pilot
_INSIDE = 5  # standard errors from 0 and 1 that an accuracy with a control must keep


def allocate(job: Job, pool: Pool, executor: Executor | None = None) -> Allocation | None:
    """Run a pilot, and choose numbers of replays that reach the Monte Carlo error of a job; None without one."""
    if job.mc_error is None:
        return None
    replayed, n_questions = Replayed(job, pool), len(pool.questions)
    size = pilot_size(job.mc_error, n_questions, job.n_replays)
    if not size:
        return _without_pilot(job, replayed, n_questions)
    pilot = _Pilot(job, pool, replayed, size)
    run_blocks(range(len(pilot.blocks)), pilot.task, pilot.add, executor)
    controls = pilot.safe(pilot.controls())
    plans = [pilot.control_plans[control.plan] for control in controls.values()]
    placed = {i: control._replace(plan=len(job.plans) + k) for k, (i, control) in enumerate(controls.items())}
    return Allocation(
        replayed,
        [pilot.replays(bundle, controls) for bundle in replayed.bundles],
        placed,
        plans,
        [np.asarray((control.coefficient > 0).any(axis=1)) for control in controls.values()],
    )


def _without_pilot(job: Job, replayed: Replayed, n_questions: int) -> Allocation:
    assert job.mc_error is not None
    n = min(job.n_replays, worst_case(job.mc_error, n_questions))
    replays = [
        np.where(least > 0, np.maximum(n, least), 0)
        for least in (replayed.least(bundle) for bundle in replayed.bundles)
    ]
    return Allocation(replayed, replays, {}, [], [])


def control_of(plan: Plan) -> Plan | None:
    """Return the plan whose accuracy is known, and which is nearly always right on the same draws; None if none is.

    It is the same plan with a plurality vote.

    Examples
    --------
    >>> from mssim import parse_strategy
    >>> plans = [parse_strategy(text).plans(np.array([8]))[0] for text in ("ms:a+b", "ms:a+b,vote=plurality")]
    >>> [control_of(plan) is not None for plan in plans]
    [True, False]
    """
    if plan.vote is None or not plan.vote.counts_only:
        return None
    plain = plan._replace(vote=Vote(ties=plan.vote.ties))
    return None if plain.vote == plan.vote else plain


class _Pilot:
    """Blocks of the pilot, and their sums."""

    def __init__(self, job: Job, pool: Pool, replayed: Replayed, size: int) -> None:
        self._job, self._pool, self._replayed, self._size = job, pool, replayed, size
        self._totals = Totals(job.plans, len(pool.questions))
        self.control_plans: dict[int, Plan] = {}
        tasks = ReplayTasks(pool, job.seed, replacement=job.replacement)
        self._tasks = AllTasks(tasks, job.plans, self.control_plans, counts_stops=False)
        self._usable: dict[int, NDArray[np.bool_]] = {}  # budgets at which the control has a closed form
        for bundle in replayed.bundles:
            for i in bundle.plans:
                self._find_control(i)
        parts = [part for bundle in replayed.bundles for part in self._parts_of(bundle)]
        self.blocks = list(replay_blocks(parts, pool))

    def _find_control(self, i: int) -> None:
        plan = self._job.plans[i]
        control = control_of(plan) if len(plan.models) > 1 and not self._counts(i) else None
        if control is not None and self._job.method == "auto":
            usable = np.array([why is None for why in obstacles(control, most_cells=self._job.quick_cells)])
            if usable.any():
                self.control_plans[i], self._usable[i] = control, usable

    def _counts(self, i: int) -> bool:
        return bool(self._replayed.counted[i].any())

    def _parts_of(self, bundle: Bundle) -> list[Part]:
        uncertain = np.flatnonzero(self._replayed.least(bundle) > 0)
        if not uncertain.size:
            return []
        plans = [self._job.plans[i] for i in bundle.plans]
        questions = np.arange(len(self._pool.questions)) if plans[0].is_joint else uncertain
        return [Part(bundle.plans, plans, bundle.budgets, questions, self._size, _FIRST)]

    def task(self, number: int) -> Task:
        """Return the task of a block."""
        return self._tasks.task(self.blocks[number], count=False)

    def add(self, number: int, outcome: Outcome | SharedOutcome) -> None:
        """Add the outcome of a block."""
        self._totals.add(self.blocks[number], outcome)

    def controls(self) -> dict[int, Control]:
        """Return the controls with their coefficients, which are common to all questions on which they are used."""
        found = {i: Control(i, self._coefficient(i)) for i in self.control_plans}
        return {i: control for i, control in found.items() if control.coefficient.any()}

    def safe(self, controls: dict[int, Control]) -> dict[int, Control]:
        """Return the controls without questions on which their noise could move an accuracy beyond 0 or 1."""
        if not controls:
            return {}
        inside = {i: np.zeros(control.coefficient.shape, dtype=bool) for i, control in controls.items()}
        for bundle in self._replayed.bundles:
            replays = np.maximum(self.replays(bundle, controls), 1)
            for i in set(bundle.plans) & set(controls):
                right, error = self._shares(i)[0], np.sqrt(self._with_control(i, controls[i].coefficient) / replays)
                safe = np.minimum(right, 1 - right) > _INSIDE * error
                inside[i][bundle.budgets] = safe[bundle.budgets]
        kept = {i: Control(i, np.where(inside[i], control.coefficient, 0)) for i, control in controls.items()}
        return {i: control for i, control in kept.items() if control.coefficient.any()}

    def _coefficient(self, i: int) -> Ints:
        right, (control, both) = self._shares(i)
        covariance, variance = both - right * control, control * (1 - control)
        slope = covariance.sum(axis=1) / np.maximum(variance.sum(axis=1), 1e-12)
        sixteenths = np.rint(SIXTEENTHS * np.clip(slope, 0, 1)).astype(np.int64)[:, None]
        better = self._with_control(i, sixteenths) < _variance(right, self._size)
        return np.where(better & self._usable[i][:, None], sixteenths, 0)

    def _shares(self, i: int) -> tuple[Floats, Floats]:
        right, controls = self._totals.hits(i)
        return right / self._size, controls / self._size

    def _with_control(self, i: int, coefficient: Ints) -> Floats:
        """Return the variance of one replay with a control, [budget, question]."""
        right, (control, both) = self._shares(i)
        b = coefficient / SIXTEENTHS
        squares = (1 - b) ** 2 * both + (right - both) + b**2 * (control - both)
        return np.asarray(np.maximum(squares - (right - b * control) ** 2, 0) + 0.5 / (self._size + 1))

    def replays(self, bundle: Bundle, controls: dict[int, Control]) -> Ints:
        """Return the numbers of replays of a bundle, [question]."""
        job, n_questions = self._job, len(self._pool.questions)
        assert job.mc_error is not None
        least = self._replayed.least(bundle)
        rows = [self._variances(i, bundle, controls) for i in bundle.plans]
        variances = np.concatenate(rows)[:, least > 0]
        if not variances.size:
            return np.zeros(n_questions, np.int64)
        allowed = (n_questions * job.mc_error) ** 2
        plan = job.plans[bundle.plans[0]]
        if plan.is_joint or plan.online is not None:  # all questions are replayed together
            needed = np.ceil(variances.sum(axis=1).max() / allowed)
            return np.full(n_questions, min(job.n_replays, max(int(needed), int(least.max()))))
        found = np.zeros(n_questions, np.int64)
        fewest = np.maximum(least[least > 0], min(LEAST, job.n_replays))
        found[least > 0] = neyman(variances, allowed, least=fewest, most=job.n_replays * n_questions)
        return found

    def _variances(self, i: int, bundle: Bundle, controls: dict[int, Control]) -> Floats:
        """Return the variances of one replay at the budgets without a closed form, [budget, question]."""
        right, _ = self._shares(i)
        found = _variance(right, self._size)
        if i in controls:
            coefficient = controls[i].coefficient
            found = np.where(coefficient > 0, self._with_control(i, coefficient), found)
        open_budgets = [b for b in bundle.budgets if not self._job.closed[i][b]]
        return np.asarray(found[open_budgets])


def _variance(right: Floats, n: int) -> Floats:
    """Return the variance of one replay from a share of right ones among n; positive even if all are equal."""
    share = (right * n + 0.5) / (n + 1)
    return np.asarray(share * (1 - share))
