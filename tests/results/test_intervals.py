"""Intervals of means and ratios: known limits, invariants, and coverage."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from mssim import MssimError
from mssim.results.clusters import degrees_of_freedom, standard_error
from mssim.results.intervals import mean_interval, ratio_interval

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def outcomes(right, sizes):
    """Zeros and ones with the given sums of clusters, and the labels of the clusters."""
    values = np.concatenate([[1.0] * good + [0.0] * (size - good) for good, size in zip(right, sizes, strict=True)])
    return values, np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize(
    ("values", "level", "low", "high"),
    [
        ([1] * 39 + [0], 0.95, 0.868414, 0.999367),
        ([1] * 40, 0.95, 0.911903, 1),
        ([1] * 39 + [0.875], 0.8, 0.940915, 0.999671),
        ([0.2, 0.5, 0.9, 1, 1, 0.7, 0.4, 1, 0.8, 1], 0.95, 0.471849, 0.906294),
    ],
)
def test_known_limits(values, level, low, high):
    assert mean_interval(values, confidence_level=level) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(
    ("right", "sizes", "low", "high"),
    [([9, 8, 7, 10, 9], [10] * 5, 0.6678, 0.9494), ([3, 4, 10, 2], [5, 4, 12, 9], 0.1414, 0.9477)],
)
def test_known_limits_of_few_clusters(right, sizes, low, high):
    values, labels = outcomes(right, sizes)
    assert mean_interval(values, clusters=labels) == pytest.approx((low, high), abs=5e-5)


def test_known_limits_of_ratios():
    """The limits are quantiles under random weights, with an additional unit of the root mean square of 5, 4, 12, 9.

    Of 400,000 draws the share below a limit has the standard error 0.00025; 0.0013 is five of them.
    """
    low, high = ratio_interval([3, 4, 10, 2.5], [5, 4, 12, 9])
    e = np.random.default_rng(4).exponential(size=(400_000, 5))
    total = e[:, :4] @ [5, 4, 12, 9] + e[:, 4] * np.sqrt(266 / 4)
    assert np.mean(e[:, :4] @ [3, 4, 10, 2.5] / total < low) == pytest.approx(0.025, abs=0.0013)
    assert np.mean(e[:, :4] @ [2, 0, 2, 6.5] / total < 1 - high) == pytest.approx(0.025, abs=0.0013)


def test_few_clusters_have_wilsons_interval_with_cr2():
    values, labels = outcomes([3, 4, 10, 2], [5, 4, 12, 9])
    mean, error = values.mean(), standard_error(values, labels)
    n = mean * (1 - mean) / error**2
    assert n == pytest.approx(6.599, abs=5e-4)
    quantile = stats.t.ppf(0.975, degrees_of_freedom([5, 4, 12, 9]))
    limits = [
        optimize.brentq(lambda p: (mean - p) ** 2 - quantile**2 * p * (1 - p) / n, *ends)
        for ends in ((0, mean), (mean, 1))
    ]
    assert mean_interval(values, clusters=labels) == pytest.approx(limits)


def test_few_clusters_that_are_all_alike_count_as_kish_says():
    """Five clusters of 100 questions with 3 wrong each: five independent questions."""
    values, labels = outcomes([97] * 5, [100] * 5)
    wilson = optimize.brentq(lambda p: (0.97 - p) ** 2 - stats.t.ppf(0.975, 4) ** 2 * p * (1 - p) / 5, 0, 0.97)
    low, high = mean_interval(values, clusters=labels)
    assert low == pytest.approx(wilson)
    assert 0.97 < high < 1
    noise = values + 1e-13 * np.arange(500) / 500
    assert mean_interval(noise.clip(0, 1), clusters=labels) == pytest.approx((low, high))


def test_no_more_independent_questions_than_there_are():
    values, labels = outcomes([5, 5, 5, 6], [10] * 4)
    quantile = stats.t.ppf(0.975, 3)
    mean = 21 / 40
    assert mean * (1 - mean) / standard_error(values, labels) ** 2 > 40
    low, _ = mean_interval(values, clusters=labels)
    assert low == pytest.approx(optimize.brentq(lambda p: (mean - p) ** 2 - quantile**2 * p * (1 - p) / 40, 0, mean))


@pytest.mark.parametrize("sizes", [[34] * 4 + [32] * 2, [5] * 40, [50, 20, 15, 10, 5], [100, 100], [150, 25, 25]])
def test_more_than_five_clusters_or_large_ones_enter_by_their_sums(sizes):
    rng = np.random.default_rng(2)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = rng.random(labels.size)
    sizes = np.bincount(labels)
    sums = np.bincount(labels, values)
    assert mean_interval(values, clusters=labels) == pytest.approx(ratio_interval(sums, sizes))
    assert mean_interval(values, clusters=labels) != pytest.approx(mean_interval(values), abs=1e-3)


def test_ten_clusters_of_97_correct_answers_are_no_certainty():
    low, high = mean_interval(outcomes([97] * 10, [100] * 10)[0], clusters=np.arange(1000) // 100)
    assert (low, high) == pytest.approx((0.97 * stats.beta.ppf(0.025, 10, 1), 1 - 0.03 * stats.beta.ppf(0.025, 10, 1)))


def test_a_single_cluster_says_nothing():
    assert mean_interval([1.0, 1.0, 0.5], clusters=["a"] * 3) == (0, 1)


def test_clusters_of_one_question_each_change_nothing():
    values = [1.0, 0.5, 1.0, 0.25, 0.75]
    assert mean_interval(values, clusters=list("abcde")) == mean_interval(values)


@given(SHARES, st.integers(0, 39), st.floats(0, 1))
def test_limits_never_decrease_if_a_value_increases(values, at, to):
    low, high = mean_interval(values)
    raised = np.array(values)
    raised[at % len(values)] = max(to, raised[at % len(values)])
    above_low, above_high = mean_interval(raised)
    assert above_low >= low - 1e-7
    assert above_high >= high - 1e-7


@given(SHARES)
def test_an_interval_holds_the_mean_stays_within_0_and_1_and_has_width(values):
    low, high = mean_interval(values)
    assert 0 <= low <= np.mean(values) + 1e-7
    assert np.mean(values) - 1e-7 <= high <= 1
    assert high - low > 0.5 / (len(values) + 1)


@given(SHARES, st.integers(1, 3))
def test_the_interval_of_wrong_answers_is_the_mirror_image(values, n_clusters):
    labels = np.arange(len(values)) % n_clusters
    for clusters in (None, labels):
        low, high = mean_interval(values, clusters=clusters)
        mirrored = mean_interval(1 - np.array(values), clusters=clusters)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-7)


def test_rounding_moves_no_limit():
    values = np.array([1.0] * 30 + [0.5] * 10)
    noise = 1e-15 * np.random.default_rng(0).normal(size=40)
    assert mean_interval(values + noise) == pytest.approx(mean_interval(values), abs=1e-9)


def test_intervals_are_vectorised():
    values = np.random.default_rng(1).random((2, 3, 30)) ** 9
    values[0, 0] = 1.0
    values[1, 1, 4] = np.nan
    for labels in (None, np.arange(30) // 3, np.arange(30) // 10):
        lows, highs = mean_interval(values, clusters=labels)
        for i, j in itertools.product(range(2), range(3)):
            alone = mean_interval(values[i, j], clusters=labels)
            assert (lows[i, j], highs[i, j]) == pytest.approx(alone, abs=1e-12, nan_ok=True)
    assert np.isnan(lows[1, 1])
    assert not np.isnan(lows[0]).any()


def test_every_mean_can_have_its_own_level():
    values = np.random.default_rng(1).random((2, 30))
    low, high = mean_interval(values, confidence_level=[0.8, 0.99])
    for i, level in enumerate((0.8, 0.99)):
        assert (low[i], high[i]) == pytest.approx(mean_interval(values[i], confidence_level=level), abs=1e-8)


def test_a_larger_error_stretches_the_interval_of_many_questions():
    values = np.random.default_rng(1).random(2000)
    (low, high), (wide_low, wide_high) = mean_interval(values), mean_interval(values, stretch=1.5)
    assert (wide_high - wide_low) / (high - low) == pytest.approx(1.5, abs=0.01)
    assert 0 <= mean_interval([1.0] * 20, stretch=1.5)[0] < mean_interval([1.0] * 20)[0]


def test_a_larger_error_stretches_the_quantile_of_few_clusters():
    values, labels = outcomes([3, 4, 10, 2], [5, 4, 12, 9])
    freedom = degrees_of_freedom([5, 4, 12, 9])
    level = 1 - 2 * stats.t.sf(1.2 * stats.t.ppf(0.975, freedom), freedom)
    wide = mean_interval(values, clusters=labels, stretch=1.2)
    assert wide == pytest.approx(mean_interval(values, clusters=labels, confidence_level=level))


def test_questions_without_a_share_do_not_count():
    rng = np.random.default_rng(0)
    whole = rng.random(40)
    part = whole * rng.random(40)
    interval = ratio_interval(part, whole)
    assert ratio_interval(np.append(part, 0), np.append(whole, 0)) == pytest.approx(interval, abs=1e-9)
    assert ratio_interval(np.append(part, 1e-15), np.append(whole, 1e-15)) == pytest.approx(interval, abs=1e-9)
    assert np.isnan(ratio_interval([0, 0], [0, 0])).all()


def test_a_ratio_to_ones_is_a_mean():
    values = np.random.default_rng(0).random(40)
    assert ratio_interval(values, np.ones(40), confidence_level=0.9) == mean_interval(values, confidence_level=0.9)


def test_ratios_of_clusters_enter_by_sums():
    part, whole = np.array([0.5, 0.1, 0.3, 0.2]), np.array([0.6, 0.2, 0.9, 0.3])
    found = ratio_interval(part, whole, clusters=["a", "b", "a", "b"])
    assert found == pytest.approx(ratio_interval([0.8, 0.3], [1.5, 0.5]))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan"), "0.95", None])
def test_levels_that_are_not_between_0_and_1_are_refused(level):
    with pytest.raises(MssimError, match="between 0 and 1"):
        mean_interval([0.5, 0.6], confidence_level=level)


@pytest.mark.parametrize("levels", [[0.9], [0.9, 1.0], [[0.9, 0.9]]])
def test_levels_are_one_per_mean(levels):
    with pytest.raises(MssimError, match="between 0 and 1 for each mean"):
        mean_interval([[0.5, 0.6], [0.5, 0.6]], confidence_level=levels)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], "no questions"),
        (0.5, "no questions"),
        (["a"], "values: no questions, or no numbers"),
        ([[0.5], [0.5, 1]], "values: no questions, or no numbers"),
        ([1j], "values: no questions, or no numbers"),
        ([0.5, 1.1], r"1\.1 is not from 0 to 1"),
        ([-0.01], r"-0\.01 is not from 0"),
        ([np.inf], "inf is not from 0"),
    ],
)
def test_values_that_are_not_shares_are_refused(values, says):
    with pytest.raises(MssimError, match=says):
        mean_interval(values)


def test_numerators_beyond_their_denominators_are_refused():
    with pytest.raises(MssimError, match="numerator"):
        ratio_interval([0.5, 0.6], [0.5, 0.5])
    with pytest.raises(MssimError, match="numerator"):
        ratio_interval([-0.5], [0.5])


@pytest.mark.parametrize(
    ("part", "whole"),
    [([np.nan], [1]), ([1, 1], [np.inf, 1]), ([], []), (0.5, 1), (["a"], [1]), ([1, 2, 3], [4, 5]), ([None], [1])],
)
def test_ratios_of_anything_but_finite_numbers_are_refused(part, whole):
    with pytest.raises(MssimError, match="part, whole: not finite numbers per question"):
        ratio_interval(part, whole)


def test_ratios_have_no_unit():
    part, whole = np.array([3, 4, 10, 2.5]), np.array([5, 4, 12, 9])
    assert ratio_interval(part * 1e200, whole * 1e200) == pytest.approx(ratio_interval(part, whole), rel=1e-9)


@pytest.mark.parametrize("stretch", [0, 0.5, -1, np.nan, np.inf, "2", None, True])
def test_factors_of_the_error_below_1_are_refused(stretch):
    with pytest.raises(MssimError, match=r"stretch=.* is out of range"):
        mean_interval([0.5, 0.6], stretch=stretch)


# Coverage: laws that other intervals do not cover. `benchmarks/coverage.py` has all cells. --------------------

N_SAMPLES = 4000
# A count of covered samples that is binomial with p = 0.95 falls by five standard deviations less often than once
# in a million seeds.
SLACK = 5 * np.sqrt(0.95 * 0.05 / N_SAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 100])
def test_coverage_of_means_near_1(n):
    """Right with probability 0.97, else 0.875 or 0: Student's t covers 43 to 68 %."""
    rng = np.random.default_rng(11)
    values = rng.choice([1.0, 0.875, 0.0], (N_SAMPLES, n), p=[0.97, 0.02, 0.01])
    low, high = mean_interval(values)
    assert np.mean((low <= 0.9875) & (high >= 0.9875)) > 0.95 - SLACK


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", [4, 20])
def test_coverage_of_unequal_clusters_of_binary_outcomes(n_clusters):
    """Half of the questions are in one cluster."""
    rng = np.random.default_rng(15)
    sizes = np.array([5 * (n_clusters - 1)] + [5] * (n_clusters - 1))
    chance = rng.beta(3.2, 0.8, (N_SAMPLES, n_clusters)).repeat(sizes, axis=1)
    values = (rng.random(chance.shape) < chance).astype(float)
    low, high = mean_interval(values, clusters=np.arange(n_clusters).repeat(sizes))
    assert np.mean((low <= 0.8) & (high >= 0.8)) > 0.94 - SLACK


@pytest.mark.slow
def test_coverage_of_clustered_questions_needs_the_clusters():
    rng = np.random.default_rng(13)
    common = rng.random((1000, 30)).repeat(10, axis=1)  # 30 problems in ten languages each
    values = 0.8 * common + 0.2 * rng.random((1000, 300))
    for labels, enough in ((np.repeat(np.arange(30), 10), True), (None, False)):
        low, high = mean_interval(values, clusters=labels)
        assert (np.mean((low <= 0.5) & (high >= 0.5)) > 0.9) == enough
