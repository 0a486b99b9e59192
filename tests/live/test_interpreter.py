"""Plans, draw by draw: equal to the naive rules on the draws of replays, and rounds that one can check by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import parse_strategy
from mssim.live import Ask, Decision, Draw
from mssim.live.interpreter import decide, refusal
from tests.conftest import examples
from tests.live.drawn import run, runs
from tests.rules.test_catalogue import RULES, TIES, as_parameters, budgets_for, pools, with_ties


def plan_of(strategy, budget):
    return parse_strategy(strategy).plans(np.array([budget]))[0]


def runs_alone(rule):
    """Whether a rule has one plan, which needs no more than the draws of one question."""
    plan, *others = rule.plans(np.array([6]))
    return not others and refusal(plan) is None


ALONE = {name: rule for name, rule in RULES.items() if runs_alone(rule)}


@pytest.mark.parametrize("rule", as_parameters(ALONE))
@settings(max_examples=examples(4))
@given(pools(), st.sampled_from(TIES), st.integers(0, 2**64 - 1), st.booleans(), st.data())
def test_answers_and_draws_are_those_of_the_naive_rule(rule, pool, ties, seed, replacement, data):
    rule = with_ties(rule, ties)
    budget = data.draw(st.sampled_from(budgets_for(rule, pool.codes.shape[2]).tolist()))
    found = runs(pool, rule, budget, n_replays=3, seed=seed, replacement=replacement)
    for decision, _, (right, used), (naively_right, naively_used), _ in found:
        assert used == naively_used
        # A tie of correct answers is no answer under "wrong", which the naive rule counts as correct.
        assert right == naively_right or (ties == "wrong" and decision.answer == -1)


def asked(strategy, budget, draws):
    return run(decide(plan_of(strategy, budget), random=np.random.default_rng(0)), draws)


SAME = {"x": [Draw(0)] * 9, "y": [Draw(1)] * 9}
MIXED = {"x": [Draw(c) for c in (0, 1, 0, 2, -1, 3, 3, 0, 0)], "y": [Draw(c) for c in (1, 1, 2, 1, 1, 1, 1, 1, 1)]}


@pytest.mark.parametrize(
    ("strategy", "draws", "rounds", "decision"),
    [
        ("sc:x", MIXED, [("x", 8)], Decision(0, "budget", 0)),
        ("sc:x,stop=majority:0.6/3", MIXED, [("x", 1)] * 3, Decision(0, "stop rule", 0)),
        ("sc:x,stop=window:3", MIXED, [("x", 3), ("x", 3), ("x", 2)], Decision(0, "budget", 0)),
        ("sc:y,stop=window:2", MIXED, [("y", 2)], Decision(1, "stop rule", 0)),
        ("mix:x+y", MIXED, [("x", 4), ("y", 4)], Decision(1, "budget", 1)),
        ("ms:x+y", SAME, [("x", 4)], Decision(0, "agreement", 0)),
        ("ms:x+y,agreement=0.75", MIXED, [("x", 4), ("y", 4)], Decision(1, "agreement", 1)),
        ("ms:x+y,test_last=false,agreement=0.75", MIXED, [("x", 4), ("y", 4)], Decision(1, "budget", 1)),
        ("ms:x+x", MIXED, [("x", 4), ("x", 4)], Decision(0, "budget", 1)),
        ("ms:x+y,on_agreement=pool,agreement=0.5", MIXED, [("x", 4)], Decision(0, "agreement", 0)),
        ("cascade:x+y", MIXED, [("x", 4), ("y", 4)], Decision(1, "budget", 1)),
        ("cascade:x+y,sizes=9/1", MIXED, [("x", 8)], Decision(0, "budget", 0)),
    ],
)
def test_rounds_and_why_they_end(strategy, draws, rounds, decision):
    assert asked(strategy, 8, draws) == (decision, [Ask(*one) for one in rounds])
