"""Stopping rule by a Beta posterior of votes that weigh more the more confident they are (ReASC)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from mssim.rules.number_range import NumberRange
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop
from mssim.rules.stops.beta import chance_to_lead

__all__ = ["ReASCStop", "WeightedLead"]

_MOST_SECOND = 64  # weight of the second answer up to which decisions are tabulated
_HEAVIEST = 1e6  # weight of a draw; the chance is computed in a time that grows with its root


class WeightedLead(NamedTuple):
    """What the kernel of the rule reads: number_stops.weighted_lead_ends."""

    threshold: float
    rate: float  # of the exponent per unit of confidence
    centre: float
    gate: float  # infinite: no gate
    enough: Floats  # [weight of the second answer in steps], least weight of the first that stops


@dataclass(frozen=True)
class ReASCStop(Stop):
    """Stop when the leader is ahead with high probability, where confident draws weigh more (ReASC).

    A draw adds the weight max(1, exp(rate z)) to its answer, z = (confidence - centre) / scale. Let A and B be the
    weights of the two leading answers, and theta ~ Beta(A + 1, B + 1). The rule stops when P[theta > 1/2] reaches the
    threshold (arXiv 2601.02970). With a gate, a first draw that is as confident ends the turn at once.

    Parameters
    ----------
    threshold : float, default 0.95
        Probability above 1/2 and below 1.
    rate : float, default 0.7
        Growth of the logarithm of a weight with z. 0 is the rule `BetaStop`.
    centre, scale : float, default 0 and 1
        Confidence of the weight 1, and the unit in which confidence is measured, positive. The article normalises
        confidences, in a way that could not be confirmed. For example, use mean and standard deviation of the
        confidence of correct samples of other questions.
    column : str, default "confidence"
        Recorded number of each draw, the higher the more confident.
    gate : float, optional
        Confidence from which the first draw alone gives the answer.

    Examples
    --------
    >>> str(ReASCStop(0.9)), str(ReASCStop(centre=-0.3, scale=0.2))
    ('reasc:0.9', 'reasc:0.95/0.7/-0.3/0.2')
    >>> answers = np.array([0, 0])
    >>> ReASCStop().stops(answers, np.array([[1.0, 0.5]])), ReASCStop().stops(answers, np.array([[1.0, -0.5]]))
    (True, False)
    """

    name: ClassVar[str] = "reasc"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "sc:M,stop=reasc:0.95",
            "stop when 1 - I_1/2(A + 1, B + 1) >= 0.95, A >= B the leading sums of "
            "max(1, exp(0.7 (confidence - centre) / scale))",
            "2601.02970",
            "confidence",
        ),
    )

    threshold: float = 0.95
    rate: float = 0.7
    centre: float = 0.0
    scale: float = 1.0
    column: str = "confidence"
    gate: float | None = None

    def __post_init__(self) -> None:
        self._set_number("threshold", 0.5, 1, "a certainty between 0.5 and 1, e.g. 0.95")
        self._set_number("rate", 0, math.inf, "a number from 0, e.g. 0.7", low_too=True)
        self._set_number("centre", -math.inf, math.inf, "a finite number, e.g. 0")
        self._set_number("scale", 0, math.inf, "a positive number, e.g. 1")
        self._check_column()
        if self.gate is not None:
            self._set_number("gate", -math.inf, math.inf, "a confidence, or remove it")

    @property
    def columns(self) -> tuple[str, ...]:
        """Recorded number that the rule reads."""
        return (self.column,)

    @property
    def allowed(self) -> NumberRange | None:
        """Confidences of which a draw does not weigh more than a million."""
        high = self.centre + self.scale * math.log(_HEAVIEST) / self.rate if self.rate else math.inf
        return NumberRange(
            -math.inf,
            high,
            f"One such draw weighs more than {_HEAVIEST:g} votes. Set centre and scale so that (confidence - centre) / "
            f"scale is about 0 to 1, e.g. stop=reasc:{self.threshold}/{self.rate}/<mean>/<standard deviation>.",
        )

    def stops(self, answers: Ints, numbers: Floats) -> bool:
        """Return whether the leader's certainty reaches the threshold, or the first draw passes the gate."""
        voting = answers >= 0
        if not voting.any():
            return False
        if answers.size == 1 and self.gate is not None and numbers[0, 0] >= self.gate:
            return True
        weights = np.maximum(1.0, np.exp(self.rate / self.scale * (numbers[0, voting] - self.centre)))
        second, first = np.sort(np.bincount(answers[voting], weights, minlength=2))[-2:]
        return bool(chance_to_lead(first, second) >= self.threshold - 1e-12)

    def table(self, depth: int) -> WeightedLead:  # noqa: ARG002
        """Return what the kernel reads."""
        gate = math.inf if self.gate is None else float(self.gate)
        return WeightedLead(self.threshold, self.rate / self.scale, self.centre, gate, _enough(self.threshold))


@lru_cache(maxsize=64)
def _enough(threshold: float) -> Floats:
    """Compute by bisection the least weight that stops against 0, 1 / STEPS, 2 / STEPS, ... of the second answer."""
    from mssim.kernels.number_stops import STEPS  # here, so that texts are read without Numba

    second = np.arange(_MOST_SECOND * STEPS + 1) / STEPS
    low, high = second - 1.0, np.full_like(second, 2.0)
    while (short := chance_to_lead(high, second) < threshold).any():
        low, high = np.where(short, high, low), np.where(short, 2.0 * high, high)
    for _ in range(60):
        middle = (low + high) / 2
        reached = chance_to_lead(middle, second) >= threshold - 1e-12
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high
