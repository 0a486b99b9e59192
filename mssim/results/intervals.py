"""Cluster-robust standard errors, confidence intervals and tests over questions.

The questions of a benchmark are a sample of a larger population. These functions quantify the uncertainty of means over
questions that is due to this sampling (Miller 2024, arXiv 2411.00640). Monte Carlo error is reported separately.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from mssim._validation import choose_from, level, shown, whole_number
from mssim.errors import MssimError
from mssim.pools.texts import normal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cluster_labels", "mean_interval", "sign_flip_p_value", "standard_error"]

Floats = NDArray[np.float64]
_PART = 2_000_000  # signs that are in memory at a time
_ROUNDING = 1e-12  # differences closer than this are equal
_FEW = 10  # expected correct or wrong answers below which the normal approximation is poor


def standard_error(values: ArrayLike, clusters: ArrayLike | None = None) -> Floats:
    """Cluster-robust standard error of the mean over the last axis.

    Parameters
    ----------
    values : array_like, shape (..., n_questions)
        One number per question.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.

    Returns
    -------
    ndarray, shape (...)
        Standard error; NaN with fewer than two clusters.

    Notes
    -----
    The standard error is sqrt(C / (C - 1) sum_c (sum of deviations in cluster c)^2) / Q for C clusters and Q questions.
    For clusters of one question it equals the standard deviation divided by sqrt(Q).

    Examples
    --------
    >>> standard_error([0.0, 0.0, 1.0, 1.0]).round(4)
    np.float64(0.2887)
    >>> standard_error([0.0, 0.0, 1.0, 1.0], clusters=["a", "a", "b", "b"]).round(4)
    np.float64(0.5)
    """
    x = np.asarray(values, dtype=float)
    sums = _cluster_sums(x - x.mean(axis=-1, keepdims=True), clusters)
    n = sums.shape[-1]
    if n < 2:
        return np.full(x.shape[:-1], np.nan)
    return np.asarray(np.sqrt(n / (n - 1) * (sums**2).sum(axis=-1)) / x.shape[-1])[()]


def mean_interval(
    values: ArrayLike,
    *,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    bounded: bool = True,
) -> tuple[Floats, Floats]:
    """Confidence interval of the mean over the last axis.

    Parameters
    ----------
    values : array_like, shape (..., n_questions)
        One number per question: an accuracy, or a difference of two.
    confidence_level : float, default 0.95
        Level of the interval, between 0 and 1.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.
    bounded : bool, default True
        Whether the values are proportions from 0 to 1.

    Returns
    -------
    low, high : ndarray, shape (...)
        Limits of the interval.

    Notes
    -----
    The interval uses Student's t with C - 1 degrees of freedom for C clusters. For proportions this is inaccurate if
    all outcomes are 0 or 1, or if fewer than ten correct or wrong answers are expected. In these cases the function
    returns Wilson's interval with the same quantile. Its sample size is the number of independent questions with the
    same standard error, mean (1 - mean) / se^2, or C if all outcomes are equal.

    If all differences of two proportions are equal, Student's t has no width. The function then returns Newcombe's
    interval (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10). It combines Wilson's intervals of two
    proportions over C questions, of which the larger one is 1.

    Examples
    --------
    >>> low, high = mean_interval([1.0] * 30)
    >>> round(float(low), 3), round(float(high), 3)
    (0.878, 1.0)
    """
    confidence_level = level(confidence_level)
    x = np.asarray(values, dtype=float)
    mean, error = x.mean(axis=-1), standard_error(x, clusters)
    n_clusters = x.shape[-1] if clusters is None else int(_codes(clusters).max()) + 1
    quantile = float(special.stdtrit(max(n_clusters - 1, 1), (1 + confidence_level) / 2))  # of Student's t
    low, high = mean - quantile * error, mean + quantile * error
    if not bounded:
        return _with_width(x, n_clusters, quantile, low, high)
    few = np.minimum(mean, 1 - mean) * x.shape[-1] < _FEW
    binary = ((x == 0) | (x == 1)).all(axis=-1)
    wilson_low, wilson_high = _wilson(mean, error, n_clusters, quantile)
    small = few | binary
    return (
        np.where(small, wilson_low, np.clip(low, 0, 1))[()],
        np.where(small, wilson_high, np.clip(high, 0, 1))[()],
    )


def _with_width(x: Floats, n_clusters: int, quantile: float, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Replace the limits of means of equal differences by those of Newcombe's interval."""
    difference = x.mean(axis=-1)
    size = np.minimum(np.abs(difference), 1)
    equal = (np.ptp(x, axis=-1) <= _ROUNDING) & (np.abs(difference) <= 1 + _ROUNDING)
    if not equal.any():
        return low, high
    one_low, _ = _wilson(np.ones_like(size), np.zeros_like(size), n_clusters, quantile)
    other, alone = 1 - size, np.sqrt(size * (1 - size) / n_clusters)  # its standard error if outcomes were 0 and 1
    other_low, other_high = _wilson(other, alone, n_clusters, quantile)
    below = size - np.hypot(1 - one_low, other_high - other)
    above = np.minimum(size + other - other_low, 1)
    negative = difference < 0
    return (
        np.where(equal, np.where(negative, -above, below), low)[()],
        np.where(equal, np.where(negative, -below, above), high)[()],
    )


def _wilson(mean: Floats, error: Floats, n_clusters: int, quantile: float) -> tuple[Floats, Floats]:
    spread = mean * (1 - mean)
    # The inverse number of independent questions. Without two clusters and two outcomes there is no standard error.
    known = (error > 0) | ((error == 0) & (spread > 0))
    inverse = np.where(known, error**2 / np.where(spread > 0, spread, 1), 1 / n_clusters)
    shrink = 1 + quantile**2 * inverse
    centre = (mean + quantile**2 * inverse / 2) / shrink
    half = quantile / shrink * np.sqrt(spread * inverse + (quantile * inverse / 2) ** 2)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def sign_flip_p_value(
    differences: ArrayLike, *, clusters: ArrayLike | None = None, n_resamples: int = 9999, seed: int = 0
) -> float:
    """Two-sided p-value of a sign-flip permutation test for a mean difference of zero.

    The test flips the signs of whole clusters.

    Parameters
    ----------
    differences : array_like, shape (n_questions,)
        One difference per question.
    clusters : array_like, shape (n_questions,), optional
        Cluster label of each question. By default all questions are independent.
    n_resamples : int, default 9999
        Number of random sign patterns. With few clusters, all sign patterns are enumerated instead.
    seed : int, default 0
        Seed of the sign patterns.

    Returns
    -------
    float
        Twice the smaller one-sided p-value, and 1 for a single cluster. The observed signs count as one of the
        patterns, so the p-value is at least 2 / (n_resamples + 1) (Phipson & Smyth 2010,
        doi:10.2202/1544-6115.1585).

    Raises
    ------
    MssimError
        If differences are not finite or not one-dimensional, or if clusters, n_resamples or seed are invalid.

    Examples
    --------
    >>> sign_flip_p_value([1.0, 1.0, 1.0, 1.0])
    0.125
    """
    given = np.asarray(differences, dtype=float)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise MssimError("differences: not finite numbers, one per question. Pass an array of shape (n_questions,).")
    whole_number("n_resamples", n_resamples, 1, 10**7)
    whole_number("seed", seed, 0, 2**64 - 1)
    sums = _cluster_sums(given, clusters)
    exact = 2**sums.size <= n_resamples
    flips = _all_flips(sums.size) if exact else _random_flips(sums.size, n_resamples, np.random.default_rng(seed))
    flipped = np.concatenate([pattern @ sums for pattern in flips])  # the total loses twice this
    close = 1e-12 * np.abs(sums).sum()  # rounding
    fewer = min(np.sum(flipped >= -close), np.sum(flipped <= close))
    one_sided = fewer / flipped.size if exact else (fewer + 1) / (flipped.size + 1)
    return float(min(1.0, 2 * one_sided))


def _all_flips(n: int) -> Iterator[Floats]:
    yield np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def _random_flips(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield patterns of 0 and 1 in parts. `scipy.stats.permutation_test` draws the same, as orders of pairs."""
    part = max(1, _PART // n)
    pairs = np.tile(np.array([0, 1], np.int8), (min(part, n_resamples), n, 1))
    for first in range(0, n_resamples, part):
        yield rng.permuted(pairs, axis=-1)[: n_resamples - first, :, 0].astype(float)


def cluster_labels(questions: pd.DataFrame, column: str | None = None) -> NDArray[Any] | None:
    """Return the cluster label of each question, or None if all questions are independent.

    Parameters
    ----------
    questions : DataFrame, one row per question
        Questions with a column `question_id`.
    column : str, optional
        Column with the labels. The default is `cluster`, if present. ``"question_id"`` treats all questions as
        independent.

    Returns
    -------
    ndarray of str, shape (n_questions,), or None
        The labels.

    Raises
    ------
    MssimError
        If the column does not exist or has missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> questions = pd.DataFrame({"question_id": ["q1", "q2", "q3"], "topic": ["a", "a", "b"]})
    >>> cluster_labels(questions, "topic")
    array(['a', 'a', 'b'], dtype=object)
    >>> cluster_labels(questions, None) is None
    True
    """
    if column is None:
        column = "cluster" if "cluster" in questions.columns else "question_id"
    if not isinstance(column, str):
        raise MssimError(f"clusters={shown(column)} is not the name of a column. Use text, e.g. 'topic'.")
    if column not in questions.columns:
        raise MssimError(f"clusters: no column {column!r}. {choose_from(column, questions.columns)}.")
    labels = questions[column]
    if labels.isna().any():
        question = questions["question_id"][int(labels.isna().argmax())]
        raise MssimError(f"clusters: question {question!r} has no value in column {column!r}. Fill in a label.")
    if column == "question_id":
        return None
    try:
        return labels.astype(str).map(normal).to_numpy()
    except (ValueError, OverflowError, NotImplementedError) as error:  # bytes that are not text, times beyond Python's
        raise MssimError(
            f"clusters: column {column!r} cannot be written as text ({error}). Use another column."
        ) from None


def _cluster_sums(values: Floats, clusters: ArrayLike | None) -> Floats:
    if clusters is None:
        return values
    codes = _codes(clusters)
    if codes.shape != values.shape[-1:]:
        raise MssimError(f"clusters: {codes.size} labels for {values.shape[-1]} questions. Pass one per question.")
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1))


def _codes(clusters: ArrayLike) -> NDArray[np.int64]:
    """Number the labels of clusters."""
    try:
        labels = np.asarray(clusters)
        codes = np.unique(labels, return_inverse=True)[1]
    except (TypeError, ValueError):
        labels = np.empty(0)
    if labels.ndim != 1 or not labels.size:
        raise MssimError("clusters: not one label per question. Pass text or numbers, one per question.")
    return np.asarray(codes)
