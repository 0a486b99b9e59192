"""Closed forms of pluralities: weights of draws, what is left out, and what is unknown."""

import numpy as np
import pytest
from scipy import stats

from mssim import agreement_at_k
from mssim.engine.exact import grid_of, tie_rule
from mssim.kernels import exact_plurality as kernel
from mssim.kernels.tally import RANDOM
from mssim.rules.agreement import NEVER

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize(("n", "rate"), [(0, 0.4), (7, 0.4), (40, 0.9), (2500, 0.4), (3000, 0.6)])
@pytest.mark.parametrize("replacement", [False, True])
def test_ballots_are_binomial_or_poisson_even_where_the_first_weight_underflows(n, rate, replacement):
    for size in (3, 50, 1200):
        found = np.full(size, np.nan)
        kernel.ballots(found, n, rate, replacement)
        law = stats.poisson(n * rate) if replacement else stats.binom(n, rate)
        assert found == pytest.approx(law.pmf(np.arange(size)), rel=1e-9, abs=1e-290)


@pytest.mark.parametrize(("n", "total", "draws"), [(5, 1000, 100), (500, 1000, 100), (990, 1000, 400), (9, 9, 9)])
def test_what_is_left_out_is_rare(n, total, draws):
    most = kernel.most_votes(n, total, draws, True)
    assert stats.binom(draws, n / total).sf(most) < 1.1e-20
    for votes in (0, 1, draws // 2):
        k = kernel.most_draws(n, total, votes, draws)
        assert votes <= k <= draws
        if k < draws:
            assert stats.binom(k + 1, n / total).cdf(votes) < 1.1e-20


@pytest.mark.parametrize("replacement", [False, True])
def test_one_rate_serves_draws_until_their_weights_would_underflow(replacement):
    first, last = 1, kernel._last_of_block(4000, 1, 3900, replacement)
    assert first < last < 3900
    rate = (first + last + 1) / (2 * 4001)
    law = stats.poisson(4000 * rate) if replacement else stats.binom(4000, rate)
    assert law.logpmf([first, last]).min() > -600


def test_a_stage_of_fewer_samples_than_others_is_unknown_beyond_them():
    """`evaluate` refuses such budgets; the kernel leaves them open and keeps to its arrays."""
    votes = np.array([[2, 0, 4, 1], [1, 1, 3, 2]])  # of two questions, the first with two samples of each model
    counts = kernel.Counts(votes, np.zeros((2, 2), np.int64), np.array([0, 2, 4]), np.array([True, False] * 2), False)
    grid = grid_of((4, 3), (1.0, 1.0))
    found = kernel.plurality(counts, grid, np.array([NEVER, NEVER]), tie_rule(RANDOM, grid, 2))
    assert np.isfinite(found[0, :3, :3]).all()
    assert np.isnan(found[0, 3:]).all()
    assert np.isnan(found[0, :, 3]).all()
    assert np.isfinite(found[1]).all()


def test_where_fewer_samples_were_recorded_agreement_is_unknown():
    found = agreement_at_k([[3, 1], [1, 0], [0, 0]], [1, 3], agreement=0.6)
    assert found == pytest.approx(np.array([[1, 1], [1, np.nan], [np.nan, np.nan]]), nan_ok=True)
