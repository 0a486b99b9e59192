"""Stopping rule by a mixture sequential probability ratio test of the two leading answers (ConSol)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from mssim.errors import StrategyError
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes, votes_against

__all__ = ["MixtureSPRTStop"]

_SLACK = 1e-12  # logarithms of ratios closer than this are equal


def _log_rising(start: float, most: int) -> Floats:
    """Return the logarithms of the products of 1 + i / start over i < 0, 1, ..., `most`."""
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.log1p(np.arange(most) / start))]))


@dataclass(frozen=True)
class MixtureSPRTStop(Stop):
    """Stop when a mixture SPRT decides whether the two leading answers differ (ConSol, arXiv 2503.17587).

    The votes v1 and v2 of the two leading answers test a fair coin against coins that favour the leader, theta ~
    Beta(a, b) above 1/2. With theta' ~ Beta(v1 + a, v2 + b), the likelihood ratio is
    LR = 2^(v1 + v2) B(v1 + a, v2 + b) P[theta' > 1/2] / (B(a, b) P[theta > 1/2]). The rule stops when LR >=
    (1 - beta) / alpha, because the leader is ahead, and when LR <= beta / (1 - alpha), because the two do not differ.
    All draws vote in both cases.

    Parameters
    ----------
    a, b : float, default 1000000
        Parameters of the Beta distribution, from above 0 to 10^9.
    alpha, beta : float, default 0.05 and 0.94994
        Parameters of the bounds, above 0, with a sum below 1. They are error rates of a test of two answers that were
        fixed in advance. The defaults, all of the authors, make both bounds nearly 1.

    Notes
    -----
    With the defaults, the rule stops when the leader is three votes ahead, within the 256 draws that the authors allow
    at most. It stops at a tie only at 127 votes each. The same holds for the default of the authors' plain SPRT, which
    never stops at a tie within 256 draws. A broader prior makes other rules: ``msprt:256/256/0.05/0.9446``.

    Logarithms of the two beta functions are a million times as large as that of LR, so their difference is summed term
    by term.

    Examples
    --------
    >>> str(MixtureSPRTStop())
    'msprt:1000000'
    >>> MixtureSPRTStop().table(12).by_second.tolist()  # votes that stop against 0, 1, 2, ... of the next answer
    [3, 4, 5, 6, 7, 8, 9]
    >>> MixtureSPRTStop(256, 256, beta=0.9446).table(12).give_up.tolist()  # stops with at most so many, too
    [-1, 0, 1, 3, 4, 5, 6]
    """

    name: ClassVar[str] = "msprt"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=msprt:1e6", "stop when a mixture SPRT of v1 against v2 decides", "2503.17587"),
    )

    a: float = 1e6
    b: float = 1e6
    alpha: float = 0.05
    beta: float = 0.94994

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            self._set_number(name, 0, 1e9, "a number from above 0 to 1e9, e.g. 1e6", high_too=True)
        for name in ("alpha", "beta"):
            self._set_number(name, 0, 1, "a number between 0 and 1")
        if self.alpha + self.beta >= 1:
            raise StrategyError(
                f"MixtureSPRTStop: alpha={self.alpha} and beta={self.beta} leave no space between the two bounds. Use "
                "numbers with a sum below 1, e.g. 0.05 and 0.94994."
            )
        if not scipy.special.betaincc(self.a, self.b, 0.5) > 0:
            raise StrategyError(
                f"MixtureSPRTStop: a={self.a} and b={self.b} favour the next answer so much that the leader has no "
                "chance. Use equal numbers, or a larger a."
            )

    @property
    def _bounds(self) -> tuple[float, float]:
        """Logarithms of the lower and the upper bound."""
        return math.log(self.beta / (1 - self.alpha)), math.log((1 - self.beta) / self.alpha)

    def log_ratio(self, first: Ints, second: Ints) -> Floats:
        """Compute log LR of so many votes of the two leading answers.

        Examples
        --------
        >>> MixtureSPRTStop().log_ratio(np.array([2, 3]), np.array([0, 0])).round(10)
        array([0.00112824, 0.00169264])
        """
        a, b, most = self.a, self.b, int((np.abs(first) + second).max())
        total = np.maximum(first + second, 0)
        shares = first * math.log(2 * a / (a + b)) + second * math.log(2 * b / (a + b))
        ratio = _log_rising(a, most)[first] + _log_rising(b, most)[second] - _log_rising(a + b, most)[total]
        with np.errstate(divide="ignore"):
            ahead = np.log(scipy.special.betaincc(np.array([a, *(first + a)]), np.array([b, *(second + b)]), 0.5))
        return np.asarray(shares + ratio + ahead[1:] - ahead[0])

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the ratio reaches one of the bounds."""
        first, second = leading_votes(answers)
        low, high = self._bounds
        ratio = self.log_ratio(np.array([first]), np.array([second]))[0]
        return bool(first and (ratio >= high - _SLACK or ratio <= low + _SLACK))

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer, and those that give up."""
        low, high = self._bounds
        enough = votes_against(self.log_ratio, high, depth)
        give_up = votes_against(self.log_ratio, low + 2 * _SLACK, depth) - 1  # `votes_against` has the same slack
        return StopTable(enough.copy(), np.zeros(depth + 1, np.int64), give_up=give_up)
