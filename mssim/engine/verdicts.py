"""Verdicts of a verifier on recorded samples, and their counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mssim.engine.limited import Limits, codes_of
from mssim.kernels.draw_weights import Counts
from mssim.kernels.until import REJECTED, RIGHT, SPARE, WRONG
from mssim.pools.pool import Pool
from mssim.rules.plan import Floats, Ints, Verifier

__all__ = ["Verdicts", "recorded_verdicts", "verdicts_of", "verified_counts"]

Verdicts = NDArray[np.uint8]


def verdicts_of(
    verifier: Verifier,
    codes: NDArray[np.int16],
    lengths: NDArray[np.int32],
    offsets: Ints,
    correct: NDArray[np.bool_],
    numbers: Floats | None,
) -> Verdicts:
    """Return the verdict on each sample, [stage, question, sample]: REJECTED, also beyond the recorded, WRONG or RIGHT.

    If the verifier lets the last draw answer, samples that are rejected and right are SPARE.

    Parameters
    ----------
    verifier : Verifier
        What accepts a sample.
    codes, lengths, offsets, correct
        As in `Recorded`.
    numbers : ndarray of float64, shape of `codes`, or None
        The column of the verifier, if it has a threshold.
    """
    answered = (codes >= 0) & (np.arange(codes.shape[2]) < lengths[:, :, None])
    right = np.zeros(codes.shape, dtype=bool)
    if correct.size:
        right[answered] = correct[(codes + offsets[:-1, None])[answered]]
    if verifier.threshold is None or numbers is None:
        accepted = answered & right
    else:
        limits = np.array([verifier.limit(stage) for stage in range(len(codes))], dtype=float)[:, None, None]
        accepted = answered & (numbers > limits if verifier.strict else numbers >= limits)
    rejected = np.where(right, SPARE, REJECTED) if verifier.last else REJECTED
    return np.where(accepted, np.where(right, RIGHT, WRONG), rejected).astype(np.uint8)


def recorded_verdicts(
    pool: Pool, models: Sequence[str], verifier: Verifier, questions: slice, limits: Limits = None
) -> Verdicts:
    """Return the verdicts on the samples of some questions of a pool, with one stage per model."""
    rows = [pool.model_index(model) for model in models]
    numbers = [pool.number(column)[rows, questions] for column in verifier.columns]
    offsets = pool.class_offsets[questions.start : questions.stop + 1]
    correct = pool.class_correct[offsets[0] : offsets[-1]]
    codes, lengths = codes_of(pool, models, limits, questions), pool.lengths[rows, questions]
    return verdicts_of(verifier, codes, lengths, offsets - offsets[0], correct, numbers[0] if numbers else None)


def verified_counts(
    pool: Pool,
    models: Sequence[str],
    verifier: Verifier,
    questions: slice,
    limits: Limits = None,
    *,
    replacement: bool,
    kept: NDArray[np.bool_] | bool = True,
) -> Counts:
    """Return counts in which only accepted samples vote: each question has the classes "wrong" and "right".

    If the verifier lets the last draw answer, "spare", for samples that are rejected and right, is the third.

    There is one stage per model; `kept` is a mask [question, sample].
    """
    verdicts = recorded_verdicts(pool, models, verifier, questions, limits)
    rows = [pool.model_index(model) for model in models]
    recorded = (np.arange(verdicts.shape[2]) < pool.lengths[rows, questions][:, :, None]) & kept
    kinds = (WRONG, RIGHT, SPARE) if verifier.last else (WRONG, RIGHT)
    votes = np.stack([(recorded & (verdicts == verdict)).sum(axis=2) for verdict in kinds], axis=2)
    n_stages, n_questions, n_kinds = votes.shape
    return Counts(
        votes.reshape(n_stages, -1).astype(np.int64),
        (recorded & (verdicts == REJECTED)).sum(axis=2),
        n_kinds * np.arange(n_questions + 1),
        np.tile([kind == RIGHT for kind in kinds], n_questions),
        replacement,
    )
