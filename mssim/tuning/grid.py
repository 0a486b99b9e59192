"""Grids of strategies to tune over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, permutations, product
from typing import Any

from mssim._validation import choose_from, whole_number
from mssim.errors import StrategyError
from mssim.rules.strategies import Mixture, ModelSwitch, SelfConsistency, Strategy
from mssim.rules.votes import Vote

_VOTES = {"plurality": Vote.plurality(), "entropy": Vote.entropy()}


def grid(
    models: Sequence[str],
    *,
    n_models: Sequence[int] = (1, 2),
    agreement: Sequence[float] = (1.0, 0.8, 0.6),
    vote: Sequence[str | Vote] = ("plurality", "entropy"),
    prior: Sequence[Sequence[float] | None] = (None,),
    sizes: Sequence[Sequence[int] | None] = (None,),
    ordered: bool = True,
) -> list[Strategy]:
    """List strategies to choose from: Self-Consistency of one model, ModelSwitch and Mixture of several.

    Parameters
    ----------
    models : sequence of str
    n_models : sequence of int, default (1, 2)
        How many models a strategy asks.
    agreement : sequence of float, default (1.0, 0.8, 0.6)
        Thresholds of ModelSwitch.
    vote : sequence of {"plurality", "entropy"} or Vote
    prior : sequence of (sequence of float, or None)
        Weights per model in the order in which they are asked; those for another number of models are left out.
    sizes : sequence of (sequence of int, or None)
        Most samples per model, likewise.
    ordered : bool, default True
        Whether ModelSwitch asks the models in every order, or only as listed. For a Mixture without prior and sizes the
        order decides nothing but ties, so it always has one.

    Returns
    -------
    list of Strategy

    Examples
    --------
    >>> for strategy in grid(["a", "b"], agreement=[0.8], vote=["plurality"]):
    ...     print(strategy)
    sc:a
    sc:b
    ms:a+b,agreement=0.8,vote=plurality
    ms:b+a,agreement=0.8,vote=plurality
    mix:a+b
    """
    _check_grid(n_models=n_models, agreement=agreement, vote=vote, prior=prior, sizes=sizes)
    found: list[Strategy] = []
    for n in n_models:
        if n == 1:
            found += [SelfConsistency(model) for model in models]
            continue
        priors = [weights for weights in prior if weights is None or len(weights) == n]
        allocations = [most for most in sizes if most is None or len(most) == n]
        listed = list(combinations(models, n))
        orders = list(permutations(models, n)) if ordered else listed
        for threshold, rule, weights, most in product(agreement, vote, priors, allocations):
            weighted = _weighted(rule, weights)
            found += [ModelSwitch(order, agreement=threshold, vote=weighted, sizes=most) for order in orders]
        for rule, weights, most in product(vote, priors, allocations):
            alike = weights is None and most is None
            weighted = _weighted(rule, weights)
            found += [Mixture(order, vote=weighted, sizes=most) for order in (listed if alike else orders)]
    if not found:
        raise StrategyError(f"grid: no strategy asks n_models={tuple(n_models)} of {len(models)} models; ask fewer")
    return found


def _weighted(rule: str | Vote, weights: Sequence[float] | None) -> Vote:
    vote = _VOTES[rule] if isinstance(rule, str) else rule
    return vote if weights is None else replace(vote, prior=tuple(weights))


def _check_grid(**options: Any) -> None:
    """Refuse what is not a list of values, and values that no strategy would use."""
    for option, given in options.items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise StrategyError(f"grid: {option}={given!r}; give a list of the values to try")
    numbers = [whole_number("n_models", n, 1, 100) for n in options["n_models"]]
    for name in options["vote"]:
        if not isinstance(name, Vote) and name not in _VOTES:
            raise StrategyError(f"grid: vote={name!r}; {choose_from(str(name), _VOTES)}, or give a Vote")
    several = [n for n in numbers if n > 1]
    for option in ("prior", "sizes"):
        for values in options[option]:
            if values is not None and (not isinstance(values, Sequence) or len(values) not in several):
                raise StrategyError(
                    f"grid: {option} to try {values!r}; give None or one number for each of n_models={several} models"
                )
