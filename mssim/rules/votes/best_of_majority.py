"""The best of the answers that have enough votes."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["BestOfMajority"]


class BestOfMajority(WeightedVote):
    """Of the answers with enough votes, the one with the highest mean score wins."""

    @classmethod
    def best_of_majority(
        cls, alpha: float = 0.1, *, column: str = "score", prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Take the best answer of those with at least a share of the votes: Best-of-Majority (arXiv 2510.03199).

        Parameters
        ----------
        alpha : float, default 0.1
            Share of all draws, also of those without an answer, that an answer must have, from 0 to 1.
        column : str, default "score"
            Recorded score of each sample. The score of an answer is the mean over its draws.
        prior, ties
            As in the other votes. A draw of a model with the prior weight 2 counts as two draws, in shares and means.

        Notes
        -----
        If no answer has the share, those with the most votes remain, so ``alpha=1`` is close to the plurality. 0 is the
        best mean score. The article draws hundreds of samples and uses shares of 0.003 to 0.015.

        Examples
        --------
        >>> from mssim import SelfConsistency, Vote
        >>> str(SelfConsistency("gpt-4", Vote.best_of_majority(0.25)))
        'sc:gpt-4,vote=best_of_majority,alpha=0.25'
        """
        return cls(ballots="frequent", alpha=alpha, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "best_of_majority",
    NamedVote(
        "best_of_majority",
        lambda vote: vote.ballots == "frequent",
        options=("alpha", "column"),
        rows=(
            Row(
                "sc:M,vote=best_of_majority,alpha=0.1",
                "argmax mean score of the answers with n(a) >= alpha B, or else of those with the most votes",
                "2510.03199",
                "score",
            ),
        ),
    ),
)
