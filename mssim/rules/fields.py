"""Fields that several strategies have: models, votes and the split of the budget; each is checked here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from mssim._validation import is_number, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Ints, Plan, allocate
from mssim.rules.stops import Stop
from mssim.rules.votes import Vote

__all__ = [
    "allocated",
    "limits_of",
    "model_names",
    "never_stop",
    "set_last",
    "set_looks",
    "set_models",
    "set_shares",
    "set_split",
    "set_vote",
]

_MOST_LOOK = 2**15 - 1  # the most samples that are drawn of one model


class _OfModels(Protocol):
    @property
    def models(self) -> Sequence[str]: ...

    @property
    def max_tokens(self) -> int | Sequence[int | None] | None: ...


class _Voting(_OfModels, Protocol):
    @property
    def vote(self) -> Vote: ...


class _Stopping(Protocol):
    @property
    def stop(self) -> Stop | None: ...

    @property
    def looks(self) -> Sequence[int] | None: ...


class _Shared(_OfModels, Protocol):
    @property
    def shares(self) -> Sequence[float] | None: ...


class _Split(_Shared, Protocol):
    @property
    def sizes(self) -> Sequence[int] | None: ...


def set_models(strategy: _OfModels, models: Sequence[str], *, again: bool = False) -> None:
    """Check and set the models; `again` allows a model to have several turns."""
    object.__setattr__(strategy, "models", model_names(type(strategy).__name__, models, again=again))
    _set_max_tokens(strategy)


def model_names(owner: str, models: Sequence[str], *, again: bool = False) -> tuple[str, ...]:
    """Return the names of models; raise if there are none or, unless `again`, one is repeated."""
    names = (models,) if isinstance(models, str) else tuple(models) if isinstance(models, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StrategyError(f"{owner}: models={models!r} must be one or more names of models, e.g. ['gpt-4'].")
    if len(set(names)) < len(names) and not again:
        raise StrategyError(f"{owner}: models={list(names)!r} repeats a model. Name each model once.")
    return names


def _set_max_tokens(strategy: _OfModels) -> None:
    """Check and set the most output tokens of a sample: one number, or one per model."""
    given = strategy.max_tokens
    if given is None:
        return
    several = isinstance(given, list | tuple)
    limits: tuple[Any, ...] = tuple(given) if isinstance(given, list | tuple) else (given,)
    each = f", or one integer or none for each of {list(strategy.models)}" if len(strategy.models) > 1 else ""
    message = f"max_tokens={shown(given)} is not valid. Use an integer of at least 1{each}."
    if several and len(limits) != len(strategy.models):
        raise StrategyError(message)
    try:
        limits = tuple(None if limit is None else whole_number("max_tokens", limit, 1, 2**31) for limit in limits)
    except MssimError:
        raise StrategyError(message) from None
    if several and all(limit is None for limit in limits):
        object.__setattr__(strategy, "max_tokens", None)
    else:
        object.__setattr__(strategy, "max_tokens", limits if several else limits[0])


def limits_of(strategy: _OfModels) -> tuple[int | None, ...] | None:
    """Return the most output tokens of a sample of each model, or None without a limit."""
    given = strategy.max_tokens
    if given is None or isinstance(given, Sequence):
        return None if given is None else tuple(given)
    return (given,) * len(strategy.models)


def set_vote(strategy: _Voting) -> None:
    """Check the vote, and set its prior in the order of the models."""
    if not isinstance(strategy.vote, Vote):
        raise StrategyError(f"vote={strategy.vote!r} is not a Vote. Use e.g. Vote.plurality().")
    object.__setattr__(strategy, "vote", strategy.vote.ordered(strategy.models))


def set_looks(strategy: _Stopping) -> None:
    """Check and set the numbers of draws at which the stop rule is asked."""
    given = strategy.looks
    if given is None:
        return
    if strategy.stop is None:
        raise StrategyError(
            f"looks={shown(given)} says when a stop rule is asked, but there is none. Add e.g. stop=beta:0.95, or "
            "remove looks."
        )
    message = f"looks={shown(given)} is not valid. Use increasing integers from 1 to {_MOST_LOOK}, e.g. looks=2/4/8."
    try:
        looks = tuple(whole_number("looks", n, 1, _MOST_LOOK) for n in given)
    except (TypeError, MssimError):
        raise StrategyError(message) from None
    if not looks or any(later <= earlier for earlier, later in pairwise(looks)):
        raise StrategyError(message)
    object.__setattr__(strategy, "looks", looks)


def set_split(strategy: _Split) -> None:
    """Check and set how the budget is split: by sizes or by shares."""
    if strategy.sizes is not None and strategy.shares is not None:
        raise StrategyError(
            f"sizes={strategy.sizes!r} and shares={strategy.shares!r} exclude each other. Remove one of them."
        )
    set_shares(strategy)
    if strategy.sizes is None:
        return
    most = 2**31
    message = (
        f"sizes={shown(strategy.sizes)} does not fit the models {list(strategy.models)}. Use one integer from 1 "
        f"to {most} per model."
    )
    if not isinstance(strategy.sizes, Sequence) or len(strategy.sizes) != len(strategy.models):
        raise StrategyError(message)
    try:
        sizes = tuple(whole_number("sizes", size, 1, most) for size in strategy.sizes)
    except MssimError:
        raise StrategyError(message) from None
    object.__setattr__(strategy, "sizes", sizes)


def set_shares(strategy: _Shared) -> None:
    """Check and set shares of the budget."""
    shares = strategy.shares
    if shares is None:
        return
    given = tuple(shares) if isinstance(shares, Sequence) else ()
    if len(given) != len(strategy.models) or not all(is_number(s) and 0 < s < math.inf for s in given):
        raise StrategyError(
            f"shares={shown(shares)} does not fit the models {list(strategy.models)}. Use one positive number per "
            "model."
        )
    try:
        floats = tuple(float(s) for s in given)
    except OverflowError:  # an integer beyond the range of floats
        floats = (math.inf,)
    if not min(floats) / sum(floats) > 0:
        raise StrategyError(
            f"shares={shown(shares)}: the sum is too large, or the numbers are too different, for their ratios to be "
            "computed. Use numbers such as 2/1."
        )
    object.__setattr__(strategy, "shares", floats)


def allocated(strategy: _Split, budgets: Ints) -> Ints:
    """Share budgets among the models, [model, budget]."""
    return allocate(budgets, len(strategy.models), strategy.sizes, strategy.shares)


def never_stop(strategy: _OfModels, sizes: Ints, vote: Vote | None) -> Plan:
    """Make the plan whose stages never stop."""
    return Plan(strategy.models, sizes, np.full_like(sizes, NEVER), vote, max_tokens=limits_of(strategy))


def set_last(sizes: Ints, need: Ints, value: int) -> None:
    """Set the votes that the last stage which draws needs, at every budget."""
    need[(sizes > 0).sum(axis=0) - 1, np.arange(sizes.shape[1])] = value
