"""Simultaneous bands, against known quantiles, integration, a literal bootstrap, and their own promise of coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mssim import MssimError, evaluate, load_pool
from mssim.results.bands import mean_band, simultaneous_level
from mssim.results.intervals import mean_interval

CURVES = st.tuples(st.integers(1, 6), st.integers(2, 12), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.5, 1]))


def random_curve(n_points, n_questions, seed, share):
    """Return a curve of accuracies in quarters, some of which are equal at all points, as at budgets 1 and 2."""
    rng = np.random.default_rng(seed)
    shared = rng.integers(0, 5, n_questions) / 4
    return np.where(
        rng.random((n_points, n_questions)) < share, shared, rng.integers(0, 5, (n_points, n_questions)) / 4
    )


def correlated(correlation, n_questions=200):
    """Return a curve whose correlation over questions is exactly the given one."""
    correlation = np.asarray(correlation)
    z = np.random.default_rng(0).normal(size=(len(correlation), n_questions))
    z -= z.mean(axis=1, keepdims=True)
    return np.linalg.cholesky(correlation) @ np.linalg.solve(np.linalg.cholesky(z @ z.T), z)


def equicorrelated(n_points, rho):
    return rho + (1 - rho) * np.eye(n_points)


def critical_value(curve, **options):
    """Return the quantile of the normal distribution that belongs to the level."""
    return -special.ndtri((1 - simultaneous_level(curve, **options)) / 2)


# Critical values ------------------------------------------


@pytest.mark.parametrize(
    ("n_points", "rho", "expected", "error"),
    [(2, 0, 2.2365, 0.003), (2, 0.5, 2.2121, 0.002), (5, 0.9, 2.2743, 0.001), (20, 0, 3.0160, 0.05)],
)
def test_critical_values_of_normal_vectors(n_points, rho, expected, error):
    curve = correlated(equicorrelated(n_points, rho))
    for seed in range(5):
        assert critical_value(curve, seed=seed) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("confidence_level", [0.5, 0.8, 0.99, 0.999])
@pytest.mark.parametrize("rho", [0, 0.5, 0.99])
def test_the_critical_value_of_two_points_by_integration(rho, confidence_level):
    """P(|t1| <= c, |t2| <= c) is an integral over t1, since t2 given t1 is normal."""
    c = critical_value(correlated(equicorrelated(2, rho)), confidence_level=confidence_level)
    t = np.linspace(-c, c, 20_001)
    spread = np.sqrt(1 - rho**2)
    inside = special.ndtr((c - rho * t) / spread) - special.ndtr((-c - rho * t) / spread)
    assert np.trapezoid(inside * stats.norm.pdf(t), t) == pytest.approx(confidence_level, abs=5e-4)


def test_points_that_the_first_component_does_not_reach():
    """Three copies of one point and an independent one are two independent points."""
    one, other = correlated(np.eye(2))
    for curve in ([one, one, one, other], [other, one, -one, 2 * one]):
        assert critical_value(curve) == pytest.approx(2.2365, abs=0.003)


def curve_of_a_pool(budgets):
    return evaluate(load_pool("tests/demo-synthetic"), "sc:strong", budgets).accuracy[0]


@pytest.mark.slow
@pytest.mark.compiled
def test_the_curve_of_a_pool_by_integration():
    curve = curve_of_a_pool([1, 4, 8, 16, 32, 64])  # budgets 1 and 2 have the same accuracy
    c = critical_value(curve)
    inside = stats.multivariate_normal.cdf(
        np.full(6, c), cov=np.corrcoef(curve), lower_limit=np.full(6, -c), maxpts=40_000, rng=np.random.default_rng(0)
    )
    assert inside == pytest.approx(0.95, abs=3e-4)  # an error of 0.0003 in c is one of 0.00004 here


@pytest.mark.compiled
@pytest.mark.slow
def test_all_budgets_of_a_pool():
    """A bootstrap of 1,000,000 draws with normal weights gives 2.189 with an error of 0.002."""
    curve = curve_of_a_pool(range(1, 65))
    found = [critical_value(curve, seed=seed) for seed in range(5)]
    assert found == pytest.approx(5 * [2.189], abs=0.006)


@pytest.mark.parametrize("clusters", [None, np.arange(60) % 7, np.repeat([3, 1, 2], [10, 20, 30])])
def test_a_multiplier_bootstrap_draws_the_same_maxima(clusters):
    """Normal weights per cluster, in plain loops; the share inside c, within five standard errors."""
    curve = np.random.default_rng(1).random((4, 60)) + np.random.default_rng(2).random(60)
    c = critical_value(curve, clusters=clusters, confidence_level=0.9)
    labels = np.arange(60) if clusters is None else clusters
    names, n = np.unique(labels), 20_000
    weights = np.random.default_rng(3).normal(size=(n, names.size))
    maxima = np.zeros(n)
    for point in curve:
        sums = np.array([(point - point.mean())[labels == name].sum() for name in names])
        maxima = np.maximum(maxima, abs(weights @ sums) / np.sqrt((sums**2).sum()))
    assert (maxima <= c).mean() == pytest.approx(0.9, abs=5 * np.sqrt(0.9 * 0.1 / n))


# Invariants -----------------------------------------------


@given(CURVES, st.floats(0.01, 0.999))
def test_the_level_is_between_that_of_one_point_and_sidaks(about, confidence_level):
    curve = random_curve(*about)
    found = simultaneous_level(curve, confidence_level=confidence_level)
    varying = max(1, np.count_nonzero(np.ptp(curve, axis=1)))
    assert confidence_level <= found <= confidence_level ** (1 / varying) + 1e-12


def test_noise_of_the_draws_does_not_carry_the_level_beyond_sidaks():
    found = [simultaneous_level(correlated(np.eye(20)), n_resamples=64, seed=seed) for seed in range(20)]
    assert max(found) == pytest.approx(0.95 ** (1 / 20), abs=1e-12)  # reached, since half of the draws are beyond
    assert min(found) < 0.997


@given(CURVES, st.floats(-2, 2).filter(lambda x: abs(x) > 0.01), st.floats(-2, 2))
def test_units_and_the_order_of_questions_do_not_matter(about, factor, offset):
    curve = random_curve(*about)
    other = np.random.default_rng(about[2]).permutation(offset + factor * curve, axis=1)
    assert critical_value(other) == pytest.approx(critical_value(curve), abs=0.03)


@given(CURVES)
def test_a_point_that_repeats_another_does_not_widen_the_band(about):
    curve = random_curve(*about)
    repeated = np.concatenate([curve, 1 - curve[::2], 0.5 * curve[:1], np.full((2, about[1]), 0.75)])
    assert critical_value(repeated) == pytest.approx(critical_value(curve), abs=0.05)


@given(CURVES)
def test_clusters_of_one_question_or_of_copies_change_nothing(about):
    curve = random_curve(*about)
    found = simultaneous_level(curve)
    assert simultaneous_level(curve, clusters=np.arange(about[1])) == pytest.approx(found, abs=1e-6)
    copies = np.repeat(curve, 3, axis=1)
    assert simultaneous_level(copies, clusters=np.repeat(np.arange(about[1]), 3)) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("confidence_level", [0.01, 0.95, 1 - 1e-16])
def test_points_without_a_t_do_not_count(confidence_level):
    one = np.random.default_rng(0).random(30)
    constant, rounding = np.full(30, 0.7), 0.7 + 1e-16 * np.arange(30)
    for curve in ([one], [constant], [one, constant, rounding], [one, 0.5 * one, 1 - one], [constant, rounding]):
        assert simultaneous_level(curve, confidence_level=confidence_level) == confidence_level
    two = [one, np.random.default_rng(1).random(30)]
    level = simultaneous_level(two, confidence_level=confidence_level)
    assert simultaneous_level([constant, *two, rounding], confidence_level=confidence_level) == level
    assert confidence_level <= level < 1


def test_a_single_cluster_or_question_has_no_t():
    curve = np.random.default_rng(0).random((3, 8))
    assert simultaneous_level(curve, clusters=["a"] * 8) == 0.95
    assert simultaneous_level(curve[:, :1]) == 0.95


def test_every_curve_has_its_own_level():
    curves = np.random.default_rng(0).random((2, 3, 4, 50))
    curves[1, 0] = curves[1, 0, 0]
    levels = simultaneous_level(curves)
    assert levels.shape == (2, 3)
    assert levels[1, 0] == 0.95
    assert levels[0, 2] == simultaneous_level(curves[0, 2]) > 0.98


def test_a_seed_moves_the_draws_by_little():
    curve = random_curve(5, 40, 0, 0.5)
    found = [critical_value(curve, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert found[2] == pytest.approx(found[0], abs=0.01)
    coarse = critical_value(curve, n_resamples=1)
    assert 1.96 < coarse != found[0]


# Bands ----------------------------------------------------


def test_a_band_is_the_interval_of_the_package_at_the_level_of_its_curve():
    curves = np.stack([random_curve(4, 40, seed, 0.8) for seed in range(3)])
    groups = np.arange(40) // 4
    low, high = mean_band(curves, confidence_level=0.9, clusters=groups, band="simultaneous")
    assert low.shape == high.shape == (3, 4)
    for at, curve in enumerate(curves):
        level = simultaneous_level(curve, confidence_level=0.9, clusters=groups)
        for point in range(4):
            expected = mean_interval(curve[point], confidence_level=level, clusters=groups)
            assert (low[at, point], high[at, point]) == pytest.approx(expected, abs=1e-12)
    pointwise = mean_band(curves, confidence_level=0.9, clusters=groups)
    assert np.array_equal(pointwise, mean_interval(curves, confidence_level=0.9, clusters=groups))
    assert (low < pointwise[0]).all()
    assert (high > pointwise[1]).all()


@given(CURVES)
def test_a_simultaneous_band_contains_the_pointwise_one_and_stays_within_0_and_1(about):
    curve = random_curve(*about)
    low, high = mean_band(curve, band="simultaneous")
    inner_low, inner_high = mean_band(curve)
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= inner_low + 1e-9).all()
    assert (high >= inner_high - 1e-9).all()


def test_a_curve_of_one_point_has_exactly_the_pointwise_interval():
    curve = np.random.default_rng(0).random((2, 1, 30))
    assert np.array_equal(mean_band(curve, band="simultaneous"), mean_band(curve))


@pytest.mark.slow
def test_a_simultaneous_band_covers_the_whole_curve():
    """400 data sets of eight correlated points, right or wrong; 4.9 standard deviations, so once in a million."""
    rng = np.random.default_rng(0)
    curves, truth = (rng.normal(size=(400, 1, 100)) + rng.normal(size=(400, 8, 100)) > 0).astype(float), 0.5

    def share(band):
        low, high = mean_band(curves, band=band)
        return ((low <= truth) & (truth <= high)).all(axis=1).mean()

    error = 4.9 * np.sqrt(0.95 * 0.05 / 400)
    assert share("simultaneous") == pytest.approx(0.95, abs=error)
    assert share("pointwise") < 0.95 - 2 * error


# Invalid arguments ----------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"confidence_level": 1}, r"confidence_level=1 is not between 0 and 1\. Use e\.g\. 0\.95"),
        ({"n_resamples": 0}, r"n_resamples=0 is out of range\. Use an integer from 1 to"),
        ({"seed": -1}, r"seed=-1 is out of range"),
        ({"clusters": ["a"]}, r"clusters: 1 labels for 3 questions"),
    ],
)
def test_invalid_arguments(options, says):
    with pytest.raises(MssimError, match=says):
        simultaneous_level(np.eye(3), **options)


@pytest.mark.parametrize("values", [[0.5, 1], [[0.5, np.nan]], [[0.5, np.inf]], np.zeros((2, 0)), np.zeros((0, 2))])
def test_values_that_are_no_curves(values):
    with pytest.raises(MssimError, match=r"values: not finite numbers per point and question\. Pass shape"):
        simultaneous_level(values)


@pytest.mark.parametrize("band", ["both", None, ["pointwise"]])
def test_an_invalid_band(band):
    with pytest.raises(MssimError, match=r"^band=.* is not valid\. .*Choose from 'pointwise', 'simultaneous'\.$"):
        mean_band(np.eye(3), band=band)


def test_points_of_nan_are_left_out_of_a_curve():
    curve = np.random.default_rng(5).random((2, 4, 40))
    without = curve.copy()
    without[0, 1] = without[1] = np.nan
    low, high = mean_band(without, band="simultaneous")
    expected = mean_band(curve[0, [0, 2, 3]], band="simultaneous")
    assert np.array_equal([low[0, [0, 2, 3]], high[0, [0, 2, 3]]], expected)
    assert np.isnan([low[0, 1], *high[1]]).all()
    without[0, 0, 3] = np.nan  # of a single question
    with pytest.raises(MssimError, match="not finite numbers"):
        mean_band(without, band="simultaneous")
