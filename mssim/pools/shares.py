"""Shares of answers: models with enough samples, sums over the answer classes of questions, and shares of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import shown
from mssim.errors import MssimError, PoolError
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool

__all__ = ["answer_shares", "over_classes", "question_mask", "question_of_class", "sampled_models"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def sampled_models(pool: Pool, models: Sequence[str] | None, least: int) -> tuple[str, ...]:
    """Return model names, by default all; raise unless each has `least` samples of every question."""
    given = (models,) if isinstance(models, str) else tuple(pool.models if models is None else models)
    lengths = pool.lengths[[pool.model_index(model) for model in given]]
    if not given or len(set(given)) < len(given):
        raise PoolError(f"models={list(given)!r} is empty or repeats a model. Name each model once.")
    if lengths.min() < least:
        m, q = np.argwhere(lengths < least)[0]
        selecting = selecting_asked(pool, dict.fromkeys(given, least))
        raise PoolError(
            f"models: {given[m]!r} has {lengths[m, q]} samples of question {pool.question_ids[q]!r}, but {least} are "
            f"required. Drop the model{f', or use {selecting}' if selecting else ''}."
        )
    return given


def over_classes(pool: Pool, values: NDArray[Any]) -> Floats:
    """Sum over the answer classes of each question, from [..., class] to [..., question]."""
    # Differences of one cumulative sum would lose digits, and thereby ties.
    question, n = question_of_class(pool), len(pool.questions)
    rows = values.reshape(math.prod(values.shape[:-1]), question.size)
    sums = [np.bincount(question, weights=row, minlength=n) for row in rows]
    return np.array(sums, dtype=float).reshape(*values.shape[:-1], n)


def question_mask(pool: Pool, questions: ArrayLike | None) -> NDArray[np.bool_]:
    """Return which questions count, by default all; raise unless there is one bool per question and one is True."""
    if questions is None:
        return np.ones(len(pool.questions), dtype=bool)
    mask = np.asarray(questions)
    if mask.dtype != bool or mask.shape != (len(pool.questions),) or not mask.any():
        raise MssimError(
            f"questions={shown(questions)} is not valid. Use one bool per question, {len(pool.questions)} in all, of "
            "which at least one is True."
        )
    return mask


def question_of_class(pool: Pool) -> Ints:
    """Return the question of every answer class, [class]."""
    return np.repeat(np.arange(len(pool.questions)), np.diff(pool.class_offsets))


def answer_shares(pool: Pool, models: Sequence[str]) -> Floats:
    """Return the share of each answer class among the recorded samples of each model, [model, class].

    Samples without an answer count, so the shares of a question can add up to less than 1.
    """
    lengths = pool.lengths[[pool.model_index(model) for model in models]]
    votes = np.stack([pool.class_counts(model) for model in models])
    return np.asarray(votes / lengths[:, question_of_class(pool)])
