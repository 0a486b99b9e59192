"""Votes of the most confident draws, weighed by confidence."""

from __future__ import annotations

from typing import Self

from mssim.rules.registry import VOTES, Row
from mssim.rules.votes.base import NamedVote, Prior, WeightedVote, frozen

__all__ = ["DeepConf"]


class DeepConf(WeightedVote):
    """Only the most confident draws vote, and weigh their confidence."""

    @classmethod
    def deepconf(
        cls, keep: float = 0.1, *, column: str = "confidence", prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Let the top share of draws by confidence vote, each with its confidence: DeepConf (arXiv 2508.15260).

        Parameters
        ----------
        keep : float, default 0.1
            Share of the draws that vote, above 0 and up to 1. The article uses 0.1 and 0.9.
        column : str, default "confidence"
            Recorded confidence of each sample, at least 0.
        prior, ties
            As in the other votes. Under "first" the answer seen first among the kept draws wins.

        Notes
        -----
        Draws without an answer are dropped first. Of the remaining n draws of all models that vote, those with at least
        the (1 - keep) quantile of the confidences are kept, as by `numpy.percentile` (linear interpolation): the
        1 + floor(keep (n - 1)) most confident draws, and all that are as confident as the last of these. A prior weight
        multiplies votes of its model after this filter. A weight within the model is that of all its draws.

        Raises
        ------
        StrategyError
            When it is evaluated, if a confidence is negative. A sum of negative weights would favour rare answers.

        Examples
        --------
        >>> from mssim import SelfConsistency, Vote
        >>> str(SelfConsistency("gpt-4", Vote.deepconf(keep=0.9)))
        'sc:gpt-4,vote=deepconf,keep=0.9'
        """
        return cls(ballots="kept", keep=keep, column=column, prior=frozen(prior), ties=ties)


VOTES.add(
    "deepconf",
    NamedVote(
        "deepconf",
        lambda vote: vote.ballots == "kept",
        options=("keep", "column"),
        rows=(
            Row(
                "sc:M,vote=deepconf,keep=0.1",
                "argmax sum confidence of the draws with at least the (1 - keep) quantile",
                "2508.15260",
                "confidence",
            ),
        ),
    ),
)
