"""Numbers of replays per question that reach a Monte Carlo error, after a pilot (Neyman 1934, doi:10.2307/2342192)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mssim.engine.estimates import Control
from mssim.engine.replayed import Replayed
from mssim.rules.plan import Floats, Ints, Plan

__all__ = ["Allocation", "neyman", "pilot_size", "worst_case"]

LEAST = 32  # replays of a question, so that its variance can be estimated
_MOST_PILOT = 256  # replays that only estimate variances and are not counted
_TOO_FEW = 8 * LEAST  # replays of which a pilot is too large a part
_PILOT_SHARE = 1 / 32  # of the replays that are required if every answer is as uncertain as can be
_ROUNDS, _BISECTIONS = 15, 20
_SMALLEST = 1e-12  # share of the largest scale of the numbers of replays
_MARGIN = 0.95  # of the allowed variance, because the pilot estimates it
_STEPS = 3  # numbers of replays per factor of two, so that questions with equal numbers make blocks


@dataclass(frozen=True)
class Allocation:
    """Numbers of replays, and controls, that a pilot chose."""

    replayed: Replayed
    replays: list[Ints]  # of each bundle, [question]
    controls: Mapping[int, Control]  # by plan
    control_plans: list[Plan]
    control_closed: list[NDArray[np.bool_]]  # [budget], where the control is used


def worst_case(mc_error: float, n_questions: int) -> int:
    """Return the replays per question that are required if every answer is correct with probability 1/2.

    Examples
    --------
    >>> worst_case(1e-3, 100)
    2500
    """
    return math.ceil(0.25 / (n_questions * mc_error**2) * (1 - 1e-12))


def pilot_size(mc_error: float, n_questions: int, most: int) -> int:
    """Return the number of replays of the pilot; 0 if it would not save anything."""
    needed = min(worst_case(mc_error, n_questions), most)
    return min(_MOST_PILOT, max(LEAST, math.ceil(needed * _PILOT_SHARE))) if needed > _TOO_FEW else 0


def neyman(variances: Floats, allowed: float, *, least: Ints, most: float) -> Ints:
    """Share replays among questions so that the variance of every mean is as small as allowed, at the least cost.

    With one mean, the number of replays of a question is proportional to the root of its variance. With several, such
    as the budgets of a curve, it is proportional to the root of a weighted mean of the variances, whose weights are
    found by repeatedly giving more to means that exceed what is allowed.

    Parameters
    ----------
    variances : ndarray of float64, shape (n_means, n_questions)
        Variance of one replay.
    allowed : float
        Largest sum over questions of variance / replays.
    least : ndarray of int64, shape (n_questions,)
        Fewest replays of each question.
    most : float
        Most replays of all questions together. If these do not suffice, the sums are as small as they can be.

    Returns
    -------
    ndarray of int64, shape (n_questions,)
        Replays of each question: `least`, or one of few numbers, so that questions have equal ones.

    Examples
    --------
    A question has nine times the variance of another and receives three times the replays:

    >>> n = neyman(np.array([[0.09, 0.01]]), 1e-4, least=np.array([32, 32]), most=10_000)
    >>> n, (0.09 / n[0] + 0.01 / n[1]).round(6)
    (array([1291,  407]), np.float64(9.4e-05))
    """
    weights = np.ones(len(variances))
    for _ in range(_ROUNDS):
        sums = (variances / _root(weights, variances)).sum(axis=1)
        weights = weights * np.maximum(sums / sums.max(), 0.1)
    root = _root(weights, variances)

    def fits(scale: float) -> bool:
        return bool(_rounded(scale * root, least).sum() <= most)

    def lacks(scale: float) -> bool:
        return bool((variances / _rounded(scale * root, least)).sum(axis=1).max() > _MARGIN * allowed)

    largest, _ = _bisect(fits, most / float(root.sum()))
    _, enough = _bisect(lacks, largest)
    return _rounded(enough * root, least)


def _bisect(holds: Callable[[float], bool], end: float) -> tuple[float, float]:
    """Return the last number up to `end` for which a condition holds, and the first for which it does not."""
    low, high = end * _SMALLEST, end
    for _ in range(_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def _rounded(wanted: Floats, least: Ints) -> Ints:
    """Return at least these numbers, as powers of the third root of 2."""
    steps = np.ceil(_STEPS * np.log2(np.maximum(wanted, 1)) - 1e-9)
    return np.maximum(np.ceil(2.0 ** (steps / _STEPS)).astype(np.int64), least)


def _root(weights: Floats, variances: Floats) -> Floats:
    # A sum along the first axis, because the last bits of matrix products depend on the number of threads.
    return np.asarray(np.sqrt((weights[:, None] * variances).sum(axis=0)))
