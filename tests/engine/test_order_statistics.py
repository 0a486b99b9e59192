"""Expected maxima of draws: equal to the mean over all draws, in rational arithmetic."""

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.engine.order_statistics import expected_maximum
from tests import naive
from tests.conftest import examples

NUMBERS = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def padded(rows):
    """values[stage, question, sample] of rows[stage][question], and their lengths; rubbish beyond them."""
    width = max(len(row) for stage in rows for row in stage)
    values = np.array([[[*row, *[np.nan] * (width - len(row))] for row in stage] for stage in rows], float)
    return values, np.array([[len(row) for row in stage] for stage in rows])


def mean_of_maxima(stages, draws, replacement):
    """The mean over all draws from the numbers of one question."""
    found = Fraction(0)
    for drawn in itertools.product(*(naive.orders(row, m, replacement) for row, m in zip(stages, draws, strict=True))):
        chance = Fraction(1)
        for _, share in drawn:
            chance *= share
        found += chance * max(max(numbers) for numbers, _ in drawn)
    return found


@settings(max_examples=examples(60))
@given(st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=3), st.data(), st.booleans())
def test_maxima_equal_the_mean_over_all_draws(rows, data, replacement):
    shortest = [min(map(len, stage)) for stage in rows]
    draws = [data.draw(st.integers(1, 3 if replacement else min(n, 3))) for n in shortest]
    values, lengths = padded(rows)
    found = expected_maximum(values, lengths, np.array(draws)[:, None], replacement=replacement)
    for q in range(2):
        assert found[0, q] == pytest.approx(float(mean_of_maxima([s[q] for s in rows], draws, replacement)), abs=1e-12)


@pytest.mark.parametrize("n", [512, 4096])
def test_many_draws_are_precise(n):
    """Of the numbers 1 to n, the largest of m draws is m (n + 1) / (m + 1) on average; of their squares, as follows."""
    draws = np.array([1, 2, 63, 500, 512])
    ranks = np.arange(1.0, n + 1)
    found = expected_maximum(np.array([[ranks, ranks**2]]), np.array([[n, n]]), draws[None], replacement=False)
    for m, (plain, squares) in zip(draws.tolist(), found, strict=True):
        mean = Fraction(m * (n + 1), m + 1)
        assert abs(Fraction(plain) / mean - 1) < 1e-12
        # The mean of r (r + 1) is m (n + 1) (n + 2) / (m + 2), because r C(r - 1, m - 1) = m C(r, m).
        assert abs(Fraction(squares) / (Fraction(m * (n + 1) * (n + 2), m + 2) - mean) - 1) < 1e-12


def test_one_long_sample_among_short_ones():
    """The longest of m of n is the long one in m / n of all draws."""
    values = np.ones((1, 1, 4096))
    values[0, 0, 17] = 1e6
    found = expected_maximum(values, np.array([[4096]]), np.array([[1, 8, 1024]]), replacement=False)[:, 0]
    assert found == pytest.approx([1 + (1e6 - 1) * m / 4096 for m in (1, 8, 1024)], rel=1e-10)


def test_stages_of_many_samples_together():
    """Both of two stages have the numbers 1 to n, so the larger maximum is at most r with a squared chance."""
    n, m = 300, 20
    values = np.tile(np.random.default_rng(1).permutation(n) + 1.0, (2, 1, 1))
    found = expected_maximum(values, np.full((2, 1), n), np.array([[m], [m]]), replacement=False)
    below = [Fraction(comb(r, m), comb(n, m)) ** 2 for r in range(n)]
    assert abs(Fraction(found.item()) / (n - sum(below[1:])) - 1) < 1e-12


def test_unknown_numbers_and_too_few():
    values, lengths = padded([[[1, 2, 3], [1, np.nan, 3], [4, 5], [1, 2, 3]], [[1], [1], [9], [1]]])
    lengths[1, 3] = 0
    for replacement, wanted in ((False, [3, np.nan, np.nan, np.nan]), (True, [3 * 19 / 27 + 2 * 7 / 27 + 1 / 27])):
        found = expected_maximum(values, lengths, np.array([[3], [1]]), replacement=replacement)[0]
        assert found[: len(wanted)] == pytest.approx(wanted, nan_ok=True)
        assert np.isnan(found[[1, 3]]).all()


@pytest.mark.parametrize("replacement", [False, True])
def test_a_question_has_the_same_bits_among_others(replacement):
    rng = np.random.default_rng(4)
    values, lengths, draws = rng.exponential(size=(2, 9, 33)), np.full((2, 9), 33), rng.integers(1, 20, (2, 5))
    lengths[:, 6:] = 27
    whole = expected_maximum(values, lengths, draws, replacement=replacement)
    for q in range(9):
        part = slice(q, q + 1)
        alone = expected_maximum(values[:, part], lengths[:, part], draws, replacement=replacement)
        assert np.array_equal(alone[:, 0], whole[:, q])
