"""Fit of an answer model to a pool, by maximum likelihood for each model and by moments for their coupling."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

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
LOW, HIGH = (-9.0, -9.0, -4.0), (9.0, 9.0, 8.0)  # of logit(sure), logit(a / (a + b)) and log(a + b)
LEAST_SPREAD, MOST_SPREAD = 1e-4, 1e4
_POINTS = 2**13


class Recorded(NamedTuple):
    """Numbers of a pool on which a fit depends."""

    pool: Pool
    votes: Ints  # [model, class]
    right: Ints  # [model, question], correct samples
    answered: Ints  # [model, question], samples with an answer


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

    See Also
    --------
    fit_report : The same fit with errors of the parameters and misfits of the curves.

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
    return fit_recorded(recorded(pool, models))


def recorded(pool: Pool, models: Sequence[str] | None) -> Recorded:
    """Return the numbers of a pool on which a fit depends; raise if a model has no answers."""
    kept = pool if models is None else pool.select(models=models)
    votes = np.stack([kept.class_counts(model) for model in kept.models])
    right = per_question(np.where(kept.class_correct, votes, 0), kept.class_offsets)
    answered = per_question(votes, kept.class_offsets)
    for model, given in zip(kept.models, answered, strict=True):
        if not given.any():
            raise PoolError(f"models: {model!r} has no answers. Fit only the other models, with models=[...].")
    return Recorded(kept, votes, right, answered)


def fit_recorded(numbers: Recorded) -> AnswerModel:
    """Fit an answer model to the numbers of a pool."""
    kept, votes, right, answered = numbers
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


def right_likelihood(x: Floats | Sequence[float], right: Floats, answered: Floats) -> Floats:
    """Return the log-likelihood of correct samples, up to a constant; x as the bounds LOW and HIGH."""
    sure, mean, total = special.expit(x[0]), special.expit(x[1]), np.exp(x[2])
    a, b = mean * total, (1 - mean) * total
    unsure = np.log1p(-sure) + special.betaln(a + right, b + answered - right) - special.betaln(a, b)
    return np.asarray(np.where(right == answered, np.logaddexp(np.log(sure), unsure), unsure))


def _right_law(right: Ints, answered: Ints) -> tuple[float, float, float]:
    """Return the maximum-likelihood estimates of sure, a and b."""
    cells, times = np.unique(np.stack([right, answered])[:, answered > 0], axis=1, return_counts=True)
    r, n = cells.astype(float)

    def loss(x: Floats) -> float:
        return -float(times @ right_likelihood(x, r, n))

    ends = [optimize.minimize(loss, start, bounds=list(zip(LOW, HIGH, strict=True))) for start in _STARTS]
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

    low, high = np.log(LEAST_SPREAD), np.log(MOST_SPREAD)
    if excess(low) > 0 or excess(high) < 0:
        return float(np.exp(low if excess(low) > 0 else high))
    return float(np.exp(optimize.brentq(excess, low, high)))


def _correlations(laws: Sequence[Law], right: Ints, answered: Ints) -> Floats:
    """Return the correlations of all pairs as a positive semidefinite matrix."""
    share = right / np.maximum(answered, 1)
    matrix = np.eye(len(laws))
    for i, j in combinations(range(len(laws)), 2):
        both = (answered[i] > 0) & (answered[j] > 0)
        if both.any():
            product = float((share[i] * share[j])[both].mean())
            matrix[i, j] = matrix[j, i] = _correlation([laws[i], laws[j]], product)
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < 0:
        matrix = (vectors * values.clip(0)) @ vectors.T
        scale = np.sqrt(np.diag(matrix))
        matrix = (matrix / np.outer(scale, scale)).clip(-1, 1)  # rounding may exceed 1
        np.fill_diagonal(matrix, 1.0)
    return matrix


@cache
def _points() -> Floats:
    return np.asarray(qmc.Sobol(3, rng=np.random.default_rng(0)).random(_POINTS))


def mean_product(laws: Sequence[Law], correlation: float, n_points: int = _POINTS) -> float:
    """Return the expected product of the probabilities of two models to be correct; n_points is a power of two."""
    table = np.array([[1.0, correlation], [correlation, 1.0]])
    return float(questions_at(laws, table, 0.0, _points()[:n_points]).right.prod(axis=1).mean())


def _correlation(laws: Sequence[Law], product: float) -> float:
    """Return the correlation at which the probabilities of two models have the given mean product."""

    def excess(correlation: float) -> float:
        return mean_product(laws, correlation) - product

    low, high = excess(-1.0), excess(1.0)
    if low >= high:  # all questions are equally easy for one model
        return 0.0
    if low > 0 or high < 0:
        return -1.0 if low > 0 else 1.0
    return float(optimize.brentq(excess, -1.0, 1.0, xtol=1e-4))


def _shared(pool: Pool, votes: Ints, laws: Sequence[Law]) -> float:
    """Return agreements of wrong samples of two models, divided by their expectation under shared answers."""
    agreed, possible = (float(values.sum()) for values in wrong_agreements(pool, votes, laws))
    return min(agreed / possible, 1.0) if possible else 0.0


def wrong_agreements(pool: Pool, votes: Ints, laws: Sequence[Law]) -> tuple[Floats, Floats]:
    """Return agreements of wrong samples of two models [question], and their expectation under shared answers."""
    wrong = np.where(pool.class_correct, 0, votes)
    totals = per_question(wrong, pool.class_offsets)
    agreed, possible = np.zeros(totals.shape[1]), np.zeros(totals.shape[1])
    for i, j in combinations(range(len(laws)), 2):
        agreed += per_question(wrong[i] * wrong[j], pool.class_offsets)
        possible += totals[i] * totals[j] * agreeing(laws[i].spread, laws[j].spread)
    return agreed, possible


def agreeing(first: float, second: float) -> float:
    """Return the probability that wrong draws of two models from one stick agree.

    They agree if no point of the process separates them. Positions are exponential with mean theta, and by lack of
    memory so is the distance between them.
    """
    return (first / (1 + first) + second / (1 + second)) / (first + second)
