"""Gaffke's confidence limit of a mean of bounded values, computed without random numbers.

Let y_i be sums from 0 to w_i of independent units, such as questions (w_i = 1) or clusters (w_i = size), and let
e_i be independent exponential variables. Gaffke's lower limit of the ratio sum(y) / sum(w) is the quantile of

    T = sum_i e_i y_i / (sum_i e_i w_i + e_0 w_0),

where the additional unit 0 is wrong on everything. T <= t is the same as sum_i e_i (y_i - t w_i) - e_0 t w_0 <= 0, so
its distribution function is that of a weighted sum of exponential variables at zero. The characteristic function is
known. Its inversion along a curve of nearly steepest descent through the saddlepoint converges exponentially.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from mssim.kernels.exponential_sum import log_below

__all__ = ["lower_limit", "probability_below"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SECANT_STEPS, _MOST_STEPS = 12, 60
_FAR_TAIL = 40.0  # normal quantiles beyond do not matter
_CLOSE = 3e-4  # of a normal quantile, before a last step
_NOTHING = 1e-12  # a share that rounding makes of 0


def probability_below(y: Floats, w: Floats, pseudo: Floats, t: Floats) -> Floats:
    """Return log P[T <= t] for Gaffke's random ratio T.

    Parameters
    ----------
    y : ndarray of float64, shape (n_rows, n_units)
        Sums of the units.
    w : ndarray of float64, shape (n_rows, n_units)
        Largest possible sums of the units, not all zero.
    pseudo : ndarray of float64, shape (n_rows,)
        Weight w_0 of the additional unit, whose sum is 0.
    t : ndarray of float64, shape (n_rows,)
        Values of the ratio, from 0 to 1.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Logarithms of probabilities; the probabilities have a relative error below 1e-5.

    Examples
    --------
    One question that is right: T = e_1 / (e_1 + e_0) is uniform.

    >>> one = np.ones((1, 1))
    >>> np.exp(probability_below(one, one, np.ones(1), np.array([0.25]))).round(9)
    array([0.25])
    """
    return np.asarray(log_below(np.concatenate([y - t[:, None] * w, -(t * pseudo)[:, None]], axis=1)))


def lower_limit(y: Floats, w: Floats, pseudo: Floats, tail: Floats) -> Floats:
    """Return Gaffke's lower confidence limit of sum(y) / sum(w).

    Parameters
    ----------
    y, w, pseudo
        As in `probability_below`; 0 <= y <= w.
    tail : ndarray of float64, shape (n_rows,)
        Probability that a limit exceeds the true ratio, above 0 and below 1.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Limits, from 0 to 1.

    Examples
    --------
    With 0 or 1 right, this is the limit of Clopper and Pearson.

    >>> y = np.array([[1.0] * 39 + [0.0]])
    >>> lower_limit(y, np.ones_like(y), np.ones(1), np.array([0.025])).round(6)
    array([0.868414])
    """
    found = np.zeros(len(y))
    some = (y > _NOTHING * w).any(axis=1)
    if some.any():
        found[some] = _solve(y[some], w[some], pseudo[some], np.asarray(scipy.special.ndtri(tail[some])))
    return found


def _solve(y: Floats, w: Floats, pseudo: Floats, target: Floats) -> Floats:
    """Solve P[T <= t] = Phi(target) for rows with y > 0 somewhere.

    The unknown is the normal quantile `score` at which a beta law with the mean and variance of T has the value t. The
    normal quantile of P[T <= t] is nearly equal to it, so secant steps that begin with slope 1 converge quickly.
    """
    top = (y / np.where(w > 0, w, 1)).max(axis=1)
    weight = w.sum(axis=1) + pseudo
    mean = y.sum(axis=1) / weight
    spread = ((y - mean[:, None] * w) ** 2).sum(axis=1) + (mean * pseudo) ** 2
    units = w.shape[1] + 1
    share = mean / top
    size = mean * (top - mean) * weight**2 / spread * (units + 1) / units - 1
    size = np.maximum(size, 0.5)

    alpha, beta = size * share, size * (1 - share)

    def limit(score: Floats, at: Ints) -> Floats:
        return np.asarray(top[at] * scipy.special.betaincinv(alpha[at], beta[at], scipy.special.ndtr(score)))

    score, slope, off, step = target.copy(), np.ones(len(y)), np.full(len(y), np.inf), np.zeros(len(y))
    low, high = np.full(len(y), -_FAR_TAIL), np.full(len(y), _FAR_TAIL)  # scores around the solution
    todo = np.arange(len(y))
    for n_steps in range(_MOST_STEPS):
        log_p = probability_below(y[todo], w[todo], pseudo[todo], limit(score[todo], todo))
        quantile = scipy.special.ndtri_exp(np.minimum(log_p, 0.0)).clip(-_FAR_TAIL, _FAR_TAIL)
        before, off[todo] = off[todo], quantile - target[todo]
        low[todo] = np.where(off[todo] < 0, score[todo], low[todo])
        high[todo] = np.where(off[todo] > 0, score[todo], high[todo])
        moved = np.abs(step[todo]) > 1e-13
        slope[todo[moved]] = ((off[todo] - before)[moved] / step[todo[moved]]).clip(0.2, 5)
        step[todo] = -off[todo] / slope[todo]
        further = np.abs(off) >= _CLOSE
        if n_steps >= _SECANT_STEPS:  # bisection of what secant steps do not solve
            step[further] = ((low + high) / 2 - score)[further]
        score[todo] = (score + step)[todo].clip(low[todo], high[todo])
        todo = np.flatnonzero(further)
        if not todo.size:
            break
    return limit(score, np.arange(len(y)))
