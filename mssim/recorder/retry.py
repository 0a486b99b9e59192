"""Attempts of failed requests and the waits between them."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Retry"]


@dataclass(frozen=True)
class Retry:
    """Exponential backoff of failed requests.

    The wait doubles after each attempt and is multiplied by a random factor from 0.5 to 1, so that waiting requests do
    not return at the same time.

    Parameters
    ----------
    attempts : int, default 8
        Number of attempts before the samples of a request are given up.
    first : float, default 0.5
        Seconds to wait after the first attempt.
    most : float, default 60
        Maximum wait in seconds.

    Examples
    --------
    >>> from mssim.recorder import Retry
    >>> 1 <= Retry(first=0.5).wait(3) <= 2
    True
    """

    attempts: int = 8
    first: float = 0.5
    most: float = 60.0

    def wait(self, attempt: int) -> float:
        """Return the wait after an attempt.

        Parameters
        ----------
        attempt : int
            Number of the attempt, from 1.

        Returns
        -------
        float
            Seconds, drawn at random.
        """
        doubled = self.first * 2.0 ** min(attempt - 1, 64)  # far above any `most`, and no overflow
        return float(min(doubled, self.most) * random.uniform(0.5, 1))
