"""Expected maximum of draws from recorded numbers, exact for every number of draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_maximum"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def expected_maximum(values: Floats, lengths: NDArray[np.int32] | Ints, draws: Ints, *, replacement: bool) -> Floats:
    """Compute the expected maximum of independent draws of several stages.

    Parameters
    ----------
    values : ndarray of float, shape (n_stages, n_questions, n_samples)
        Recorded numbers of at least 0. Those beyond `lengths` are ignored.
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
    Let x(1) >= x(2) >= ... be the numbers of all stages together and x(r + 1) = 0 after the last. The maximum is the
    sum of the steps x(r) - x(r + 1) at or below it, so its expectation is x(1) minus the sum of every step times the
    probability that no draw is among the r largest. Stages are independent, so this is a product. If j of the r largest
    belong to a stage with n numbers and m draws, its factor is C(n - j, m) / C(n, m), or (1 - j/n)^m with replacement.

    References
    ----------
    H. A. David and H. N. Nagaraja, "Order Statistics", 3rd edition, Wiley 2003, section 3.7 (without replacement).

    Examples
    --------
    Of two draws from 1, 2 and 6, the largest is 6 in two of three pairs:

    >>> expected_maximum(np.array([[[1.0, 2, 6]]]), np.array([[3]]), np.array([[1, 2, 3]]), replacement=False).T
    array([[3.        , 4.66666667, 6.        ]])
    """
    n_stages, n_questions, n_samples = values.shape
    recorded = np.arange(n_samples) < lengths[:, :, None]
    together = np.where(recorded, values, 0.0).transpose(1, 0, 2).reshape(n_questions, -1)
    order = np.argsort(-together, axis=1, kind="stable")
    largest_first = np.take_along_axis(together, order, axis=1)
    steps = -np.diff(largest_first, axis=1, append=0.0)
    # Numbers beyond `lengths` are last, as zeros, where steps are 0.
    tables = [np.unique(n, return_inverse=True) for n in lengths]  # one row for questions with equally many numbers
    ranks = [np.cumsum(order // n_samples == i, axis=1) for i in range(n_stages)] if n_stages > 1 else []
    places = [rank + (n_samples + 1) * rows[:, None] for rank, (_, rows) in zip(ranks, tables, strict=False)]
    found = np.empty((draws.shape[1], n_questions))
    for case, sizes in enumerate(draws.T):
        none = steps
        for i, (distinct, rows) in enumerate(tables):
            table = _none_among_largest(distinct[:, None], int(sizes[i]), n_samples, replacement)
            if places:
                none = none * table.ravel()[places[i]]
            else:
                none = none * (table if distinct.size == 1 else table[rows])[:, 1:]
        found[case] = largest_first[:, 0] - none.sum(axis=1)
    enough = np.ones_like(draws[:, :, None]) if replacement else draws[:, :, None]
    return np.where((lengths[:, None] >= enough).all(axis=0), found, np.nan)


def _none_among_largest(n: Ints, draws: int, n_samples: int, replacement: bool) -> Floats:
    """Return the probability that no draw from n numbers is among the j largest, [n, j]."""
    left = n - np.arange(n_samples + 1)
    if replacement:
        return np.asarray((np.maximum(left, 0) / np.maximum(n, 1)) ** draws)
    table = np.ones(left.shape)
    table[:, 1:] = np.maximum(left[:, :-1] - draws, 0) / np.maximum(left[:, :-1], 1)
    return np.cumprod(table, axis=1, out=table)
