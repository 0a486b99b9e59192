"""Weights of draws: which law they follow, what is left out, and how far one rate serves."""

import numpy as np
import pytest
from scipy import stats

from mssim.kernels.draw_weights import fill_weights, last_of_block, most_draws, most_votes

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize(("n", "rate"), [(0, 0.4), (7, 0.4), (40, 0.9), (2500, 0.4), (3000, 0.6)])
@pytest.mark.parametrize("replacement", [False, True])
def test_weights_are_binomial_or_poisson_even_where_the_first_weight_underflows(n, rate, replacement):
    for size in (3, 50, 1200):
        found = np.full(size, np.nan)
        fill_weights(found, size, n, rate, replacement)
        law = stats.poisson(n * rate) if replacement else stats.binom(n, rate)
        assert found == pytest.approx(law.pmf(np.arange(size)), rel=1e-9, abs=1e-290)


@pytest.mark.parametrize(("n", "total", "draws"), [(5, 1000, 100), (500, 1000, 100), (990, 1000, 400), (9, 9, 9)])
def test_what_is_left_out_is_rare(n, total, draws):
    most = most_votes(n, total, draws, True)
    assert stats.binom(draws, n / total).sf(most) < 1.1e-20
    for votes in (0, 1, draws // 2):
        k = most_draws(n, total, votes, draws)
        assert votes <= k <= draws
        if k < draws:
            assert stats.binom(k + 1, n / total).cdf(votes) < 1.1e-20


@pytest.mark.parametrize("replacement", [False, True])
def test_one_rate_serves_draws_until_their_weights_would_underflow(replacement):
    first, last = 1, last_of_block(4000, 1, 3900, replacement)
    assert first < last < 3900
    rate = (first + last + 1) / (2 * 4001)
    law = stats.poisson(4000 * rate) if replacement else stats.binom(4000, rate)
    assert law.logpmf([first, last]).min() > -600
