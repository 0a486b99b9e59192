"""Consistency and accuracy (T6): correlation of the entropy of answers with their accuracy."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from mssim._validation import counted, level, whole_number
from mssim.engine.exact import Floats, Ints
from mssim.pools.pool import Pool
from mssim.pools.shares import over_classes, sampled_models
from mssim.results.clusters import cluster_labels
from mssim.theory.pool_facts import resampled

__all__ = ["Consistency", "consistency"]

Floats32 = NDArray[np.float32]

_ALMOST_1 = 1 - 1e-6  # the largest correlation in single precision whose atanh is finite and stable
VERSIONS = ("same samples", "same half", "split half")


@dataclass(frozen=True, eq=False, repr=False)
class Consistency:
    """Result of `consistency`.

    Attributes
    ----------
    models : tuple of str
        Names of the models.
    questions : DataFrame
        Questions of the pool, one per row.
    entropy : ndarray of float64, shape (n_models, n_questions)
        Entropy of the valid answers in bits; NaN if a model has no answers.
    accuracy : ndarray of float64, shape (n_models, n_questions)
        Share of correct samples among all samples.
    correlations : DataFrame
        Correlations; see `to_frame`.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import consistency
    >>> found = consistency(load_pool("recorded/llm-products"), ["gemma"], n_resamples=99)
    >>> found
    Consistency(1 model, 159 questions)
    >>> found.per_question()[["model", "entropy", "accuracy"]].head(2).round(2)
       model  entropy  accuracy
    0  gemma     5.05      0.02
    1  gemma     1.57      0.73
    """

    models: tuple[str, ...]
    questions: pd.DataFrame
    entropy: Floats
    accuracy: Floats
    correlations: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per model, version and statistic.

        Returns
        -------
        DataFrame
            model; version ("same samples", "same half" or "split half"); statistic ("pearson" or "spearman"); r, low,
            high (correlation of entropy and accuracy with its bootstrap interval over questions; NaN if either is
            constant); n_questions (number of included questions); n_samples (mean number of samples per question from
            which each quantity is computed).
        """
        return self.correlations.copy()

    def per_question(self) -> pd.DataFrame:
        """Return a frame with one row per model and question: model, question_id, entropy, accuracy."""
        n_models, n_questions = self.entropy.shape
        return pd.DataFrame(
            {
                "model": np.repeat(self.models, n_questions),
                "question_id": np.tile(self.questions["question_id"].to_numpy(), n_models),
                "entropy": self.entropy.ravel(),
                "accuracy": self.accuracy.ravel(),
            }
        )

    def __repr__(self) -> str:
        return f"Consistency({counted(len(self.models), 'model')}, {counted(len(self.questions), 'question')})"


def consistency(
    pool: Pool,
    models: Sequence[str] | None = None,
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 999,
    n_splits: int = 20,
    seed: int = 0,
    clusters: str | None = None,
) -> Consistency:
    """Correlate the entropy of each model's answers with their accuracy over questions.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models to analyse. By default all.
    confidence_level : float, default 0.95
        Level of the intervals, between 0 and 1.
    n_resamples : int, default 999
        Number of bootstrap resamples.
    n_splits : int, default 20
        Number of random splits of each question's samples into halves.
    seed : int, default 0
        Seed of bootstrap and splits. Results of a model do not depend on the other models.
    clusters : str, optional
        As in `Evaluation.to_frame`. Whole clusters are resampled.

    Returns
    -------
    Consistency
        Correlations, and entropy and accuracy per question.

    Raises
    ------
    PoolError
        If a model has fewer than two samples of a question.

    Notes
    -----
    On the same samples the correlation is partly mechanical, because both quantities are functions of the same counts.
    If the correct answer happens to be drawn more often than usual, entropy is also lower. The correlation is therefore
    computed in three versions:

    - "same samples" takes both quantities from all samples;
    - "same half" takes both from one random half;
    - "split half" takes entropy from one half and accuracy from the other.

    The last two are means over both halves of all splits. Their difference is the mechanical part at that number of
    samples. With fewer samples both quantities are noisier, which biases "split half" towards zero.

    The entropy of the recorded answers is biased downwards for few samples. Samples without an answer count as wrong in
    accuracy and do not affect entropy. Questions for which a model, or a half of any split, has no answers are excluded
    from all versions, so that all versions use the same questions.

    The interval is tanh(atanh(r) +- t s), where s is the standard deviation of atanh(r) over bootstrap resamples of
    questions or clusters, with fixed splits, and t Student's quantile with one degree of freedom fewer than there are
    questions or clusters. It covers the variation of questions, not of samples. All versions and models use the same
    resamples, which are weights, so that many splits are fast. In simulations at 95 % the interval covered 88 to 95 %
    with 100 questions and 92 to 96 % with 300. The lowest value is that of models which are always right on four of
    five questions. The percentile bootstrap covered 79 and 88 % there.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import consistency
    >>> frame = consistency(load_pool("recorded/llm-products"), ["gemma"], n_resamples=99).to_frame()
    >>> frame[["version", "statistic", "r", "n_samples"]].round(2)
            version statistic     r  n_samples
    0  same samples   pearson -0.89      256.0
    1  same samples  spearman -0.91      256.0
    2     same half   pearson -0.89      128.0
    3     same half  spearman -0.91      128.0
    4    split half   pearson -0.89      128.0
    5    split half  spearman -0.90      128.0
    """
    names = sampled_models(pool, models, 2)
    confidence_level = level(confidence_level)
    n_resamples = whole_number("n_resamples", n_resamples, 1, 10**5)
    n_splits = whole_number("n_splits", n_splits, 1, 10**4)
    seed = whole_number("seed", seed, 0, 2**64 - 1)
    labels = cluster_labels(pool.questions, clusters)
    # Single precision halves the time and is sufficient for intervals.
    weights = resampled(len(pool.questions), labels, n_resamples, seed).astype(np.float32)

    def correlate(model: str) -> tuple[_Both, pd.DataFrame]:
        rng = np.random.default_rng([seed, zlib.crc32(model.encode())])
        return _of_model(pool, model, weights, labels, n_splits, rng, confidence_level)

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        found = list(workers.map(correlate, names))
    whole = [both for both, _ in found]
    return Consistency(
        names,
        pool.questions.copy(),
        np.stack([both.entropy for both in whole]),
        np.stack([both.accuracy for both in whole]),
        pd.concat([frame for _, frame in found], ignore_index=True),
    )


class _Both(NamedTuple):
    """Entropy and accuracy of every question."""

    entropy: Floats
    accuracy: Floats


_Pair = tuple[_Both, _Both]


def _measure(pool: Pool, votes: Ints, drawn: Ints) -> _Both:
    """Return entropy and accuracy from counts of answers, [class], and numbers of samples, [question]."""
    valid = over_classes(pool, votes)
    several = np.maximum(votes, 1)
    spread = over_classes(pool, several * np.log2(several))
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(valid > 0, np.log2(valid) - spread / valid, np.nan)
    # Rounded, so that equal counts in another order have equal ranks.
    return _Both(np.abs(entropy.round(12)), over_classes(pool, votes * pool.class_correct) / drawn)


def _halves(pool: Pool, model: str, rng: np.random.Generator) -> _Pair:
    """Return both quantities of two random halves of each question's samples; an odd sample is left out."""
    m = pool.model_index(model)
    lengths, codes = pool.lengths[m], pool.codes[m].astype(np.int64)
    for n in np.unique(lengths):
        rows = lengths == n
        codes[rows, :n] = rng.permuted(codes[rows, :n], axis=1)
    flat = np.where(codes >= 0, codes + pool.class_offsets[:-1, None], -1)
    place, half = np.arange(codes.shape[1]), (lengths // 2)[:, None]
    first, second = (
        np.bincount(flat[taken & (flat >= 0)], minlength=pool.class_correct.size)
        for taken in (place < half, (place >= half) & (place < 2 * half))
    )
    return _measure(pool, first, half[:, 0]), _measure(pool, second, half[:, 0])


def _of_model(
    pool: Pool,
    model: str,
    weights: Floats32,
    labels: NDArray[Any] | None,
    n_splits: int,
    rng: np.random.Generator,
    confidence_level: float,
) -> tuple[_Both, pd.DataFrame]:
    """Return all correlations of one model."""
    lengths = pool.lengths[pool.model_index(model)]
    whole = _measure(pool, pool.class_counts(model), lengths)
    splits = [_halves(pool, model, rng) for _ in range(n_splits)]
    n_units = len(pool.questions) if labels is None else np.unique(labels).size
    kept = ~np.any([np.isnan(both.entropy) for both in (whole, *(half for split in splits for half in split))], axis=0)
    rows = []
    for ranked in (False, True):
        itself, resampled = (
            _versions(whole, splits, kept, given, ranked) for given in (np.ones((1, int(kept.sum()))), weights[:, kept])
        )
        for version, r, others in zip(VERSIONS, itself[:, 0], resampled, strict=True):
            n_samples = (lengths if version == VERSIONS[0] else lengths // 2)[kept]
            low, high = _interval(float(r), others, confidence_level, n_units)
            rows.append(
                {
                    "model": model,
                    "version": version,
                    "statistic": "spearman" if ranked else "pearson",
                    "r": float(r),
                    "low": low,
                    "high": high,
                    "n_questions": int(kept.sum()),
                    "n_samples": float(n_samples.mean()) if n_samples.size else np.nan,
                }
            )
    return whole, pd.DataFrame(rows).sort_values("version", key=lambda v: v.map(VERSIONS.index), kind="stable")


# Correlations of weighted questions -----------------------------------------------------------------------------------


def _versions(whole: _Both, splits: list[_Pair], kept: NDArray[np.bool_], weights: Any, ranked: bool) -> Any:
    """Return the correlation in every version, [version, resample]."""
    roots = np.sqrt(weights)

    def scaled(both: _Both) -> list[Any]:
        return [_scaled(values[kept], weights, roots, ranked) for values in both]

    same, split = np.zeros((2, len(weights)))
    for pair in splits:
        (entropy, accuracy), (other_entropy, other_accuracy) = map(scaled, pair)
        same += _product(entropy, accuracy) + _product(other_entropy, other_accuracy)
        split += _product(entropy, other_accuracy) + _product(other_entropy, accuracy)
    return np.stack([_product(*scaled(whole)), same / (2 * len(splits)), split / (2 * len(splits))])


def _scaled(values: Floats, weights: Any, roots: Any, ranked: bool) -> Any:
    """Return standardised values or ranks, [resample, question], whose products sum to a correlation."""
    if values.size == 0:
        return np.full((len(weights), 1), np.nan)
    x = _midranks(values, weights) if ranked else (values - values.mean()).astype(weights.dtype)
    total = np.maximum(weights.sum(axis=1), 1)  # a resample may contain no question with answers
    mean = (weights * x).sum(axis=1) / total
    scaled = roots * (x - mean[:, None])
    norm = np.sqrt(_product(scaled, scaled))
    rounding = 1e-5 * np.abs(x).max(axis=-1) * np.sqrt(total)
    return scaled / np.where(norm > rounding, norm, np.nan)[:, None]


def _midranks(values: Floats, weights: Any) -> Any:
    """Return centred midranks in every resample, [resample, question]."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.nonzero(np.append(ordered[1:] > ordered[:-1], True))[0]
    upto = np.cumsum(weights[:, order], axis=1)[:, last]
    below = np.concatenate([np.zeros_like(upto[:, :1]), upto[:, :-1]], axis=1)
    return ((below + upto - upto[:, -1:]) / 2)[:, np.searchsorted(ordered[last], values)]


def _product(x: Any, y: Any) -> Any:
    return np.einsum("ij,ij->i", x, y)


def _interval(r: float, resampled: Any, confidence_level: float, n_units: int) -> tuple[float, float]:
    """Return the interval of a correlation on the scale of atanh, without resamples whose values are constant."""
    known = np.arctanh(resampled[np.isfinite(resampled)].clip(-_ALMOST_1, _ALMOST_1))
    if not np.isfinite(r) or known.size < 2 or n_units < 2 or not np.ptp(known):
        return np.nan, np.nan
    quantile = float(special.stdtrit(n_units - 1, (1 + confidence_level) / 2))
    centre, half = np.arctanh(np.clip(r, -_ALMOST_1, _ALMOST_1)), quantile * known.std(ddof=1)
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))
