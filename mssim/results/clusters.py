"""Clusters of dependent questions: labels, sums, and the standard error of a mean over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, shown
from mssim.errors import MssimError
from mssim.pools.texts import normal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cluster_labels", "cluster_sums", "degrees_of_freedom", "standard_error"]

Floats = NDArray[np.float64]


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


def cluster_sums(values: Floats, clusters: ArrayLike | None) -> tuple[Floats, Floats]:
    """Sum the values of every cluster.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n_questions)
        One number per question.
    clusters : array_like, shape (n_questions,), or None
        Cluster label of each question. With None, every question is a cluster.

    Returns
    -------
    sums : ndarray of float64, shape (..., n_clusters)
        Sums.
    sizes : ndarray of float64, shape (n_clusters,)
        Numbers of questions.

    Raises
    ------
    MssimError
        If there is not one label per question.

    Examples
    --------
    >>> cluster_sums(np.array([1.0, 0.0, 0.5]), ["a", "b", "a"])
    (array([1.5, 0. ]), array([2., 1.]))
    """
    if clusters is None:
        return values, np.ones(values.shape[-1])
    codes = _codes(clusters)
    if codes.shape != values.shape[-1:]:
        raise MssimError(f"clusters: {codes.size} labels for {values.shape[-1]} questions. Pass one per question.")
    sizes = np.bincount(codes).astype(float)
    if sizes.size == codes.size:
        return values, np.ones(codes.size)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(sizes.size))
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1)), sizes


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
    The estimator is CR2 (Bell & McCaffrey 2002, Survey Methodology 28, 169-181), which is unbiased if questions are
    independent. For a mean over Q questions its square is 1 / Q^2 times the sum over clusters of the squared sum of
    deviations, divided by 1 - n_c / Q for n_c questions in the cluster. For clusters of one question it equals the
    standard deviation divided by sqrt(Q).

    Examples
    --------
    >>> standard_error([0.0, 0.0, 1.0, 1.0]).round(4)
    np.float64(0.2887)
    >>> standard_error([0.0, 0.0, 1.0, 1.0], clusters=["a", "a", "b", "b"]).round(4)
    np.float64(0.5)
    """
    x = np.asarray(values, dtype=float)
    sums, sizes = cluster_sums(x - x.mean(axis=-1, keepdims=True), clusters)
    if sizes.size < 2:
        return np.full(x.shape[:-1], np.nan)[()]
    return np.asarray(np.sqrt((sums**2 / (1 - sizes / sizes.sum())).sum(axis=-1)) / x.shape[-1])[()]


def degrees_of_freedom(sizes: ArrayLike, *, jackknife: bool = False) -> float:
    """Return the degrees of freedom of a cluster-robust standard error by Bell and McCaffrey.

    Parameters
    ----------
    sizes : array_like, shape (n_clusters,)
        Number of questions of each cluster.
    jackknife : bool, default False
        Whether the error is that of the jackknife over clusters instead of `standard_error`.

    Returns
    -------
    float
        Degrees of freedom of Satterthwaite's approximation for independent questions of equal variance; C - 1 for C
        clusters of equal size, fewer otherwise.

    Raises
    ------
    MssimError
        If there are fewer than two clusters.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28, 169-181, section 4.

    Examples
    --------
    >>> degrees_of_freedom([10, 10, 10, 10, 10]), round(degrees_of_freedom([5, 4, 12, 9]), 4)
    (4.0, 2.4506)
    """
    n = np.asarray(sizes, dtype=float)
    if n.ndim != 1 or n.size < 2 or not (n > 0).all():
        raise MssimError(f"sizes={shown(sizes)} is not valid. Use the numbers of questions of at least two clusters.")
    # The squared error is a quadratic form with matrix P, P_gh = (n_g d_gh - n_g n_h / Q) / sqrt(u_g u_h).
    total = n.sum()
    left = 1 - n / total
    u = left**2 if jackknife else left
    diagonal, other = n * left / u, n**2 / u
    squares = (diagonal**2).sum() + (other.sum() ** 2 - (other**2).sum()) / total**2
    return float(diagonal.sum() ** 2 / squares)


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
