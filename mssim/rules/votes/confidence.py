"""Votes weighed by confidence."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["Confidence"]


class Confidence(WeightedVote):
    """Votes weigh exp(confidence / temperature)."""

    @classmethod
    def confidence(
        cls, temperature: float = 1.0, *, column: str = "confidence", prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Weigh each vote by exp(confidence / temperature): CISC (arXiv 2502.06233).

        A small temperature is the most confident draw's answer, a large one the plurality. With ``column="score"`` the
        votes weigh the softmax of a reward: its normaliser is the same for all draws of a question and cancels.
        """
        return cls(ballots="exp", temperature=temperature, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "confidence",
    NamedVote(
        "confidence",
        lambda vote: vote.ballots == "exp",
        options=("temperature", "column"),
        rows=(
            Row("sc:M,vote=confidence", "argmax sum exp(confidence / temperature)", "2502.06233", "confidence"),
            Row(
                "sc:M,vote=confidence,temperature=0.5,column=score",
                "argmax sum exp(score / temperature): the softmax of a reward",
                "2502.06233",
                "score",
            ),
        ),
    ),
)
