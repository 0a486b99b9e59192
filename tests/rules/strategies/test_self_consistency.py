"""One model, a vote, and when it stops before its budget is spent."""

from math import comb

import numpy as np
import pytest

from mssim import BetaStop, SelfConsistency, StrategyError, Vote, WindowStop, evaluate, parse_strategy
from tests.conftest import make_pool


def test_majorities_are_hypergeometric():
    """Of 5 right and 3 wrong samples, 3 draws are right if at most one is wrong."""
    pool = make_pool({("x", "q"): ["a"] * 5 + ["b"] * 3})
    result = evaluate(pool, SelfConsistency("x"), [1, 3, 8])
    three = (comb(5, 3) + comb(5, 2) * 3) / comb(8, 3)
    assert result.accuracy[0, :, 0] == pytest.approx([5 / 8, three, 1])
    assert result.samples_used[0, :, 0].tolist() == [1, 3, 8]


def test_the_window_that_stops_is_adopted_and_else_all_draws_vote():
    pool = make_pool({("x", "q"): ["a"] * 2, ("y", "q"): ["a", "a", "b", "c"]})
    assert evaluate(pool, SelfConsistency("x", stop=WindowStop(1)), [2]).samples_used.item() == 1
    assert evaluate(pool, SelfConsistency("y"), [4]).accuracy.item() == 1
    stopped = evaluate(pool, SelfConsistency("y", stop=WindowStop(1)), [4])
    assert (stopped.accuracy.item(), stopped.samples_used.item()) == pytest.approx((0.5, 1))


def test_a_plan_is_one_stage_with_vote_and_stop_rule():
    budgets = np.array([1, 9])
    (plan,) = SelfConsistency("x", Vote.best_of_n(), BetaStop()).plans(budgets)
    assert (plan.models, plan.vote, plan.stop, plan.adopt) == (("x",), Vote.best_of_n(), BetaStop(), False)
    assert plan.sizes.tolist() == [[1, 9]]
    (plan,) = SelfConsistency("x", stop=WindowStop(5)).plans(budgets)
    assert plan.adopt
    (plan,) = SelfConsistency("x").plans(budgets)
    assert (plan.vote, plan.stop, plan.adopt) == (Vote.plurality(), None, False)


def test_looks_say_when_the_rule_is_asked():
    pool = make_pool({("x", "q"): ["a"] * 9})
    used = [
        evaluate(pool, SelfConsistency("x", stop=stop, looks=looks), [1, 3, 4, 9], n_replays=1).samples_used[0, :, 0]
        for stop, looks in [
            *((BetaStop(), None), (BetaStop(), (4,)), (BetaStop(), (3, 6)), (BetaStop(), [1, 2, 3])),
            *((WindowStop(3), None), (WindowStop(3), (4, 6)), (WindowStop(3), (2, 4, 8))),
        ]
    ]
    assert np.array(used).tolist() == [
        *([1, 3, 4, 4], [1, 3, 4, 4], [1, 3, 4, 6], [1, 3, 4, 9]),
        *([1, 3, 3, 3], [1, 3, 4, 6], [1, 3, 4, 9]),
    ]
    text = "sc:x,stop=beta:0.95,looks=2/4/8"
    assert parse_strategy(text) == SelfConsistency("x", stop=BetaStop(), looks=np.array([2, 4, 8]))
    assert str(parse_strategy(text)) == text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stop": "beta"}, r"stop='beta' is not a stopping rule\. Use e\.g\. BetaStop\(\) or WindowStop\(5\), or None"),
        ({"stop": BetaStop}, r"stop=<class .*BetaStop'> is not a stopping rule\. Use e\.g\. BetaStop\(\)"),
        ({"looks": (2, 4)}, r"looks=\(2, 4\) says when a stop rule is asked, but there is none\. Add e\.g\. stop=beta"),
        *(
            (
                {"stop": BetaStop(), "looks": looks},
                r"looks=.* is not valid\. Use increasing integers from 1 to 32767, e",
            )
            for looks in [(), (0, 2), (4, 2), (2, 2), (2.5,), (2**15,), "24", 4, ("2",)]
        ),
        ({"vote": None}, r"vote=None is not a Vote\. Use e\.g\. Vote\.plurality\(\)"),
        ({"vote": Vote.plurality(prior=(1, 2))}, r"prior has 2 weights, but 'x' votes alone\. Remove prior\."),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(StrategyError, match=says):
        SelfConsistency("x", **options)
