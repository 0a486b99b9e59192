"""Measures of routers: area under accuracy over cost, and share of the gain of the best possible router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import is_number, level, shown
from mssim.errors import MssimError, StrategyError
from mssim.results.differences import mean_difference
from mssim.results.equal_money import checked_spend
from mssim.results.evaluation import Evaluation
from mssim.results.intervals import ROUNDING
from mssim.results.named import column_of, common_budgets, others_of, row_of

__all__ = ["GainShare", "aiq", "aiq_table", "gain_share", "gain_shares", "hull"]

Floats = NDArray[np.float64]

_NOTHING = 1e-12  # a mean gain that rounding makes of 0
_STEPS = 50  # halvings of an interval of shares; with more, its end becomes 1


class GainShare(NamedTuple):
    """Result of `gain_share`; arrays of shape (...).

    Attributes
    ----------
    share : ndarray of float64
        Share of the gain of the oracle; NaN if it gains nothing.
    low, high : ndarray of float64
        Confidence interval, infinite where the gain of the oracle may be 0.
    """

    share: Floats
    low: Floats
    high: Floats


def hull(cost: ArrayLike, accuracy: ArrayLike) -> tuple[Floats, Floats]:
    """Return the points of the non-decreasing convex hull of accuracy over cost.

    Parameters
    ----------
    cost, accuracy : array_like, shape (n_points,)
        Mean cost and mean accuracy of the points, such as the budgets of a router.

    Returns
    -------
    cost, accuracy : ndarray, shape (n_corners,)
        Corners of the hull, from the cheapest point to the most accurate one. Choosing between two neighbours at random
        gives the points between them.

    Raises
    ------
    MssimError
        If there are no points, or a number is not finite.

    Examples
    --------
    >>> hull([1, 2, 3, 4], [0.5, 0.6, 0.9, 0.8])
    (array([1., 3.]), array([0.5, 0.9]))
    """
    x, y = _points(cost, accuracy)
    corners: list[int] = []
    for i in np.lexsort((-y, x)):
        if corners and y[i] <= y[corners[-1]]:  # not more accurate than a cheaper point, so all corners are
            continue
        while len(corners) > 1 and _is_below(x, y, corners[-2], corners[-1], i):
            corners.pop()
        corners.append(int(i))
    return x[corners], y[corners]


def aiq(cost: ArrayLike, accuracy: ArrayLike, *, c_min: float, c_max: float) -> float:
    """Average improvement in quality: the mean height of the hull of accuracy over cost (arXiv 2403.12031).

    Parameters
    ----------
    cost, accuracy : array_like, shape (n_points,)
        As in `hull`.
    c_min, c_max : float
        Range of costs, the same for all routers that are compared.

    Returns
    -------
    float
        AIQ, from 0 to 1.

    Raises
    ------
    MssimError
        If there are no points, a number is not finite, or `c_min` is not below `c_max`.

    Notes
    -----
    AIQ is the integral of the hull from c_min to c_max, divided by c_max - c_min. Beyond its most accurate point the
    hull is flat. Below the cheapest point of a router it is 0, because the router cannot answer for less. In the code
    of RouterBench the area starts at the cheapest point and is divided by c_max, the largest cost of any hull that is
    compared. This is ``c_min=0``.

    The hull takes the best points on the questions on which they are scored. AIQ is therefore biased upwards, and has
    no interval here.

    References
    ----------
    Hu et al. (2024), "RouterBench: A Benchmark for Multi-LLM Routing System", arXiv 2403.12031.

    Examples
    --------
    >>> points = [1, 2, 3, 4], [0.5, 0.6, 0.9, 0.8]
    >>> round(aiq(*points, c_min=1, c_max=4), 4), round(aiq(*points, c_min=0, c_max=4), 4)
    (0.7667, 0.575)
    """
    x, y = hull(cost, accuracy)
    if not (is_number(c_min) and is_number(c_max) and np.isfinite([c_min, c_max]).all() and c_min < c_max):
        raise MssimError(f"c_min={shown(c_min)} is not below c_max={shown(c_max)}. Use two finite costs.")
    first = max(float(c_min), x[0])
    if first >= c_max:
        return 0.0
    inside = x[(x > first) & (x < c_max)]
    steps = np.concatenate([[first], inside, [float(c_max)]])
    return float(np.trapezoid(np.interp(steps, x, y), steps) / (c_max - c_min))


def aiq_table(
    evaluation: Evaluation,
    curves: Mapping[str, Sequence[str]] | None = None,
    *,
    per: str = "cost",
    c_min: float | None = None,
    c_max: float | None = None,
) -> pd.DataFrame:
    """Return the AIQ of curves of accuracy over what is spent.

    Parameters
    ----------
    evaluation : Evaluation
        Results of `evaluate`.
    curves : mapping of str to sequence of str, optional
        Strategies of each curve by its name. Their points at all budgets are one curve, as those of routers that differ
        in `worth`. By default, each strategy is a curve. All single models together are the curve of mixing them at
        random, which RouterBench calls the zero router.
    per : {"cost", "tokens", "latency", "samples_used"}, default "cost"
        What is spent, as a mean per question.
    c_min, c_max : float, optional
        Range of what is spent. By default from the cheapest point of all curves to the most expensive corner of all
        hulls.

    Returns
    -------
    DataFrame, one row per curve
        Columns: curve; points (number of budgets and strategies); corners (number of points of the hull); aiq; c_min;
        c_max; n_questions.

    Raises
    ------
    StrategyError
        If a strategy was not evaluated.
    MssimError
        If what is spent is not known, or all points spend the same.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> result = evaluate(load_pool("recorded/llm-products"), ["sc:gemma", "oracle:gemma+smol"], [1, 4, 16])
    >>> aiq_table(result, per="tokens")[["curve", "corners", "aiq"]].round(3)
                   curve  corners    aiq
    0           sc:gemma        3  0.546
    1  oracle:gemma+smol        3  0.643
    """
    spends, named = checked_spend(per), {name: [name] for name in evaluation.strategies} if curves is None else curves
    points = {name: _curve(evaluation, name, given, spends) for name, given in named.items()}
    corners = {name: hull(*given) for name, given in points.items()}
    low = min(x[0] for x, _ in corners.values()) if c_min is None else c_min
    high = max(x[-1] for x, _ in corners.values()) if c_max is None else c_max
    if c_min is None and c_max is None and low >= high:
        raise MssimError(
            f"curves: the hulls are single points that spend {low:g}, so there is no area. Evaluate more budgets, or "
            "set c_min and c_max."
        )
    return pd.DataFrame(
        {
            "curve": list(points),
            "points": [len(x) for x, _ in points.values()],
            "corners": [len(x) for x, _ in corners.values()],
            "aiq": [aiq(*given, c_min=low, c_max=high) for given in points.values()],
            "c_min": float(low),
            "c_max": float(high),
            "n_questions": evaluation.accuracy.shape[2],
        }
    )


def gain_share(
    router: ArrayLike,
    base: ArrayLike,
    oracle: ArrayLike,
    *,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    test: str = "auto",
) -> GainShare:
    """Share of the gain of an oracle over a base that a router wins: (router - base) / (oracle - base).

    Parameters
    ----------
    router, base, oracle : array_like, shape (..., n_questions)
        Accuracy of each question, from 0 to 1.
    confidence_level : float, default 0.95
        Level of the interval, between 0 and 1.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.
    test : {"auto", "gaffke", "t"}, default "auto"
        Construction of the interval, as `method` of `mean_difference`.

    Returns
    -------
    GainShare
        Share of the means and its interval.

    Raises
    ------
    MssimError
        If an accuracy is not from 0 to 1, or another argument is invalid.

    Notes
    -----
    The share is negative if the router is worse than the base. The interval has the shares s for which a paired test
    does not reject that the mean of router - base - s (oracle - base) is zero, as Fieller (1954) does for a ratio of
    means. It is infinite on a side if the test does not reject that the oracle gains nothing. It treats questions as
    independent, which those of cross-fitted routers are not quite, see `Router`.

    Examples
    --------
    >>> found = gain_share([1.0] * 12 + [0.0] * 8, [0.5] * 20, [1.0] * 16 + [0.5] * 4)
    >>> round(float(found.share), 3), round(float(found.low), 2), round(float(found.high), 2)
    (0.25, -0.98, 1.64)
    """
    confidence_level = level(confidence_level)
    x, y, z = np.broadcast_arrays(*(np.asarray(values, dtype=float) for values in (router, base, oracle)))
    gain, best = x - y, z - y
    mean = np.asarray(best.mean(axis=-1))
    known = np.abs(mean) > _NOTHING
    share = np.where(known, np.asarray(gain.mean(axis=-1)) / np.where(known, mean, 1.0), np.nan)
    options = {"confidence_level": confidence_level, "clusters": clusters}
    limits = _limits(gain, best, share, {**options, "method": test})
    # The same share on all questions has no spread. It has an interval nevertheless, as a difference has.
    alike = np.abs(gain - share[..., None] * best).max(axis=-1) <= ROUNDING
    if alike.any():
        limits = np.where(alike, _limits(gain, best, share, {**options, "method": "gaffke"}), limits)
    low, high = np.where(known, limits, np.nan)
    return GainShare(share[()], low[()], high[()])


def gain_shares(
    evaluation: Evaluation,
    base: str,
    oracle: str,
    strategies: Sequence[str] | None = None,
    *,
    budgets: ArrayLike | None = None,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    test: str = "auto",
) -> pd.DataFrame:
    """Return the shares of the gain of an oracle that strategies win.

    Parameters
    ----------
    evaluation : Evaluation
        Results of `evaluate`.
    base : str
        Name of the base. ``route:A+B``, the best single model chosen on other questions, is not optimistic; the best
        of single models by the accuracies of these questions is.
    oracle : str
        Name of the oracle, such as ``oracle:A+B``. Its accuracies of few recorded samples are biased upwards, and the
        shares then downwards.
    strategies : sequence of str, optional
        Names of the strategies. By default all others.
    budgets : int or sequence of int, optional
        Budgets. By default all that a strategy, base and oracle have in common.
    confidence_level, clusters, test
        As in `Evaluation.compare`.

    Returns
    -------
    DataFrame, one row per strategy and budget
        Columns: strategy; budget; accuracy, base and oracle (mean accuracies); gain_share, low, high (with its
        interval, see `gain_share`); n_questions.

    Raises
    ------
    StrategyError, BudgetError
        If a strategy or budget was not evaluated.
    MssimError
        If another argument is invalid.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> rules = ["route:gemma+smol", "oracle:gemma+smol", "route:gemma+smol,by=family", "random:gemma+smol"]
    >>> result = evaluate(load_pool("recorded/llm-products"), rules, 16)
    >>> gain_shares(result, *rules[:2])[["strategy", "gain_share", "low", "high"]].round(2)
                         strategy  gain_share   low  high
    0  route:gemma+smol,by=family         0.0 -0.93  0.93
    1           random:gemma+smol        -0.5 -1.42 -0.08
    """
    if base == oracle:
        raise StrategyError(f"oracle: {oracle!r} is also the base. Name another strategy.")
    named = others_of(base, strategies, [name for name in evaluation.strategies if name != oracle or strategies])
    labels, asked = evaluation.cluster_labels(clusters), None
    if budgets is not None:
        asked = list(dict.fromkeys(np.atleast_1d(np.asarray(budgets)).tolist()))
    rows = []
    for name in named:
        at = np.array([row_of(one, evaluation.strategies) for one in (name, base, oracle)])
        common = np.asarray(evaluation.evaluated[at].all(axis=0))
        steps = common_budgets((name, base, oracle), evaluation.budgets, evaluation.evaluated[at])
        for budget in steps if asked is None else asked:
            accuracy = evaluation.accuracy[at, column_of(name, budget, evaluation.budgets, common)]
            found = gain_share(*accuracy, confidence_level=confidence_level, clusters=labels, test=test)
            rows.append((name, budget, *accuracy.mean(axis=1), *map(float, found), accuracy.shape[1]))
    columns = ["strategy", "budget", "accuracy", "base", "oracle", "gain_share", "low", "high", "n_questions"]
    return pd.DataFrame(rows, columns=columns)


def _limits(gain: Floats, best: Floats, share: Floats, options: dict[str, Any]) -> Floats:
    """Return the limits of the shares that a test does not reject, [side, ...]."""
    whole = mean_difference(best, **options)
    bounded = np.asarray((np.asarray(whole.low) > 0) | (np.asarray(whole.high) < 0))
    return np.array([_limit(gain, best, np.nan_to_num(share), side, bounded, options) for side in (-1, 1)])


def _limit(
    gain: Floats, best: Floats, start: Floats, side: int, bounded: NDArray[np.bool_], options: dict[str, Any]
) -> Floats:
    """Return a limit, [...], by halving the distance from the share."""
    inner, outer = np.zeros_like(start), np.ones_like(start)  # u / (1 - u) is the distance from the share
    for _ in range(_STEPS):
        middle = (inner + outer) / 2
        tried = start + side * middle / (1 - middle)
        differences = (gain - tried[..., None] * best) / (1 + np.abs(tried))[..., None]
        found = mean_difference(differences, **options)
        kept = (np.asarray(found.low) <= 0) & (np.asarray(found.high) >= 0)
        inner, outer = np.where(kept, middle, inner), np.where(kept, outer, middle)
    return np.where(bounded, start + side * inner / (1 - inner), side * np.inf)


def _points(cost: ArrayLike, accuracy: ArrayLike) -> tuple[Floats, Floats]:
    try:
        x, y = np.asarray(cost, dtype=float), np.asarray(accuracy, dtype=float)
        fits = x.ndim == 1 and x.shape == y.shape and x.size > 0 and bool(np.isfinite(x).all() and np.isfinite(y).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise MssimError("cost, accuracy: not finite numbers. Pass two arrays of shape (n_points,) with at least one.")
    return x, y


def _is_below(x: Floats, y: Floats, before: int, middle: int, after: int) -> bool:
    """Return whether a point is not above the line between two others."""
    rise = (y[after] - y[before]) * (x[middle] - x[before])
    return bool((y[middle] - y[before]) * (x[after] - x[before]) <= rise)


def _curve(evaluation: Evaluation, name: str, strategies: Sequence[str], spends: str) -> tuple[Floats, Floats]:
    """Return the spends and accuracies of strategies at all budgets at which they were evaluated."""
    rows = [row_of(strategy, evaluation.strategies) for strategy in strategies]
    given = evaluation.evaluated[rows]
    cost = getattr(evaluation, spends)[rows].mean(axis=2)[given]
    if np.isnan(cost).any():
        raise MssimError(f"per={spends!r}: not known for {name!r}. Record it, or use another per=.")
    return cost, evaluation.accuracy[rows].mean(axis=2)[given]
