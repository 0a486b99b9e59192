"""Stopping rule by the share of the leading answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mssim.rules.agreement import NEVER, votes_to_agree
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes

__all__ = ["MajorityStop"]


@dataclass(frozen=True)
class MajorityStop(Stop):
    """Stop when the share of the leading answer among the draws so far reaches a threshold.

    The defaults are those of the authors' code of Adaptive-Consistency (arXiv 2305.11860).

    Parameters
    ----------
    share : float, default 0.8
        Threshold of the share, above 0 and at most 1. Draws without an answer count among the draws.
    min_samples : int, default 2
        Number of draws before the rule is first applied.

    Examples
    --------
    >>> str(MajorityStop(0.9, min_samples=4))
    'majority:0.9/4'
    """

    name: ClassVar[str] = "majority"
    rows: ClassVar[tuple[Row, ...]] = (Row("sc:M,stop=majority:0.8", "stop when v1 / draws >= 0.8", "2305.11860"),)

    share: float = 0.8
    min_samples: int = 2

    def __post_init__(self) -> None:
        self._set_number("share", 0, 1, "a share from above 0 to 1, e.g. 0.8", high_too=True)
        self._set_whole("min_samples", 1)

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the leader's share reaches the threshold."""
        first, _ = leading_votes(answers)
        return bool(answers.size >= self.min_samples and first / answers.size >= self.share)

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop after every number of draws."""
        need = votes_to_agree(np.arange(depth + 1), self.share)
        need[: self.min_samples] = NEVER
        return StopTable(np.zeros(depth + 1, np.int64), need)
