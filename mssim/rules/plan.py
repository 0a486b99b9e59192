"""Plans: what a strategy does at given budgets, the blocks it is done in, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.rules.number_range import NumberRange
from mssim.rules.stops import Stop
from mssim.rules.votes import Vote

__all__ = ["QUANTITIES", "Expected", "Online", "Ordered", "Plan", "Verifier", "allocate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTITIES = ("tokens", "cost", "latency")  # what samples spend, in the order of the axis [quantity]


class Verifier(NamedTuple):
    """What accepts a sample that has an answer."""

    column: str = "correct"  # accepts correct samples, unless there is a threshold
    threshold: float | tuple[float, ...] | None = None  # accepts samples with at least this number, by stage if several
    strict: bool = False  # whether it accepts samples with more than the threshold only
    last: bool = False  # whether the last draw is the answer if no sample is accepted

    @property
    def columns(self) -> tuple[str, ...]:
        """Recorded numbers that the verifier reads."""
        return () if self.threshold is None else (self.column,)

    def limit(self, stage: int) -> float | None:
        """Return the threshold of a stage; infinity for stages without one, whose numbers are not read."""
        if isinstance(self.threshold, tuple):
            return self.threshold[stage] if stage < len(self.threshold) else math.inf
        return self.threshold


class Ordered(NamedTuple):
    """How questions that are ordered by difficulty draw; see `DifficultyAdaptive`."""

    difficulty: str | None = None  # question column; None: learnt on other questions
    features: Sequence[str] | None = None  # question columns from which it is learnt; None: words
    window: int = 4
    easy: int = 32
    before: int = 16
    threshold: float = 0.95


class Online(NamedTuple):
    """When samples end early by the confidences of their groups, and which of them vote; see `DeepConf`."""

    keep: float
    warmup: int
    consensus: float | None
    window: int
    stride: int
    ties: str = "first"


class Plan(NamedTuple):
    """What a strategy does at given budgets; arrays are [stage, budget], a stage being one model's turn.

    A model that has several turns continues with its draws.
    """

    models: Sequence[str]
    sizes: Ints  # samples that a stage draws; 0 = left out, as no stage before one that draws can be
    need: Ints  # votes of the leading answer that stop after this stage
    vote: Vote | None  # None: right if any draw is right, or as many as `least` says
    adopt: bool = False  # whether a stage that stops gives the answer alone; else all drawn so far vote
    stop: Stop | None = None  # when a strategy of one model stops before its budget is spent
    looks: tuple[int, ...] | None = None  # draws after which `stop` is asked, increasing; None: after every draw
    cap: int = 0  # above 0: the budget is a mean over questions, of which each may take up to this many samples
    certainty: str = "beta"  # with a cap: how certain a leader is, as `AdaptiveAllocation` says; the least one is next
    least: Ints | None = None  # [budget], right draws that make a strategy of one model right, without a vote
    raised: bool = False  # whether every replay raises `least` by t // 2, t random from 0 to the draws - 1
    max_tokens: tuple[int | None, ...] | None = None  # [stage], output tokens at which samples are cut off; None: never
    accepts: Verifier | None = None  # stages draw until it accepts a sample, which is the answer, or draw all they may
    online: Online | None = None  # how a strategy of one model ends samples, and votes by what they show until then
    orders: tuple[str, ...] | None = None  # [stage], the model in whose random order samples are drawn; None: its own

    ordered: Ordered | None = None  # one model draws by the order of difficulty of the questions, at most `sizes` each

    @property
    def is_joint(self) -> bool:
        """Whether questions depend on each other."""
        return self.cap > 0 or self.ordered is not None

    @property
    def repeats(self) -> bool:
        """Whether a model has several turns."""
        return len(set(self.models)) < len(self.models)

    @property
    def is_linked(self) -> bool:
        """Whether several models have one random order, so that a draw of one determines that of another."""
        return self.orders is not None and len(set(self.orders)) < len(set(self.models))

    @property
    def columns(self) -> tuple[str, ...]:
        """Recorded numbers that vote, stop rule and verifier read, each as often as it is read."""
        of_vote = () if self.vote is None else (*((self.vote.column,) if self.vote.column else ()), *self.vote.columns)
        of_verifier = self.accepts.columns if self.accepts else ()
        return (*of_vote, *(self.stop.columns if self.stop else ()), *of_verifier)

    @property
    def ranges(self) -> tuple[tuple[str, NumberRange], ...]:
        """Columns of which vote or stop rule read only some numbers, with the range of these."""
        of_vote = [(self.vote.column or "", self.vote.allowed)] if self.vote else []
        of_stop = [(column, self.stop.allowed) for column in self.stop.columns] if self.stop else []
        return tuple((column, allowed) for column, allowed in of_vote + of_stop if allowed is not None)

    def asked(self, depth: int) -> NDArray[np.bool_]:
        """Return whether the stop rule is asked after 0, 1, ..., `depth` draws."""
        mask = np.full(depth + 1, self.looks is None)
        mask[[n for n in self.looks or () if n <= depth]] = True
        mask[0] = False
        return mask

    def at(self, budgets: Sequence[int] | Ints) -> Plan:
        """Return the plan at some of its budgets, given by their numbers."""
        least = None if self.least is None else self.least[np.asarray(budgets)]
        return self._replace(sizes=self.sizes[:, budgets], need=self.need[:, budgets], least=least)


class Expected(NamedTuple):
    """What is expected of a strategy, each [budget, question]."""

    accuracy: Floats
    samples_used: Floats
    agreed: Floats
    tokens: Floats
    cost: Floats
    latency: Floats


def allocate(
    budgets: Ints, n_models: int, sizes: Sequence[int] | None = None, shares: Sequence[float] | None = None
) -> Ints:
    """Share every budget among the models.

    By default ceil(budget / n) each in order until the budget is spent, as in ModelSwitch: the remainder goes to the
    last model that gets any. With `shares`, ceil(budget x share / sum of shares) each; with `sizes`, at most that many
    each.

    Returns
    -------
    ndarray of int64, shape (n_models, n_budgets)

    Examples
    --------
    >>> allocate(np.array([16]), 3).T
    array([[6, 6, 4]])
    >>> allocate(np.array([16]), 6).T
    array([[3, 3, 3, 3, 3, 1]])
    >>> allocate(np.array([4, 6]), 2, sizes=(1, 5)).T
    array([[1, 3],
           [1, 5]])
    >>> allocate(np.array([3, 9]), 2, shares=(2, 1)).T
    array([[2, 1],
           [6, 3]])
    """
    if sizes is not None:
        most = np.array(sizes, dtype=np.int64)[:, None]
    else:
        parts = np.ones(n_models) if shares is None else np.array(shares, dtype=float)
        # Shares such as 0.7 are not what they seem in binary: a hair above a whole number is that number.
        most = np.ceil(budgets * (parts / parts.sum())[:, None] * (1 - 1e-12)).astype(np.int64)
    before = np.cumsum(np.broadcast_to(most, (n_models, budgets.size)), axis=0) - most
    return np.asarray(np.clip(budgets - before, 0, most), dtype=np.int64)
