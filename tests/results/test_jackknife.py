"""The interval on exactly these questions: its equation, its limits, and its coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from mssim import MssimError, jackknife_variance, maj_at_k
from mssim.results.jackknife import Jackknife, these_interval


@given(st.floats(0, 0.2), st.floats(0.01, 1), st.integers(1, 1000), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_limits_solve_the_equation_of_a_score_interval(error, share, n_questions, level):
    low, high = these_interval(0.5, error, share, n_questions=n_questions, confidence_level=level)
    z = stats.norm.ppf((1 + level) / 2)
    d = optimize.brentq(lambda d: d**2 - z**2 * (error**2 + d * share / n_questions), 1e-12, 100)
    assert (low, high) == pytest.approx((max(0, 0.5 - d), min(1, 0.5 + d)), abs=1e-9)
    assert high > low


def test_the_interval_has_a_width_without_any_spread():
    low, high = these_interval([0.0, 1.0], 0.0, 0.125, n_questions=100)
    assert low.tolist() == [0, pytest.approx(1 - 3.8415 * 0.125 / 100, abs=1e-5)]
    assert high.tolist() == [pytest.approx(3.8415 * 0.125 / 100, abs=1e-5), 1]


def test_with_many_samples_it_is_the_normal_interval():
    low, high = these_interval(0.6, 0.01, 1e-9, n_questions=300)
    assert (low, high) == pytest.approx((0.6 - 1.959964 * 0.01, 0.6 + 1.959964 * 0.01), abs=1e-6)


def test_the_level_is_checked():
    with pytest.raises(MssimError, match="confidence_level=95 is not between 0 and 1"):
        these_interval(0.6, 0.01, 0.1, n_questions=3, confidence_level=95)


def test_the_error_is_that_of_a_mean_and_noise_below_zero_is_zero():
    variance = np.array([[[0.04, 0.01, 0.04]], [[0.01, -0.02, 0.0]]])
    found = Jackknife(variance, np.array([[0.5], [0.5]])).error()
    assert found.tolist() == [[pytest.approx(0.3 / 3)], [0]]


def covered(chances, n_samples, k, n_sets, seed):
    """Share of simulated recordings of these questions whose interval covers the accuracy."""
    right = np.arange(n_samples + 1)
    counts = np.stack([right, n_samples - right], axis=1)
    estimate, variance = maj_at_k(counts, k), jackknife_variance(counts, k)
    votes = np.arange(k + 1)
    wins = np.where(2 * votes == k, 0.5, 2 * votes > k)
    truth = (stats.binom.pmf(votes, k, chances[:, None]) @ wins).mean()
    drawn = np.random.default_rng(seed).binomial(n_samples, chances, size=(n_sets, chances.size))
    made = Jackknife(variance[drawn][:, None], np.array(k / n_samples))
    low, high = these_interval(estimate[drawn].mean(axis=1), made.error()[:, 0], made.share, n_questions=chances.size)
    return np.mean((low <= truth) & (truth <= high))


GRID = (np.arange(60) + 0.5) / 60
LAWS = {
    "uniform": GRID,
    "nearly all known": np.r_[np.ones(50), np.zeros(45), (np.arange(5) + 0.5) / 5],
    "one in doubt": np.r_[np.ones(49), 0.6],
    "almost sure": np.full(100, 0.99),
    "all known": np.r_[np.ones(30), np.zeros(30)],
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n_samples", "k"), [(8, 1), (8, 8), (16, 4), (64, 8)])
def test_the_interval_covers_in_94_of_100(law, n_samples, k):
    """A share of 91.8 in 4,000 recordings has a probability below 3e-8 if the coverage is 94."""
    assert stats.binom.cdf(0.918 * 4000, 4000, 0.94) < 3e-8
    assert covered(LAWS[law], n_samples, k, 4000, seed=1) > 0.918


def test_without_the_share_it_would_not_cover():
    """The same test fails where an error of 0 counts as certain: most recordings of 0.99 have equal samples only."""
    assert covered(np.full(10, 0.999), 8, 1, 400, seed=1) > 0.9
    counts = np.array([[8, 0], [7, 1]])
    assert jackknife_variance(counts, 1)[0] == 0
    assert stats.binom.pmf(80, 80, 0.999) > 0.9  # so the interval would be [1, 1] in nine of ten recordings
