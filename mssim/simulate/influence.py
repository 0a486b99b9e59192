"""Influence of each question on the fitted parameters of an answer model.

The estimates of `fit_pool` solve equations whose left sides are means over questions. To first order, an estimate is
the true value plus the mean of its influence over the questions. The error of an estimate, and of any difference
between a pool and its fit, is therefore the standard error of a mean over questions, with clusters if there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mssim.engine.exact import per_question
from mssim.simulate.model import AnswerModel
from mssim.simulate.one_model import Law
from mssim.simulate.pool_fit import (
    HIGH,
    LEAST_SPREAD,
    LOW,
    MOST_SPREAD,
    Recorded,
    mean_product,
    right_likelihood,
    wrong_agreements,
)

__all__ = ["Influence", "gradient", "influence"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEP = 1e-3
_POINTS = 2**11  # of products of two models; slopes need fewer than estimates
_SHARES = (0, 4)  # sure and no_answer
_AT_BOUND = 1e-6
_ROUNDING = 1e-6  # influence relative to the estimate, below which it is rounding
_FLAT = 1e-9  # curvature relative to the largest one, below which a direction has no information


class Influence(NamedTuple):
    """Influence of questions on parameters, with mean 0 over questions; NaN where an estimate is at a bound."""

    laws: Floats  # [model, parameter of Law, question]
    correlations: dict[tuple[int, int], Floats]  # [question], of each pair
    shared: Floats  # [question], of the share before it is cut to 1
    shared_share: float  # this share


def influence(numbers: Recorded, answer_model: AnswerModel) -> Influence:
    """Return the influence of each question on the parameters that were fitted to the numbers."""
    laws = [answer_model.law(model) for model in answer_model.models]
    wrong = (~numbers.pool.class_correct & (numbers.votes > 0)).astype(np.int64)
    wrong_classes = per_question(wrong, numbers.pool.class_offsets)
    alone = np.stack(
        [
            np.vstack(
                [
                    _right_influence(numbers.right[m], numbers.answered[m], law),
                    _spread_influence(wrong_classes[m], numbers.answered[m] - numbers.right[m], law.spread),
                    _no_answer_influence(numbers.pool.lengths[m], numbers.answered[m]),
                ]
            )
            for m, law in enumerate(laws)
        ]
    )
    flat = alone[:, :4].std(axis=2) < _ROUNDING * np.array(laws)[:, :4]  # equal questions do not show any error
    alone[:, :4][flat] = np.nan
    free = np.nan_to_num(alone)  # an estimate at a bound stays there
    correlations = {
        (i, j): _correlation_influence(numbers, (i, j), [laws[i], laws[j]], answer_model.correlation[i][j], free)  # type: ignore[index]
        for i, j in combinations(range(len(laws)), 2)
    }
    return Influence(alone, correlations, *_shared_influence(numbers, laws, free))


def law_at(law: Law, parameter: int, value: float) -> Law:
    """Return the law with one parameter changed."""
    return Law(*[value if p == parameter else kept for p, kept in enumerate(law)])


def gradient(law: Law, value: Callable[[Law], Floats], parameters: Sequence[int] = range(5)) -> Floats:
    """Return derivatives of `value(law)` by the parameters of the law, [parameter, ...]; 0 by the others."""
    slopes = np.zeros((len(law), *value(law).shape))
    for p in parameters:
        step = _STEP * (min(law[p], 1 - law[p]) if p in _SHARES else law[p])
        if step > 0:  # no estimate moves from 0 or 1
            above, below = (value(law_at(law, p, law[p] + sign * step)) for sign in (1, -1))
            slopes[p] = (above - below) / (2 * step)
    return slopes


# Parameters of one model ----------------------------------------------------------------------------------------------


def unbounded(law: Law) -> Floats:
    """Return logit(sure), logit(a / (a + b)) and log(a + b)."""
    return np.array([special.logit(law.sure), np.log(law.a / law.b), np.log(law.a + law.b)])


def scores(x: Floats, right: Floats, answered: Floats) -> Floats:
    """Return derivatives of the log-likelihood, [parameter, cell]."""
    steps = _STEP * np.eye(3) / 10
    return np.array(
        [
            (right_likelihood(x + step, right, answered) - right_likelihood(x - step, right, answered)) / (0.2 * _STEP)
            for step in steps
        ]
    )


def _right_influence(right: Ints, answered: Ints, law: Law) -> Floats:
    """Return the influence on sure, a and b, [parameter, question]."""
    x = unbounded(law)
    cells, at, times = np.unique(np.stack([right, answered]), axis=1, return_inverse=True, return_counts=True)
    r, n = cells.astype(float)
    weights = np.where(n > 0, times, 0) / right.size
    curvature = np.array(
        [-(scores(x + step, r, n) - scores(x - step, r, n)) @ weights / (2 * _STEP) for step in _STEP * np.eye(3)]
    )
    free = (np.abs(x - LOW) > _AT_BOUND) & (np.abs(x - HIGH) > _AT_BOUND)
    inverse, known = _inverse((curvature + curvature.T) / 2, free)
    moved = inverse @ np.where(n > 0, scores(x, r, n), 0)
    mean = special.expit(x[1])
    change = np.array(
        [
            [law.sure * (1 - law.sure), 0, 0],
            [0, law.a * (1 - mean), law.a],
            [0, -law.b * mean, law.b],
        ]
    )
    found = (change @ moved)[:, at.ravel()]
    found[[not known[0], not known[1:].all(), not known[1:].all()]] = np.nan
    return np.asarray(found)


def _inverse(curvature: Floats, free: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Invert the curvature in directions with information, and return which parameters the data determine."""
    inverse, known = np.zeros_like(curvature), free.copy()
    if not free.any():
        return inverse, known
    values, vectors = np.linalg.eigh(curvature[np.ix_(free, free)])
    told = values > max(_FLAT * values.max(), 0)
    inverse[np.ix_(free, free)] = (vectors[:, told] / values[told]) @ vectors[:, told].T
    known[free] = (vectors[:, ~told] ** 2).sum(axis=1) < _AT_BOUND
    return inverse, known


def _spread_influence(classes: Ints, wrong: Ints, spread: float) -> Floats:
    """Return the influence on spread; its estimate matches the expected number of classes."""
    if not LEAST_SPREAD * (1 + _AT_BOUND) < spread < MOST_SPREAD * (1 - _AT_BOUND) or not (wrong > 1).any():
        return np.full(wrong.shape, np.nan)
    terms = special.digamma(spread + wrong) - special.digamma(spread)
    slope = terms + spread * (special.polygamma(1, spread + wrong) - special.polygamma(1, spread))
    return np.asarray((classes - spread * terms) / slope.mean())


def _no_answer_influence(lengths: NDArray[np.int32], answered: Ints) -> Floats:
    share = 1 - answered.sum() / lengths.sum()
    return np.asarray((lengths - answered - share * lengths) / lengths.mean())


# Their coupling -------------------------------------------------------------------------------------------------------


def _correlation_influence(
    numbers: Recorded, pair: tuple[int, int], laws: Sequence[Law], correlation: float, free: Floats
) -> Floats:
    """Return the influence on a correlation, by way of the mean product of shares and of both laws."""
    answered = numbers.answered[list(pair)]
    both = (answered > 0).all(axis=0)
    step = 0.01
    if not both.any() or not -1 + step < correlation < 1 - step:
        return np.full(both.shape, np.nan)
    above, below = (mean_product(laws, correlation + sign * step, _POINTS) for sign in (1, -1))
    slope = (above - below) / (2 * step)
    product = (numbers.right[list(pair)] / np.maximum(answered, 1)).prod(axis=0)
    moved = np.where(both, product - product[both].mean(), 0) / both.mean()
    for k, m in enumerate(pair):

        def expected(law: Law, k: int = k) -> Floats:
            return np.array(mean_product([law, laws[1]] if k == 0 else [laws[0], law], correlation, _POINTS))

        moved = moved - gradient(laws[k], expected, range(3)) @ free[m]
    told = slope > _FLAT and moved.std() > _ROUNDING * slope
    return np.asarray(moved / slope) if told else np.full(both.shape, np.nan)


def _shared_influence(numbers: Recorded, laws: Sequence[Law], free: Floats) -> tuple[Floats, float]:
    """Return the influence on shared_distractors, and its estimate before it is cut to 1."""
    agreed, possible = wrong_agreements(numbers.pool, numbers.votes, laws)
    if not possible.any():
        return np.full(agreed.shape, np.nan), np.nan
    share = float(agreed.sum() / possible.sum())
    moved = agreed - share * possible
    for m, law in enumerate(laws):

        def expected(changed: Law, m: int = m) -> Floats:
            others = [*laws[:m], changed, *laws[m + 1 :]]
            return np.array(wrong_agreements(numbers.pool, numbers.votes, others)[1].mean())

        moved = moved - share * gradient(law, expected, [3])[3] * free[m, 3]
    told = moved.std() > _ROUNDING * possible.mean()
    return (moved / possible.mean() if told else np.full(agreed.shape, np.nan)), share
