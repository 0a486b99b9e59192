"""Votes of the shortest draws."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["Shortest"]


class Shortest(WeightedVote):
    """Only the shortest draws vote."""

    @classmethod
    def shortest(cls, m: int, *, column: str = "output_tokens", prior: Prior = None, ties: str = "first") -> Self:
        """Let the m shortest draws of each model vote: short-m@k (arXiv 2505.17813).

        Under "first" the shorter draw comes first, since it is there earlier when all are sampled at once. A short draw
        without an answer takes one of the m places, unless its length was not recorded. Samples used and cost are those
        of all k draws; what is saved by breaking off the longer ones is not counted.
        """
        return cls(ballots="shortest", m=m, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "shortest",
    NamedVote(
        "shortest",
        lambda vote: vote.ballots == "shortest",
        options=("m", "column"),
        example={"m": 3},
        rows=(
            Row("sc:M,vote=shortest,m=3", "argmax n(a) of the 3 shortest of B draws", "2505.17813", "output_tokens"),
        ),
    ),
)
