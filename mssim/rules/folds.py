"""Folds of questions: what is learnt for the questions of a fold is learnt on the questions of other folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, shown
from mssim.errors import MssimError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clusters_of", "fold_of"]

Ints = NDArray[np.int64]


def fold_of(clusters: Ints, n_folds: int, seed: int) -> Ints:
    """Assign questions to folds: clusters by decreasing size, each to the fold with the fewest questions.

    Parameters
    ----------
    clusters : ndarray of int, shape (n_questions,)
        Number of the cluster of each question, from 0. Questions of a cluster are in one fold.
    n_folds : int
        Number of folds.
    seed : int
        Seed of the order of clusters of equal size.

    Returns
    -------
    ndarray of int, shape (n_questions,)
        Number of the fold of each question, from 0.

    Examples
    --------
    >>> fold_of(np.array([0, 0, 0, 1, 2, 2]), 2, seed=0)
    array([0, 0, 0, 1, 1, 1])
    """
    sizes = np.bincount(clusters)
    order = np.random.default_rng(seed).permutation(sizes.size)
    fold, filled = np.zeros(sizes.size, dtype=np.int64), np.zeros(n_folds, dtype=np.int64)
    for cluster in order[np.argsort(-sizes[order], kind="stable")]:
        fold[cluster] = filled.argmin()
        filled[fold[cluster]] += sizes[cluster]
    return fold[clusters]


def clusters_of(questions: pd.DataFrame, column: str | None = None) -> Ints:
    """Return the number of the cluster of each question.

    Parameters
    ----------
    questions : DataFrame, one row per question
        Questions with a column `question_id`.
    column : str, optional
        Column whose equal values mark questions of one cluster. The default is `cluster`, if present, else every
        question is a cluster.

    Returns
    -------
    ndarray of int, shape (n_questions,)
        Numbers from 0, in the order of the labels as text.

    Raises
    ------
    MssimError
        If the column does not exist or has missing values, or all questions are in one cluster.

    Examples
    --------
    >>> import pandas as pd
    >>> clusters_of(pd.DataFrame({"question_id": ["q1", "q2", "q3"], "topic": ["b", "a", "b"]}), "topic")
    array([1, 0, 1])
    """
    if column is None:
        column = "cluster" if "cluster" in questions.columns else "question_id"
    if column not in questions.columns:
        raise MssimError(
            f"clusters={shown(column)}: no such question column. {choose_from(column, questions.columns)}."
        )
    labels = questions[column]
    if labels.isna().any():
        question = questions["question_id"].iloc[int(labels.isna().to_numpy().argmax())]
        raise MssimError(f"clusters: question {question!r} has no value in column {column!r}. Fill in a label.")
    codes = np.unique(labels.astype(str).str.strip().to_numpy(dtype=str), return_inverse=True)[1]
    if codes.max(initial=0) == 0:
        raise MssimError(
            "clusters: all questions are in one cluster, so there are no others to learn from. Use more questions or "
            "another column of clusters."
        )
    return np.asarray(codes, dtype=np.int64)
