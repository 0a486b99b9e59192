"""Simultaneous confidence bands: intervals of all points of a curve that hold together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, level, shown, whole_number
from mssim.errors import MssimError
from mssim.results.clusters import standard_error
from mssim.results.intervals import mean_interval

__all__ = ["BANDS", "mean_band", "simultaneous_level"]

Floats = NDArray[np.float64]
BANDS = ("pointwise", "simultaneous")
_ROUNDING = 1e-9  # a standard error below this share of the largest value is rounding
_TOLERANCE = 1e-5  # of critical values
_NO_WEIGHT = 1e-10  # principal components with a smaller share of the largest variance have no effect


def mean_band(
    values: ArrayLike,
    *,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    band: str = "pointwise",
) -> tuple[Floats, Floats]:
    """Confidence band of curves of means over the last axis.

    Parameters
    ----------
    values : array_like, shape (..., n_points, n_questions)
        Curves of proportions from 0 to 1: one number per point and question. Points of NaN are left out.
    confidence_level : float, default 0.95
        Level of the band, between 0 and 1.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.
    band : {"pointwise", "simultaneous"}, default "pointwise"
        Whether each interval covers with the level, or all intervals of a curve together.

    Returns
    -------
    low, high : ndarray, shape (..., n_points)
        Limits of the band: `mean_interval` of each point, at `confidence_level` or at the level of its curve from
        `simultaneous_level`.

    Raises
    ------
    MssimError
        If band or confidence_level is invalid, or for "simultaneous" if values are not finite curves.

    Examples
    --------
    >>> import numpy as np
    >>> curve = np.random.default_rng(0).random((3, 100))  # three points, 100 questions
    >>> low, high = mean_band(curve)
    >>> wider_low, wider_high = mean_band(curve, band="simultaneous")
    >>> bool((wider_low < low).all() and (wider_high > high).all())
    True
    """
    if not isinstance(band, str) or band not in BANDS:
        raise MssimError(f"band={shown(band)} is not valid. {choose_from(str(band), BANDS)}.")
    if band == "pointwise":
        return mean_interval(values, confidence_level=confidence_level, clusters=clusters)
    x = np.asarray(values, dtype=float)
    levels = simultaneous_level(x, confidence_level=confidence_level, clusters=clusters)
    of_points = np.broadcast_to(np.asarray(levels)[..., np.newaxis], x.shape[:-1])
    return mean_interval(x, confidence_level=of_points, clusters=clusters)


def simultaneous_level(
    values: ArrayLike,
    *,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    n_resamples: int = 4096,
    seed: int = 0,
) -> Floats:
    """Level at which the intervals of all points of a curve hold together.

    Parameters
    ----------
    values : array_like, shape (..., n_points, n_questions)
        Curves: one number per point and question. Points of NaN are left out.
    confidence_level : float, default 0.95
        Probability that the intervals of all points of a curve cover, between 0 and 1.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.
    n_resamples : int, default 4096
        Number of quasi-random draws of the bootstrap.
    seed : int, default 0
        Seed of the shift of the draws.

    Returns
    -------
    ndarray, shape (...)
        Level of the interval of each point, one per curve. It is `confidence_level` if the curve has a single point
        or if its points are perfectly correlated over questions.

    Raises
    ------
    MssimError
        If values are not finite or have fewer than two axes, or if another argument is invalid.

    Notes
    -----
    This is the sup-t band of Montiel Olea and Plagborg-Moller (2019, doi:10.1002/jae.2656): all points of a curve share
    one critical value c, the quantile of the maximum of ``|t|`` over the points. The level is 2 Phi(c) - 1.

    The distribution of t is that of a multiplier bootstrap. Deviations from the mean are summed over each cluster,
    multiplied by independent standard normal weights and added up, and each point is divided by its standard error.
    Given the data, these t are exactly normal, and their correlations are those of the points over cluster sums. So no
    weights are drawn: the probability that all ``|t|`` are at most c is an exact integral over the first principal
    component, which carries most of the variance of a curve, and a mean over quasi-random draws (Richtmyer's sequence)
    of the others. The error of c is about 0.0005 for curves over budgets, and up to 0.05 for 20 independent points.

    c is never below the quantile of a single point, and never above that of independent points (Sidak 1967,
    doi:10.1080/01621459.1967.10482935). Points without variance do not contribute, because they have no t. Coverage is
    asymptotic in the number of questions or clusters. Few clusters make correlations look stronger than they are,
    and c slightly too small.

    Examples
    --------
    Independent points need Sidak's level, here 0.95 ** (1 / 2) = 0.975:

    >>> simultaneous_level([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]]).round(3)
    np.float64(0.975)
    >>> simultaneous_level([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.0, 1.0]])
    np.float64(0.95)
    """
    confidence_level = level(confidence_level)
    n_resamples = whole_number("n_resamples", n_resamples, 1, 10**7)
    seed = whole_number("seed", seed, 0, 2**64 - 1)
    x = np.asarray(values, dtype=float)
    missing = np.isnan(x).all(axis=-1, keepdims=True) if x.ndim else np.array(False)
    if x.ndim < 2 or not x.size or not np.where(missing, True, np.isfinite(x)).all():
        raise MssimError("values: not finite numbers per point and question. Pass shape (..., n_points, n_questions).")
    errors = standard_error(x, clusters)
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    levels = np.full(x.shape[:-2], confidence_level)
    for at in np.ndindex(levels.shape):
        varying = errors[at] > _ROUNDING * np.nanmax(np.abs(x[at]), initial=0.0)
        if varying.sum() > 1:
            levels[at] = _level_of(_loadings(x[at][varying], codes), confidence_level, n_resamples, seed)
    return levels[()]


def _loadings(curve: Floats, codes: NDArray[np.int64] | None) -> Floats:
    """Return the loadings of standardised points on principal components, the one with most variance first."""
    sums = curve - curve.mean(axis=-1, keepdims=True)
    if codes is not None:
        sums = np.array([np.bincount(codes, weights=point) for point in sums])
    unit = sums / np.sqrt((sums**2).sum(axis=-1, keepdims=True))
    variances, vectors = np.linalg.eigh(unit @ unit.T)
    kept = variances > _NO_WEIGHT * variances[-1]
    return np.asarray((vectors[:, kept] * np.sqrt(variances[kept]))[:, ::-1])


def _level_of(loadings: Floats, confidence_level: float, n_resamples: int, seed: int) -> float:
    """Return the level of the intervals of one curve."""
    n_points, n_components = loadings.shape
    if n_components == 1:
        return confidence_level
    # Critical values of a single point and of independent points, by their tails, which do not round to 0.
    low, high = (-float(scipy.special.ndtri(-np.expm1(np.log(confidence_level) / n) / 2)) for n in (1, n_points))
    covered = _coverage(loadings, _normal_draws(n_resamples, n_components - 1, seed))
    critical = _crossing(lambda c: covered(c) - confidence_level, low, high)
    return float(np.clip(1 - 2 * scipy.special.ndtr(-critical), confidence_level, np.nextafter(1, 0)))


def _crossing(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where an increasing function is zero (Illinois method), or the end that is closer if it has one sign."""
    at_low, at_high = f(low), f(high)
    if at_low >= 0 or at_high <= 0:
        return low if at_low >= 0 else high
    other, at_other, last, at_last = low, at_low, high, at_high
    while True:
        new = last - at_last * (last - other) / (at_last - at_other)
        if abs(new - last) < _TOLERANCE:
            return new
        at_new = f(new)
        if at_new * at_last < 0:
            other, at_other = last, at_last
        else:
            at_other /= 2
        last, at_last = new, at_new


def _coverage(loadings: Floats, draws: Floats) -> Callable[[float], float]:
    """Return the probability that all points are within -c and c, as a function of c."""
    first = np.where(np.abs(loadings[:, :1]) > _NO_WEIGHT, loadings[:, :1], _NO_WEIGHT)
    # Divided by its loading, the first component of every point is the same normal number.
    centres = (loadings[:, 1:] / first) @ draws
    half = 1 / np.abs(first)

    def covered(c: float) -> float:
        above, below = (centres + half * c).min(axis=0), (centres - half * c).max(axis=0)
        return float(np.maximum(scipy.special.ndtr(above) - scipy.special.ndtr(below), 0).mean())

    return covered


def _normal_draws(n: int, n_dimensions: int, seed: int) -> Floats:
    """Return quasi-random standard normal draws: multiples of square roots of primes modulo 1, with a random shift."""
    shift = np.random.default_rng(seed).random(n_dimensions)
    uniform = (np.outer(np.sqrt(_primes(n_dimensions)), np.arange(n)) + shift[:, np.newaxis]) % 1
    return np.asarray(scipy.special.ndtri(np.maximum(uniform, np.finfo(float).tiny)))


def _primes(n: int) -> NDArray[np.int64]:
    most = 15 if n < 6 else int(n * np.log(n * np.log(n))) + 1  # at least the n-th prime (Rosser 1941)
    is_prime = np.arange(most + 1) > 1
    for k in range(2, int(most**0.5) + 1):
        is_prime[k * k :: k] = False
    return np.flatnonzero(is_prime)[:n]
