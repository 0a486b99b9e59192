"""Votes, one module each; a new named vote is a module and a base of `Vote`."""

from __future__ import annotations

from dataclasses import dataclass

from mssim.rules.votes.base import WeightedVote
from mssim.rules.votes.best_of_n import BestOfN
from mssim.rules.votes.confidence import Confidence
from mssim.rules.votes.entropy import Entropy
from mssim.rules.votes.majority_of_bests import MajorityOfBests
from mssim.rules.votes.max_consistency import MaxConsistency
from mssim.rules.votes.own import Own
from mssim.rules.votes.plurality import Plurality
from mssim.rules.votes.score_sum import ScoreSum
from mssim.rules.votes.shortest import Shortest

__all__ = ["Vote"]


@dataclass(frozen=True)
class Vote(
    Plurality, Entropy, Confidence, ScoreSum, BestOfN, MaxConsistency, Shortest, MajorityOfBests, Own, WeightedVote
):
    """A weighted vote: score(answer) = combine over models of prior x within-weight x ballots; the highest score wins.

    Use the named forms `Vote.plurality`, `entropy`, `confidence`, `score_sum`, `best_of_n`, `max_consistency`,
    `shortest`, `majority_of_bests` and `own`; ``dataclasses.replace`` makes others of them, e.g. the sum of scores
    within entropy weights.

    Parameters
    ----------
    within : {"none", "entropy", "share"}
        The weight of a model's ballots: 1; by how much its own draws agree; or 1 / its draws, so that votes are shares.
    normaliser : {"distinct", "samples"}
        What the entropy is divided by: log2 of the distinct answers (the released code of ModelSwitch) or of the valid
        draws.
    prior : mapping of model to weight, or sequence in the order of the models, optional
        Positive weights; default 1 each. Only their ratios matter. A single vote of any model must be more than 2e-9
        of all votes together at the budget: scores that differ by less than 1e-9 of their size are equal.
    ties : {"first", "random", "wrong"}
        "first": the answer seen first wins, models in order, then draws in order (as the authors do). "random": each
        tied answer with the same chance. "wrong": a tie is right only if every tied answer is, a lower bound.
    ballots : {"one", "number", "exp", "shortest", "bests"}
        What a draw counts: 1; a recorded number; exp(number / temperature); 1 if it is among the m shortest draws of
        its model, else 0; the chance that it has the highest number of m draws, taken again with replacement from all
        that vote.
    combine : {"sum", "max"}
        Whether ballots add up, or the best one counts: over draws and models for recorded numbers, over models for
        votes (the answer of the model whose leading answer scores highest; ties to the earlier model).
    column : str, optional
        The recorded number.
    temperature : float, optional
    m : int, optional
    function : callable, optional
        Function that scores the answers; see `own`.
    columns : str or sequence of str, optional
        Recorded numbers that the function reads; see `own`.
    """
