"""Fit of an answer model to a pool, by maximum likelihood for each model and by moments for their coupling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from scipy.stats import qmc

from mssim.engine.exact import per_question
from mssim.errors import PoolError
from mssim.pools.pool import Pool
from mssim.simulate.drawing import questions_at
from mssim.simulate.model import AnswerModel
from mssim.simulate.one_model import Law

__all__ = ["fit_pool"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STARTS = ((0.0, 0.0, 0.5), (-2.0, 0.0, 1.0), (-5.0, 0.5, 0.0), (1.0, -1.0, 2.0))
_LOW, _HIGH = (-9.0, -9.0, -4.0), (9.0, 9.0, 8.0)
_POINTS = 2**13


def fit_pool(pool: Pool, models: Sequence[str] | None = None) -> AnswerModel:
    """Fit an answer model to recorded samples.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models to fit. By default all models of the pool.

    Returns
    -------
    AnswerModel
        Fitted answer model.

    Raises
    ------
    PoolError
        If a model does not exist, or has no answers.

    Notes
    -----
    Each model is fitted by maximum likelihood. All n answers to a question are correct with probability `sure`;
    otherwise the number of correct answers is beta-binomial. Wrong answers follow Ewens' law
    (`mssim.kernels.stick_breaking`). `spread` is 1 if no question has two wrong answers. `no_answer` is the share of
    samples without an answer. Different correct answers to one question count as one answer.

    The coupling is fitted by moments. The correlation of two models reproduces the recorded mean product of their
    shares of correct answers, which is unbiased because samples are independent. `shared_distractors` reproduces the
    rate at which wrong samples of two models agree, over all pairs. A moment outside the possible range yields the
    nearest bound. Correlations that are not positive semidefinite are replaced by similar ones that are.

    Examples
    --------
    >>> pool = AnswerModel(["x", "y"], sure=0.3, a=1.0, b=1.0, spread=2.0, correlation=0.7).draw(2000, 32)
    >>> fit_pool(pool).to_frame()[["model", "sure", "a", "b", "spread", "correlation_x"]].round(1)
      model  sure    a    b  spread  correlation_x
    0     x   0.3  1.0  1.0     2.0            1.0
    1     y   0.3  1.0  1.0     2.0            0.7
    """
    kept = pool if models is None else pool.select(models=models)
    votes = np.stack([kept.class_counts(model) for model in kept.models])
    right = per_question(np.where(kept.class_correct, votes, 0), kept.class_offsets)
    answered = per_question(votes, kept.class_offsets)
    for model, given in zip(kept.models, answered, strict=True):
        if not given.any():
            raise PoolError(f"models: {model!r} has no answers. Fit only the other models, with models=[...].")
    no_answer = 1 - answered.sum(axis=1) / kept.lengths.sum(axis=1)
    laws = [
        Law(*_right_law(r, n), _spread(int((~kept.class_correct & (v > 0)).sum()), (n - r)[n > r]), float(s))
        for r, n, v, s in zip(right, answered, votes, no_answer, strict=True)
    ]
    sure, a, b, spread, no_answer = zip(*laws, strict=True)
    return AnswerModel(
        kept.models,
        sure,
        a,
        b,
        spread,
        correlation=_correlations(laws, right, answered).tolist(),
        shared_distractors=_shared(kept, votes, laws),
        no_answer=no_answer,
    )


def _right_law(right: Ints, answered: Ints) -> tuple[float, float, float]:
    """Return the maximum-likelihood estimates of sure, a and b."""
    cells, times = np.unique(np.stack([right, answered])[:, answered > 0], axis=1, return_counts=True)
    r, n = cells.astype(float)

    def loss(x: Floats) -> float:
        sure, mean, total = special.expit(x[0]), special.expit(x[1]), np.exp(x[2])
        a, b = mean * total, (1 - mean) * total
        unsure = np.log1p(-sure) + special.betaln(a + r, b + n - r) - special.betaln(a, b)
        return -float(times @ np.where(r == n, np.logaddexp(np.log(sure), unsure), unsure))

    ends = [optimize.minimize(loss, start, bounds=list(zip(_LOW, _HIGH, strict=True))) for start in _STARTS]
    x = min(ends, key=lambda end: float(end.fun)).x
    mean, total = special.expit(x[1]), np.exp(x[2])
    return float(special.expit(x[0])), float(mean * total), float((1 - mean) * total)


def _spread(n_classes: int, wrong: Ints) -> float:
    """Return the maximum-likelihood theta of Ewens' law, which matches the expected number of classes."""
    drawn = wrong[wrong > 1]
    if not drawn.size:
        return 1.0
    # A question with a single wrong draw has one class for any theta.
    several = n_classes - int((wrong == 1).sum())
    totals, times = np.unique(drawn, return_counts=True)

    def excess(log_theta: float) -> float:
        theta = np.exp(log_theta)
        classes = theta * (special.digamma(theta + totals) - special.digamma(theta))
        return float(times @ classes) - several

    low, high = np.log(1e-4), np.log(1e4)
    if excess(low) > 0 or excess(high) < 0:
        return float(np.exp(low if excess(low) > 0 else high))
    return float(np.exp(optimize.brentq(excess, low, high)))


def _correlations(laws: Sequence[Law], right: Ints, answered: Ints) -> Floats:
    """Return the correlations of all pairs as a positive semidefinite matrix."""
    share = right / np.maximum(answered, 1)
    matrix = np.eye(len(laws))
    uniform = qmc.Sobol(3, rng=np.random.default_rng(0)).random(_POINTS)
    for i, j in combinations(range(len(laws)), 2):
        both = (answered[i] > 0) & (answered[j] > 0)
        if both.any():
            product = float((share[i] * share[j])[both].mean())
            matrix[i, j] = matrix[j, i] = _correlation([laws[i], laws[j]], product, uniform)
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < 0:
        matrix = (vectors * values.clip(0)) @ vectors.T
        scale = np.sqrt(np.diag(matrix))
        matrix = (matrix / np.outer(scale, scale)).clip(-1, 1)  # rounding may exceed 1
        np.fill_diagonal(matrix, 1.0)
    return matrix


def _correlation(laws: Sequence[Law], product: float, uniform: Floats) -> float:
    """Return the correlation at which the probabilities of two models have the given mean product."""

    def excess(correlation: float) -> float:
        table = np.array([[1.0, correlation], [correlation, 1.0]])
        return float(questions_at(laws, table, 0.0, uniform).right.prod(axis=1).mean()) - product

    low, high = excess(-1.0), excess(1.0)
    if low >= high:  # all questions are equally easy for one model
        return 0.0
    if low > 0 or high < 0:
        return -1.0 if low > 0 else 1.0
    return float(optimize.brentq(excess, -1.0, 1.0, xtol=1e-4))


def _shared(pool: Pool, votes: Ints, laws: Sequence[Law]) -> float:
    """Return agreements of wrong samples of two models, divided by their expectation under shared answers."""
    wrong = np.where(pool.class_correct, 0, votes)
    totals = per_question(wrong, pool.class_offsets)
    agreed, possible = 0.0, 0.0
    for i, j in combinations(range(len(laws)), 2):
        agreed += float(wrong[i] @ wrong[j])
        possible += float(totals[i] @ totals[j]) * agreeing(laws[i].spread, laws[j].spread)
    return min(agreed / possible, 1.0) if possible else 0.0


def agreeing(first: float, second: float) -> float:
    """Return the probability that wrong draws of two models from one stick agree.

    They agree if no point of the process separates them. Positions are exponential with mean theta, and by lack of
    memory so is the distance between them.
    """
    return (first / (1 + first) + second / (1 + second)) / (first + second)
