"""Corrections of p-values for a family of tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import shown
from mssim.errors import MssimError

__all__ = ["holm"]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust the p-values of a family of tests by Holm's step-down procedure.

    Rejecting every hypothesis with an adjusted p-value of at most alpha makes one or more false rejections with
    probability at most alpha, however the tests depend on each other.

    Parameters
    ----------
    p_values : array_like, shape (n_tests,)
        One p-value per test, from 0 to 1. NaN stands for a test that was not made.

    Returns
    -------
    ndarray, shape (n_tests,)
        Adjusted p-values in the given order. NaN stays NaN and does not count as a member of the family.

    Raises
    ------
    MssimError
        If the p-values are not a one-dimensional array of numbers from 0 to 1 or NaN.

    Notes
    -----
    For p-values in ascending order, p(1) <= ... <= p(m), the adjusted p-value of p(i) is the maximum of
    min(1, (m - j + 1) p(j)) over j <= i.

    References
    ----------
    Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005])
    array([0.03, 0.06, 0.06, 0.02])
    """
    given = _p_values(p_values)
    adjusted = np.full(given.size, np.nan)
    made = np.flatnonzero(~np.isnan(given))
    order = made[np.argsort(given[made], kind="stable")]
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(order.size, 0, -1) * given[order]), 1.0)
    return adjusted


def _p_values(given: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        array = np.empty((0, 0))
    array = array.astype(float) if array.dtype.kind in "iuf" else np.empty((0, 0))
    if array.ndim != 1 or ((array < 0) | (array > 1)).any():
        raise MssimError(
            f"p_values={shown(given)} are not numbers from 0 to 1 in one dimension. Use an array of shape (n_tests,), "
            "with NaN for tests that were not made."
        )
    return array
