"""Ceiling (T7): upper bound on the accuracy of strategies that return a drawn answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from mssim.pools.pool import Pool
from mssim.pools.shares import over_classes, sampled_models
from mssim.results.clusters import cluster_labels
from mssim.results.intervals import mean_interval

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

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import ceiling
    >>> bound = ceiling(load_pool("recorded/llm-products"), ["gemma"])
    >>> bound.models, bound.n_failed, bound.n_questions
    (('gemma',), 8, 159)
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

    The interval is that of `mssim.results.intervals.mean_interval`: for independent questions that of Clopper & Pearson
    (1934).

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import ceiling
    >>> found = ceiling(load_pool("recorded/llm-products"), ["gemma", "smol"])
    >>> print(f"{found.n_failed} of {found.n_questions} fail: {found.ceiling:.3f} [{found.low:.3f}, {found.high:.3f}]")
    8 of 159 fail: 0.950 [0.885, 0.982]
    """
    names = sampled_models(pool, models, 1)
    votes = np.sum([pool.class_counts(model) for model in names], axis=0)
    failed = over_classes(pool, votes * pool.class_correct) == 0
    share = float(failed.mean())
    labels = cluster_labels(pool.questions, clusters)
    low, high = map(float, mean_interval(failed, confidence_level=confidence_level, clusters=labels))
    covered = float(np.mean(~failed))
    return Ceiling(names, covered, 1 - high, 1 - low, share, low, high, int(failed.sum()), failed.size)
