"""How many draws must be right, in rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import StrategyError
from mssim.rules.right_draws import check_tau, draws_above_half, right_draws


def fewest(k, tau):
    return max(1, math.ceil(tau * k))


@given(st.lists(st.integers(1, 2**15 - 1), min_size=1), st.integers(1, 10**4))
def test_a_decimal_share_is_rounded_up_as_written(draws, digits):
    """0.28 x 25 is 7.000000000000001 in binary."""
    tau = Fraction(digits, 10**4)
    assert right_draws(np.array(draws), float(tau)).tolist() == [fewest(k, tau) for k in draws]


@pytest.mark.parametrize(("tau", "k", "least"), [(0.7, 10, 7), (0.28, 25, 7), (0.07, 100, 7), (0.57, 100, 57)])
def test_products_that_binary_makes_too_large(tau, k, least):
    assert right_draws(np.array([k]), tau).item() == least


@given(st.integers(1, 2**15 - 1), st.data())
def test_a_share_of_whole_draws_is_these_draws(k, data):
    i = data.draw(st.integers(1, k))
    assert right_draws(np.array([k]), i / k).item() == i
    assert right_draws(np.array([k]), np.linspace(0, 1, k + 1)[i]).item() == i
    assert right_draws(np.array([k]), (i - 0.5) / k).item() == i


def test_one_is_the_fewest():
    assert right_draws(np.array([[1, 2], [3, 32767]]), 5e-324).tolist() == [[1, 1], [1, 1]]
    assert right_draws(np.array([[1, 2], [3, 32767]]), 1.0).tolist() == [[1, 2], [3, 32767]]


def test_numbers_above_half():
    ks = np.arange(1, 40)
    assert draws_above_half(ks).tolist() == [math.ceil(Fraction(int(k), 2)) + 1 for k in ks]


@pytest.mark.parametrize("tau", [1, 0.5, np.float32(0.25), Fraction(2, 3), 5e-324])
def test_shares(tau):
    assert check_tau(tau) == float(tau)
    assert isinstance(check_tau(tau), float)


@pytest.mark.parametrize("tau", [0, -0.1, 1.0001, math.nan, math.inf, True, "0.5", None, [0.5]])
def test_what_is_no_share_is_refused(tau):
    says = r"is not a share of right samples\. Use a number above 0 and at most 1, or 'mean': 1 requires all k samples"
    with pytest.raises(StrategyError, match=says):
        check_tau(tau, ", or 'mean'")
