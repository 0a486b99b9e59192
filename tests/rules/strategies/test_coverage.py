"""pass@k, in rational arithmetic."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Coverage, StrategyError, evaluate
from tests.conftest import make_pool


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_chance_that_any_draw_is_right(right, wrong):
    n = right + wrong
    if not n:
        return
    pool = make_pool({("x", "q"): ["a"] * right + ["b"] * wrong})
    result = evaluate(pool, Coverage("x"), range(1, n + 1))
    for k, found in enumerate(result.accuracy[0, :, 0], start=1):
        assert found == pytest.approx(float(1 - Fraction(comb(wrong, k), comb(n, k))), abs=1e-12)


def test_several_models_are_wrong_only_together():
    pool = make_pool({("x", "q"): list("abbb"), ("y", "q"): list("aabb")})
    found = evaluate(pool, Coverage(["x", "y"], sizes=(2, 2)), [4]).accuracy.item()
    assert found == pytest.approx(1 - Fraction(3, 6) * Fraction(1, 6))


def test_a_plan_does_not_vote():
    (plan,) = Coverage(["x", "y"], shares=(2, 1)).plans(np.array([3, 9]))
    assert plan.vote is None
    assert plan.sizes.tolist() == [[2, 6], [1, 3]]


def test_a_vote_is_no_option():
    with pytest.raises(StrategyError, match=r"unknown option 'vote'\. Choose from 'sizes', 'shares'"):
        evaluate(make_pool({("x", "q"): ["a"]}), "cov:x,vote=plurality", 1)
