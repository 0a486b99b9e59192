"""Strategies and budgets of results, by their names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import BudgetError, StrategyError

__all__ = ["column_of", "common_budgets", "others_of", "row_of"]

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def row_of(strategy: Any, strategies: Sequence[str]) -> int:
    """Return the index of a strategy; raise if it was not evaluated.

    Examples
    --------
    >>> row_of("sc:b", ["sc:a", "sc:b"])
    1
    """
    if not isinstance(strategy, str) or strategy not in strategies:
        raise StrategyError(f"no strategy {strategy!r} was evaluated. {choose_from(strategy, strategies)}.")
    return list(strategies).index(strategy)


def column_of(strategy: str, budget: int, budgets: Ints, evaluated: Mask) -> int:
    """Return the index of a budget; raise if the strategy was not evaluated there.

    Examples
    --------
    >>> column_of("sc:a", 8, np.array([4, 8]), np.array([True, True]))
    1
    """
    at = np.nonzero((budgets == budget) & evaluated)[0]
    if not at.size:
        raise BudgetError(f"{strategy}: budget {budget} was not evaluated. Choose from {budgets[evaluated].tolist()}.")
    return int(at[0])


def common_budgets(names: Sequence[str], budgets: Ints, evaluated: Mask) -> list[int]:
    """Return the budgets at which all of these strategies were evaluated, given a mask [strategy, budget].

    Examples
    --------
    >>> common_budgets(["sc:a", "sc:b"], np.array([4, 8]), np.array([[True, True], [False, True]]))
    [8]
    """
    common: list[int] = budgets[evaluated.all(axis=0)].tolist()
    if not common:
        raise BudgetError(
            f"budgets: {' and '.join(names)} were evaluated at no common budget. Choose other strategies, or compare "
            "them with Evaluation.at_equal_cost."
        )
    return common


def others_of(base: str, given: Sequence[str] | None, strategies: Sequence[str]) -> list[str]:
    """Return the names of the strategies that are compared with a base, each once; by default all others.

    Examples
    --------
    >>> others_of("sc:a", None, ["sc:a", "sc:b"])
    ['sc:b']
    """
    if isinstance(given, str):
        raise StrategyError(f"strategies={given!r} is a single name. Use a list, or compare().")
    # A comparison that is named twice is one test.
    others = list(dict.fromkeys([name for name in strategies if name != base] if given is None else given))
    if base in others:
        raise StrategyError(f"strategies: {base!r} is also the base. Remove it: the sides would be equal.")
    if not others:
        raise StrategyError(f"base: {base!r} is the only strategy. Evaluate others too.")
    return others
