"""Votes, one module each; a new named vote is a module and a base class of `Vote`."""

from __future__ import annotations

from dataclasses import dataclass

from mssim.rules.votes.base import WeightedVote
from mssim.rules.votes.best_of_majority import BestOfMajority
from mssim.rules.votes.best_of_n import BestOfN
from mssim.rules.votes.borda import Borda
from mssim.rules.votes.cges import CGES
from mssim.rules.votes.confidence import Confidence
from mssim.rules.votes.deepconf import DeepConf
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
    Plurality,
    Entropy,
    Confidence,
    CGES,
    ScoreSum,
    BestOfN,
    MaxConsistency,
    Shortest,
    MajorityOfBests,
    DeepConf,
    Borda,
    BestOfMajority,
    Own,
    WeightedVote,
):
    """Weighted vote over draws; the answer with the highest score wins.

    The score of an answer is combined over models from prior weight x within-weight x ballots. Use the named forms
    `Vote.plurality`, `entropy`, `confidence`, `cges`, `score_sum`, `best_of_n`, `max_consistency`, `shortest`,
    `majority_of_bests`, `deepconf`, `borda`, `best_of_majority` and `own`. Other combinations are available with
    ``dataclasses.replace``, e.g. the sum of scores with entropy weights.

    Parameters
    ----------
    within : {"none", "entropy", "share"}, default "none"
        Weight of a model's ballots: 1, a weight that grows with the agreement of its draws, or 1 / its draws, so that
        votes are shares.
    normaliser : {"distinct", "samples"}, default "distinct"
        Divisor of the entropy: log2 of the distinct answers (released code of ModelSwitch) or of the valid draws.
    prior : mapping of model to weight, or sequence in the order of the models, optional
        Positive weights of the models, by default 1. Only ratios matter. A single vote of any model must be more than
        2e-9 of all votes at the budget, because scores are equal within a relative tolerance of 1e-9.
    ties : {"first", "random", "wrong"}, default "first"
        "first": the answer seen first wins, by models in order, then draws in order (as in the authors' code).
        "random": each tied answer wins with the same probability. "wrong": a tie is correct only if every tied answer
        is, a lower bound.
    ballots : {"one", "number", "exp", "shortest", "bests", "kept", "ranks", "frequent", "posterior"}, default "one"
        Value of a draw: 1; a recorded number; exp(number / temperature); 1 if it is among the m shortest draws of its
        model and 0 otherwise; the probability that it has the highest number among m draws, resampled with
        replacement from all voting draws; its number if this is among the top share `keep` of all voting draws;
        (N - r + 1)^power if its number is the r-th highest of all N draws; its number divided by the votes of its
        answer, if this answer has at least the share `alpha` of all draws; or the logarithm of the likelihood that its
        answer gains by it, see `cges`.
    combine : {"sum", "max"}, default "sum"
        Whether ballots are added or the best one counts. "max" is over draws and models for recorded numbers, and over
        models for votes, with the answer of the model whose leading answer has the highest score (of equal models the
        first).
    column : str, optional
        Name of the recorded number.
    temperature : float, optional
        Temperature of "exp".
    m : int, optional
        Number of draws of "shortest" and "bests".
    answers : int, optional
        Known number of possible answers of "posterior".
    keep, power, alpha : float, optional
        Options of "kept", "ranks" and "frequent"; see `deepconf`, `borda` and `best_of_majority`.
    function : callable, optional
        Function that scores the answers; see `own`.
    columns : str or sequence of str, optional
        Recorded numbers that the function reads; see `own`.

    Examples
    --------
    >>> from mssim import Mixture, Vote
    >>> str(Mixture(["strong", "weak"], Vote.plurality(prior=(2, 1), ties="random")))
    'mix:strong+weak,prior=2/1,ties=random'
    >>> from dataclasses import replace
    >>> str(Mixture(["strong", "weak"], replace(Vote.score_sum(), within="entropy")))
    'mix:strong+weak,vote=score_sum,within=entropy'
    """
