"""pass^k, G-Pass@k and mG-Pass@k against sums over all draws in whole numbers."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import g_pass_at_k, maj_at_k, mg_pass_at_k, pass_at_k, pass_hat_k
from tests.test_at_k import mean


def share_of_draws(n, c, k, enough):
    """Mean of a function of the right draws over all sets of k of n samples, in whole numbers."""
    ways = [math.comb(c, j) * math.comb(n - c, k - j) for j in range(k + 1)]
    return sum(Fraction(enough(j)) * way for j, way in enumerate(ways)) / math.comb(n, k)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pass_hat_k(8, 6, 3), 0.357143),
        (pass_hat_k(16, 12, 8), 0.038462),
        (g_pass_at_k(8, 6, 4, 0.75), 0.785714),
        (g_pass_at_k(8, 6, 4, 1), 0.214286),
        (mg_pass_at_k(8, 6, 4), 0.5),
        (g_pass_at_k(16, 10, 8, 0.75), 0.304196),
        (g_pass_at_k(16, 10, 8, 1.0), 0.003497),
        (mg_pass_at_k(16, 10, 8), 0.265734),
    ],
)
def test_reliability_of_known_counts(found, expected):
    assert found == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("n", range(1, 8))
def test_reliability_is_the_mean_over_all_draws(n):
    for c in range(n + 1):
        samples = [i < c for i in range(n)]
        for k in range(1, n + 1):
            right = [sum(drawn) for drawn in itertools.combinations(samples, k)]
            assert pass_hat_k(n, c, k) == pytest.approx(float(mean(j == k for j in right)), rel=1e-13)
            of_tau = {
                tau: float(mean(j >= math.ceil(Fraction(tau) * k) for j in right)) for tau in ("0.1", "0.5", "0.7")
            }
            for tau, expected in of_tau.items():
                assert g_pass_at_k(n, c, k, float(tau)) == pytest.approx(expected, rel=1e-13)
            above = range(math.ceil(Fraction(k, 2)) + 1, k + 1)
            expected = Fraction(2, k) * sum(mean(j >= i for j in right) for i in above)
            assert mg_pass_at_k(n, c, k) == pytest.approx(float(expected), rel=1e-13)


@given(st.integers(1, 60), st.data())
def test_reliability_lies_between_its_extremes(n, data):
    c = data.draw(st.integers(0, n))
    ks = np.arange(1, n + 1)
    every, some = pass_hat_k(n, c, ks), pass_at_k(n, c, ks)
    assert every == pytest.approx([math.comb(c, int(k)) / math.comb(n, int(k)) for k in ks], rel=1e-13)
    assert np.array_equal(g_pass_at_k(n, c, ks, 1.0), every)
    assert g_pass_at_k(n, c, ks, 1e-9) == pytest.approx(some, abs=1e-13)
    assert [g_pass_at_k(n, c, int(k), 1 / k) for k in ks] == pytest.approx(some.tolist(), abs=1e-13)
    assert (np.diff(every) <= 0).all()
    assert (every <= maj_at_k([c, n - c], ks) + 1e-12).all()
    assert every == pytest.approx(1 - pass_at_k(n, n - c, ks), abs=1e-12)
    tau = np.sort(data.draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=4)))
    by_tau = np.array([g_pass_at_k(n, c, ks, t) for t in [0.001, *tau, 1.0]])
    assert (np.diff(by_tau, axis=0) <= 1e-13).all()
    mean_above = mg_pass_at_k(n, c, ks)
    assert (mean_above <= g_pass_at_k(n, c, ks, 0.5 + 1e-6) + 1e-13).all()
    assert (mean_above >= every * (1 - ks % 2 / ks) - 1e-13).all()
    if c < n:
        for function in (pass_hat_k, mg_pass_at_k):
            assert (function(n, c + 1, ks) >= function(n, c, ks) - 1e-13).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("c", "k"), [(32766, 32766), (32700, 400), (16384, 16384), (20000, 1200), (3000, 9000), (1, 32767), (31000, 5400)]
)
def test_reliability_of_large_pools_has_a_small_relative_error(c, k):
    n = 32767
    low, high = max(0, k - (n - c)), min(c, k)
    way, ways = math.comb(c, low) * math.comb(n - c, k - low), {}
    for j in range(low, high + 1):
        ways[j] = way
        way = way * (c - j) * (k - j) // ((j + 1) * max(n - c - k + j + 1, 1))
    whole = math.comb(n, k)
    assert sum(ways.values()) == whole
    for tau in ("0.05", "0.5", "0.75", "0.9", "0.99", "1"):
        exact = sum(way for j, way in ways.items() if j >= Fraction(tau) * k) / whole
        found = g_pass_at_k(n, c, k, float(tau))
        assert found == pytest.approx(exact, rel=1e-11, abs=0) if exact > 1e-290 else found < 1e-289
    exact = 2 * sum(way * max(j - (k + 1) // 2, 0) for j, way in ways.items()) / (k * whole)
    found = mg_pass_at_k(n, c, k)
    assert found == pytest.approx(exact, rel=1e-11, abs=0) if exact > 1e-290 else found < 1e-289


def test_a_mean_over_thresholds_is_the_sum_of_the_paper():
    for n, c in ((16, 10), (64, 3), (64, 48), (64, 64)):
        for k in (1, 2, 3, 8, 15, 16):
            terms = [g_pass_at_k(n, c, k, i / k) for i in range(math.ceil(0.5 * k) + 1, k + 1)]
            assert mg_pass_at_k(n, c, k) == pytest.approx(2 / k * sum(terms), rel=1e-13)
