"""Areas under hulls, against RouterBench's code and by hand, and shares of the gain of an oracle with intervals."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import BudgetError, Evaluation, MssimError, StrategyError, aiq_table, gain_shares
from mssim.results.differences import mean_difference
from mssim.results.routing import aiq, gain_share, hull

# Points of ours, and the areas of `evaluation/AIQ.py` of RouterBench (withmartian/routerbench at cc67d100) up to cost
# 20, which it divides by that cost.
ROUTERBENCH = [
    ([4, 9, 13, 14, 15, 17, 11], [0.48, 0.5, 0.58, 0.55, 0.51, 1.0, 0.81], 0.647250),
    ([11, 3, 8, 9, 17, 18], [0.19, 0.97, 0.69, 0.89, 0.2, 0.72], 0.824500),
    ([8, 4, 13, 18], [0.73, 0.51, 0.61, 0.88], 0.614500),
    ([4, 13, 18, 6, 10, 1], [0.15, 0.56, 0.44, 0.36, 0.24, 0.05], 0.408250),
    ([6, 8, 9, 7, 12], [0.97, 0.57, 0.28, 0.14, 0.56], 0.679000),
    ([8, 3, 12], [0.05, 0.02, 0.72], 0.454500),
]


@pytest.mark.parametrize(("cost", "accuracy", "area"), ROUTERBENCH)
def test_areas_are_those_of_the_code_of_routerbench(cost, accuracy, area):
    assert aiq(cost, accuracy, c_min=0, c_max=20) == pytest.approx(area, abs=1e-6)


@pytest.mark.parametrize(
    ("points", "c_min", "c_max", "expected"),
    [
        (([1, 2, 3, 4], [0.5, 0.6, 0.9, 0.8]), 1, 4, 2.3 / 3),
        (([1, 2, 4], [0.5, 0.7, 0.8]), 1, 4, 2.1 / 3),
        (([1, 2, 4], [0.5, 0.7, 0.8]), 0, 4, 2.1 / 4),
        (([1, 2, 4], [0.5, 0.7, 0.8]), 1.5, 2.5, 0.325 + 0.35625),  # two trapezoids
        (([2], [0.7]), 1, 3, 0.35),
        (([2, 2], [0.7, 0.9]), 2, 3, 0.9),
        (([5], [0.7]), 1, 3, 0.0),
        (([3], [0.7]), 1, 3, 0.0),
    ],
)
def test_areas_by_hand(points, c_min, c_max, expected):
    assert aiq(*points, c_min=c_min, c_max=c_max) == pytest.approx(expected)


def mixed(cost, accuracy, budget):
    """The best accuracy of one point or two at random at a mean cost of at most so much."""
    found = [y for x, y in zip(cost, accuracy, strict=True) if x <= budget]
    for (x, y), (u, v) in itertools.permutations(zip(cost, accuracy, strict=True), 2):
        if x <= budget < u:
            found.append(y + (v - y) * (budget - x) / (u - x))
    return max(found)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 8)), min_size=1, max_size=9), st.floats(0, 12))
def test_the_hull_is_the_best_mixture_of_two_points(points, budget):
    cost, accuracy = np.array(points, dtype=float).T
    x, y = hull(cost, accuracy)
    assert x[0] == cost.min()
    assert y[-1] == accuracy.max()
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    assert (np.diff(np.diff(y) / np.diff(x)) < 0).all()
    if budget >= cost.min():
        assert np.interp(budget, x, y) == pytest.approx(mixed(cost, accuracy, budget))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], 0, 1), r"cost, accuracy: not finite numbers. Pass two arrays of shape \(n_points,\)"),
        (([1, 2], [0.5], 0, 1), "cost, accuracy: not finite numbers"),
        (([1, np.nan], [0.5, 0.6], 0, 1), "cost, accuracy: not finite numbers"),
        ((["a"], [0.5], 0, 1), "cost, accuracy: not finite numbers"),
        (([1], [0.5], 1, 1), "c_min=1 is not below c_max=1. Use two finite costs"),
        (([1], [0.5], 1, np.inf), "c_min=1 is not below c_max=inf"),
        (([1], [0.5], None, 1), "c_min=None is not below c_max=1"),
    ],
)
def test_points_without_an_area_are_refused(arguments, message):
    cost, accuracy, c_min, c_max = arguments
    with pytest.raises(MssimError, match=message):
        aiq(cost, accuracy, c_min=c_min, c_max=c_max)


# Shares ---------------------------------------------------


def test_the_share_is_that_of_the_means():
    found = gain_share([0.65] * 40, [0.6] * 40, [0.8] * 40)
    assert found.share == pytest.approx(0.25)
    assert found.low < 0.25 < found.high
    worse = gain_share([0.5, 0.6], [0.6, 0.6], [0.8, 1.0])
    assert worse.share == pytest.approx(-1 / 6)


def test_nothing_to_win_has_no_share_and_an_uncertain_gain_no_limits():
    nothing = gain_share([0.5, 0.6], [0.5, 0.6], [0.5, 0.6])
    assert np.isnan(nothing).all()
    unsure = gain_share([0.5, 0.6], [0.5, 0.6], [0.5, 0.7])
    assert (unsure.share, unsure.low, unsure.high) == (0, -np.inf, np.inf)


@pytest.mark.parametrize("test", ["gaffke", "t"])
@pytest.mark.parametrize("clusters", [None, np.arange(60) // 3])
def test_limits_are_where_the_test_begins_to_reject(test, clusters):
    rng = np.random.default_rng(4)
    base, gain = 0.5 * rng.random(60), 0.5 * rng.random((2, 60))
    router = base + gain * (rng.random((2, 60)) < [[0.7], [0.2]])
    found = gain_share(router, base, base + gain, confidence_level=0.9, clusters=clusters, test=test)
    assert found.share == pytest.approx((router - base).mean(axis=1) / gain.mean(axis=1))
    for limit, side in ((found.low, -1), (found.high, 1)):
        for step, rejects in ((0.999, False), (1.001, True)):
            share = found.share + step * (limit - found.share)
            differences = (router - base - share[:, None] * gain) / (1 + np.abs(share))[:, None]
            assert ((mean_difference(differences, clusters=clusters, method=test).p_value <= 0.1) == rejects).all()
        assert (np.sign(limit - found.share) == side).all()


@pytest.mark.slow
def test_an_interval_covers_the_share():
    """200 data sets of 100 questions and a share of 0.4: at most 27 of 95 % intervals miss it but once in a million."""
    rng = np.random.default_rng(8)
    gain = np.where(rng.random((200, 100)) < 0.5, 0.0, rng.random((200, 100)))
    router = np.where(rng.random((200, 100)) < 0.4, gain, 0.0)
    found = gain_share(router, np.zeros_like(gain), gain, test="t")
    missed = ((found.low > 0.4) | (found.high < 0.4)).sum()
    assert missed <= 27
    assert (found.high - found.low).max() < 0.8


def test_the_same_share_on_all_questions_has_an_interval():
    base = np.linspace(0.1, 0.5, 30)
    found = gain_share(base, base, base + 0.3, clusters=np.arange(30) // 2)
    assert found.share == 0
    assert found.low < -0.05
    assert found.high > 0.05


# Tables ---------------------------------------------------


def evaluation(accuracy, cost, budgets=(1, 2)):
    accuracy, cost = np.array(accuracy, dtype=float), np.array(cost, dtype=float)
    n = accuracy.shape[2]
    return Evaluation(
        strategies=tuple("abcd"[: len(accuracy)]),
        budgets=np.array(budgets),
        questions=pd.DataFrame({"question_id": range(n), "topic": np.arange(n) // 2}),
        accuracy=accuracy,
        samples_used=np.where(np.isnan(accuracy), np.nan, 1.0) * np.array(budgets)[:, None],
        agreed=accuracy,
        tokens=np.full_like(accuracy, np.nan),
        cost=np.where(np.isnan(accuracy), np.nan, cost[:, :, None]),
        latency=accuracy,
        n_replays=np.zeros(accuracy.shape, dtype=np.int64),
        mc_variance=np.zeros_like(accuracy),
        provenance={},
    )


@pytest.fixture
def result():
    """The router a, base b, oracle c, and d at the second budget alone."""
    rng = np.random.default_rng(2)
    base, gain = 0.4 * rng.random((2, 40)), 0.5 * rng.random((2, 40))
    lone = np.stack([np.full(40, np.nan), base[1]])
    return evaluation([base + gain / 2, base, base + gain, lone], [[1, 3], [1, 2], [2, 4], [np.nan, 8]])


def test_shares_of_all_strategies_at_all_common_budgets(result):
    table = gain_shares(result, "b", "c")
    assert table[["strategy", "budget"]].values.tolist() == [["a", 1], ["a", 2], ["d", 2]]
    assert table["gain_share"].tolist() == pytest.approx([0.5, 0.5, 0.0])
    assert table["oracle"][0] == pytest.approx(result.accuracy[2, 0].mean())
    assert table["base"][1] == pytest.approx(result.accuracy[1, 1].mean())
    assert (table["n_questions"] == 40).all()
    found = gain_share(*result.accuracy[:3, 1], confidence_level=0.8, clusters=np.arange(40) // 2, test="t")
    one = gain_shares(result, "b", "c", ["a"], budgets=2, confidence_level=0.8, clusters="topic", test="t")
    assert one[["gain_share", "low", "high"]].to_numpy()[0] == pytest.approx(list(found))
    assert len(one) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("b", "b"), StrategyError, "oracle: 'b' is also the base. Name another strategy"),
        (("b", "x"), StrategyError, "no strategy 'x' was evaluated"),
        (("x", "c"), StrategyError, "no strategy 'x' was evaluated"),
        (("b", "c", ["b"]), StrategyError, "'b' is also the base"),
        (("b", "c", "a"), StrategyError, "strategies='a' is a single name"),
    ],
)
def test_names_of_strategies_are_checked(result, arguments, error, message):
    with pytest.raises(error, match=message):
        gain_shares(result, *arguments)


def test_budgets_that_were_not_evaluated_are_named(result):
    with pytest.raises(BudgetError, match=r"budget 7 was not evaluated. Choose from \[1, 2\]"):
        gain_shares(result, "b", "c", budgets=[2, 7])


def test_every_strategy_is_a_curve_on_one_range(result):
    table = aiq_table(result)
    assert table["curve"].tolist() == list("abcd")
    assert table["points"].tolist() == [2, 2, 2, 1]
    means = result.accuracy.mean(axis=2)
    assert (table["c_min"][0], table["c_max"][0]) == (1, 8)
    assert table["aiq"][3] == 0  # no other cost is above that of its only point
    assert table["aiq"][0] == pytest.approx(aiq([1, 3], means[0], c_min=1, c_max=8))
    given = aiq_table(result, c_min=0, c_max=20)
    assert given["aiq"][3] == pytest.approx(means[3, 1] * 12 / 20)


def test_several_strategies_can_be_one_curve(result):
    table = aiq_table(result, {"both": ["a", "c"], "base": ["b"]}, per="samples_used")
    assert table["points"].tolist() == [4, 2]
    assert (table["c_min"][0], table["c_max"][0]) == (1, 2)
    means = result.accuracy.mean(axis=2)
    assert table["aiq"][0] == pytest.approx(max(means[2].mean(), means[2, 0]))


def test_what_is_not_spent_has_no_curve(result):
    with pytest.raises(MssimError, match=r"per='tokens': not known for 'a'\. Record it, or use another"):
        aiq_table(result, per="tokens")
    with pytest.raises(MssimError, match=r"curves: the hulls are single points that spend 8, so there is no area\."):
        aiq_table(result, {"d": ["d"]})
    with pytest.raises(MssimError, match="per='money' is not valid"):
        aiq_table(result, per="money")
