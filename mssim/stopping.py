"""When a strategy stops asking."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mssim.errors import MssimError, StrategyError, is_number, whole_number

__all__ = ["WindowStop", "check_threshold", "parse_stop", "votes_to_agree"]

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class WindowStop:
    """Draw window by window and stop at the first whose draws all agree: its answer is adopted (ESC, arXiv 2401.10480).

    A draw without an answer agrees with nothing. What is left of the budget after the last whole window is drawn too,
    but stops nothing.

    Parameters
    ----------
    window : int
        Draws of a window, from 1; the authors use 5.

    Examples
    --------
    >>> str(WindowStop(5))
    'window:5'
    """

    window: int

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "window", whole_number("window", self.window, 1, 2**15 - 1))
        except MssimError as error:
            raise StrategyError(f"WindowStop: {error}") from None

    def __str__(self) -> str:
        return f"window:{self.window}"


def parse_stop(given: str) -> WindowStop:
    """Read a rule that stops within one model.

    Examples
    --------
    >>> parse_stop("window:5")
    WindowStop(window=5)
    """
    kind, _, size = given.partition(":")
    if kind != "window" or not size.strip().isdecimal():
        raise StrategyError(f"stop={given!r} cannot be read; e.g. stop=window:5")
    return WindowStop(int(size))


def check_threshold(agreement: float, strict: bool) -> None:
    """Refuse a threshold that is none."""
    if not is_number(agreement) or not 0 <= agreement < math.inf:
        raise StrategyError(f"agreement={agreement!r}; give a share from 0 to 1, or above 1 to never stop")
    if not isinstance(strict, bool):
        raise StrategyError(f"strict={strict!r}; give true or false")


def votes_to_agree(sizes: NDArray[np.int64], agreement: float, *, strict: bool = False) -> NDArray[np.int64]:
    """Fewest votes for one answer with which a stage of each size agrees.

    A stage of K draws agrees when the share of its most frequent answer reaches `agreement` (or exceeds it, if
    strict). Draws without an answer count in K and for no answer, so they break unanimity.

    Parameters
    ----------
    sizes : ndarray of int64, any shape
        Draws of the stage; a stage of size 0 never agrees.
    agreement : float
        Share from 0 (always) to 1 (unanimity); above 1 no stage agrees.
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
    # comparison of shares is exact where a product size * 0.8 would not be.
    needed = np.full(sizes.shape, NEVER, dtype=np.int64)
    for size in np.unique(sizes[sizes > 0]):
        shares = np.arange(size + 1) / size
        enough = shares > agreement if strict else shares >= agreement
        if enough.any():
            needed[sizes == size] = int(np.argmax(enough))
    return needed
