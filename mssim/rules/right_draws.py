"""Right draws: how many of the draws of a model must be right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_number, shown
from mssim.errors import StrategyError

__all__ = ["check_tau", "draws_above_half", "right_draws"]

_ROUNDING = 1e-12  # share of tau x draws


def check_tau(tau: Any, also: str = "") -> float:
    """Return the share of draws that must be right as a float; raise if it is invalid."""
    if not is_number(tau) or not 0 < tau <= 1:
        raise StrategyError(
            f"tau={shown(tau)} is not a share of right samples. Use a number above 0 and at most 1{also}: 1 requires "
            "all k samples to be right, and 1/k or less requires one, as in pass@k."
        )
    return float(tau)


def right_draws(draws: NDArray[np.int64], tau: float) -> NDArray[np.int64]:
    """Compute ceil(tau x draws), the fewest right draws of which the share is at least tau.

    A product that exceeds a whole number by no more than rounding is that number: 0.28 of 25 draws are 7.

    Parameters
    ----------
    draws : ndarray of int64, any shape
        Numbers of draws, from 1.
    tau : float
        Share above 0, at most 1.

    Returns
    -------
    ndarray of int64, the shape of draws

    Examples
    --------
    >>> right_draws(np.array([1, 4, 10, 25]), 0.28)
    array([1, 2, 3, 7])
    """
    return np.asarray(np.ceil(draws * tau * (1 - _ROUNDING)), dtype=np.int64)


def draws_above_half(draws: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute ceil(draws / 2) + 1, the lowest number of right draws in the sum of mG-Pass@k.

    Examples
    --------
    >>> draws_above_half(np.array([4, 5]))
    array([3, 4])
    """
    return np.asarray((draws + 1) // 2 + 1)
