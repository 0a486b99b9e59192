"""Votes weighed by how much a model's draws agree."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["Entropy"]


class Entropy(WeightedVote):
    """Votes of a model weigh as much as its draws agree."""

    @classmethod
    def entropy(cls, *, normaliser: str = "distinct", prior: Prior = None, ties: str = "first") -> Self:
        """Weigh a model's votes by 1/m + (1 - 1/m)(1 - H / log2 u), as ModelSwitch does (arXiv 2504.00762).

        m are the model's valid draws, u its distinct answers, H the entropy in bits of their shares; a unanimous model
        has weight 1. With ``normaliser="samples"`` the entropy is divided by log2 m instead.
        """
        return cls(within="entropy", normaliser=normaliser, prior=frozen(prior), ties=ties)


VOTES.add(
    "entropy",
    NamedVote(
        "entropy",
        lambda vote: vote.ballots == "one" and vote.combine == "sum" and vote.within == "entropy",
        options=("normaliser",),
        rows=(
            Row(
                "ms:M+M",
                "adopt the first M with v1 / K >= agreement, else argmax sum prior x weight x n(a), "
                "weight 1/m + (1 - 1/m)(1 - H / log2 u)",
                "2504.00762",
            ),
            Row("ms:M+M,normaliser=samples", "as ms:M+M, weight 1/m + (1 - 1/m)(1 - H / log2 m)", "2504.00762"),
        ),
    ),
)
