"""Sums over classes, ratios and stages that the modules of theory share, by hand and in rational arithmetic."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import BudgetError, ModelSwitch, MssimError, PoolError, StrategyError
from mssim.results.intervals import mean_interval, ratio_interval
from mssim.theory.pool_facts import (
    counts_of,
    ratio,
    read_switch,
    resampled,
    right_below,
    stages_of,
)
from tests.conftest import make_pool

RAGGED = {("x", "q1"): ["a", "b", "a", None], ("x", "q2"): ["c", None], ("y", "q1"): ["b"], ("y", "q2"): ["a", "a"]}


def test_counts_are_those_of_one_model():
    counts = counts_of(make_pool(RAGGED), "x", True)
    assert counts.votes.tolist() == [[2, 1, 0, 1]]
    assert counts.no_answer.tolist() == [[1, 1]]
    assert counts.correct.tolist() == [True, False, True, False]
    assert counts.replacement is True


def test_a_ratio_of_means_has_gaffkes_interval():
    rng = np.random.default_rng(0)
    share = rng.random(40)
    right = share * rng.random(40)
    accuracy, low, high = ratio(right, share, 0.9, None)
    assert accuracy == pytest.approx(right.sum() / share.sum())
    assert low < accuracy < high
    with_unasked = ratio(np.append(right, 0), np.append(share, 0), 0.9, None)
    assert with_unasked == pytest.approx((accuracy, low, high))  # questions without a share do not count
    labels = np.arange(40) % 15
    assert ratio(right, share, 0.9, labels)[1:] == ratio_interval(right, share, confidence_level=0.9, clusters=labels)
    replayed = ratio(right - 0.01, share, 0.9, None)  # by Monte Carlo error
    assert replayed[1:] == ratio_interval((right - 0.01).clip(0), share, confidence_level=0.9)
    whole = ratio(right, np.ones(40), 0.9, None)
    assert whole[1:] == pytest.approx(mean_interval(right, confidence_level=0.9))
    assert np.isnan(ratio(np.zeros(3), np.zeros(3), 0.9, None)).all()


@given(st.integers(1, 5), st.integers(0, 5), st.integers(1, 5), st.booleans())
def test_unanimous_stages_are_counted_draw_by_draw(right, wrong, size, replacement):
    n = right + wrong
    size = min(size, n)
    pool = make_pool({("x", "q"): ["a"] * right + ["b"] * wrong, ("y", "q"): ["a"] * n})
    stages = stages_of(pool, ModelSwitch(["x", "y"], sizes=(size, size)), [2 * size], replacement, right=True)

    def alike(of):
        return Fraction(of, n) ** size if replacement else Fraction(comb(of, size), comb(n, size))

    agreed = alike(right) + alike(wrong)
    assert stages.agreed[0, 0, 0] == pytest.approx(float(agreed), abs=1e-12)
    assert stages.right[0, 0, 0] == pytest.approx(float(alike(right)), abs=1e-12)
    assert stages.reached[:, 0, 0] == pytest.approx([1, float(1 - agreed)], abs=1e-12)


def test_a_plurality_below_a_number_of_votes_is_counted_draw_by_draw():
    """Three of aabb are two and one, and half of them right; fewer than two votes for every answer are impossible."""
    counts = counts_of(make_pool({("x", "q"): list("aabb")}), "x", False)
    below = right_below(counts, [0, 2, 3], 3, 0)[:, 0, 3]
    assert below == pytest.approx([0, 0, 0.5])


def test_resamples_draw_whole_clusters_as_often_as_there_are_clusters():
    labels = np.array(["a", "b", "b", "c"])
    times = resampled(4, labels, 50, seed=1)
    assert (times[:, 1] == times[:, 2]).all()
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all()
    alone = resampled(4, None, 50, seed=1)
    assert (alone.sum(axis=1) == 4).all()
    assert (alone == resampled(4, None, 50, seed=1)).all()
    assert (alone != resampled(4, None, 50, seed=2)).any()


def test_only_switches_have_stages():
    assert read_switch("ms:x+y") == ModelSwitch(["x", "y"])
    with pytest.raises(StrategyError, match="strategy: sc:x is not a ModelSwitch"):
        read_switch("sc:x")


@pytest.mark.parametrize(
    ("strategy", "options", "error", "says"),
    [
        ("ms:x+x", {}, StrategyError, "stages of the same model are dependent without replacement"),
        ("ms:x+y", {"replacement": 1}, MssimError, r"replacement=1 is not a bool\. Use True or False"),
        (
            "ms:x+y",
            {"budgets": 5},
            BudgetError,
            "budget 5 needs 3 samples of model 'x' for question 'q2', but 2 were recorded",
        ),
        ("ms:x+y", {"budgets": 2050, "replacement": True}, BudgetError, "1025 samples of one model exceed the limit"),
    ],
)
def test_stages_that_are_out_of_reach_are_refused(strategy, options, error, says):
    with pytest.raises(error, match=says):
        stages_of(make_pool(RAGGED), strategy, **{"budgets": 2, "replacement": False, "right": False, **options})


def test_stages_are_those_of_samples_within_their_limits():
    """Two of x are longer than 5 and y has no limit: as if the two had no answer."""
    answers = {("x", "q"): ["a", "a", "a", "a"], ("y", "q"): ["a", "b", "b"]}
    pool = make_pool(answers, output_tokens=[1.0, 9.0, 9.0, 5.0, 9.0, 9.0, 9.0])
    cut = make_pool(answers | {("x", "q"): ["a", None, None, "a"]})
    found = stages_of(pool, "ms:x+y,max_tokens=5/none", [4], False, right=True)
    expected = stages_of(cut, "ms:x+y", [4], False, right=True)
    assert found.agreed.tolist() == expected.agreed.tolist()
    assert found.agreed.ravel() == pytest.approx([1 / 6, 1 / 3])
    assert found.right.tolist() == expected.right.tolist()
    with pytest.raises(PoolError, match="max_tokens requires output_tokens"):
        stages_of(cut, "ms:x+y,max_tokens=5", [4], False, right=False)
