"""The longest of draws: equal to the mean over all draws of tiny stages, and order statistics of one stage."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels.longest_draws import longest_draws
from tests.conftest import examples

pytestmark = pytest.mark.kernels

STAGES = st.lists(st.lists(st.integers(-1, 4), min_size=1, max_size=4), min_size=1, max_size=3)


def longest(stages, draws):
    """Of one question after another, whose only number is 9; draws[stage][case] are without replacement."""
    width = max(map(len, stages))
    values = np.full((len(stages), 2, width), np.inf)
    missed = np.zeros((len(stages), width + 1, len(draws[0])))
    values[:, 0, 0] = 9
    for i, numbers in enumerate(stages):
        values[i, 1, : len(numbers)] = sorted(numbers)
        for left in range(1, width + 1):
            missed[i, left] = [max(left - m, 0) / left for m in draws[i]]
    found = longest_draws(values, np.array([[1, len(numbers)] for numbers in stages]), missed)
    assert found[0].tolist() == [9] * len(draws[0])
    return found[1]


@settings(max_examples=examples(60))
@given(STAGES, st.data())
def test_the_longest_is_the_mean_over_all_draws(stages, data):
    draws = [[data.draw(st.integers(1, len(numbers))) for _ in range(2)] for numbers in stages]
    for case, found in enumerate(longest(stages, draws)):
        sets = [itertools.combinations(numbers, m[case]) for numbers, m in zip(stages, draws, strict=True)]
        maxima = [max(map(max, drawn)) for drawn in itertools.product(*sets)]
        assert found == pytest.approx(float(Fraction(sum(maxima), len(maxima))), abs=1e-12)


def test_of_several_draws_from_ranks():
    """Of the numbers 1 to n, the largest of m draws is m (n + 1) / (m + 1) on average."""
    assert longest([range(1, 31)], [[1, 2, 9, 30]]) == pytest.approx([31 / 2, 62 / 3, 27.9, 30])


def test_a_stage_without_numbers_draws_none():
    values, lengths = np.array([[[1.0, 3.0]], [[np.inf, np.inf]]]), np.array([[2], [0]])
    missed = np.array([[[0.0], [0.0], [0.5]], [[0.0], [0.0], [0.5]]])
    assert longest_draws(values, lengths, missed).tolist() == [[2]]
