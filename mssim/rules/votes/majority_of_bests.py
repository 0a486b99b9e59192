"""The likeliest answer of best-of-m over resamples."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["MajorityOfBests"]


class MajorityOfBests(WeightedVote):
    """The answer that most resamples of the draws find best."""

    @classmethod
    def majority_of_bests(cls, m: int, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Self:
        """Take the likeliest answer of best-of-m over resamples of the draws: Majority-of-the-Bests (arXiv 2511.18630).

        The chance is computed, not resampled: of n valid draws the one whose score has rank r from below is the best of
        m taken with replacement with the chance (r / n)^m - ((r - 1) / n)^m; draws with the same score share theirs.
        m = 1 is the plurality, a large m best-of-N.
        """
        return cls(ballots="bests", m=m, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "majority_of_bests",
    NamedVote(
        "majority_of_bests",
        lambda vote: vote.ballots == "bests",
        options=("m", "column"),
        example={"m": 4},
        rows=(
            Row(
                "sc:M,vote=majority_of_bests,m=8",
                "argmax chance that a has the highest of 8 scores drawn again from the B",
                "2511.18630",
                "score",
            ),
        ),
    ),
)
