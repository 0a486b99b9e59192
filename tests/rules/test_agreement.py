"""How many votes let a stage stop, in rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import StrategyError
from mssim.rules.agreement import FORCED, NEVER, check_threshold, votes_to_agree

THRESHOLDS = st.one_of(
    st.fractions(0, 1, max_denominator=40), st.sampled_from([Fraction(17, 20), Fraction(4, 5), Fraction(11, 10)])
)


@given(st.lists(st.integers(0, 120), min_size=1, max_size=8), THRESHOLDS, st.booleans())
def test_the_fewest_votes_whose_share_reaches_the_threshold(sizes, threshold, strict):
    """A share such as 4 of 5 meets a threshold of 0.8, though in binary neither is four fifths."""
    found = votes_to_agree(np.array(sizes), float(threshold), strict=strict)
    for size, need in zip(sizes, found, strict=True):
        shares = [Fraction(votes, size) for votes in range(size + 1)] if size else []
        enough = [v for v, share in enumerate(shares) if share > threshold or (share == threshold and not strict)]
        assert need == (enough[0] if enough else NEVER)


def test_shapes_are_kept_and_no_number_of_votes_is_never():
    sizes = np.array([[1, 2], [3, 0]])
    assert votes_to_agree(sizes, 0.5).tolist() == [[1, 1], [2, NEVER]]
    assert NEVER > 2**15
    assert FORCED < 0  # fewer votes than any stage has


@pytest.mark.parametrize("agreement", [0, 0.5, 1, 1.01, 7, np.float64(0.25)])
def test_shares_and_numbers_above_one_are_thresholds(agreement):
    check_threshold(agreement, False)
    check_threshold(agreement, True)


@pytest.mark.parametrize("agreement", [-0.01, math.inf, math.nan, True, "1", None])
def test_what_is_no_threshold_is_refused(agreement):
    with pytest.raises(StrategyError, match=r"must be a number of at least 0: 0 always stops"):
        check_threshold(agreement, False)


def test_strict_is_true_or_false():
    with pytest.raises(StrategyError, match=r"strict=1 is not a bool\. Use true or false"):
        check_threshold(0.5, 1)
