"""Agreement: how many votes for one answer let a stage stop."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_number, shown
from mssim.errors import StrategyError

__all__ = ["FORCED", "NEVER", "check_threshold", "votes_to_agree"]

NEVER = np.iinfo(np.int64).max
FORCED = -1  # a stage that needs these votes always stops, without having agreed


def check_threshold(agreement: float, strict: bool) -> None:
    """Raise if a threshold of agreement is invalid."""
    if not is_number(agreement) or not 0 <= agreement <= sys.float_info.max:
        raise StrategyError(
            f"agreement={shown(agreement)} must be a number of at least 0: 0 always stops, 1 requires unanimity, and "
            "larger numbers never stop."
        )
    if not isinstance(strict, bool):
        raise StrategyError(f"strict={strict!r} is not a bool. Use true or false.")


def votes_to_agree(sizes: NDArray[np.int64], agreement: float, *, strict: bool = False) -> NDArray[np.int64]:
    """Compute the fewest votes for one answer with which a stage of each size agrees.

    A stage of K draws agrees when the share of its most frequent answer reaches `agreement` (or exceeds it, if
    strict). Draws without an answer count in K and for no answer, so they break unanimity.

    Parameters
    ----------
    sizes : ndarray of int64, any shape
        Draws of the stage. A stage of size 0 never agrees.
    agreement : float
        Share from 0 (always) to 1 (unanimity). Above 1 no stage agrees.
    strict : bool, default False
        Whether the share must exceed the threshold; the released curves of ModelSwitch use "> 0.85".

    Returns
    -------
    ndarray of int64, the shape of sizes

    Examples
    --------
    >>> votes_to_agree(np.array([2, 5, 10]), 0.8)
    array([2, 4, 8])
    >>> votes_to_agree(np.array([2, 5, 10]), 0.8, strict=True)
    array([2, 5, 9])
    """
    # A share votes / size and a threshold like 0.8 are both the double nearest to the rational they stand for, so the
    # comparison of shares is exact where a product size * 0.8 would not be. It is right to the nearest whole number.
    votes = np.maximum(np.floor(sizes * min(agreement, 2.0))[..., None] + np.arange(-1, 3), 0).astype(np.int64)
    shares = votes / np.maximum(sizes, 1)[..., None]
    enough = (shares > agreement if strict else shares >= agreement) & (votes <= sizes[..., None])
    fewest = np.take_along_axis(votes, enough.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return np.where(enough.any(axis=-1) & (sizes > 0), fewest, NEVER)
