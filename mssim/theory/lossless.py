"""Lossless lemma (T3): whether ModelSwitch returns the answer of a vote over the whole budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

from mssim.engine.exact import Ints
from mssim.engine.job import read_budgets
from mssim.errors import BudgetError, StrategyError
from mssim.rules.strategies import ModelSwitch
from mssim.rules.votes import Vote
from mssim.theory.pool_facts import read_switch

__all__ = ["Lossless", "lossless"]

Draws = tuple[tuple[str | None, ...], ...]
_SAME = 1e-9  # relative tolerance of equal scores, as in every vote


@dataclass(frozen=True)
class Lossless:
    """Result of `lossless`.

    Attributes
    ----------
    holds : bool
        Whether ModelSwitch and the vote over the whole budget are equally correct for all draws.
    reasons : tuple of str
        One sentence for each stage at which they can differ.
    example : tuple of tuple of (str or None), or None
        Draws of each stage (None = no answer) for which they differ: the first such stage agrees on "c", and the vote
        over all draws is "a". None if ModelSwitch is lossless.

    Examples
    --------
    >>> found = lossless("ms:strong+weak+other,vote=plurality", 6)
    >>> found.holds, len(found.reasons)
    (False, 3)
    >>> found.example
    (('c', 'c'), ('a', 'a'), ('a', 'a'))
    """

    holds: bool
    reasons: tuple[str, ...]
    example: Draws | None


class _Stage(NamedTuple):
    model: str
    size: int
    need: int  # votes that stop after this stage
    beta: float  # weight of a vote if all votes of the stage agree

    @property
    def rival_before(self) -> int:
        """Maximum votes of one answer if the stage does not agree."""
        return min(self.need - 1, self.size)

    @property
    def rival_within(self) -> int:
        """Maximum votes of another answer if the stage agrees with the minimum number of votes."""
        return min(self.need, self.size - self.need)


def lossless(strategy: str | ModelSwitch, budget: int) -> Lossless:
    """Return whether ModelSwitch always gives the answer of a vote over the whole budget.

    Parameters
    ----------
    strategy : str or ModelSwitch
        A ModelSwitch with plurality, share or entropy votes, optionally with prior weights. With
        ``on_agreement="pool"``, at most two models.
    budget : int
        Samples allowed per question.

    Returns
    -------
    Lossless
        Whether it holds, with reasons and an example if it does not.

    Raises
    ------
    StrategyError
        If the strategy is not a ModelSwitch, or its vote is not supported.

    Notes
    -----
    Answers are unlimited, and any sample may lack one. Stage i of K_i draws agrees with need_i votes of c. The worst
    rival a takes the K_i - need_i other votes of this stage, all of every later stage and, in each earlier stage, the
    need_j - 1 votes (K_j if need_j > K_j) that just did not stop it. So switching is lossless at stage i if and only if

        beta_i w_i (need_i - min(need_i, K_i - need_i)) > sum_{j<i} beta_j min(need_j - 1, K_j) + sum_{j>i} beta_j K_j

    with w_i = 1, or if no other stage can vote at all. A tie is enough if ties go to the answer seen first, stage i
    agrees unanimously, and no earlier stage can have votes. Switching is lossless if this holds at every stage that can
    be reached and agree. With votes as shares, beta_j is the prior weight divided by K_j.

    Entropy weights are at most 1, and 1 where all votes are for one answer, so the right side is the same: samples
    without an answer leave a stage's rival unanimous. On the left, the weight times the lead is least where the stage
    has but these two answers, w_i = 1 - (1 - 1/K_i) h(need_i / K_i) (divided by log2 K_i with
    ``normaliser="samples"``), h the binary entropy in bits; by h(q) >= 2 min(q, 1 - q) and (u - 2)^2 >= 0 any split of
    the other votes into u - 1 answers has a higher weight, or a lead that grows faster than the weight falls.

    For two models, equal sizes and unanimity this is the lemma behind arXiv 2504.00762: lossless for equal weights. It
    fails for beta_2 > beta_1 at the first model, and for beta_1 (K - 1) >= beta_2 K at the second if that is tested,
    since the first model's K - 1 votes outweigh the second's K that are adopted; with ``test_last=False`` beta_1 >=
    beta_2 is enough. For three models of equal weight and size, the first of which can agree, it never holds.

    With ``on_agreement="pool"`` and two stages only the first matters, for the second stage's vote is the full vote.

    Examples
    --------
    >>> lossless("ms:strong+weak", 8).holds
    True
    >>> found = lossless("ms:strong+weak+other,vote=plurality", 6)
    >>> found.reasons[0]
    "stage 1 ('strong') agrees with 2 of 2 votes: its answer may lead by only 2 there, and another can have 4 in the \
other stages"
    >>> found.example
    (('c', 'c'), ('a', 'a'), ('a', 'a'))
    """
    switch = read_switch(strategy)
    budgets = read_budgets(budget)
    if budgets.size > 1:
        raise BudgetError(f"budget={budget!r}: exactly one budget is supported. Pass an integer.")
    vote = switch.vote
    if not vote.counts_only or vote.combine != "sum":
        raise StrategyError(
            f"vote: {switch} has an unsupported vote. Use vote=plurality, vote=entropy or within=share, with any prior "
            "weights."
        )
    stages = _stages(switch, budgets)
    pooled = switch.on_agreement == "pool"
    if pooled and len(stages) > 2:
        raise StrategyError(
            f"on_agreement: pool supports at most two stages, but {switch} has {len(stages)}. Use on_agreement=adopt."
        )
    failing = [i for i in _agreeing(stages[:-1] if pooled else stages) if not _holds_at(stages, i, vote)]
    reasons = tuple(_reason(stages, i, vote) for i in failing)
    return Lossless(not failing, reasons, _example(switch, stages, failing[0]) if failing else None)


def _stages(switch: ModelSwitch, budgets: Ints) -> list[_Stage]:
    """Return the stages with at least one draw."""
    (plan,) = switch.plans(budgets)
    prior = cast("tuple[float, ...]", switch.vote.prior) or (1.0,) * len(plan.models)
    numbers = zip(plan.models, plan.sizes[:, 0].tolist(), plan.need[:, 0].tolist(), prior, strict=True)
    share = switch.vote.within == "share"
    return [_Stage(name, size, need, w / size if share else w) for name, size, need, w in numbers if size > 0]


def _agreeing(stages: list[_Stage]) -> list[int]:
    """Return the stages that can agree, up to the first that always agrees."""
    always = [i for i, stage in enumerate(stages) if stage.need <= 0]
    reached = stages[: always[0] + 1] if always else stages
    return [i for i, stage in enumerate(reached) if stage.need <= stage.size]


def _lead(stage: _Stage, vote: Vote) -> float:
    """Return the minimum lead, in weighted votes, of the answer on which a stage agrees."""
    rival = stage.rival_within
    lead = float(stage.need - rival)
    if vote.within == "entropy" and 0 < rival < stage.need:
        q = stage.need / stage.size
        entropy = -q * math.log2(q) - (1 - q) * math.log2(1 - q)
        most = math.log2(stage.size) if vote.normaliser == "samples" else 1.0
        lead *= 1 - (1 - 1 / stage.size) * entropy / most
    return stage.beta * lead


def _elsewhere(stages: list[_Stage], i: int) -> tuple[float, float]:
    """Return the maximum weighted votes of another answer before stage i, without agreement, and after it."""
    before = sum(stage.beta * stage.rival_before for stage in stages[:i])
    return before, sum(stage.beta * stage.size for stage in stages[i + 1 :])


def _holds_at(stages: list[_Stage], i: int, vote: Vote) -> bool:
    before, after = _elsewhere(stages, i)
    lead, others = _lead(stages[i], vote), before + after
    if others == 0 or lead > others * (1 + _SAME):
        return True
    tied = lead * (1 + _SAME) >= others
    return tied and vote.ties == "first" and before == 0 and stages[i].need == stages[i].size


def _reason(stages: list[_Stage], i: int, vote: Vote) -> str:
    stage, lead, others = stages[i], _lead(stages[i], vote), sum(_elsewhere(stages, i))
    tie = ", and ties can go to the other" if lead * (1 + _SAME) >= others else ""
    return (
        f"stage {i + 1} ({stage.model!r}) agrees with {stage.need} of {stage.size} votes: its answer may lead by only "
        f"{lead:g} there, and another can have {others:g} in the other stages{tie}"
    )


def _example(switch: ModelSwitch, stages: list[_Stage], i: int) -> Draws:
    """Return draws for which stage i agrees on "c" by the minimum lead, and "a" has the maximum other votes."""
    draws = []
    for j, stage in enumerate(stages):
        if j == i:
            agreed, rival = ["c"] * stage.need, ["a"] * stage.rival_within
            # With equal votes the answer seen first leads, so "c" must come first.
            drawn = agreed + rival if stage.need == stage.rival_within else rival + agreed
        else:
            drawn = ["a"] * (stage.rival_before if j < i else stage.size)
        draws.append(tuple(drawn + [None] * (stage.size - len(drawn))))
    return (*draws, *((),) * (len(switch.models) - len(draws)))
