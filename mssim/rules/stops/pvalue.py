"""Stopping rule by the p-value of a sign test of the two leading answers (ConSol's baseline)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes, votes_against

__all__ = ["PValueStop"]


def evidence(first: Ints, second: Ints) -> Floats:
    """Compute -log P[X >= first] for X ~ Binomial(first + second, 1/2), which is 0 without votes."""
    p = np.where(first > 0, scipy.special.betainc(np.maximum(first, 1.0), second + 1.0, 0.5), 1.0)
    with np.errstate(divide="ignore"):  # the p-value of a thousand equal answers is 0
        return np.asarray(-np.log(p))


@dataclass(frozen=True)
class PValueStop(Stop):
    """Stop when a one-sided sign test of the two leading answers has a p-value of at most alpha (ConSol's baseline).

    Let v1 and v2 be the votes of the two leading answers. The p-value is P[X >= v1] for X ~ Binomial(v1 + v2, 1/2), and
    the rule stops when it is at most alpha (arXiv 2503.17587, section 2.6). It is computed anew after every draw, and
    the leader was not fixed in advance, so alpha is not an error rate of the rule. `EValueStop` controls one.

    Parameters
    ----------
    alpha : float, default 0.05
        Level of the test, above 0 and below 1/2. The default is that of the authors and stops after five equal answers.

    Examples
    --------
    >>> str(PValueStop())
    'pvalue:0.05'
    >>> PValueStop().table(12).by_second.tolist()  # votes that stop against 0, 1, 2, ... of the next answer
    [5, 7, 9, 10, 12, 13, 13]
    """

    name: ClassVar[str] = "pvalue"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=pvalue:0.05", "stop when P[Bin(v1 + v2, 1/2) >= v1] <= 0.05", "2503.17587"),
    )

    alpha: float = 0.05

    def __post_init__(self) -> None:
        self._set_number("alpha", 0, 0.5, "a level between 0 and 0.5, e.g. 0.05")

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the p-value is at most alpha."""
        first, second = leading_votes(answers)
        return bool(evidence(np.array(first), np.array(second)) >= -math.log(self.alpha) - 1e-12)

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer."""
        enough = votes_against(evidence, -math.log(self.alpha), depth)
        return StopTable(enough.copy(), np.zeros(depth + 1, np.int64))
