"""Ranges of the recorded numbers that a rule can read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANCES", "NumberRange"]


class NumberRange(NamedTuple):
    """Numbers strictly between two bounds.

    Attributes
    ----------
    low, high : float
        Bounds, which are not in the range.
    remedy : str
        What to do about a number out of range.

    Examples
    --------
    >>> chances = NumberRange(0.0, 1.0, "Record probabilities.")
    >>> chances.holds([0.2, 1.0]).tolist(), chances.problem("confidence", 1.0)
    ([True, False], 'confidence=1 is not between 0 and 1, both excluded. Record probabilities.')
    """

    low: float
    high: float
    remedy: str

    def holds(self, numbers: Any) -> NDArray[np.bool_]:
        """Return whether each number is in the range."""
        given = np.asarray(numbers, dtype=float)
        return np.asarray((given > self.low) & (given < self.high))

    def problem(self, column: str, number: float) -> str:
        """Return what is wrong with a number of a column, and the remedy."""
        if self.low == -np.inf:
            return f"{column}={number:.6g} is not below {self.high:.6g}. {self.remedy}"
        return f"{column}={number:.6g} is not between {self.low:g} and {self.high:g}, both excluded. {self.remedy}"


CHANCES = NumberRange(
    0.0,
    1.0,
    "Record the probability that each answer is correct, and name its column. Exponentiate log probabilities, and "
    "replace 0 and 1 by numbers between them.",
)
