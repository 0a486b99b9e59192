"""Distribution of a weighted sum of independent exponential variables at zero, by a saddlepoint and an integral."""

from __future__ import annotations

import math

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy

_NEWTON_STEPS = 1000
_NEAR = 0.03  # of the saddlepoint, in standard deviations; the curve need not meet it
_CLEARANCE = 0.6  # least distance of the curve of integration to the pole at 0, in standard deviations
_STEP = 0.15  # of the integration, in standard deviations near the saddlepoint
_FAR = 60.0  # from the saddlepoint, in standard deviations
_LOST = 1e-11  # relative size of terms that no longer matter


@compiled_like_numpy
def _saddlepoint(a):
    """Return the minimum of K(s) = -sum log(1 - a_i s). Damped Newton steps converge, because K is self-concordant."""
    s = 0.0
    for _ in range(_NEWTON_STEPS):
        slope, curvature = 0.0, 0.0
        for i in range(a.size):
            r = a[i] / (1.0 - a[i] * s)
            slope += r
            curvature += r * r
        decrement = abs(slope) / math.sqrt(curvature)
        if decrement < _NEAR:
            break
        s -= slope / curvature / (1.0 + decrement)
    return s


@compiled_like_numpy
def _log_below(a, r):
    """Return log P[sum_i a_i e_i <= 0] for coefficients of both signs whose sum is not negative; `r` is scratch."""
    squares = 0.0
    for i in range(a.size):
        squares += a[i] * a[i]
    s = min(_saddlepoint(a), -_CLEARANCE / math.sqrt(squares))
    cumulants, squares, cubes = 0.0, 0.0, 0.0
    for i in range(a.size):
        left = 1.0 - a[i] * s
        r[i] = a[i] / left
        cumulants -= math.log(left)
        squares += r[i] ** 2
        cubes += r[i] ** 3
    deviation = math.sqrt(squares)
    # A parabola of steepest descent near the saddlepoint, then a hyperbola, and far away a vertical line, because there
    # other factors matter. The curve may be bent, because all singularities are real.
    bend = -2.0 / 3.0 * cubes / deviation**3
    # The step must be small against the distance of the nearest pole: that of 1/s, or those of the factors.
    step = _STEP * math.asin(min(-s * deviation, 1.0))
    total, v = 0.0, 0.0
    while True:
        rise, slope = math.cosh(v) - 1.0, math.sinh(v)
        x, y = slope / deviation, bend * rise / (1.0 + rise / _FAR) / deviation
        factor = -complex(s - y, x)
        for i in range(a.size):
            factor *= complex(1.0 + r[i] * y, -r[i] * x)
        term = complex(rise + 1.0, bend * slope / (1.0 + rise / _FAR) ** 2) / factor
        total += term.real if v > 0.0 else 0.5 * term.real
        if abs(term) <= _LOST * abs(total):
            return math.log(total * step / (deviation * math.pi)) + cumulants
        v += step


@compiled_like_numpy
def log_below(a):
    """Return log P[sum_i a_i e_i <= 0] for independent standard exponential variables e.

    Parameters
    ----------
    a : ndarray of float64, shape (n_rows, n_variables)
        Coefficients.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Logarithms of probabilities; -inf for 0. The probabilities have a relative error below 1e-5.
    """
    found, scaled, scratch = np.zeros(a.shape[0]), np.empty(a.shape[1]), np.empty(a.shape[1])
    for row in range(a.shape[0]):
        total, lowest, highest = 0.0, 0.0, 0.0
        for i in range(a.shape[1]):
            total += a[row, i]
            lowest, highest = min(lowest, a[row, i]), max(highest, a[row, i])
        if highest == 0.0:
            continue
        if lowest == 0.0:
            found[row] = -np.inf
            continue
        # Of an event and its complement, the one against the sign of the mean is in the tail, where the integral is
        # stable.
        sign = -1.0 if total < 0.0 else 1.0
        for i in range(a.shape[1]):
            scaled[i] = sign * a[row, i] / max(highest, -lowest)
        tail = _log_below(scaled, scratch)
        found[row] = tail if sign > 0.0 else math.log1p(-math.exp(min(tail, -1e-9)))
    return found
