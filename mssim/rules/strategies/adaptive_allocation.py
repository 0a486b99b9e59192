"""Allocation of one total budget to all questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import scipy

from mssim._validation import choose_from, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Floats, Ints, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["AdaptiveAllocation", "certainty", "levels"]

MOST_CAP = 1024


def certainty(first: Ints, second: Ints, measure: str = "beta") -> Floats:
    """Return how certain it is that an answer with `first` votes leads one with `second` votes.

    Equal certainties are equal numbers, because rounding removes what floating point adds.

    Parameters
    ----------
    first, second : ndarray of int64
        Votes.
    measure : {"beta", "ppr"}, default "beta"
        As `certainty` of `AdaptiveAllocation`: -log P[theta < 1/2], or log R.

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> certainty(np.array([0, 3, 1]), np.array([0, 3, 0])).round(3)
    array([0.693, 0.693, 1.386])
    >>> np.exp(certainty(np.array([1, 4, 3]), np.array([0, 0, 1]), "ppr")).round(3)
    array([1. , 3.2, 0.8])
    """
    return np.asarray(np.round(_MEASURES[measure](first, second), 10))


def _beta(first: Ints, second: Ints) -> Floats:
    with np.errstate(divide="ignore"):  # the chance can underflow to 0
        return np.asarray(-np.log(scipy.special.betainc(first + 1.0, second + 1.0, 0.5)))


def _ppr(first: Ints, second: Ints) -> Floats:
    return np.asarray(scipy.special.betaln(first + 1.0, second + 1.0) + (first + second) * math.log(2))


_MEASURES = {"beta": _beta, "ppr": _ppr}


@lru_cache(maxsize=8)
def levels(cap: int, measure: str) -> Ints:
    """Return levels of certainty that an answer leads, [votes of the second, votes of the first], increasing."""
    second, first = np.divmod(np.arange((cap + 1) ** 2), cap + 1)
    possible = (first >= second) & (first + second <= cap)
    found = np.zeros(first.size, np.int64)
    found[possible] = np.unique(certainty(first[possible], second[possible], measure), return_inverse=True)[1]
    return found.reshape(cap + 1, cap + 1)


@dataclass(frozen=True)
class AdaptiveAllocation(Strategy):
    """Share one total budget among all questions, and sample where the leading answer is least certain.

    A budget of B allows B times the number of questions in total. Of equally certain questions, the one sampled least
    recently is next. Compare with `SelfConsistency`, which spreads the same total evenly.

    Questions depend on each other. The result of a question changes with the other questions in the pool, and
    `replay_sd` and `mc_error`, which assume independence, are approximate.

    Parameters
    ----------
    model : str
        Name of the model.
    cap : int, optional
        Maximum number of samples per question, up to 1024. By default all recorded samples.
    ties : {"first", "random", "wrong"}, default "first"
        As in `Vote`.
    max_tokens
        As in `Strategy`.
    certainty : {"beta", "ppr"}, default "beta"
        Let v1 and v2 be the votes of the two leading answers, and theta ~ Beta(v1 + 1, v2 + 1). "beta" is the certainty
        of `BetaStop`, P[theta > 1/2]. "ppr" is the ratio R of prior and posterior density at theta = 1/2 (PPR-1v1,
        arXiv 2109.05047), which is v1! v2! 2^(v1 + v2) / (v1 + v2 + 1)!.

    Examples
    --------
    >>> from mssim import AdaptiveAllocation, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> result = evaluate(pool, [AdaptiveAllocation("gemma"), "sc:gemma"], 8, n_replays=100)
    >>> result.to_frame()[["strategy", "accuracy", "samples_used"]].round(2)
          strategy  accuracy  samples_used
    0  alloc:gemma      0.53           8.0
    1     sc:gemma      0.56           8.0
    """

    kind: ClassVar[str] = "alloc"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("alloc:M", "the next of B x questions draws where 1 - I_1/2(v1 + 1, v2 + 1) is lowest", "2305.11860"),
        Row("alloc:M,certainty=ppr", "the same where v1! v2! 2^(v1 + v2) / (v1 + v2 + 1)! is lowest", "2109.05047"),
    )
    model: str
    cap: int | None = None
    ties: str = "first"
    max_tokens: int | Sequence[int | None] | None = None
    certainty: str = "beta"

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        Vote(ties=self.ties)
        if self.cap is not None:
            try:
                object.__setattr__(self, "cap", whole_number("cap", self.cap, 1, MOST_CAP))
            except MssimError as error:
                raise StrategyError(f"AdaptiveAllocation: {error}") from None
        if not isinstance(self.certainty, str) or self.certainty not in _MEASURES:
            known = choose_from(str(self.certainty), _MEASURES)
            raise StrategyError(f"AdaptiveAllocation: certainty={self.certainty!r} is not valid. {known}.")

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage, whose size is the mean number of samples per question."""
        plan = never_stop(self, allocate(budgets, 1), Vote.plurality(ties=self.ties))
        return (plan._replace(cap=self.cap or MOST_CAP, certainty=self.certainty),)
