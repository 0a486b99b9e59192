"""The answer of the draw with the highest score."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["BestOfN"]


class BestOfN(WeightedVote):
    """The draw with the highest score gives the answer."""

    @classmethod
    def best_of_n(cls, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Self:
        """Take the answer of the draw with the highest score: best-of-N.

        As the vote of a `ModelSwitch` it is ModelSwitch with best-of-N: agreement is adopted, else the best of all.
        """
        return cls(ballots="number", combine="max", column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "best_of_n",
    NamedVote(
        "best_of_n",
        lambda vote: vote.ballots == "number" and vote.combine == "max",
        options=("column",),
        rows=(
            Row("sc:M,vote=best_of_n", "argmax score", "2110.14168", "score"),
            Row(
                "ms:M+M,vote=best_of_n",
                "adopt the first M with v1 / K >= agreement, else argmax score",
                "2504.00762",
                "score",
            ),
        ),
    ),
)
