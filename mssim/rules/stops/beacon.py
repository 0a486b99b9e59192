"""Stopping rule by the price of a draw (BEACON)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop
from mssim.rules.stops.gain_index import LEAST, POINTS, gain_indices, lead_range

__all__ = ["BEACONStop", "GainIndex"]

_MOST_HORIZON = 64


class GainIndex(NamedTuple):
    """What the kernel of the rule reads: number_stops.gain_ends."""

    horizon: int
    least: int  # draws with an answer before the rule is first applied
    price: float
    shares: Floats  # [draws], squared predictive scale over the sum of squared differences from the mean
    lowest: Floats  # [draws], lead of the first point
    per_step: Floats  # [draws], points per unit of the lead
    gains: Floats  # [draws, point], index in predictive scales


@dataclass(frozen=True)
class BEACONStop(Stop):
    """Stop when the expected gain in the best score is at most the price of a draw (BEACON).

    Scores are Normal with unknown mean and variance (Jeffreys prior). After k draws with the mean m and the sample
    variance v, the next score is m + s t, s^2 = (1 + 1/k) v, where t has Student's distribution with k - 1 degrees of
    freedom. With z = (best - m) / s, the rule stops when h(z) s is at most the price (arXiv 2510.15945). The index h
    is the price at which one more draw and optimal stopping after it, up to the horizon, just pays. One draw before
    the horizon it is E[max(t - z, 0)]. The rule is first applied after three draws with an answer, and always stops
    after `horizon` of them or if all scores are equal. Draws without an answer are left out. Use it with
    ``vote=best_of_n``, whose answer has the best score.

    Parameters
    ----------
    price : float, default 0.05
        Price of a draw in units of the score, positive.
    horizon : int, default 16
        Most draws with an answer, from 3 to 64.
    column : str, default "score"
        Recorded number of each draw, the higher the better.

    Notes
    -----
    The index is tabulated for 513 values of z and interpolated linearly. Its relative error is below 0.1 %. The table
    of a horizon is computed once per process, which takes about a second for 16.

    Examples
    --------
    >>> str(BEACONStop()), str(BEACONStop(0.01, horizon=32))
    ('beacon:0.05', 'beacon:0.01/32')
    >>> scores = np.array([[1.0, 2.0, 3.0]])  # the expected gain of one draw is 0.457427
    >>> [BEACONStop(price, 4).stops(np.zeros(3, int), scores) for price in (0.457, 0.458)]
    [False, True]
    """

    name: ClassVar[str] = "beacon"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "sc:M,vote=best_of_n,stop=beacon:0.05",
            "stop when the expected gain of another draw and optimal stopping after it is <= 0.05 per draw, Normal "
            "scores, at most 16 draws",
            "2510.15945",
            "score",
        ),
    )

    price: float = 0.05
    horizon: int = 16
    column: str = "score"

    def __post_init__(self) -> None:
        self._set_number("price", 0, math.inf, "a positive number in units of the score, e.g. 0.05")
        self._set_whole("horizon", LEAST, _MOST_HORIZON)
        self._check_column()

    @property
    def columns(self) -> tuple[str, ...]:
        """Recorded number that the rule reads."""
        return (self.column,)

    def stops(self, answers: Ints, numbers: Floats) -> bool:
        """Return whether another draw is not worth its price."""
        scores = numbers[0, answers >= 0]
        k = scores.size
        squares = float(((scores - scores.mean()) ** 2).sum()) if k else 0.0
        if k < LEAST or k >= self.horizon or squares <= 0:
            return bool(k >= LEAST)
        scale = math.sqrt((k + 1) / k * squares / (k - 1))
        lead = (scores.max() - scores.mean()) / scale
        gain = np.interp(lead, np.linspace(*lead_range(k), POINTS), gain_indices(self.horizon)[k])
        return bool(gain * scale <= self.price * (1 + 1e-12))

    def table(self, depth: int) -> GainIndex:  # noqa: ARG002
        """Return what the kernel reads."""
        ranges = np.array([lead_range(max(k, LEAST)) for k in range(self.horizon)])
        per_step = (POINTS - 1) / (ranges[:, 1] - ranges[:, 0])
        gains = gain_indices(self.horizon).copy()
        k = np.maximum(np.arange(self.horizon), LEAST)
        shares = (k + 1) / (k * (k - 1))
        return GainIndex(self.horizon, LEAST, self.price, shares, ranges[:, 0].copy(), per_step, gains)
