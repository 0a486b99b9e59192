"""Cross-fitted predictions: what is expected of a question, learnt on the questions of other folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.folds import clusters_of, fold_of
from mssim.rules.question_features import check_features, distances, features_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KNN", "LOGISTIC", "CrossFitting"]

Floats = NDArray[np.float64]

KNN, LOGISTIC = "knn", "logistic"
FEWEST = 5  # training questions with a value, from which their mean is used
_NEAR = 1e-9  # squared distances within this are equal
_CERTAIN = 1e-12


@dataclass(frozen=True)
class CrossFitting:
    """Predicts values of a question, such as the accuracy of a model, from those of the questions of other folds.

    Parameters
    ----------
    by : str, optional
        "knn": the mean over the nearest training questions. "logistic": a logistic regression with an L2 penalty
        (C = 1) for each row of values, which are shares from 0 to 1. The name of a question column: the mean over the
        training questions with the same value, or over all if they are fewer than 5. None, the default: the mean over
        all training questions.
    k : int, default 10
        Number of nearest questions. Others that are as near as the last one also count.
    features : sequence of str, optional
        As `columns` of `features_of`, for "knn" and "logistic".
    folds : int, default 5
        Number of folds, at least 2. There are at most as many as clusters.
    clusters : str, optional
        As `column` of `clusters_of`. Questions of a cluster are in one fold.

    Examples
    --------
    The first model is right on sums, the second on products:

    >>> import pandas as pd
    >>> questions = pd.DataFrame({"question_id": range(20), "topic": ["sum", "product"] * 10})
    >>> values = np.array([[1.0, 0.0] * 10, [0.0, 1.0] * 10])
    >>> CrossFitting(by="topic").predict(values, questions)[:, :4]
    array([[1., 0., 1., 0.],
           [0., 1., 0., 1.]])
    """

    by: str | None = None
    k: int = 10
    features: Sequence[str] | None = None
    folds: int = 5
    clusters: str | None = None

    def __post_init__(self) -> None:
        for name in ("by", "clusters"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise StrategyError(f"{name}={shown(value)} is not the name of a question column.")
        given = self.features
        if given is not None and (
            isinstance(given, str) or not given or not all(isinstance(name, str) and name for name in given)
        ):
            raise StrategyError(f"features={shown(given)} are not names of question columns. Use e.g. ['topic'].")
        if given is not None and any("/" in name for name in given):
            raise StrategyError(
                f"features={shown(given)} cannot be written as text, where / separates names. Rename the column."
            )
        if given is not None and self.by not in (KNN, LOGISTIC):
            raise StrategyError(f"features={shown(given)} require by='knn' or by='logistic'. Remove them, or set by.")
        try:
            whole_number("k", self.k, 1, 2**31)
            whole_number("folds", self.folds, 2, 2**31)
        except MssimError as error:
            raise StrategyError(str(error)) from None  # to which the parser adds the strategy

    def check(self, questions: pd.DataFrame) -> None:
        """Raise if questions lack the columns, or scikit-learn is required and not installed."""
        clusters_of(questions, self.clusters)
        if self.by == LOGISTIC:
            _regression()
        if self.by in (KNN, LOGISTIC):
            check_features(questions, self.features)
        elif self.by is not None and self.by not in questions.columns:
            raise MssimError(
                f"by={shown(self.by)}: no such question column. Use 'knn', 'logistic' or a column. "
                f"{choose_from(self.by, questions.columns)}."
            )

    def predict(self, values: Floats, questions: pd.DataFrame, training: NDArray[np.bool_] | None = None) -> Floats:
        """Predict values of every question from questions of other folds.

        Parameters
        ----------
        values : ndarray of float64, shape (n_rows, n_questions)
            What to predict. Values of a question are used for the questions of other folds only.
        questions : DataFrame, one row per question
            The questions.
        training : ndarray of bool, shape (n_questions,), optional
            Questions to learn from, by default all. They are divided into folds. Predictions of other questions are
            learnt on all of these.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_questions)
            Predictions.

        Raises
        ------
        MssimError
            If a column is missing, or the training questions are in one cluster.
        """
        among = np.ones(len(questions), dtype=bool) if training is None else training
        clusters = clusters_of(questions[among], self.clusters)
        fold = np.full(len(questions), -1)
        fold[among] = fold_of(clusters, min(self.folds, int(clusters.max()) + 1), seed=0)
        found = np.empty_like(values, dtype=float)
        for number in np.unique(fold):
            held_out, train = fold == number, among & (fold != number)
            learn = self._predictor(questions[train], questions[held_out])
            found[:, held_out] = learn(values[:, train])
        return found

    def _predictor(self, training: pd.DataFrame, others: pd.DataFrame) -> Callable[[Floats], Floats]:
        """Return a function that predicts values of other questions from values of training questions."""
        if self.by == LOGISTIC:
            known, asked = features_of(training, others, self.features)
            return lambda values: np.stack([_fitted(known, row, asked) for row in values])
        if self.by == KNN:
            weights = _nearest(*features_of(training, others, self.features), self.k)
        elif self.by is None:
            weights = np.full((len(others), len(training)), 1 / len(training))
        else:
            weights = _alike(training[self.by], others[self.by])
        return lambda values: np.asarray(values @ weights.T)


def _alike(training: pd.Series, others: pd.Series) -> Floats:
    """Return the weights of training questions in the mean over those with the same value, [other, training]."""
    import pandas as pd

    codes = pd.factorize(pd.concat([training, others], ignore_index=True))[0]  # -1: missing
    one, other = codes[: len(training)], codes[len(training) :]
    same = (other[:, None] == one) & (one >= 0)
    same[same.sum(axis=1) < FEWEST] = True
    return np.asarray(same / same.sum(axis=1, keepdims=True))


def _nearest(known: Any, asked: Any, k: int) -> Floats:
    """Return the weights of training questions in the mean over the nearest, [other, training]."""
    apart = distances(asked, known)
    last = np.partition(apart, min(k, apart.shape[1]) - 1, axis=1)[:, min(k, apart.shape[1]) - 1]
    near = apart <= last[:, None] + _NEAR
    return np.asarray(near / near.sum(axis=1, keepdims=True))


def _regression() -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MssimError(
            "by='logistic' requires scikit-learn, which is not installed. Install it with `pip install mssim[route]`, "
            "or use by='knn' with features= or a column."
        ) from None
    return LogisticRegression(tol=1e-8, max_iter=10_000)  # symmetric data have equal predictions


def _fitted(known: Any, shares: Floats, asked: Any) -> Floats:
    """Return the chances that a logistic regression on shares of training questions predicts for others."""
    rate = float(shares.mean())
    if rate <= _CERTAIN or rate >= 1 - _CERTAIN:  # a regression needs both outcomes
        return np.full(asked.shape[0], rate)
    twice = np.concatenate([known, known]) if isinstance(known, np.ndarray) else _stacked(known)
    outcomes = np.repeat([1, 0], shares.size)
    weights = np.concatenate([shares, 1 - shares]).clip(0, 1)
    fitted = _regression().fit(twice, outcomes, sample_weight=weights)
    return np.asarray(fitted.predict_proba(asked)[:, 1])


def _stacked(known: Any) -> Any:
    from scipy.sparse import vstack

    return vstack([known, known], format="csr")
