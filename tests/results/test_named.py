"""Strategies and budgets by name: what was not evaluated is refused."""

import numpy as np
import pytest

from mssim import BudgetError, StrategyError
from mssim.results.named import column_of, common_budgets, others_of, row_of

BUDGETS, NAMES = np.array([1, 4, 8]), ("sc:x", "sc:y")
EVALUATED = np.array([[True, True, True], [True, False, False]])


def test_rows_and_columns():
    assert row_of("sc:y", NAMES) == 1
    assert column_of("sc:x", 8, BUDGETS, EVALUATED[0]) == 2
    with pytest.raises(StrategyError, match=r"no strategy 'sc:z' was evaluated\. Did you mean"):
        row_of("sc:z", NAMES)
    with pytest.raises(StrategyError, match="no strategy None was evaluated"):
        row_of(None, NAMES)
    with pytest.raises(BudgetError, match=r"sc:y: budget 8 was not evaluated\. Choose from \[1\]"):
        column_of("sc:y", 8, BUDGETS, EVALUATED[1])


def test_common_budgets():
    assert common_budgets(NAMES, BUDGETS, EVALUATED) == [1]
    with pytest.raises(BudgetError, match="budgets: sc:x and sc:y were evaluated at no common budget"):
        common_budgets(NAMES, BUDGETS, EVALUATED & [False, True, True])


def test_others_are_each_once_and_without_the_base():
    assert others_of("sc:y", None, NAMES) == ["sc:x"]
    assert others_of("sc:y", ["sc:z", "sc:x", "sc:z"], NAMES) == ["sc:z", "sc:x"]
    for given, says in ((["sc:y"], "is also the base"), ("sc:x", "is a single name"), ([], "is the only strategy")):
        with pytest.raises(StrategyError, match=says):
            others_of("sc:y", given, NAMES)
