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
from numpy.typing import NDArray
from scipy import special

__all__ = ["lower_limit", "probability_below"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEWTON_STEPS = 1000
_SECANT_STEPS = 30
_FAR_TAIL = 40.0  # normal quantiles beyond do not matter
_CLOSE = 3e-4  # of a normal quantile, before a last step
_STEP = 0.15  # of the integration, in standard deviations near the saddlepoint
_FAR = 60.0  # from the saddlepoint, in standard deviations
_NOTHING = 1e-12  # a share that rounding makes of 0
_LOST = 1e-11  # relative size of terms that no longer matter
_NEAR = 0.03  # of the saddlepoint, in standard deviations; the curve need not meet it
_CLEARANCE = 0.3  # least distance of the curve of integration to the pole at 0, in standard deviations


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
    a = np.concatenate([y - t[:, None] * w, -(t * pseudo)[:, None]], axis=1)
    scale = np.abs(a).max(axis=1)
    found = np.zeros(len(a))  # no positive coefficient: T <= t surely
    above, under = (a > 0).any(axis=1), (a < 0).any(axis=1)
    found[above & ~under] = -np.inf
    both = above & under
    # Of an event and its complement, the one against the sign of the mean is in the tail, where the integral is stable.
    sign = np.where(a.sum(axis=1) < 0, -1.0, 1.0)
    tail = _log_below((sign / np.where(scale > 0, scale, 1))[both, None] * a[both])
    found[both] = np.where(sign[both] > 0, tail, np.log1p(-np.exp(np.minimum(tail, -1e-9))))
    return found


def _log_below(a: Floats) -> Floats:
    """Return log P[sum_i a_i e_i <= 0] for rows with coefficients of both signs and a sum that is not negative."""
    s = _saddlepoint(a)
    s = np.minimum(s, -_CLEARANCE / np.sqrt((a**2).sum(axis=1)))
    left = 1 - a * s[:, None]
    r = a / left
    deviation = np.sqrt((r**2).sum(axis=1))
    # A parabola of steepest descent near the saddlepoint, then a hyperbola, and far away a vertical line, because there
    # other factors matter. The curve may be bent, because all singularities are real.
    bend = -(r**3).sum(axis=1) / deviation**3 * (2 / 3)
    # The step must be small against the distance of the nearest pole: that of 1/s, or those of the factors.
    step = _STEP * np.arcsin(np.minimum(-s * deviation, 1.0))
    factors = np.ones(a.shape, complex)
    total = np.zeros(len(a))
    todo = np.ones(len(a), dtype=bool)
    node = 0
    while todo.any():
        v = node * step
        rise, slope = np.cosh(v) - 1, np.sinh(v)
        at = np.where(todo, slope + 1j * bend * rise / (1 + rise / _FAR), 0.0) / deviation
        np.multiply(r, -at.real[:, None], out=factors.imag)
        np.multiply(r, at.imag[:, None], out=factors.real)
        factors.real += 1
        along = rise + 1 + 1j * bend * slope / (1 + rise / _FAR) ** 2
        inverse = along / (factors.prod(axis=1) * -(s + 1j * at))
        total += np.where(todo, inverse.real, 0.0) * (0.5 if node == 0 else 1.0)
        todo &= np.abs(inverse) > _LOST * np.abs(total)
        node += 1
    return np.asarray(np.log(total * step / (deviation * np.pi)) - np.log(left).sum(axis=1))


def _saddlepoint(a: Floats) -> Floats:
    """Return the minimum of K(s) = -sum log(1 - a_i s). Damped Newton steps converge, because K is self-concordant."""
    s = np.zeros(len(a))
    for _ in range(_NEWTON_STEPS):
        r = a / (1 - a * s[:, None])
        slope, curvature = r.sum(axis=1), (r**2).sum(axis=1)
        decrement = np.abs(slope) / np.sqrt(curvature)
        near = decrement < _NEAR
        if near.all():
            break
        s = np.where(near, s, s - slope / curvature / (1 + decrement))
    return s


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
        found[some] = _solve(y[some], w[some], pseudo[some], np.asarray(special.ndtri(tail[some])))
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
        return np.asarray(top[at] * special.betaincinv(alpha[at], beta[at], special.ndtr(score)))

    score, slope, off = target.copy(), np.ones(len(y)), np.zeros(len(y))
    step = np.zeros(len(y))
    todo = np.arange(len(y))
    for _ in range(_SECANT_STEPS):
        log_p = probability_below(y[todo], w[todo], pseudo[todo], limit(score[todo], todo))
        quantile = special.ndtri_exp(np.minimum(log_p, 0.0)).clip(-_FAR_TAIL, _FAR_TAIL)
        before, off[todo] = off[todo], quantile - target[todo]
        moved = np.abs(step[todo]) > 1e-13
        slope[todo[moved]] = ((off[todo] - before)[moved] / step[todo[moved]]).clip(0.2, 5)
        step[todo] = -off[todo] / slope[todo]
        score[todo] += step[todo]
        todo = todo[np.abs(off[todo]) >= _CLOSE]
        if not todo.size:
            break
    return limit(score, np.arange(len(y)))
