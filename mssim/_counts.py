"""Arguments of the functions that need only counts of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim.errors import MssimError

__all__ = ["as_asked", "draw_counts", "sample_counts", "whole_counts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def whole_counts(name: str, given: ArrayLike) -> Ints:
    """Return non-negative integers as an array; raise for anything else."""
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "iu" or (array.size and int(array.min()) < 0):
        raise MssimError(
            f"{name}={given!r:.80} is not valid. Use non-negative integers, as a number or a rectangular array."
        )
    return array.astype(np.int64)


def draw_counts(k: int | ArrayLike) -> Ints:
    """Return numbers of draws, [draw]; raise unless they are positive integers."""
    draws = np.atleast_1d(whole_counts("k", k))
    if draws.ndim > 1 or not draws.size or draws.min() < 1 or draws.max() > 2**15 - 1:
        raise MssimError(f"k={k!r:.80} is not valid. Use an integer from 1 to {2**15 - 1}, or a list of them.")
    return draws


def sample_counts(n: ArrayLike, c: ArrayLike, k: int | ArrayLike) -> tuple[Ints, Ints, Ints]:
    """Return numbers of samples and of correct samples, of one shape, and of draws."""
    total, right = whole_counts("n", n), whole_counts("c", c)
    try:
        total, right = np.broadcast_arrays(total, right)
    except ValueError:
        raise MssimError(
            f"n, c: shapes {total.shape} and {right.shape} do not broadcast. Use the same shape for both."
        ) from None
    draws = draw_counts(k)
    if (right > total).any():
        at = np.unravel_index(int(np.argmax(right > total)), right.shape)
        raise MssimError(f"c: {right[at]} correct samples exceed n={total[at]}. Use values of c from 0 to n.")
    return total, right, draws


def as_asked(found: Floats, k: int | ArrayLike) -> Floats:
    """Drop the last axis if k is a scalar; a 0-d result becomes a scalar, as in NumPy."""
    return found if np.ndim(k) else found[..., 0][()]
