"""The answer with the most votes."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["Plurality"]


class Plurality(WeightedVote):
    """Votes count 1 each."""

    @classmethod
    def plurality(cls, *, prior: Prior = None, ties: str = "first") -> Self:
        """Let the most votes win; with `prior`, each model's votes count that much.

        Examples
        --------
        >>> from mssim import Vote
        >>> Vote.plurality(ties="random").ties
        'random'
        """
        return cls(prior=frozen(prior), ties=ties)


VOTES.add(
    "plurality",
    NamedVote("plurality", lambda vote: vote.ballots == "one" and vote.combine == "sum" and vote.within != "entropy"),
)
