"""One budget for all questions: shared as the naive rule does, and where it is needed."""

import random

import numpy as np
import pytest

from mssim import (
    AdaptiveAllocation,
    Pool,
    SelfConsistency,
    StrategyError,
)
from mssim.rules.strategies.adaptive_allocation import certainty, levels
from tests import naive
from tests.conftest import make_pool, replay
from tests.rules.test_catalogue import counts, deep_pool


@pytest.mark.kernels
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("certainty", ["beta", "ppr"])
@pytest.mark.parametrize("cap", [None, 5])
def test_a_budget_is_shared_among_many_questions_as_the_naive_rule_does(cap, certainty, replacement):
    """Many questions wait at the same certainty, some without any answer, and some are full."""
    pool, rule = deep_pool(25, 9), AdaptiveAllocation("x", cap, certainty=certainty)
    frame = pool.to_frame()
    frame.loc[frame["question_id"] == "q3", "answer"] = None
    pool = Pool.from_frame(frame.drop(columns=["correct"]))
    hits, used = counts(pool, rule, [1, 2, 3, 4], n_replays=4, replacement=replacement)
    for i, budget in enumerate([1, 2, 3, 4]):
        assert (list(hits[i]), list(used[i])) == naive.evaluate(
            pool, rule, budget, n_replays=4, replacement=replacement
        )


@pytest.mark.compiled
def test_a_shared_budget_goes_where_it_is_needed():
    """Half of the questions are certain after a few equal answers: the rest goes to the others, and is worth more."""
    rng = random.Random(4)
    easy = {("x", f"easy{q}"): ["a"] * 40 for q in range(6)}
    hard = {("x", f"hard{q}"): rng.choices("ab", [3, 2], k=40) for q in range(6)}
    pool = make_pool(easy | hard)
    result = replay(pool, {"even": SelfConsistency("x"), "shared": AdaptiveAllocation("x")}, [12], n_replays=500)
    used = result.samples_used[1, 0]
    assert used.mean() == pytest.approx(12)
    assert used[:6].max() < 7
    assert used[6:].mean() > 17
    assert result.compare("shared", "even", budget=12).difference > 0.02


def test_a_plan_is_one_stage_whose_size_is_a_mean_over_questions():
    (plan,) = AdaptiveAllocation("x", ties="wrong").plans(np.array([3, 5]))
    assert plan.sizes.tolist() == [[3, 5]]
    assert (plan.cap, plan.vote.ties, plan.stop) == (1024, "wrong", None)
    assert AdaptiveAllocation("x", cap=np.int64(7)).plans(np.array([3]))[0].cap == 7
    assert str(AdaptiveAllocation("x", cap=7)) == "alloc:x,cap=7"


@pytest.mark.parametrize(
    ("cap", "problem"),
    [
        (0, "out of range"),
        (1025, "out of range"),
        (2.5, "not an integer"),
        ("3", "not an integer"),
        (True, "not an integer"),
    ],
)
def test_a_cap_is_a_number_of_samples(cap, problem):
    says = rf"AdaptiveAllocation: cap={cap!r} is {problem}\. Use an integer from 1 to 1024"
    with pytest.raises(StrategyError, match=says):
        AdaptiveAllocation("x", cap)


def test_the_ratio_of_densities_orders_votes_differently():
    first, second = np.array([0, 1, 3, 4, 5, 6, 3, 9, 2, 8]), np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
    ratio = np.exp(certainty(first, second, "ppr"))
    assert ratio == pytest.approx([1, 1, 2, 3.2, 5.333, 9.143, 0.8, 9.309, 0.533, 2.069], rel=1e-3)
    # Eight votes against two are more likely to lead than six against one, and have a lower ratio.
    several, few = (np.array(8), np.array(2)), (np.array(6), np.array(1))
    assert certainty(*several) > certainty(*few)
    assert certainty(*several, "ppr") < certainty(*few, "ppr")


def test_an_unknown_certainty_is_refused():
    with pytest.raises(StrategyError, match="AdaptiveAllocation: certainty='blend' is not valid"):
        AdaptiveAllocation("x", certainty="blend")
    assert str(AdaptiveAllocation("x", certainty="ppr")) == "alloc:x,certainty=ppr"


@pytest.mark.parametrize("measure", ["beta", "ppr"])
@pytest.mark.parametrize("cap", [1, 2, 7, 30])
def test_levels_are_in_the_order_of_certainty(cap, measure):
    """As many levels as there are different certainties, in rational arithmetic."""
    votes = [(second, first) for first in range(cap + 1) for second in range(first + 1) if first + second <= cap]
    certainties = {pair: naive.certainty(["a"] * pair[1] + ["b"] * pair[0], measure) for pair in votes}
    order = sorted(set(certainties.values()))
    found = levels(cap, measure)
    for (second, first), one in certainties.items():
        assert found[second, first] == order.index(one)
