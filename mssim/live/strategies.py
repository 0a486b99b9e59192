"""Strategies that can run live: which can, what they read of a sample, and what they ask for question by question."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mssim._validation import whole_number
from mssim.engine.requirements import check_own, check_plan
from mssim.errors import BudgetError, StrategyError
from mssim.live.allocation import Together, share_budget
from mssim.live.interpreter import Turns, decide, refusal
from mssim.rules.base import Strategy
from mssim.rules.parsing import parse_strategy
from mssim.rules.plan import Plan
from mssim.rules.strategies.adaptive_allocation import MOST_CAP

__all__ = ["COLUMNS", "allocation", "columns_needed", "plans_at", "refuse", "turns"]

COLUMNS = ("confidence", "input_tokens", "output_tokens", "cost", "latency")  # what is known of a sample at once
_MOST = 2**15 - 1  # samples of one model, as in replays

Given = str | Mapping[str, Any] | Strategy


def refuse(strategy: Given) -> None:
    """Raise if a strategy cannot run live, because it needs more than the samples it draws.

    Parameters
    ----------
    strategy : str, mapping or Strategy
        As in `parse_strategy`.

    Raises
    ------
    StrategyError
        If the strategy needs the correct answer, other questions, or a number that no server sends.

    Examples
    --------
    >>> refuse("ms:strong+weak,agreement=0.75")
    >>> refuse("sc:strong,vote=best_of_n")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mssim.errors.StrategyError: sc:strong,vote=best_of_n cannot run live: no server sends the column 'score'. ...
    """
    chosen = parse_strategy(strategy)
    plans_at(chosen, 1)


def columns_needed(strategy: Given) -> tuple[str, ...]:
    """Return the recorded numbers that a strategy reads of every sample, such as confidence.

    Examples
    --------
    >>> columns_needed("sc:strong,vote=confidence"), columns_needed("sc:strong")
    (('confidence',), ())
    """
    chosen = parse_strategy(strategy)
    plans = chosen.plans(np.array([1]))
    return tuple(dict.fromkeys(column for plan in plans for column in plan.columns))


def turns(strategy: Given, budget: int, question_id: str, seed: int = 0) -> Turns:
    """Return what a strategy asks for and decides at a budget, for one question.

    Parameters
    ----------
    strategy : str, mapping or Strategy
        As in `parse_strategy`.
    budget : int
        Most samples of the question.
    question_id : str
        The question. With `seed` it determines random numbers: which model a router chooses, and which of tied answers
        wins under ``ties="random"``.
    seed : int, default 0
        Seed of the run.

    Returns
    -------
    generator
        As that of `decide`.

    Raises
    ------
    StrategyError
        If the strategy cannot run live; see `refuse`.

    Examples
    --------
    >>> from mssim.live import Draw
    >>> running = turns("sc:gemma3,stop=beta", 16, "q1")
    >>> next(running)
    Ask(model='gemma3', n=1)
    >>> for _ in range(3):
    ...     _ = running.send([Draw(0)])
    >>> running.send([Draw(0)])
    Traceback (most recent call last):
    StopIteration: Decision(answer=0, stopped='stop rule', stage=0)
    """
    chosen = parse_strategy(strategy)
    plans = plans_at(chosen, budget)
    if any(plan.cap for plan in plans):
        raise StrategyError(f"{chosen}: its questions share one budget. Use `allocation` for all of them together.")
    random = random_of(question_id, seed)
    chances = np.cumsum(chosen.chances() or (1.0,))
    number = int(np.searchsorted(chances, random.random() * chances[-1], side="right")) if len(plans) > 1 else 0
    return decide(plans[number], random=random)


def allocation(strategy: Given, budget: int, question_ids: Sequence[str], seed: int = 0) -> Together:
    """Return what a strategy whose questions share one budget, such as `AdaptiveAllocation`, asks for and decides.

    Parameters
    ----------
    strategy : str, mapping or Strategy
        As in `parse_strategy`.
    budget : int
        Mean number of samples of a question.
    question_ids : sequence of str
        All questions, in the order in which equally certain ones are sampled first.
    seed : int, default 0
        As in `turns`.

    Returns
    -------
    generator
        As that of `share_budget`.

    Raises
    ------
    StrategyError
        If the questions of the strategy do not share one budget.
    BudgetError
        If the budget is above the cap of the strategy.

    Examples
    --------
    >>> from mssim.live import Draw
    >>> running = allocation("alloc:gemma3,cap=3", 2, ["q1", "q2"])
    >>> next(running)
    [('q1', Ask(model='gemma3', n=1)), ('q2', Ask(model='gemma3', n=1))]
    >>> running.send([[Draw(0)], [Draw(-1)]])  # without an answer, q2 is the less certain one
    [('q2', Ask(model='gemma3', n=1))]
    """
    chosen = parse_strategy(strategy)
    (plan, *others) = plans_at(chosen, budget)
    if others or not plan.cap:
        raise StrategyError(f"{chosen}: its questions do not share one budget. Use `turns` for each question.")
    if budget > plan.cap:
        raise BudgetError(
            f"{chosen}: budget={budget} exceeds the {plan.cap} samples that a question may take. Lower the budget"
            + (", or raise cap." if plan.cap < MOST_CAP else ".")
        )
    return share_budget(plan, {question: random_of(question, seed) for question in question_ids})


def plans_at(strategy: Strategy, budget: int) -> tuple[Plan, ...]:
    """Return the plans of a strategy at one budget; raise if they cannot run live.

    Examples
    --------
    >>> from mssim import SelfConsistency
    >>> plans_at(SelfConsistency("gpt-4"), 8)[0].sizes.tolist()
    [[8]]
    """
    name, budgets = str(strategy), np.array([whole_number("budget", budget, 1, _MOST)])
    plans = strategy.plans(budgets)
    if len(plans) > 1 and strategy.chances() is None:
        raise StrategyError(
            f"{name} cannot run live: it chooses a model for each question by recorded accuracies or columns, which no "
            "run knows. Use a strategy such as ms or random, or evaluate it on the recorded pool."
        )
    for plan in plans:
        check_plan(name, plan, budgets)
        _check_live(name, plan)
        check_own(name, plan)
    return plans


def _check_live(name: str, plan: Plan) -> None:
    """Raise if a plan needs more than its draws."""
    problem = refusal(plan._replace(cap=0))
    if problem:
        raise StrategyError(f"{name} cannot run live: {problem}")
    for column in plan.columns:
        if column not in COLUMNS:
            raise StrategyError(
                f"{name} cannot run live: no server sends the column {column!r}. Use one of {', '.join(COLUMNS)}, or "
                "record samples, add the column to them, and evaluate the strategy."
            )
        if column == "confidence" and plan.vote is not None and plan.vote.ballots == "kept":
            raise StrategyError(
                f"{name} cannot run live: servers send log-probabilities, and negative numbers cannot be weights. Use "
                "vote=confidence or vote=borda, or record samples, add exp(confidence) to them as a column, and "
                "evaluate the strategy."
            )


def random_of(question_id: str, seed: int) -> np.random.Generator:
    """Return the random numbers of a question.

    Examples
    --------
    >>> random_of("q1", 0).random() == random_of("q1", 0).random() != random_of("q2", 0).random()
    True
    """
    words = hashlib.blake2b(question_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    entropy = [whole_number("seed", seed, 0, 2**64 - 1), int.from_bytes(words, "little")]
    return np.random.Generator(np.random.PCG64(entropy))  # default_rng may become another generator
