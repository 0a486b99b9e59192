"""The answer with the highest posterior probability, given how confident each draw is (CGES)."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["CGES"]


class CGES(WeightedVote):
    """The likeliest answer wins, given how confident each draw is."""

    @classmethod
    def cges(
        cls, *, column: str = "confidence", answers: int | None = None, prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Take the answer with the highest posterior probability: the vote of CGES (arXiv 2511.02603).

        A draw with the confidence C adds log(C (K - 1) / (1 - C)) to the score of its answer, which is the logarithm of
        a likelihood; see `CGESStop`. K is the number of different answers drawn plus one, or `answers`, or the number
        of different answers if that is larger. A draw with C < 1 / K counts against its answer. With `prior` the
        likelihood of a model's draws is raised to the power of its weight.

        Examples
        --------
        >>> from mssim import SelfConsistency, Vote
        >>> str(SelfConsistency("gpt-4", Vote.cges(column="p", answers=4)))
        'sc:gpt-4,vote=cges,column=p,answers=4'
        """
        return cls(ballots="posterior", column=column, answers=answers, prior=frozen(prior), ties=ties)


VOTES.add(
    "cges",
    NamedVote(
        "cges",
        lambda vote: vote.ballots == "posterior",
        options=("column", "answers"),
        rows=(
            Row(
                "sc:M,vote=cges",
                "argmax sum log(confidence (K - 1) / (1 - confidence)), K = distinct answers + 1",
                "2511.02603",
                "confidence",
            ),
        ),
    ),
)
