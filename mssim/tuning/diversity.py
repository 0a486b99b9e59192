"""How much models differ in the questions they solve: correlation, effective number, union and contradiction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from mssim._validation import level
from mssim.pools.pool import Pool
from mssim.pools.shares import sampled_models
from mssim.results.clusters import cluster_labels, cluster_sums, degrees_of_freedom
from mssim.tuning.model_choice import Chances, check_scores

__all__ = ["diversity"]

Floats = NDArray[np.float64]

_NONE = 1e-12  # variance that rounding makes of 0


def diversity(
    pool: Pool,
    models: Sequence[str] | None = None,
    *,
    samples: int = 3,
    right: int = 2,
    confidence_level: float = 0.95,
    clusters: str | None = None,
) -> pd.DataFrame:
    """Describe each model, each pair of models, and all models together.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Names of the models. By default all.
    samples, right
        Samples of each model, and correct ones among them, for union and contradiction, as in `subset_scores`.
    confidence_level : float, default 0.95
        Level of the interval of n_effective, between 0 and 1.
    clusters : str, optional
        As in `Evaluation.to_frame`.

    Returns
    -------
    DataFrame, one row per model, pair, and all models if they are more than two
        Columns: models (joined by "+"); accuracy (of a sample, mean over the models); correlation (mean over the pairs
        of models); n_pairs (number of pairs in this mean); n_effective, low, high (effective number of models, with
        confidence interval over questions); all_wrong (probability that one sample of each model is wrong: double fault
        of a pair); union, contradiction as in `subset_scores`.

    Raises
    ------
    PoolError
        If a model is unknown, or has fewer than `samples` samples of a question.
    MssimError
        If an option is out of range.

    Notes
    -----
    The correlation of two models is that of the correctness of one sample of each to the same random question. Samples
    of different models are independent given the question. Their covariance is therefore that of the accuracies of
    questions, and the variances are p (1 - p) for mean accuracies p. It is smaller than the correlation of majority
    answers, because samples of one question differ, too. It is undefined if a model is always right or always wrong;
    such pairs are not in the mean.

    n_effective = K / (1 + (K - 1) correlation) is the number of independent models whose mean correctness has the same
    variance as that of K models (design effect of Kish 1965). It is exact for equal variances and correlations. K equal
    models have 1 only if each repeats one answer: otherwise their samples differ. Negative correlations give more than
    K. Sums such as 1 + (K - 1) / (1 + (K - 1) correlation) do not give 1 for equal models, and are not used.

    The interval transforms that of the correlation: Student's t with the jackknife over clusters or questions. In
    simulations at 95 % with 2 and 4 models, 16 samples and 50 to 500 questions, it covers 90 to 97 % for accuracies
    from 0.3 to 0.7. If nearly all or nearly no questions are solved, few questions decide the correlation: for an
    accuracy near 0.05 or 0.95 it covers 46 to 70 % with 50 questions, 83 to 92 % with 150 and 92 to 95 % with 500. It
    is NaN for fewer than three clusters.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.tuning.diversity import diversity
    >>> found = diversity(load_pool("recorded/llm-products"))
    >>> found[["models", "correlation", "n_effective", "low", "high", "union"]].round(2)
                     models  correlation  n_effective   low  high  union
    0                  smol          NaN         1.00  1.00  1.00   0.41
    1             smol-cool          NaN         1.00  1.00  1.00   0.45
    2                 gemma          NaN         1.00  1.00  1.00   0.48
    3        smol+smol-cool         0.69         1.18  1.15  1.22   0.48
    4            smol+gemma         0.32         1.52  1.42  1.63   0.60
    5       smol-cool+gemma         0.33         1.50  1.39  1.63   0.62
    6  smol+smol-cool+gemma         0.45         1.58  1.47  1.72   0.63
    """
    check_scores(samples, right)
    names = sampled_models(pool, models, samples)
    labels = cluster_labels(pool.questions, clusters)
    chances = Chances(pool, names, samples, right, np.ones(len(pool.questions), bool))
    sizes = (1, 2) if len(names) <= 2 else (1, 2, len(names))
    rows: list[dict[str, Any]] = []
    for subset in (one for size in sizes for one in combinations(range(len(names)), size)):
        share = chances.rightness[list(subset)]
        union, contradiction = chances.scores(subset)
        rows.append(
            {
                "models": "+".join(names[i] for i in subset),
                "accuracy": float(share.mean()),
                **_effective(share, labels, level(confidence_level)),
                "all_wrong": float((1 - share).prod(axis=0).mean()),
                "union": union,
                "contradiction": contradiction,
            }
        )
    return pd.DataFrame(rows)


def _effective(share: Floats, labels: NDArray[Any] | None, confidence_level: float) -> dict[str, float]:
    """Return mean correlation, number of pairs, and effective number of models, given accuracies [model, question]."""
    n_models = len(share)
    names = ("correlation", "n_pairs", "n_effective", "low", "high")
    if n_models == 1:
        return dict(zip(names, (np.nan, 0, 1.0, 1.0, 1.0), strict=True))
    first, second = np.triu_indices(n_models, 1)
    sums, sizes = cluster_sums(np.concatenate([share, share[first] * share[second]]), labels)
    pairs = _correlations(sums.sum(axis=-1, keepdims=True), sizes.sum(keepdims=True), n_models)
    known = np.isfinite(pairs[:, 0])
    if not known.any():
        return dict(zip(names, (np.nan, 0, np.nan, np.nan, np.nan), strict=True))
    mean = float(pairs[known].mean())
    half = np.nan
    if sizes.size > 2:
        without = _correlations(sums.sum(axis=-1, keepdims=True) - sums, sizes.sum() - sizes, n_models)[known]
        without = np.where(np.isfinite(without), without, pairs[known]).mean(axis=0)
        error = np.sqrt((sizes.size - 1) / sizes.size * ((without - without.mean()) ** 2).sum())
        half = -scipy.special.stdtrit(degrees_of_freedom(sizes, jackknife=True), (1 - confidence_level) / 2) * error
    numbers = [_number(r, n_models) for r in (mean, mean + half, mean - half)]
    return dict(zip(names, (mean, int(known.sum()), *numbers), strict=True))


def _correlations(sums: Floats, sizes: Floats, n_models: int) -> Floats:
    """Return the correlation of each pair, [pair, set], from sums of accuracies and of products; NaN if undefined."""
    first, second = np.triu_indices(n_models, 1)
    means, products = sums[:n_models] / sizes, sums[n_models:] / sizes
    variance = means * (1 - means)
    both = np.where(variance > _NONE, variance, np.nan)
    found = (products - means[first] * means[second]) / np.sqrt(both[first] * both[second])
    return np.asarray(found)


def _number(correlation: float, n_models: int) -> float:
    """Return the effective number of models."""
    rest = 1 + (n_models - 1) * min(correlation, 1.0)
    return np.inf if rest <= 0 else float(n_models / rest)
