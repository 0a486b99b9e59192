"""Numbers of replays: enough for every mean, few in all, and proportional to the roots of variances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.engine.allocation import LEAST, neyman, pilot_size, worst_case


def variances(n_means, n_questions, seed=0):
    return 0.25 * np.random.default_rng(seed).beta(0.5, 3, (n_means, n_questions)) + 1e-4


def test_one_mean_has_replays_in_proportion_to_the_root_of_its_variances():
    variance, allowed = variances(1, 200), 1e-2
    n = neyman(variance, allowed, least=np.full(200, 1), most=1e9)
    assert (variance / n).sum() <= allowed
    # The least number in all is (sum of roots)^2 / allowed; numbers are rounded up by at most 2^(1/3).
    best = np.sqrt(variance).sum() ** 2 / allowed
    assert best <= n.sum() < 2 ** (1 / 3) * best / 0.95
    assert np.corrcoef(n, np.sqrt(variance[0]))[0, 1] > 0.98


@given(st.integers(1, 6), st.integers(1, 30), st.floats(1e-4, 10), st.integers(0, 9))
def test_every_mean_is_as_certain_as_allowed(n_means, n_questions, allowed, seed):
    variance, least = variances(n_means, n_questions, seed), np.full(n_questions, LEAST)
    n = neyman(variance, allowed, least=least, most=1e12)
    assert (variance / n).sum(axis=1).max() <= allowed
    assert (n >= least).all()
    smaller = np.maximum(np.ceil(n / 2), least)
    assert (smaller == least).all() or (variance / smaller).sum(axis=1).max() > 0.95 * allowed


@pytest.mark.parametrize("most", [40 * LEAST, 10**4, 10**5])
def test_the_largest_number_is_kept_and_nearly_used(most):
    n = neyman(variances(5, 40), 1e-9, least=np.full(40, LEAST), most=most)
    assert n.sum() <= most
    assert n.sum() == 40 * LEAST or n.sum() > 0.75 * most


def test_several_means_cost_less_than_the_largest_variance_of_each_question():
    """Two budgets whose uncertain questions differ."""
    one = np.r_[np.full(50, 0.2), np.full(50, 0.002)]
    both = np.stack([one, one[::-1]])
    n = neyman(both, 0.01, least=np.full(100, 1), most=1e9)
    careful = neyman(both.max(axis=0)[None], 0.01, least=np.full(100, 1), most=1e9)
    assert n.sum() < 0.7 * careful.sum()


@pytest.mark.parametrize(
    ("mc_error", "n_questions", "most", "size"),
    [(1e-4, 100, 10_000, 256), (1e-3, 100, 10_000, 79), (1e-3, 100, 1000, LEAST), (1e-2, 100, 10_000, 0)],
)
def test_a_pilot_is_a_small_part_of_what_it_decides_on(mc_error, n_questions, most, size):
    assert pilot_size(mc_error, n_questions, most) == size
    assert size <= min(worst_case(mc_error, n_questions), most) / 8


def test_the_worst_case_by_hand():
    assert worst_case(0.5, 1) == 1
    assert worst_case(1e-3, 1) == 250_000
