"""The ceiling (T7): on how many questions any rule that returns a drawn answer can be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mssim.errors import MssimError
from mssim.pools.pool import Pool
from mssim.results.intervals import cluster_labels, standard_error
from mssim.theory.pool_facts import over_classes, sampled_models

__all__ = ["Ceiling", "ceiling"]


@dataclass(frozen=True)
class Ceiling:
    """The share of questions on which no model ever gave the right answer, and what that leaves.

    failed is that share, with its interval failed_low to failed_high; ceiling = 1 - failed, low to high. n_failed of
    n_questions questions failed; n_independent is the number of independent questions that would be as informative.
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
        """Return one row with the fields as columns, the models joined by "+"."""
        return pd.DataFrame([{**asdict(self), "models": "+".join(self.models)}])


def ceiling(
    pool: Pool, models: Sequence[str] | None = None, *, confidence_level: float = 0.95, clusters: str | None = None
) -> Ceiling:
    """Bound the accuracy of every policy that returns one of the drawn answers.

    Parameters
    ----------
    pool : Pool
    models : sequence of str, optional
        Default: all.
    confidence_level : float, default 0.95
    clusters : str, optional
        As in `Evaluation.to_frame`.

    Returns
    -------
    Ceiling

    Raises
    ------
    PoolError
        If a model has no sample of a question.

    Notes
    -----
    Such a policy is right on at most 1 - beta of the questions, beta the share on which no draw of any model is right.
    Samples are finite: more of them would find right answers to some of these questions, so beta errs on the high side
    as an estimate for the models, and is exact as a bound on what can be replayed from this pool.

    The interval is that of Clopper & Pearson (1934), which needs independent questions. With clusters it is that of
    Korn & Graubard (1998, Survey Methodology 24, 193-201): the same formula with the number of independent questions
    that would have the same standard error, beta (1 - beta) / se^2 (the number of clusters where beta is 0 or 1), times
    the squared ratio of the t quantiles with Q - 1 and C - 1 degrees of freedom; at most Q. A single cluster says
    nothing: 0 to 1.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import ceiling
    >>> found = ceiling(load_pool("recorded/tiny-arithmetic"), ["tf-plus", "lstm-times"])
    >>> print(f"{found.n_failed} of {found.n_questions} fail: {found.ceiling:.3f} [{found.low:.3f}, {found.high:.3f}]")
    0 of 300 fail: 1.000 [0.988, 1.000]
    """
    names = sampled_models(pool, models, 1)
    if not 0 < confidence_level < 1:
        raise MssimError(f"confidence_level={confidence_level!r}; give a number between 0 and 1, e.g. 0.95")
    votes = np.sum([pool.class_counts(model) for model in names], axis=0)
    failed = over_classes(pool, votes * pool.class_correct) == 0
    share = float(failed.mean())
    n = _independent(failed, cluster_labels(pool.questions, clusters), confidence_level)
    low, high = _clopper_pearson(share * n, n, confidence_level)
    covered = float(np.mean(~failed))
    return Ceiling(names, covered, 1 - high, 1 - low, share, low, high, int(failed.sum()), failed.size, n)


def _independent(failed: NDArray[np.bool_], labels: NDArray[Any] | None, confidence_level: float) -> float:
    """How many independent questions are as informative as these, 0 if nothing can be said."""
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
    """Exact interval of a share, for numbers that need not be whole."""
    tail, rest = (1 - confidence_level) / 2, n - n_failed
    low = stats.beta.ppf(tail, n_failed, rest + 1) if n_failed > 0 else 0.0
    high = stats.beta.ppf(1 - tail, n_failed + 1, rest) if rest > 0 else 1.0
    return float(low), float(high)
