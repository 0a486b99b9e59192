"""Paired differences: McNemar's test, Student's t, agreement of interval and p-value, and size of the tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim import MssimError
from mssim.results.clusters import degrees_of_freedom, standard_error
from mssim.results.differences import mean_difference
from mssim.results.intervals import ratio_interval

DIFFERENCES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0] * 50, -0.07112, 0.07112),
        ([0.1] * 30, -0.02727, 0.20413),
        ([1] * 6 + [0] * 494, 0.00094, 0.02593),
    ],
)
def test_known_limits(values, low, high):
    found = mean_difference(values)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-6)
    assert found.difference == pytest.approx(np.mean(values))
    assert found.method == "gaffke"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 500))
def test_wins_and_losses_have_the_p_value_of_mcnemar(wins, losses, ties):
    found = mean_difference([1.0] * wins + [-1.0] * losses + [0.0] * (ties + 1))
    exact = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert found.p_value == pytest.approx(exact, rel=1e-6)


@given(DIFFERENCES, st.sampled_from([0.5, 0.8, 0.95, 0.999]), st.integers(1, 4), st.sampled_from(["gaffke", "t"]))
def test_the_interval_excludes_zero_if_and_only_if_the_p_value_is_small(values, level, n_clusters, method):
    clusters = None if n_clusters == 1 else np.arange(len(values)) % n_clusters
    found = mean_difference(values, confidence_level=level, clusters=clusters, method=method)
    if abs(found.p_value - (1 - level)) > 1e-6:
        assert (found.p_value < 1 - level) == (found.low > 0 or found.high < 0)


@given(DIFFERENCES, st.integers(1, 4))
def test_exchanging_the_two_changes_signs(values, n_clusters):
    clusters = np.arange(len(values)) % n_clusters if n_clusters > 1 else None
    there = mean_difference(values, clusters=clusters, margin=0.1)
    back = mean_difference(-np.array(values), clusters=clusters, margin=0.1)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-7)
    assert there.p_value == pytest.approx(back.p_value, abs=1e-7)
    assert there.p_equivalent == pytest.approx(back.p_equivalent, abs=1e-7)


@given(DIFFERENCES, st.integers(1, 5))
def test_every_interval_has_width(values, n_clusters):
    found = mean_difference(values, clusters=np.arange(len(values)) % n_clusters)
    assert found.high - found.low > 1e-9
    assert found.low - 1e-7 <= found.difference <= found.high + 1e-7


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_t_without_clusters_is_the_paired_t_test(level):
    values = np.random.default_rng(0).normal(0.05, 0.1, size=15)
    found = mean_difference(values, confidence_level=level, method="t")
    expected = stats.ttest_1samp(values, 0)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(level)))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_clusters_have_t_with_the_jackknife():
    rng = np.random.default_rng(1)
    labels = rng.choice(6, 60, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    values = 0.1 * rng.normal(size=60) + 0.1 * labels / 6
    found = mean_difference(values, clusters=labels)
    without = [values[labels != label].mean() for label in range(6)]
    error = np.sqrt(5 / 6 * np.sum((np.array(without) - values.mean()) ** 2))
    freedom = degrees_of_freedom(np.bincount(labels), jackknife=True)
    half = stats.t.ppf(0.975, freedom) * error
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(values.mean()) / error, freedom))
    assert found.method == "t"


def test_clusters_that_are_all_alike_have_gaffkes_interval():
    found = mean_difference([0.1] * 40, clusters=np.arange(40) // 10)
    low, high = ratio_interval([5.5] * 4, [10] * 4)
    assert (found.low, found.high) == pytest.approx((2 * low - 1, 2 * high - 1))
    noisy = mean_difference(0.1 + 1e-14 * np.arange(40), clusters=np.arange(40) // 10)
    assert (noisy.low, noisy.high, noisy.p_value) == pytest.approx((found.low, found.high, found.p_value))


def test_clusters_of_one_question_each_are_no_clusters():
    values = [0.1, 0.3, -0.2, 0.0]
    assert mean_difference(values, clusters=list("abcd"))[:4] == mean_difference(values)[:4]
    assert mean_difference(values, clusters=list("abcd")).method == "gaffke"


def test_a_single_cluster_says_nothing():
    found = mean_difference([0.5, 0.6], clusters=["a", "a"], margin=0.1)
    assert found[:6] == (0.55, -1, 1, 1, 1, 1)


def test_rounding_is_not_a_difference():
    """198 zeros and one 0.005 have p = 1 in a sign-flip test, and p = 0.0002 if 85 of them become 2e-16."""
    plain = np.zeros(199)
    plain[0] = 0.005
    noisy = plain.copy()
    noisy[1:86] += 2e-16
    for method in ("gaffke", "t"):
        a, b = (mean_difference(values, method=method) for values in (plain, noisy))
        assert a.p_value == pytest.approx(b.p_value, abs=1e-9)
        assert a.p_value > 0.3


@pytest.mark.parametrize(("margin", "p"), [(0.03, 0.007031), (0.02, 0.068398)])
def test_equivalence_is_the_larger_of_two_one_sided_tests(margin, p):
    values = np.random.default_rng(1).normal(size=100)
    values = 0.005 + 0.1 * (values - values.mean()) / values.std(ddof=1)
    found = mean_difference(values, margin=margin, method="t")
    assert found.p_equivalent == pytest.approx(p, abs=5e-7)
    assert found.p_noninferior == pytest.approx(stats.ttest_1samp(values, -margin, alternative="greater").pvalue)


@given(DIFFERENCES, st.floats(0.01, 0.5), st.sampled_from(["gaffke", "t"]))
def test_equivalence_means_that_the_interval_is_within_the_margin(values, margin, method):
    found = mean_difference(values, margin=margin, confidence_level=0.9, method=method)
    if min(abs(abs(found.low) - margin), abs(abs(found.high) - margin)) > 1e-6:
        assert (found.p_equivalent < 0.05) == (-margin < found.low and found.high < margin)
        assert (found.p_noninferior < 0.05) == (found.low > -margin)


def test_gains_of_cross_validation():
    gains = [0.2] * 20 + [0.0] * 30 + [-0.1] * 10
    plain = mean_difference(gains, method="t")
    assert standard_error(gains) == pytest.approx(0.014556, abs=5e-7)
    assert plain.p_value == pytest.approx(0.00109, abs=5e-6)
    for folds, p in ((10, 0.02138), (5, 0.02561)):
        found = mean_difference(gains, method="t", stretch=np.sqrt(1 + folds / (folds - 1)))
        assert found.p_value == pytest.approx(p, abs=5e-6)
    ten = mean_difference(gains, method="t", stretch=np.sqrt(1 + 10 / 9))
    assert (ten.low, ten.high) == pytest.approx((0.00768, 0.09232), abs=5e-6)


def test_a_stretched_gaffke_interval_agrees_with_its_p_value():
    values = [0.2] * 20 + [0.0] * 30
    found = mean_difference(values, stretch=1.4)
    edge = mean_difference(values, stretch=1.4, confidence_level=1 - float(found.p_value))
    assert edge.low == pytest.approx(0, abs=1e-6)


def test_rows_are_independent():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 0.2, (2, 3, 25)).clip(-1, 1)
    values[0, 1, 3] = np.nan
    values[1, 1] = 0.1
    for clusters in (None, np.arange(25) // 5):
        found = mean_difference(values, clusters=clusters, margin=0.1)
        for i, j in np.ndindex(2, 3):
            alone = mean_difference(values[i, j], clusters=clusters, margin=0.1)
            assert [one[i, j] for one in found[:6]] == pytest.approx(list(alone[:6]), nan_ok=True, abs=1e-12)
    assert np.isnan(found.p_value[0, 1])


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        ([], {}, "no questions"),
        (["a"], {}, "differences: no questions, or no numbers"),
        ([0.5, 1.5], {}, r"1\.5 is not from -1 to 1"),
        ([np.inf], {}, "inf is not from -1 to 1"),
        ([0.5], {"margin": 0}, "margin=0 is not valid"),
        ([0.5], {"margin": 2}, "margin=2 is not valid"),
        ([0.5], {"margin": True}, "margin=True is not valid"),
        ([0.5], {"margin": float("nan")}, "margin=nan is not valid"),
        ([0.5], {"method": "wilson"}, "method='wilson' is not valid"),
        ([0.5], {"method": None}, "method=None is not valid"),
        ([0.5], {"confidence_level": 1}, "between 0 and 1"),
        ([0.5], {"stretch": 0}, "stretch=0 is out of range"),
        ([0.5, 0.5], {"clusters": ["a"]}, "1 labels for 2 questions"),
    ],
)
def test_bad_arguments(values, options, says):
    with pytest.raises(MssimError, match=says):
        mean_difference(values, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("rare", "usual", "chance", "n"), [(0.647, -0.02, 0.03, 20), (0.45, -0.05, 0.1, 50)])
def test_size_under_asymmetric_differences(rare, usual, chance, n):
    """The mean is zero; sign flips have p <= 0.05 in 55 and 11 % of the samples.

    With 2000 samples a size of 5 % exceeds 7.4 % less often than once in a million seeds.
    """
    rng = np.random.default_rng(5)
    found = mean_difference(np.where(rng.random((2000, n)) < chance, rare, usual))
    assert np.mean(found.p_value <= 0.05) < 0.074


@pytest.mark.slow
def test_size_under_unequal_clusters():
    """As above, with five clusters of lognormal sizes and effects of clusters."""
    rng = np.random.default_rng(6)
    sizes = np.maximum(rng.lognormal(3, 1, 5).astype(int), 1)
    labels = np.repeat(np.arange(5), sizes)
    effects = rng.normal(0, 0.1, (2000, 5))[:, labels]
    values = (effects + rng.normal(0, 0.2, effects.shape)).clip(-1, 1)
    found = mean_difference(values, clusters=labels)
    assert np.mean(found.p_value <= 0.05) < 0.074
