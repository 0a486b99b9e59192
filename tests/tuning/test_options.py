"""Options of tuning that need no pool: what is refused, and what is read."""

import numpy as np
import pytest

from mssim import MssimError
from mssim.tuning.options import FAMILIES, check_numbers, check_reachable, check_spend, read_families, read_limits


def test_families_are_read_once_each():
    assert read_families("stops") == ("stops",)
    assert read_families(["votes", "stops", "votes"]) == ("votes", "stops")
    assert read_families(FAMILIES) == tuple(FAMILIES)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], r"families=\[\] contains no names. Use e.g. families=\['stops', 'votes'\]"),
        (3, "families=3 contains no names"),
        ("stop", "families: 'stop' is not valid. Did you mean 'stops'"),
        (["stops", 3], "families: 3 is not valid. Choose from 'switch'"),
    ],
)
def test_families_that_do_not_exist(given, says):
    with pytest.raises(MssimError, match=says):
        read_families(given)


def test_numbers_and_spend():
    assert check_numbers(None, None) == (None, None)
    assert check_numbers(np.int64(2), 10**6) == (2, 10**6)
    with pytest.raises(MssimError, match=r"n_folds=11 is out of range. Use an integer from 2 to 10"):
        check_numbers(11, None)
    with pytest.raises(MssimError, match=r"n_runs=0 is out of range. Use an integer from 1"):
        check_numbers(None, 0)
    assert check_spend("latency") == "latency"
    with pytest.raises(MssimError, match=r"spend='samples' is not valid. Did you mean 'samples_used'"):
        check_spend("samples")


def test_limits_are_sorted():
    assert read_limits([8, 2.5, 8]).tolist() == [2.5, 8]
    assert read_limits(3).tolist() == [3]
    with pytest.raises(MssimError, match=r"limits=0 is not valid. Limits of the mean spend"):
        read_limits(0)


@pytest.mark.parametrize(
    ("spend", "limit", "budgets", "says"),
    [
        ("budget", 3.9, [4, 8], "a budget of at least 4, more than 3.9. Use limits of at least 4"),
        ("budget", 0.5, None, "a budget of at least 1, more than 0.5. Use limits of at least 1"),
        ("samples_used", 0.9, [4], "at least one sample per question, more than 0.9. Use limits of at least 1"),
    ],
)
def test_limits_below_all_budgets(spend, limit, budgets, says):
    with pytest.raises(MssimError, match=says):
        check_reachable(spend, np.array([limit, 100.0]), budgets)
    check_reachable(spend, np.array([4.0]), budgets)
    check_reachable(spend, None, budgets)
    check_reachable("tokens", np.array([limit]), budgets)
