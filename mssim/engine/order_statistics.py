"""Expected maximum of draws from recorded numbers, exact for every number of draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.longest_draws import longest_draws

__all__ = ["expected_maximum"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def expected_maximum(values: Floats, lengths: NDArray[np.int32] | Ints, draws: Ints, *, replacement: bool) -> Floats:
    """Compute the expected maximum of independent draws of several stages.

    Parameters
    ----------
    values : ndarray of float, shape (n_stages, n_questions, n_samples)
        Recorded numbers. Those beyond `lengths` are ignored.
    lengths : ndarray of int, shape (n_stages, n_questions)
        Recorded numbers of each stage and question.
    draws : ndarray of int, shape (n_stages, n_cases)
        Draws of each stage, at least 1.
    replacement : bool
        Whether draws of a stage may repeat a recorded number.

    Returns
    -------
    ndarray of float, shape (n_cases, n_questions)
        NaN where a recorded number is NaN, where a stage has none, and where fewer than the draws were recorded
        without replacement.

    Notes
    -----
    Let x(1) >= x(2) >= ... be the numbers of all stages together. The expected maximum is x(1) minus the sum of every
    step x(r) - x(r + 1) times the probability that no draw is among the r largest. Stages are independent, so this is a
    product. If j of the r largest belong to a stage with n numbers and m draws, its factor is C(n - j, m) / C(n, m), or
    (1 - j/n)^m with replacement.

    References
    ----------
    H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition, Wiley 2003, doi:10.1002/0471722162.

    Examples
    --------
    Of two draws from 1, 2 and 6, the largest is 6 in two of three pairs:

    >>> expected_maximum(np.array([[[1.0, 2, 6]]]), np.array([[3]]), np.array([[1, 2, 3]]), replacement=False).T
    array([[3.        , 4.66666667, 6.        ]])
    """
    recorded = np.arange(values.shape[2]) < lengths[:, :, None]
    unknown = np.isnan(values) & recorded
    known = np.where(recorded, np.where(unknown, 0.0, values), np.inf)
    missed = _missed(values.shape[2], draws, replacement)
    found = longest_draws(np.sort(known, axis=2), lengths.astype(np.int64), missed).T
    enough = np.ones_like(draws[:, :, None]) if replacement else draws[:, :, None]
    possible = (lengths[:, None] >= enough).all(axis=0) & ~unknown.any(axis=(0, 2))
    return np.where(possible, found, np.nan)


def _missed(n_samples: int, draws: Ints, replacement: bool) -> Floats:
    """Return the probability that no draw is the largest of so many numbers if none is larger, [stage, left, case]."""
    left = np.arange(n_samples + 1)[:, None]
    if replacement:
        return np.asarray((1 - 1 / np.maximum(left, 1)) ** draws[:, None])
    return np.asarray(np.maximum(left - draws[:, None], 0) / np.maximum(left, 1))
