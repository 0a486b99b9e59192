"""Uncertainty over questions: standard errors, intervals and tests that know about clusters.

The questions of a benchmark are a sample of the questions one could ask; these functions say how far a mean over them
would move with another such sample (Miller 2024, arXiv 2411.00640). Monte Carlo error is a separate matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from mssim._validation import choose_from
from mssim.errors import MssimError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cluster_labels", "mean_interval", "sign_flip_p_value", "standard_error"]

Floats = NDArray[np.float64]
_FEW = 10  # expected right or wrong answers below which a mean is not nearly normal


def standard_error(values: ArrayLike, clusters: ArrayLike | None = None) -> Floats:
    """Standard error of the mean over the last axis; questions of one cluster may depend on each other.

    Parameters
    ----------
    values : array_like, shape (..., n_questions)
    clusters : array_like, shape (n_questions,), optional
        Label of each question's cluster; default: every question its own.

    Returns
    -------
    ndarray, shape (...)
        NaN with fewer than two clusters.

    Notes
    -----
    sqrt(C / (C - 1) sum over clusters of (sum of deviations)^2) / Q; with clusters of one question each this is the
    standard deviation over the square root of Q.

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
        One number per question: the expected accuracy, or a difference of two.
    confidence_level : float, default 0.95
    clusters : array_like, shape (n_questions,), optional
        Label of each question's cluster.
    bounded : bool, default True
        Whether the values are shares from 0 to 1.

    Returns
    -------
    low, high : ndarray, shape (...)

    Notes
    -----
    Student's t with C - 1 degrees of freedom for C clusters. For shares this fails when all outcomes are 0 or 1 and
    few, or when the mean is so near 0 or 1 that fewer than ten right or wrong answers are expected; there it is
    Wilson's interval with the same quantile and the number of independent questions that would have the same standard
    error, mean (1 - mean) / se^2; C where all outcomes are right or all are wrong.

    Examples
    --------
    >>> low, high = mean_interval([1.0] * 30)
    >>> round(float(low), 3), round(float(high), 3)
    (0.878, 1.0)
    """
    if not 0 < confidence_level < 1:
        raise MssimError(f"confidence_level={confidence_level!r}; give a number between 0 and 1, e.g. 0.95")
    x = np.asarray(values, dtype=float)
    mean, error = x.mean(axis=-1), standard_error(x, clusters)
    n_clusters = x.shape[-1] if clusters is None else len(np.unique(np.asarray(clusters)))
    quantile = float(special.stdtrit(max(n_clusters - 1, 1), (1 + confidence_level) / 2))  # of Student's t
    low, high = mean - quantile * error, mean + quantile * error
    if not bounded:
        return low, high
    few = np.minimum(mean, 1 - mean) * x.shape[-1] < _FEW
    binary = ((x == 0) | (x == 1)).all(axis=-1)
    wilson_low, wilson_high = _wilson(mean, error, n_clusters, quantile)
    small = few | binary
    return (
        np.where(small, wilson_low, np.clip(low, 0, 1))[()],
        np.where(small, wilson_high, np.clip(high, 0, 1))[()],
    )


def _wilson(mean: Floats, error: Floats, n_clusters: int, quantile: float) -> tuple[Floats, Floats]:
    spread = mean * (1 - mean)
    # One over the number of independent questions; a standard error needs two clusters and two different outcomes.
    known = (error > 0) | ((error == 0) & (spread > 0))
    inverse = np.where(known, error**2 / np.where(spread > 0, spread, 1), 1 / n_clusters)
    shrink = 1 + quantile**2 * inverse
    centre = (mean + quantile**2 * inverse / 2) / shrink
    half = quantile / shrink * np.sqrt(spread * inverse + (quantile * inverse / 2) ** 2)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def sign_flip_p_value(
    differences: ArrayLike, *, clusters: ArrayLike | None = None, n_resamples: int = 9999, seed: int = 0
) -> float:
    """Two-sided p-value of a mean difference of zero: signs of whole clusters are flipped at random.

    Parameters
    ----------
    differences : array_like, shape (n_questions,)
    clusters : array_like, shape (n_questions,), optional
    n_resamples : int, default 9999
        With few clusters all sign patterns are tried instead.
    seed : int, default 0

    Returns
    -------
    float
        Twice that of the smaller tail, so at least 2 / (n_resamples + 1): the observed signs count as one of the
        patterns (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585). 1 where there is a single cluster.

    Examples
    --------
    >>> sign_flip_p_value([1.0, 1.0, 1.0, 1.0])
    0.125
    """
    sums = _cluster_sums(np.asarray(differences, dtype=float), clusters)
    if sums.size == 1 or not np.any(sums):
        return 1.0
    from scipy import stats  # takes a second, which an evaluation need not wait for

    result = stats.permutation_test(
        (sums, np.zeros_like(sums)),
        lambda a, b, axis: (a - b).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        batch=max(1, 2_000_000 // sums.size),
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def cluster_labels(questions: pd.DataFrame, column: str | None = None) -> NDArray[Any] | None:
    """Label of each question's cluster, read off a column; None where every question is its own.

    Parameters
    ----------
    questions : DataFrame, one row per question
    column : str, optional
        Default: `cluster` if there is such a column. ``"question_id"`` treats all questions as independent.

    Raises
    ------
    MssimError
        If there is no such column, or a question has no value in it.
    """
    if column is None:
        column = "cluster" if "cluster" in questions.columns else "question_id"
    if column not in questions.columns:
        raise MssimError(f"clusters: no column {column!r}; {choose_from(column, questions.columns)}")
    labels = questions[column]
    if labels.isna().any():
        question = questions["question_id"][int(labels.isna().argmax())]
        raise MssimError(f"clusters: question {question!r} has no {column!r}; every question needs one")
    return None if column == "question_id" else labels.astype(str).to_numpy()


def _cluster_sums(values: Floats, clusters: ArrayLike | None) -> Floats:
    if clusters is None:
        return values
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1))
