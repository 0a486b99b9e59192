"""The law of a weighted sum of exponential variables at zero, against partial fractions and gamma laws."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mssim.kernels.exponential_sum import log_below

pytestmark = pytest.mark.kernels


def below(*rows):
    return np.exp(log_below(np.array(rows, dtype=float)))


@given(st.lists(st.integers(-50, 50).filter(bool), min_size=2, max_size=9, unique=True))
def test_it_is_the_sum_of_partial_fractions(a):
    assume(min(a) < 0 < max(a))
    exact = 1 - sum(
        prod((Fraction(one, one - other) for other in a if other != one), start=Fraction(1)) for one in a if one > 0
    )
    assert below(a)[0] == pytest.approx(float(exact), rel=1e-6)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.01, 100))
def test_equal_coefficients_have_a_beta_law(up, down, ratio):
    """A gamma variable of shape `up` is at most `ratio` times one of shape `down`."""
    expected = stats.beta.cdf(ratio / (1 + ratio), up, down)
    assume(expected > 1e-200)
    assert below([1.0] * up + [-ratio] * down)[0] == pytest.approx(expected, rel=1e-5)


def test_certain_and_impossible_sums():
    assert below([1.0, 2.0], [-1.0, -2.0], [0.0, 0.0], [0.0, 1.0], [0.0, -1.0]).tolist() == [0, 1, 1, 0, 1]


def test_scales_and_zeros_change_nothing():
    plain, scaled, more = below([3.0, -1.0, 0.0], [3e-9, -1e-9, 0.0], [0.0, -1.0, 3.0])
    assert plain == pytest.approx(1 / 4)
    assert (scaled, more) == (pytest.approx(plain, rel=1e-9), pytest.approx(plain, rel=1e-9))
