"""Features of questions: recorded columns as numbers, or hashed words of the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, shown
from mssim.errors import MssimError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TEXT", "check_features", "distances", "features_of"]

Floats = NDArray[np.float64]
Matrix = Any  # ndarray, or sparse matrix of SciPy, [question, feature]

TEXT = "question"  # column with the text of a question
_HASHES = 2**12  # features of hashed words: a regression with more of them takes longer and is not more accurate


def check_features(questions: pd.DataFrame, columns: Sequence[str] | None) -> None:
    """Raise if questions lack what `features_of` reads, or scikit-learn is missing where it is required."""
    if columns is None:
        if TEXT not in questions.columns:
            raise MssimError(
                f"features: the questions have no column {TEXT!r} with their text. Set features= to one of "
                f"{sorted(map(str, questions.columns))}, or record the text."
            )
        _vectorizer()
        return
    for column in columns:
        if column not in questions.columns:
            raise MssimError(
                f"features={shown(column)}: no such question column. {choose_from(column, questions.columns)}."
            )
        values = questions[column]
        if _is_number(values) and not np.isfinite(values.to_numpy(dtype=float, na_value=np.nan)).all():
            raise MssimError(
                f"features: column {column!r} has missing or infinite numbers. Fill them in, or use other columns."
            )


def features_of(
    training: pd.DataFrame, questions: pd.DataFrame, columns: Sequence[str] | None = None
) -> tuple[Matrix, Matrix]:
    """Return the features of training questions and of other questions.

    Parameters
    ----------
    training, questions : DataFrame, one row per question
        Questions to learn from, and questions of which something is predicted.
    columns : sequence of str, optional
        Question columns to use. Numbers are scaled to mean 0 and standard deviation 1 of the training questions; they
        are 0 if all of these are equal. Other columns have one feature for each value of the training questions, 1 or
        0. By default, the words of the column `question` are hashed to 4096 features and scaled to length 1, by
        `HashingVectorizer` of scikit-learn. This depends on no other question.

    Returns
    -------
    ndarray or sparse matrix, shape (n_training, n_features)
    ndarray or sparse matrix, shape (n_questions, n_features)

    Raises
    ------
    MssimError
        If scikit-learn is required and not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> training = pd.DataFrame({"topic": ["maths", "law"], "length": [10, 30]})
    >>> features_of(training, pd.DataFrame({"topic": ["law", "art"], "length": [20, 40]}), ["topic", "length"])[1]
    array([[1., 0., 0.],
           [0., 0., 2.]])
    """
    if columns is None:
        words = _vectorizer()
        first, second = (words.transform(_texts(frame[TEXT])) for frame in (training, questions))
        return first, second
    parts = [
        (_scaled if _is_number(training[column]) else _one_hot)(training[column], questions[column])
        for column in columns
    ]
    first, second = (np.concatenate(blocks, axis=1) for blocks in zip(*parts, strict=True))
    return first, second


def distances(one: Matrix, other: Matrix) -> Floats:
    """Return squared Euclidean distances between the rows of two matrices of features.

    Those of hashed words are 2 - 2 x cosine, so that near questions are those with a large cosine.

    Examples
    --------
    >>> distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 4.0]])).tolist()
    [[16.0], [9.0]]
    """
    dot = one @ other.T
    dot = dot if isinstance(dot, np.ndarray) else dot.toarray()
    lengths = [np.asarray((rows * rows if isinstance(rows, np.ndarray) else rows.power(2)).sum(axis=1)).ravel()
               for rows in (one, other)]  # fmt: skip
    return np.asarray(np.maximum(lengths[0][:, None] + lengths[1] - 2 * dot, 0.0))


def _vectorizer() -> Any:
    try:
        from sklearn.feature_extraction.text import HashingVectorizer
    except ImportError:
        raise MssimError(
            "features: hashing the words of questions requires scikit-learn, which is not installed. Install it with "
            "`pip install mssim[route]`, or set features= to question columns."
        ) from None
    return HashingVectorizer(n_features=_HASHES)


def _texts(values: pd.Series) -> list[str]:
    return ["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]


def _is_number(values: pd.Series) -> bool:
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(values.dtype))


def _scaled(training: pd.Series, others: pd.Series) -> tuple[Floats, Floats]:
    one, other = (values.to_numpy(dtype=float)[:, None] for values in (training, others))
    mean, spread = one.mean(), one.std()
    if spread <= 1e-12 * max(abs(mean), 1e-300):
        return np.zeros_like(one), np.zeros_like(other)
    return (one - mean) / spread, (other - mean) / spread


def _one_hot(training: pd.Series, others: pd.Series) -> tuple[Floats, Floats]:
    one, other = (np.array(_texts(values), dtype=object) for values in (training, others))
    known = np.unique(one)
    return (one[:, None] == known).astype(float), (other[:, None] == known).astype(float)
