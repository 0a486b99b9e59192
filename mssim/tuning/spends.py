"""What candidates spend at least and at most, which is known before they are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.engine.exact import nothing_known
from mssim.rules.plan import QUANTITIES, Ints, Plan
from mssim.rules.stops import WindowStop

__all__ = ["AS_ACCURACY", "Bounds", "bounds_of", "spend_noise", "spend_replays"]

Floats = NDArray[np.float64]

AS_ACCURACY = -1
_FEW_REPLAYS = 300  # fewest replays of the latency of windows, which is replayed although accuracy may be exact


class Bounds(NamedTuple):
    """Bounds of what a strategy spends per question, [budget, question]."""

    least: Floats  # of the expectation
    floor: Floats  # of one replay
    most: Floats  # of one replay


def bounds_of(plans: Sequence[Plan], budgets: Ints, n_questions: int, spend: str, amounts: Amounts) -> Bounds:
    """Return bounds of what a strategy with these plans spends.

    Parameters
    ----------
    plans : sequence of Plan
        Plans of the strategy at these budgets. What it spends is a mean over them, or that of one of them.
    budgets : ndarray of int64, shape (n_budgets,)
        Samples allowed per question.
    n_questions : int
        Number of questions of the pool.
    spend : {"samples_used", "budget", "tokens", "cost", "latency"}
        What is limited.
    amounts : Amounts
        What the samples spend; all of them are known.

    Returns
    -------
    Bounds
        Arrays of shape (n_budgets, n_questions). Stages that are drawn in any case spend the mean of their samples or
        more.

    Examples
    --------
    >>> from mssim import ModelSwitch, load_pool
    >>> pool, budgets = load_pool("recorded/llm-products"), np.array([2, 8])
    >>> plans = ModelSwitch(["gemma", "smol"]).plans(budgets)
    >>> least, _, most = bounds_of(plans, budgets, 159, "samples_used", Amounts(pool))
    >>> least[:, 0].tolist(), most[:, 0].tolist()
    ([1.0, 4.0], [2.0, 8.0])
    """
    if spend == "budget":
        same = np.repeat(budgets[:, None].astype(float), n_questions, axis=1)
        return Bounds(same, same, same)
    of_plans = [_bounds_of_plan(plan, n_questions, spend, amounts) for plan in plans]
    least, floor, most = (np.stack(values) for values in zip(*of_plans, strict=True))
    return Bounds(least.min(axis=0), floor.min(axis=0), most.max(axis=0))


def _bounds_of_plan(plan: Plan, n_questions: int, spend: str, amounts: Amounts) -> Bounds:
    certain, most = _certain_draws(plan), plan.sizes
    if plan.cap:
        most = np.full_like(most, plan.cap)
    if spend not in QUANTITIES:
        low, high = (
            np.repeat(draws.sum(axis=0)[:, None].astype(float), n_questions, axis=1) for draws in (certain, most)
        )
        return Bounds(low, low, high)
    stages = list(zip(plan.models, plan.max_tokens or repeat(None), strict=False))
    of_samples = [amounts.of(spend, model, limit) for model, limit in stages]
    # A stage that is not drawn at any budget may have no samples of a question.
    means = np.stack([_ignoring_missing(np.nanmean, values) for values in of_samples])
    longest = np.stack([_ignoring_missing(np.nanmax, values) for values in of_samples])
    if _ends_early(plan):
        certain = np.zeros_like(certain)  # of a sample that ends early, nothing is paid in any case
    if plan.is_linked or spend == "latency":
        # A later part of a run adds less than its own amount, and draws of a round last as long as one of them.
        certain = np.minimum(certain, 1) if spend == "latency" else certain
        certain[1:] = 0
    least = np.einsum("sb,sq->bq", certain.astype(float), means)
    return Bounds(least, np.zeros_like(least), np.einsum("sb,sq->bq", most.astype(float), longest))


def _ignoring_missing(function: Callable[..., Floats], values: Floats) -> Floats:
    known = ~np.isnan(values).all(axis=1)
    found = np.zeros(len(values))
    found[known] = function(values[known], axis=1)
    return found


def _ends_early(plan: Plan) -> bool:
    return plan.online is not None


def _certain_draws(plan: Plan) -> Ints:
    """Return the draws of each stage that every replay makes, [stage, budget]."""
    if plan.stop is not None or plan.accepts is not None or plan.cap or _ends_early(plan):
        certain = np.zeros_like(plan.sizes)
        certain[0] = np.minimum(plan.sizes[0], 1)
        return certain
    may_stop = (plan.need <= plan.sizes) & (plan.sizes > 0)
    before: Ints = np.cumsum(may_stop, axis=0) - may_stop  # stages before this one that may stop
    return np.where(before == 0, plan.sizes, 0)


def spend_replays(plans: Sequence[Plan], spend: str, method: str, n_replays: int) -> int:
    """Return the replays behind what a strategy spends: 0 if it is exact, AS_ACCURACY if they are those of accuracy.

    Examples
    --------
    >>> from mssim import ModelSwitch, parse_strategy
    >>> for text in ("ms:a+b", "sc:a,stop=beta"):
    ...     print(text, spend_replays(parse_strategy(text).plans(np.array([8])), "samples_used", "auto", 2000))
    ms:a+b 0
    sc:a,stop=beta -1
    """
    if spend == "budget":
        return 0
    if method == "monte_carlo" or any(nothing_known(plan) is not None for plan in plans):
        return AS_ACCURACY
    windows = spend in QUANTITIES and any(isinstance(plan.stop, WindowStop) for plan in plans)
    return min(n_replays, _FEW_REPLAYS) if windows else 0


def spend_noise(spend: Floats, bounds: Bounds, n_replays: Ints) -> Floats:
    """Return an upper bound of the Monte Carlo variance of a mean spend; 0 if it is exact.

    A number from a to b with the mean m has at most the variance (b - m) (m - a) (Bhatia & Davis 2000,
    doi:10.1080/00029890.2000.12005203).

    Parameters
    ----------
    spend : ndarray of float64, shape (n_versions, n_questions)
        Means over replays.
    bounds : Bounds
        Arrays of the same shape.
    n_replays : ndarray of int64, shape (n_versions, n_questions)
        Number of replays, 0 if the mean is exact.

    Examples
    --------
    >>> spend_noise(np.array([[4.0]]), Bounds(*np.array([[[1.0]], [[1.0]], [[8.0]]])), np.array([[1000]])).tolist()
    [[0.012]]
    """
    n = np.where(n_replays == 0, np.inf, n_replays)
    return np.asarray(np.maximum((bounds.most - spend) * (spend - bounds.floor), 0) / n)
