"""Stopping rule by an anytime-valid test of the leading answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes, votes_against
from mssim.rules.stops.beta import chance_to_lead

__all__ = ["EValueStop"]


def log_e_value(first: Ints, second: Ints) -> Floats:
    """Compute the logarithm of the mean of (2 theta)^first (2 - 2 theta)^second over theta uniform on 1/2..1."""
    likelihood = scipy.special.betaln(first + 1.0, second + 1.0) + np.log(chance_to_lead(first, second))
    return np.asarray((first + second + 1) * math.log(2) + likelihood)


@dataclass(frozen=True)
class EValueStop(Stop):
    """Stop when an anytime-valid test shows that the leader is more likely than the next answer.

    The e-value of v1 votes of the leader and v2 votes of the next answer tests a fair coin against a uniform mixture of
    coins that favour the leader, E = 2^(v1 + v2 + 1) B(v1 + 1, v2 + 1) (1 - I_{1/2}(v1 + 1, v2 + 1)), a test
    martingale. The rule stops when E >= 1 / alpha. By Ville's inequality, this happens with probability at most alpha
    for an answer that was fixed in advance and is not the most probable one, for any competitor (an intersection-union
    test, arXiv 2605.05873). With K possible answers, the probability of stopping at an answer that is not the most
    probable one is at most (K - 1) alpha. Draws are assumed to be independent (``replacement=True``). The most probable
    answer can be wrong.

    Parameters
    ----------
    alpha : float, default 0.05
        Error level, between 0 and 1. The default stops after seven equal answers.

    Examples
    --------
    >>> str(EValueStop(0.1))
    'evalue:0.1'
    >>> EValueStop().table(12).by_second.tolist()
    [7, 10, 12, 13, 13, 13, 13]
    """

    name: ClassVar[str] = "evalue"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=evalue:0.05", "stop when the e-value of v1 against v2 >= 1 / 0.05", "2605.05873"),
    )

    alpha: float = 0.05

    def __post_init__(self) -> None:
        self._set_number("alpha", 0, 1, "an error rate between 0 and 1, e.g. 0.05")

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the e-value reaches 1 / alpha."""
        first, second = leading_votes(answers)
        return bool(first and log_e_value(np.array(first), np.array(second)) >= -math.log(self.alpha) - 1e-12)

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer."""
        enough = votes_against(log_e_value, -math.log(self.alpha), depth)
        return StopTable(enough.copy(), np.zeros(depth + 1, np.int64))
