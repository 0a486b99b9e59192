"""Stopping rule by the posterior probability of an answer, given how confident each draw is (CGES)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import scipy

from mssim.rules.number_range import CHANCES, NumberRange
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop

__all__ = ["CGESStop", "Posterior"]


class Posterior(NamedTuple):
    """What the kernel of the rule reads: number_stops.posterior_ends."""

    threshold: float
    answers: int  # possible answers; 0: those that were drawn and one other
    other: bool


@dataclass(frozen=True)
class CGESStop(Stop):
    """Stop when the posterior probability of an answer reaches a threshold (CGES).

    A draw with the confidence C has the probability C if its answer is the correct one, and (1 - C) / (K - 1) if
    another answer is. Draws are independent, and each of K possible answers is equally likely before the first draw.
    The rule stops when the posterior probability of an answer that was drawn reaches the threshold (arXiv 2511.02603).
    K is the number of different answers drawn so far plus one for all others, so that a new answer changes the weight
    of all draws. Draws without an answer are left out. The vote `Vote.cges` chooses the answer of the article.

    Parameters
    ----------
    threshold : float, default 0.95
        Probability between 0 and 1. The default is that of the package scorio.
    column : str, default "confidence"
        Recorded probability of each draw, above 0 and below 1.
    other : bool, default False
        Whether the rule also stops when an answer that was not drawn is so likely, as in Algorithm 1 of the article.
    answers : int, optional
        Known number of possible answers K, at least 2, as in the first version of the article. If more are drawn, K is
        their number.

    Examples
    --------
    >>> str(CGESStop()), str(CGESStop(column="p", answers=4))
    ('cges:0.95', 'cges:0.95/p/False/4')
    >>> CGESStop(0.9).stops(np.array([0, 0]), np.array([[0.8, 0.7]]))  # 0.56 / (0.56 + 0.06)
    True
    """

    name: ClassVar[str] = "cges"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "sc:M,vote=cges,stop=cges:0.95",
            "stop when an answer has the posterior probability 0.95: that of a is proportional to the product of "
            "C = confidence where a was drawn, (1 - C) / (K - 1) elsewhere, K = distinct answers + 1",
            "2511.02603",
            "confidence",
        ),
    )

    threshold: float = 0.95
    column: str = "confidence"
    other: bool = False
    answers: int | None = None

    def __post_init__(self) -> None:
        self._set_number("threshold", 0, 1, "a probability between 0 and 1, e.g. 0.95")
        self._check_column()
        self._set_truth("other")
        if self.answers is not None:
            self._set_whole("answers", 2)

    @property
    def columns(self) -> tuple[str, ...]:
        """Recorded number that the rule reads."""
        return (self.column,)

    @property
    def allowed(self) -> NumberRange | None:
        """Probabilities of neither 0 nor 1."""
        return CHANCES

    def stops(self, answers: Ints, numbers: Floats) -> bool:
        """Return whether the likeliest answer has enough of the probability."""
        voting = answers >= 0
        seen, number = np.unique(answers[voting], return_inverse=True)
        if not seen.size:
            return False
        unseen = 1 if self.answers is None else max(self.answers - seen.size, 0)
        log_odds = scipy.special.logit(numbers[0, voting]) + np.log(seen.size + unseen - 1)
        scores = np.bincount(number, log_odds)
        of_other = [np.log(unseen)] if unseen else []
        total = scipy.special.logsumexp([*scores, *of_other])
        top = max(scores.max(), 0.0) if self.other and unseen else scores.max()
        return bool(np.exp(top - total) >= self.threshold - 1e-12)

    def table(self, depth: int) -> Posterior:  # noqa: ARG002
        """Return what the kernel reads."""
        return Posterior(self.threshold, self.answers or 0, self.other)
