"""Stopping rule by a Beta posterior of the leading answer (Adaptive-Consistency)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes, votes_against

__all__ = ["BetaStop", "chance_to_lead"]


def chance_to_lead(first: Ints | Floats, second: Ints | Floats) -> Floats:
    """Compute P[theta > 1/2] for theta ~ Beta(first + 1, second + 1)."""
    return np.asarray(scipy.special.betaincc(first + 1.0, second + 1.0, 0.5))


@dataclass(frozen=True)
class BetaStop(Stop):
    """Stop when the posterior probability that the leader is ahead reaches a threshold (Adaptive-Consistency).

    Let v1 and v2 be the votes of the two leading answers, and theta ~ Beta(v1 + 1, v2 + 1) the share of the first one
    of the two. The rule stops when P[theta > 1/2] = 1 - I_{1/2}(v1 + 1, v2 + 1) reaches the threshold (arXiv
    2305.11860).

    Parameters
    ----------
    threshold : float, default 0.95
        Probability above 1/2 and below 1. The default is that of the authors and stops after four equal answers.

    Examples
    --------
    >>> str(BetaStop())
    'beta:0.95'
    >>> BetaStop().table(12).by_second.tolist()  # votes that stop against 0, 1, 2, ... of the next answer
    [4, 6, 8, 9, 11, 12, 13]
    """

    name: ClassVar[str] = "beta"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=beta:0.95", "stop when 1 - I_1/2(v1 + 1, v2 + 1) >= 0.95", "2305.11860"),
    )

    threshold: float = 0.95

    def __post_init__(self) -> None:
        self._set_number("threshold", 0.5, 1, "a certainty between 0.5 and 1, e.g. 0.95")

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the leader's certainty reaches the threshold."""
        first, second = leading_votes(answers)
        return bool(first and chance_to_lead(np.array(first), np.array(second)) >= self.threshold - 1e-12)

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer."""
        return StopTable(votes_against(chance_to_lead, self.threshold, depth).copy(), np.zeros(depth + 1, np.int64))
