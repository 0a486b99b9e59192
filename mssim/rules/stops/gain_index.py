"""Index of the expected gain of further draws, of which the best number counts (BEACON)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy

from mssim.rules.stops.base import Floats

__all__ = ["LEAST", "POINTS", "expected_gain", "gain_indices", "lead_range"]

LEAST = 3  # numbers from which the scale of the next one has a mean
POINTS = 513  # leads at which the index is tabulated
_LEADS, _STEP = 32, 0.06  # nodes of the value of continuing, and the step of the sum over the next number
_RATIOS = np.concatenate([np.linspace(-9.0, -1.0, 17), np.linspace(-0.96, 2.0, 75)])  # logs of price over gain
_NEGLIGIBLE = 16.0  # logarithm of what the tails of the sum leave out


def expected_gain(degrees: float, lead: Floats) -> Floats:
    """Compute E[max(t - lead, 0)] for t of Student's distribution with more than one degree of freedom.

    Examples
    --------
    >>> expected_gain(2, np.array([0.8660254])).round(6).tolist()
    [0.396143]
    """
    density = np.exp(
        scipy.special.gammaln((degrees + 1) / 2)
        - scipy.special.gammaln(degrees / 2)
        - 0.5 * np.log(degrees * np.pi)
        - (degrees + 1) / 2 * np.log1p(lead**2 / degrees)
    )
    return np.asarray((degrees + lead**2) / (degrees - 1) * density - lead * scipy.special.stdtr(degrees, -lead))


def lead_range(k: int) -> tuple[float, float]:
    """Return the least and the largest lead that the best of k numbers can have, in predictive scales.

    Examples
    --------
    >>> lead_range(3)
    (0.5, 1.0)
    """
    return 1 / math.sqrt(k + 1), (k - 1) / math.sqrt(k + 1)


@lru_cache(maxsize=16)
def gain_indices(horizon: int) -> Floats:
    """Compute the index h(z) of BEACON (arXiv 2510.15945) for k = 0, 1, ... horizon - 1 numbers.

    The next number is m + s t, with m the mean of the k numbers, s the predictive scale and t of Student's distribution
    with k - 1 degrees of freedom (Normal numbers, Jeffreys prior). The best number is m + z s. The index is the price,
    in units of s, at which one more draw and an optimal continuation up to the horizon are worth as much as stopping.
    It is found by backward induction from the last draw, where it is the expected gain of one draw.

    Returns
    -------
    ndarray of float64, shape (horizon, POINTS), read-only
        At equally spaced leads z over `lead_range(k)`; rows below `LEAST` are not used.
    """
    found = np.zeros((horizon, POINTS))
    ratio = None  # of the value of one more draw and its own expected gain
    for k in range(horizon - 1, LEAST - 1, -1):
        leads, gain = _leads(k), expected_gain(k - 1.0, _leads(k))
        logs = np.zeros((_LEADS, _RATIOS.size))
        if ratio is not None:
            prices = np.exp(_RATIOS) * gain[:, None]
            logs = np.log1p([_continued(k, *each, ratio) for each in zip(leads, prices, strict=True)] / gain[:, None])
        ratio = scipy.interpolate.RectBivariateSpline(leads, _RATIOS, logs)
        found[k] = _where_worth_its_price(k, ratio)
    found.flags.writeable = False
    return found


def _leads(k: int) -> Floats:
    """Return nodes over the leads of k numbers, closer to each other at both ends."""
    low, high = lead_range(k)
    return np.asarray(low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, _LEADS))) / 2)


def _where_worth_its_price(k: int, ratio: scipy.interpolate.RectBivariateSpline) -> Floats:
    """Return the price that equals the value of one more draw at each lead, by bisection of its logarithm."""
    leads = np.linspace(*lead_range(k), POINTS)
    low, high = np.zeros(POINTS), np.full(POINTS, _RATIOS[-1])
    for _ in range(60):
        middle = (low + high) / 2
        above = ratio.ev(leads, middle) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.exp(low) * expected_gain(k - 1.0, leads))


def _continued(k: int, lead: float, prices: Floats, ratio: scipy.interpolate.RectBivariateSpline) -> Floats:
    """Compute the expected value of an optimal continuation after one more draw, [price].

    The next number t, in predictive scales from the mean, becomes t = lead + sinh(x), and the integral over x a
    trapezoidal sum. Where the continuation begins to be worth its price, and at the lead, the integrand has a kink. The
    sum is corrected for it, by the term of Euler and Maclaurin for the place of the kink within its step.
    """
    degrees = k - 1.0
    most = _NEGLIGIBLE / (degrees - 1) + np.log(2 * np.sqrt(degrees) + 2)
    x = np.arange(-int(most / _STEP), int(most / _STEP) + 1) * _STEP
    t = lead + np.sinh(x)
    mean, scale = t / (k + 1), np.sqrt((k + 2) * (degrees + t**2)) / (k + 1)
    after = np.clip((np.maximum(lead, t) - mean) / scale, *lead_range(k + 1))
    gain, price = expected_gain(float(k), after), prices[:, None] / scale
    ratios = np.clip(np.log(price / gain), _RATIOS[0], _RATIOS[-1])
    worth = gain * np.exp(ratio.ev(np.broadcast_to(after, ratios.shape), ratios))
    density = np.exp(-(degrees + 1) / 2 * np.log1p(t**2 / degrees) - scipy.special.betaln(degrees / 2, 0.5))
    weight = density / np.sqrt(degrees) * np.cosh(x) * scale
    return _sum_of_positive(weight * (worth - price), x.size // 2) * _STEP


def _sum_of_positive(heights: Floats, kink: int) -> Floats:
    """Add up the positive part of functions [function, step] with a kink at the step `kink`, in units of a step."""
    total = np.maximum(heights, 0.0).sum(axis=1)
    before, after = heights[:, :-1], heights[:, 1:]
    crossing = (before > 0) != (after > 0)
    rise = np.where(crossing, after - before, 1.0)
    place = -before / rise  # of the zero within the step
    place = np.where(rise > 0, place, 1 - place)
    total -= np.where(crossing, np.abs(rise) * (place * (1 - place) / 2 - 1 / 12), 0.0).sum(axis=1)
    left = 3 * heights[:, kink] - 4 * heights[:, kink - 1] + heights[:, kink - 2]
    right = -3 * heights[:, kink] + 4 * heights[:, kink + 1] - heights[:, kink + 2]
    return np.asarray(total + np.where(heights[:, kink] > 0, (right - left) / 2 / 12, 0.0))
