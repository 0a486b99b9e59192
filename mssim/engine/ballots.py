"""Numbers of the ballots of a vote, as the kernels read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.tally import Recorded
from mssim.rules.votes import Vote

__all__ = ["levels_of", "ranks_of", "scaled"]


def scaled(numbers: NDArray[np.float64], recorded: Recorded, vote: Vote) -> NDArray[np.float64]:
    """Return the numbers of a vote's ballots, scaled per question so that the largest ballot is about 1.

    Samples without an answer may have no number. They do not vote, and are then not among the shortest, or rank last.
    """
    if vote.ballots == "shortest":
        return np.where(np.isfinite(numbers), numbers, np.inf)
    if vote.ballots == "ranks":
        return np.where(np.isfinite(numbers), numbers, -np.inf)
    answered = (recorded.codes >= 0) & (np.arange(numbers.shape[2]) < recorded.lengths[:, :, None])
    if vote.ballots == "exp":
        assert vote.temperature is not None
        highest = np.where(answered, numbers, -np.inf).max(axis=(0, 2), keepdims=True)
        return np.asarray(np.exp(np.where(answered, numbers - highest, 0.0) / vote.temperature))
    if vote.ballots == "posterior":
        chances = np.where(answered, numbers, 0.5)
        return np.asarray(np.log(chances / (1 - chances)))
    numbers = np.where(answered, numbers, 0.0)
    if vote.ballots in ("number", "kept", "frequent"):
        scale = np.abs(numbers).max(axis=(0, 2), keepdims=True)
        return np.asarray(numbers / np.where(scale > 0, scale, 1.0))
    return numbers


def levels_of(numbers: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the number of different larger numbers of its question for every sample."""
    by_question = np.moveaxis(numbers, 1, 0).reshape(numbers.shape[1], -1)
    order = np.argsort(-by_question, axis=1, kind="stable")
    falling, lower = np.take_along_axis(by_question, order, axis=1), np.zeros(by_question.shape, np.int32)
    np.cumsum(falling[:, 1:] < falling[:, :-1], axis=1, out=lower[:, 1:])
    levels = np.empty_like(lower)
    np.put_along_axis(levels, order, lower, axis=1)
    return np.ascontiguousarray(np.moveaxis(levels.reshape(len(levels), len(numbers), -1), 0, 1))


def ranks_of(numbers: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the rank of every sample within its question; the highest number is first."""
    n_stages, n_questions, width = numbers.shape
    flat = np.moveaxis(numbers, 1, 0).reshape(n_questions, -1)
    places = np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1)
    return np.ascontiguousarray(np.moveaxis(places.reshape(n_questions, n_stages, width), 0, 1), dtype=np.int32)
