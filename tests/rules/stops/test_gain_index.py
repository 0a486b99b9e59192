"""The index of BEACON: against integrals, and what its definition implies."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from mssim.rules.stops.gain_index import LEAST, POINTS, expected_gain, gain_indices, lead_range
from tests.naive_stops import worth_of_a_draw


@pytest.mark.parametrize(("degrees", "lead"), [(2, 0.5), (2, 0.8660254), (3, 0.0), (7, 2.3), (40, 1.1)])
def test_the_gain_of_one_draw_is_its_integral(degrees, lead):
    density = stats.t(degrees).pdf
    whole = integrate.quad(lambda t: (t - lead) * density(t), lead, np.inf, epsabs=1e-12)[0]
    assert expected_gain(degrees, np.array(lead)) == pytest.approx(whole, rel=1e-7)


def test_the_range_of_leads_is_that_of_all_numbers_but_one_equal():
    for k in (3, 4, 9):
        for numbers, end in (([0.0] + [1.0] * (k - 1), 0), ([0.0] * (k - 1) + [1.0], 1)):
            scale = np.std(numbers, ddof=1) * np.sqrt(1 + 1 / k)
            assert (max(numbers) - np.mean(numbers)) / scale == pytest.approx(lead_range(k)[end])


def test_one_draw_before_the_horizon_it_is_the_gain_of_that_draw():
    for horizon in (4, 7):
        gain = expected_gain(horizon - 2.0, np.linspace(*lead_range(horizon - 1), POINTS))
        assert gain_indices(horizon)[horizon - 1] == pytest.approx(gain, rel=1e-12)


def at(horizon, k, lead):
    return float(np.interp(lead, np.linspace(*lead_range(k), POINTS), gain_indices(horizon)[k]))


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "k"), [(5, 3), (6, 4), (16, 14)])
def test_two_draws_before_the_horizon_it_is_the_price_at_which_one_more_is_worth_it(horizon, k):
    """By adaptive quadrature: the value of a draw at the price of the index is that price, to 0.1 %."""
    low, high = lead_range(k)
    for share in (0.02, 0.2, 0.5, 0.9):
        lead = low + share * (high - low)
        index = at(horizon, k, lead)
        assert worth_of_a_draw(k, horizon, lead, index) == pytest.approx(index, rel=1e-3 if share > 0.5 else 2e-4)


@pytest.mark.slow
def test_the_index_falls_with_the_lead_and_grows_with_the_horizon():
    tables = [gain_indices(horizon) for horizon in (4, 5, 8, 12)]
    for table in tables:
        assert (np.diff(table[LEAST:], axis=1) < 0).all()
    for shorter, longer in itertools.pairwise(tables):
        k = len(shorter) - 1
        assert (longer[LEAST : k + 1] >= shorter[LEAST:] * (1 - 1e-6)).all()


@pytest.mark.slow
def test_the_index_of_the_longest_horizon_is_within_its_nodes():
    """Bisection would stop at the last node without a word."""
    k = np.arange(LEAST, 64)
    gains = np.array([expected_gain(n - 1.0, np.linspace(*lead_range(n), POINTS)) for n in k])
    ratios = np.log(gain_indices(64)[LEAST:] / gains)
    assert ratios.min() >= 0
    assert 1 < ratios.max() < 1.9
