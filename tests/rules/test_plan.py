"""Plans, and how a budget is shared among models: against the oracle, and by what every share must keep."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import BetaStop, Mixture, OwnStop, SelfConsistency, StrategyError, Vote
from mssim.rules.plan import Plan, Verifier, allocate
from tests import naive

BUDGETS = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("shares", "budget", "sizes"),
    [((3, 1), 8, [6, 2]), ((0.7, 0.3), 10, [7, 3]), ((1, 1, 1), 16, [6, 6, 4]), ((1, 2), 1, [1, 0])],
)
def test_shares_of_a_budget(shares, budget, sizes):
    plan = Mixture([f"m{i}" for i in range(len(shares))], shares=shares).plans(np.array([budget]))[0]
    assert plan.sizes[:, 0].tolist() == sizes == naive.allocate(budget, len(shares), None, shares)


@pytest.mark.parametrize(
    ("looks", "asked"),
    [(None, [0, 1, 1, 1, 1]), ((1, 3), [0, 1, 0, 1, 0]), ((2, 4, 8), [0, 0, 1, 0, 1]), ((9,), [0] * 5)],
)
def test_when_the_stop_rule_is_asked(looks, asked):
    (plan,) = SelfConsistency("x", stop=BetaStop(), looks=looks).plans(np.array([4]))
    assert plan.asked(4).tolist() == [bool(one) for one in asked]


@given(BUDGETS, st.integers(1, 7))
def test_equal_shares_are_rounded_up_and_the_last_model_takes_what_is_left(budgets, n):
    for budget, sizes in zip(budgets, allocate(np.array(budgets), n).T, strict=True):
        assert sizes.sum() == budget
        assert (sizes[:-1] >= sizes[1:]).all()
        assert set(sizes[sizes > 0][:-1]) <= {-(-budget // n)}
        assert sizes.tolist() == naive.allocate(budget, n, None, None)


@given(BUDGETS, st.lists(st.integers(1, 9), min_size=1, max_size=5), st.sampled_from([1, 10, 7]))
def test_shares_are_rounded_up_in_rational_arithmetic(budgets, parts, unit):
    """In binary, shares such as 0.7 times a budget are a hair beside the whole number that is meant."""
    found = allocate(np.array(budgets), len(parts), shares=[part / unit for part in parts])
    for budget, sizes in zip(budgets, found.T, strict=True):
        left = budget
        for part, size in zip(parts, sizes, strict=True):
            assert size == min(left, -(-Fraction(budget * part, sum(parts)) // 1))
            left -= size
        assert left == 0


@given(BUDGETS, st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_sizes_fill_models_in_order(budgets, most):
    for budget, sizes in zip(budgets, allocate(np.array(budgets), len(most), sizes=most).T, strict=True):
        assert sizes.sum() == min(budget, sum(most))
        full = [size == cap for size, cap in zip(sizes, most, strict=True)]
        assert all(full[i] or not sizes[i + 1 :].any() for i in range(len(most)))


def test_a_plan_at_some_of_its_budgets():
    accepts = Verifier("score", 0.5)
    sizes, need = np.array([[1, 2, 3], [0, 1, 2]]), np.array([[4, 5, 6], [7, 8, 9]])
    plan = Plan(("x", "y"), sizes, need, None, cap=5, accepts=accepts)
    some = plan.at([2, 0])
    assert some.sizes.tolist() == [[3, 1], [2, 0]]
    assert some.need.tolist() == [[6, 4], [9, 7]]
    assert (some.models, some.cap, some.least, some.accepts) == (plan.models, 5, None, accepts)
    assert plan._replace(least=np.array([7, 8, 9])).at((2, 0)).least.tolist() == [9, 7]


def test_a_model_with_several_turns_is_told():
    sizes = np.ones((3, 1), np.int64)
    assert Plan(("x", "y", "x"), sizes, sizes, None).repeats
    assert not Plan(("x", "y", "z"), sizes, sizes, None).repeats


def test_columns_are_those_of_vote_stop_rule_and_verifier():
    sizes = np.ones((1, 1), np.int64)
    own = Vote.own(max, columns=("score", "tokens"))
    stop = OwnStop(max, "score")
    assert Plan(("x",), sizes, sizes, None).columns == ()
    assert Plan(("x",), sizes, sizes, Vote.best_of_n(column="reward")).columns == ("reward",)
    assert Plan(("x",), sizes, sizes, own, stop=stop).columns == ("score", "tokens", "score")
    assert Plan(("x",), sizes, sizes, None, accepts=Verifier()).columns == ()
    assert Plan(("x",), sizes, sizes, None, accepts=Verifier("reward", 0.0)).columns == ("reward",)


def test_a_verifier_has_one_threshold_or_one_for_each_of_the_first_stages():
    assert [Verifier().limit(i) for i in range(2)] == [None, None]
    assert [Verifier("score", 0.5).limit(i) for i in range(2)] == [0.5, 0.5]
    assert [Verifier("score", (0.5, 0.1), last=True).limit(i) for i in range(3)] == [0.5, 0.1, np.inf]


@pytest.mark.parametrize(
    "shares", [(1e308, 1e308), (1e308, 1e-308), (10**400, 1), pytest.param((10**5000, 1), id="huge"), (5e-324, 1e300)]
)
def test_shares_without_a_ratio_are_refused(shares):
    with pytest.raises(StrategyError, match="shares="):
        Mixture(["a", "b"], shares=shares)


def test_small_shares_still_draw():
    assert Mixture(["a", "b"], shares=(5e-324, 5e-324)).plans(np.array([8]))[0].sizes[:, 0].tolist() == [4, 4]


@pytest.mark.parametrize(
    "prior", [(10**400, 1), pytest.param((1, 10**5000), id="huge"), (("a",), ("b", 1)), ([1], [2])]
)
def test_priors_that_are_no_numbers_are_refused(prior):
    with pytest.raises(StrategyError, match="prior weight"):
        Vote.plurality(prior=prior)
