"""Ceiling (T7): upper bound on the accuracy of strategies that return a drawn answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mssim._validation import level
from mssim.pools.pool import Pool
from mssim.results.intervals import cluster_labels, standard_error
from mssim.theory.pool_facts import over_classes, sampled_models

__all__ = ["Ceiling", "ceiling"]


@dataclass(frozen=True)
class Ceiling:
    """Upper bound on accuracy: the share of questions with at least one correct sample.

    Attributes
    ----------
    models : tuple of str
        Models whose samples count.
    ceiling, low, high : float
        Share of questions with a correct sample, and its confidence interval.
    failed, failed_low, failed_high : float
        1 - ceiling, and its confidence interval.
    n_failed, n_questions : int
        Number of questions without a correct sample, and number of all questions.
    n_independent : float
        Effective number of independent questions.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import ceiling
    >>> bound = ceiling(load_pool("recorded/tiny-dates"), ["gru-dates"])
    >>> bound.models, bound.n_failed, bound.n_questions
    (('gru-dates',), 2, 369)
    """

    models: tuple[str, ...]
    ceiling: float
    low: float
    high: float
    failed: float
    failed_low: float
    failed_high: float
    n_failed: int
    n_questions: int
    n_independent: float

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row and the attributes as columns; models are joined by "+"."""
        return pd.DataFrame([{**asdict(self), "models": "+".join(self.models)}])


def ceiling(
    pool: Pool, models: Sequence[str] | None = None, *, confidence_level: float = 0.95, clusters: str | None = None
) -> Ceiling:
    """Bound the accuracy of every strategy that returns one of the drawn answers.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models whose samples count. By default all.
    confidence_level : float, default 0.95
        Level of the intervals, between 0 and 1.
    clusters : str, optional
        As in `Evaluation.to_frame`.

    Returns
    -------
    Ceiling
        The bound with its interval.

    Raises
    ------
    PoolError
        If a model has no samples of a question.

    Notes
    -----
    Such a strategy is right on at most 1 - beta of the questions, where beta is the share of questions without a
    correct sample. The bound is exact for replays of this pool. As an estimate for the models, beta is biased upwards,
    because more samples would contain correct answers to some of these questions.

    For independent questions the interval is that of Clopper & Pearson (1934). With clusters it is that of Korn &
    Graubard (1998, Survey Methodology 24, 193-201). It uses the same formula with the effective number of questions
    beta (1 - beta) / se^2 (the number of clusters if beta is 0 or 1), times the squared ratio of the t quantiles with
    Q - 1 and C - 1 degrees of freedom, at most Q. For a single cluster the interval is [0, 1].

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import ceiling
    >>> found = ceiling(load_pool("recorded/tiny-arithmetic"), ["tf-plus", "lstm-times"])
    >>> print(f"{found.n_failed} of {found.n_questions} fail: {found.ceiling:.3f} [{found.low:.3f}, {found.high:.3f}]")
    0 of 300 fail: 1.000 [0.988, 1.000]
    """
    names = sampled_models(pool, models, 1)
    confidence_level = level(confidence_level)
    votes = np.sum([pool.class_counts(model) for model in names], axis=0)
    failed = over_classes(pool, votes * pool.class_correct) == 0
    share = float(failed.mean())
    n = _independent(failed, cluster_labels(pool.questions, clusters), confidence_level)
    low, high = _clopper_pearson(share * n, n, confidence_level)
    covered = float(np.mean(~failed))
    return Ceiling(names, covered, 1 - high, 1 - low, share, low, high, int(failed.sum()), failed.size, n)


def _independent(failed: NDArray[np.bool_], labels: NDArray[Any] | None, confidence_level: float) -> float:
    """Return the effective number of independent questions; 0 for a single cluster."""
    if labels is None:
        return float(failed.size)
    n_clusters = np.unique(labels).size
    if n_clusters < 2:
        return 0.0
    error, share = float(standard_error(failed, labels)), failed.mean()
    same = share * (1 - share) / error**2 if error > 0 else n_clusters
    narrow, wide = (stats.t.ppf((1 + confidence_level) / 2, n - 1) for n in (failed.size, n_clusters))
    return float(min(same * (narrow / wide) ** 2, failed.size))


def _clopper_pearson(n_failed: float, n: float, confidence_level: float) -> tuple[float, float]:
    """Return the Clopper-Pearson interval, also for non-integer counts."""
    tail, rest = (1 - confidence_level) / 2, n - n_failed
    low = stats.beta.ppf(tail, n_failed, rest + 1) if n_failed > 0 else 0.0
    high = stats.beta.ppf(1 - tail, n_failed + 1, rest) if rest > 0 else 1.0
    return float(low), float(high)
