"""The kernel that runs a stop rule: tables, users' functions and plain statements stop at the same draws."""

from dataclasses import dataclass

import numpy as np
import pytest

from mssim import BayesFactorStop, BetaStop, OwnStop, StrategyError
from mssim.engine.stop_kernels import stop_curve, stop_ends
from mssim.kernels.tally import FIRST, Replays
from mssim.rules.stops import Stop
from tests.kernels.pools import ragged_pool, recorded_of

RECORDED, REPLAYS = recorded_of(ragged_pool(), ["x"]), Replays(3, 9, False)


@dataclass(frozen=True)
class Second(Stop):
    """Stop after two votes for one answer whose draws recorded a 1."""

    columns = ("score",)

    def stops(self, answers, numbers):
        counted = answers[(answers >= 0) & (numbers[0] == 1)]
        return np.bincount(counted, minlength=1).max() >= 2


def ends(stop, table=None, looks=(True,) * 6):
    seen = np.ones((len(stop.columns), *RECORDED.codes.shape))
    return stop_ends(stop, table, np.array([False, *looks]), RECORDED, 6, seen, REPLAYS)


def test_a_table_a_function_and_a_plain_statement_stop_at_the_same_draws():
    rule = BetaStop(0.75)  # one vote against none, three against one
    expected = ends(rule, rule.table(6))
    assert len(np.unique(expected)) > 1
    assert np.array_equal(ends(rule), expected)
    ahead = OwnStop(lambda counts, n: counts.max() >= rule.table(n).by_second[np.sort(np.append(counts, 0))[-2]])
    assert np.array_equal(ends(ahead), expected)


@pytest.mark.parametrize("rule", [BetaStop(0.75), BayesFactorStop(3)], ids=str)
def test_every_kernel_asks_at_looks_alone(rule):
    looks = (False, True, False, False, True, True)
    masked = ends(rule, rule.table(6), looks)
    assert set(np.unique(masked)) <= {2, 5, 6, 7}
    assert np.array_equal(masked, ends(rule, looks=looks))
    assert not np.array_equal(masked, ends(rule, rule.table(6)))


@pytest.mark.parametrize("adopt", [False, True])
def test_a_curve_is_the_same_where_ends_are_found_first(adopt):
    rule, looks, seen = BetaStop(0.75), np.array([False, *[True] * 6]), np.ones((0, *RECORDED.codes.shape))
    curves = [
        stop_curve(rule, table, looks, RECORDED, FIRST, 6, adopt, seen, REPLAYS) for table in (rule.table(6), None)
    ]
    assert all(np.array_equal(*found) for found in zip(*curves, strict=True))
    assert np.array_equal(curves[0][1], ends(rule))


def test_a_rule_sees_recorded_numbers():
    found = ends(Second())
    assert found.min() >= 2
    assert found.max() <= 7


def test_a_function_that_fails_is_named():
    with pytest.raises(StrategyError, match="OwnStop: calling the function failed: invalid literal"):
        ends(OwnStop(lambda counts, n: int(f"no {counts} after {n}")))
