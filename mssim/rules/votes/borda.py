"""Votes weighed by the rank of their confidence."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["Borda"]


class Borda(WeightedVote):
    """Votes weigh by rank, the most confident draw first."""

    @classmethod
    def borda(cls, power: float = 0.5, *, column: str = "confidence", prior: Prior = None, ties: str = "first") -> Self:
        """Weigh the vote of rank r of N draws by (N - r + 1)^power: self-certainty's Borda vote (arXiv 2502.18581).

        Parameters
        ----------
        power : float, default 0.5
            From 0, the plurality, to 30. A large power gives the answer of the most confident draw.
        column : str, default "confidence"
            Recorded number by which the draws of all models that vote are ranked, the highest first.
        prior, ties
            As in the other votes.

        Notes
        -----
        Equal numbers are ranked in the order of the draws: models in order, then draws in order. As in the authors'
        code, a draw without an answer keeps its rank and does not vote. If its number was not recorded, it is last.

        Examples
        --------
        >>> from mssim import SelfConsistency, Vote
        >>> str(SelfConsistency("gpt-4", Vote.borda(1.2)))
        'sc:gpt-4,vote=borda,power=1.2'
        """
        return cls(ballots="ranks", power=power, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "borda",
    NamedVote(
        "borda",
        lambda vote: vote.ballots == "ranks",
        options=("power", "column"),
        rows=(
            Row(
                "sc:M,vote=borda,power=0.5",
                "argmax sum (B - r + 1)^power, r = rank by confidence among B draws",
                "2502.18581",
                "confidence",
            ),
        ),
    ),
)
