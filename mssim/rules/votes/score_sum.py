"""Votes weighed by a score."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["ScoreSum"]


class ScoreSum(WeightedVote):
    """Votes weigh the sample's score."""

    @classmethod
    def score_sum(cls, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Self:
        """Weigh each vote by the sample's score: the weighted vote of a reward model or verifier."""
        return cls(ballots="number", column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "score_sum",
    NamedVote(
        "score_sum",
        lambda vote: vote.ballots == "number" and vote.combine == "sum",
        options=("column",),
        rows=(Row("sc:M,vote=score_sum", "argmax sum score", "2206.02336", "score"),),
    ),
)
