"""Stopping rule by the entropy of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mssim.rules.agreement import NEVER
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable

__all__ = ["EntropyStop"]

_SLACK = 1e-9  # entropies closer than this are equal, here and in the compiled rule


@dataclass(frozen=True)
class EntropyStop(Stop):
    """Stop when the normalised entropy of the answers so far is at most a threshold.

    The entropy is divided by log2 of the number of distinct answers. As in the authors' code of Adaptive-Consistency
    (arXiv 2305.11860), one imaginary draw of another answer is added while all draws agree, so that [a, a] (0.92) is
    less certain than [a, a, a, a] (0.72). Draws without an answer count as distinct answers.

    Parameters
    ----------
    threshold : float, default 0.75
        Threshold of the normalised entropy, above 0 and at most 1.
    min_samples : int, default 2
        Number of draws before the rule is first applied.

    Examples
    --------
    >>> str(EntropyStop())
    'entropy:0.75'
    """

    name: ClassVar[str] = "entropy"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=entropy:0.75", "stop when entropy / log2(answers) <= 0.75", "2305.11860"),
    )

    threshold: float = 0.75
    min_samples: int = 2

    def __post_init__(self) -> None:
        self._set_number("threshold", 0, 1, "a number from above 0 to 1, e.g. 0.75", high_too=True)
        self._set_whole("min_samples", 1)

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the entropy is at most the threshold."""
        votes = np.bincount(answers[answers >= 0])
        if answers.size < self.min_samples or not votes.any():
            return False
        counts = np.concatenate([votes[votes > 0], np.ones((answers < 0).sum(), np.int64)])
        if counts.size == 1:
            counts = np.append(counts, 1)
        shares = counts / counts.sum()
        return bool(-(shares @ np.log2(shares)) / np.log2(counts.size) <= self.threshold + _SLACK)

    def table(self, depth: int) -> StopTable:
        """Return the threshold; the kernels update the entropy with every draw."""
        need = np.ones(depth + 1, np.int64)
        need[: self.min_samples] = NEVER
        return StopTable(np.zeros(depth + 1, np.int64), need, entropy=self.threshold)
