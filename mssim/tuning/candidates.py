"""Candidates, that is, pairs of a strategy and a feasible budget, and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.evaluate import evaluate_quietly
from mssim.engine.requirements import asked_of, enough_recorded
from mssim.engine.scheduler import Progress
from mssim.errors import BudgetError
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool
from mssim.results.quantities import check_known
from mssim.rules.base import Strategy
from mssim.rules.strategies import SelfConsistency
from mssim.tuning.choice import Ints, Scores

_LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128)


def _within(pool: Pool, strategy: Strategy, budgets: Ints, replacement: bool) -> NDArray[np.bool_]:
    """Return a mask of the budgets at which a strategy needs no more samples than were recorded."""
    enough = [enough_recorded(pool, plan, replacement) for plan in strategy.plans(budgets)]
    return np.asarray(np.all(enough, axis=0))


def _ladder(pool: Pool, strategies: Iterable[Strategy], replacement: bool) -> Ints:
    """Return budgets in increasing steps, up to the largest feasible one for each number of models."""
    every = np.arange(1, _LADDER[-1] + 1)
    most: dict[int, int] = {}
    for strategy in strategies:
        last = int(every[_within(pool, strategy, every, replacement)].max(initial=0))
        most[len(strategy.models)] = max(last, most.get(len(strategy.models), 0))
    steps = [step for step in _LADDER if step <= max(most.values())]
    return np.unique([*steps, *(last for last in most.values() if last)]).astype(np.int64)


class _Group(NamedTuple):
    """Strategies with the same budgets, and the rows of their candidates in order [strategy, budget]."""

    strategies: dict[str, Strategy]
    budgets: Ints
    rows: Ints


class _Candidates(NamedTuple):
    """All pairs of a strategy and a budget, ordered by strategy as given, then by budget."""

    strategies: tuple[str, ...]
    budgets: Ints
    single: NDArray[np.bool_]  # whether the strategy is Self-Consistency without a stopping rule, the control
    groups: list[_Group]


def _candidates(pool: Pool, named: Mapping[str, Strategy], budgets: Ints, replacement: bool) -> _Candidates:
    within = np.stack([_within(pool, strategy, budgets, replacement) for strategy in named.values()])
    names = list(named)
    some = within.any(axis=1)
    if not some.all():
        lowest = budgets[:1] if budgets.size else np.array([max(len(strategy.models) for strategy in named.values())])
        plans = [plan for strategy in named.values() for plan in strategy.plans(lowest)]
        selecting = selecting_asked(pool, asked_of(plans, replacement))
        remedies = ["lower budgets", *([] if replacement else ["replacement=True"]), "other strategies"]
        remedies += [selecting] if selecting else []
        raise BudgetError(
            f"budgets: too few samples were recorded for {names[int(some.argmin())]} at any of the budgets "
            f"{budgets.tolist() or lowest.tolist()}. Use {', or '.join(remedies)}."
        )
    which, at = np.nonzero(within)
    members: dict[bytes, list[int]] = {}
    for i in range(len(names)):
        members.setdefault(within[i].tobytes(), []).append(i)
    return _Candidates(
        strategies=tuple(names[i] for i in which),
        budgets=budgets[at],
        single=np.array([isinstance(s, SelfConsistency) and s.stop is None for s in named.values()])[which],
        groups=[
            _Group(
                {names[i]: named[names[i]] for i in group},
                budgets[within[group[0]]],
                np.isin(which, group).nonzero()[0],
            )
            for group in members.values()
        ],
    )


def _scores(pool: Pool, candidates: _Candidates, spend: str, progress: Progress | None, **options: Any) -> Scores:
    """Evaluate the candidates; strategies with the same budgets are evaluated together."""
    shape = (candidates.budgets.size, len(pool.questions))
    scores = Scores(np.empty(shape), np.empty(shape), np.empty(shape[0], dtype=np.int64))
    done = 0
    for group in candidates.groups:
        part = _part(progress, done, group.rows.size, shape[0])
        found = evaluate_quietly(pool, group.strategies, group.budgets, progress=part, **options)
        done += group.rows.size
        scores.accuracy[group.rows] = found.accuracy.reshape(-1, shape[1])
        budgets = candidates.budgets[group.rows, None]
        scores.spend[group.rows] = budgets if spend == "budget" else getattr(found, spend).reshape(-1, shape[1])
        scores.n_replays[group.rows] = found.n_replays.ravel()
        check_known(found, spend, "spend", owner="the pool", prices="use prices=")
    return scores


def _part(progress: Progress | None, before: float, size: float, total: int) -> Progress | None:
    """Return a progress callback for one of several pieces of work."""
    return progress and (lambda done, pieces: progress(int(before + size * done / pieces), total))
