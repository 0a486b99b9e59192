"""The answer of the most consistent model."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["MaxConsistency"]


class MaxConsistency(WeightedVote):
    """The model that agrees most with itself gives the answer."""

    @classmethod
    def max_consistency(cls, *, prior: Prior = None, ties: str = "first") -> Self:
        """Take the answer of the model whose leading answer has the highest share: SLM-MUX (arXiv 2510.05077).

        Ties go to the earlier model, so name the models in the order of their accuracy, the best first.
        """
        return cls(within="share", combine="max", prior=frozen(prior), ties=ties)


VOTES.add(
    "max_consistency",
    NamedVote(
        "max_consistency",
        lambda vote: vote.ballots == "one" and vote.combine == "max",
        rows=(Row("mix:M+M,vote=max_consistency", "the answer of the model with the highest v1 / K", "2510.05077"),),
    ),
)
