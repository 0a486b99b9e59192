"""Grids of strategies to tune over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, permutations, product
from typing import Any

from mssim._validation import choose_from, whole_number
from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.strategies import Mixture, ModelSwitch, SelfConsistency
from mssim.rules.votes import Vote

__all__ = ["grid"]

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
    """List strategies to tune over: Self-Consistency of one model, ModelSwitch and Mixture of several.

    Parameters
    ----------
    models : sequence of str
        Models to combine.
    n_models : sequence of int, default (1, 2)
        Numbers of models per strategy.
    agreement : sequence of float, default (1.0, 0.8, 0.6)
        Agreement thresholds of ModelSwitch.
    vote : sequence of {"plurality", "entropy"} or Vote, default ("plurality", "entropy")
        Votes of ModelSwitch and Mixture.
    prior : sequence of (sequence of float, or None), default (None,)
        Prior weights, one per model in the order of the stages. Weights for another number of models are ignored.
    sizes : sequence of (sequence of int, or None), default (None,)
        Maximum numbers of samples, one per model in the order of the stages, with the same rule.
    ordered : bool, default True
        Whether to include ModelSwitch with every order of the models, or only with the listed order. A Mixture
        without prior and sizes is included once, because the order affects only ties.

    Returns
    -------
    list of Strategy
        The strategies.

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
        raise StrategyError(
            f"grid: n_models={tuple(n_models)} yields no strategy for {len(models)} models. Use numbers of at most "
            f"{len(models)}."
        )
    return found


def _weighted(rule: str | Vote, weights: Sequence[float] | None) -> Vote:
    vote = _VOTES[rule] if isinstance(rule, str) else rule
    return vote if weights is None else replace(vote, prior=tuple(weights))


def _check_grid(**options: Any) -> None:
    """Raise for options that are not sequences, and for values that no strategy would use."""
    for option, given in options.items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise StrategyError(f"grid: {option}={given!r} is not a list. Pass a list of values to try.")
        if not list(given):
            raise StrategyError(f"grid: {option} is empty. Pass at least one value to try.")
    numbers = [whole_number("n_models", n, 1, 100) for n in options["n_models"]]
    for name in options["vote"]:
        if not isinstance(name, Vote) and name not in _VOTES:
            raise StrategyError(f"grid: vote={name!r} is not valid. {choose_from(str(name), _VOTES)}, or pass a Vote.")
    several = [n for n in numbers if n > 1]
    for option in ("prior", "sizes"):
        for values in options[option]:
            if values is not None and (not isinstance(values, Sequence) or len(values) not in several):
                if not several:
                    raise StrategyError(f"grid: {option} applies to strategies of several models. Add 2 to n_models.")
                raise StrategyError(
                    f"grid: {option} contains {values!r}. Each entry must be None or have one number per model, for "
                    f"n_models={several}."
                )
