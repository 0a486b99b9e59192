"""Expected tokens, cost and latency: equal to the mean over all draws, in rational arithmetic."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Cascade, Coverage, Mixture, ModelSwitch, SelfConsistency, Vote, WindowStop
from mssim.engine.exact import counts_of, expected
from mssim.engine.exact_spending import StageSamples, expected_spend
from mssim.rules.parsing import parse_strategy
from mssim.rules.plan import QUANTITIES
from tests import naive
from tests.conftest import examples, make_pool
from tests.engine.test_closed_forms import CLOSED_FORMS, XYZ, affordable, pools
from tests.engine.test_evaluate import random_pool

KINDS = ["sc", "cov", "mix", "ms", "cascade", "rel"]
UNITS = np.array([1, 3, 7])  # of the quantities, so that they differ
AMOUNTS = {"a": 2, "b": 31, "c": 7, None: 64}  # long answers are wrong, and none is the longest


def amounts_of(pool, plan):
    """amounts[quantity, stage, question, sample], which go with the answers; NaN beyond what was recorded."""
    answers, _ = naive.recorded(pool)
    amounts = np.full((3, len(plan.models), len(pool.question_ids), pool.codes.shape[2]), np.nan)
    for i, model in enumerate(plan.models):
        for q, question in enumerate(pool.question_ids):
            for j, answer in enumerate(answers[model][question]):
                amounts[:, i, q, j] = AMOUNTS.get(answer, 11) * UNITS + (j + i) * UNITS[::-1]
    return amounts


def samples_of(pool, plan, amounts, questions=slice(None)):
    rows = [pool.model_index(model) for model in plan.models]
    return StageSamples(pool.codes[rows][:, questions], pool.lengths[rows][:, questions], amounts[:, :, questions])


def plan_of(strategy, budgets):
    (plan,) = strategy.plans(np.array(budgets))
    return plan


def spend(pool, strategy, budgets, amounts=None, *, parallel=None, replacement=False):
    plan = plan_of(strategy, budgets)
    amounts = amounts_of(pool, plan) if amounts is None else amounts
    counts = counts_of(pool, plan.models, slice(0, len(pool.question_ids)), replacement=replacement)
    drawn = expected(plan, counts, np.full(len(budgets), isinstance(plan.stop, WindowStop))).drawn
    return expected_spend(plan, drawn, samples_of(pool, plan, amounts), parallel=parallel, replacement=replacement)


def mean_over_all_draws(pool, strategy, budget, amounts, parallels, replacement):
    """Tokens, cost, and a latency for each of `parallels`, [quantity][question]."""
    answers, right = naive.recorded(pool)
    sizes = naive.allocate(budget, len(strategy.models), *naive.split_of(strategy))
    found = np.full((2 + len(parallels), len(pool.question_ids)), Fraction(0), object)
    for q, question in enumerate(pool.question_ids):
        given = [answers[model][question] for model in strategy.models]
        all_orders = [naive.orders(range(len(a)), size, replacement) for a, size in zip(given, sizes, strict=True)]
        for drawn in itertools.product(*all_orders):
            chance = math.prod(c for _, c in drawn)
            draws = [[a[j] for j in order] for a, (order, _) in zip(given, drawn, strict=True)]
            _, used = naive.replay(strategy, draws, right[question], None)
            values = [
                [[int(x) for x in amounts[k, i, q, order[:n]]] for i, ((order, _), n) in enumerate(zip(drawn, used))]
                for k in range(3)
            ]
            rounds = [
                [values[2][i][first:end] for i, first, end in stages]
                for stages in naive.rounds_of(strategy, used, sizes)
            ]
            spent = [sum(map(sum, values[0])), sum(map(sum, values[1]))]
            spent += [naive.latency_of(rounds, parallel) for parallel in parallels]
            found[:, q] += np.array([chance * x for x in spent], object)
    return found.astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(40))
@given(pools(), st.data(), st.booleans())
def test_expectations_equal_the_mean_over_all_draws(kind, pool, data, replacement):
    assert_equal_to_all_draws(pool, data.draw(CLOSED_FORMS[kind]), replacement)


def assert_equal_to_all_draws(pool, strategy, replacement, budgets=None):
    budgets = affordable(pool, strategy, replacement)[-3:] if budgets is None else budgets
    plan, parallels = plan_of(strategy, budgets), [1, 2, 3, None]
    amounts = amounts_of(pool, plan)
    spent = [spend(pool, strategy, budgets, amounts, parallel=p, replacement=replacement) for p in parallels]
    for b, budget in enumerate(budgets):
        tokens, cost, *latencies = mean_over_all_draws(pool, strategy, budget, amounts, parallels, replacement)
        for found, latency, parallel in zip(spent, latencies, parallels, strict=True):
            assert found[0, b] == pytest.approx(tokens, rel=1e-11)
            assert found[1, b] == pytest.approx(cost, rel=1e-11)
            if isinstance(plan.stop, WindowStop) and not replacement and parallel != 1:
                assert np.isnan(found[2]).all()
            else:
                assert found[2, b] == pytest.approx(latency, rel=1e-11)


RAGGED = make_pool(
    {
        ("x", "q1"): ["a", "a", "b", None],
        ("y", "q1"): ["b", "c", "b"],
        ("z", "q1"): ["a", "a"],
        ("x", "q2"): ["a", "b", "a"],
        ("y", "q2"): ["a", "a", "b", "b"],
        ("z", "q2"): ["b", None, "a"],
    }
)
ms, plurality = ModelSwitch, Vote.plurality()
RULES = {
    "sc": SelfConsistency("x"),
    "windows": SelfConsistency("x", stop=WindowStop(1)),
    "mix": Mixture(["x", "y"]),
    "cov": Coverage(XYZ),
    "ms": ModelSwitch(["x", "y"], vote=plurality),
    "ms of two sizes": ModelSwitch(["z", "x"], sizes=(1, 2), vote=plurality),
    "ms that never stops": ModelSwitch(["x", "y"], agreement=1.5, vote=plurality),
    "ms that always stops": ModelSwitch(["x", "y"], agreement=0, vote=plurality),
    "ms, strict": ModelSwitch(["x", "y"], agreement=1.0, strict=True, test_last=False, vote=plurality),
    "cascade": Cascade(["x", "y"], agreement=0.6),
}
"""Rounds of one stage and of several, and stages that are never drawn."""


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_every_kind_of_round(name, replacement):
    assert_equal_to_all_draws(RAGGED, RULES[name], replacement, [3])


def test_windows_pass_over_what_costs_little():
    """Pairs of six draws: four equal answers that cost 2, and two others that cost 100."""
    pool, strategy = make_pool({("x", "q"): list("aaaabc")}), SelfConsistency("x", stop=WindowStop(2))
    amounts = np.array([2.0, 2, 2, 2, 100, 100])[None, None, None].repeat(3, axis=0)
    spent = spend(pool, strategy, [2, 3, 4, 6], amounts, parallel=1)[:, :, 0]
    first = 2 * 208 / 6
    # Six of fifteen first pairs agree. Eight have one dear sample and leave 106 for four; one has both and leaves 8.
    assert spent[0, 0] == pytest.approx(first)
    assert spent[0, 1] == pytest.approx(first + (8 * 106 / 4 + 1 * 8 / 4) / 15)
    assert spent[0, 2] == pytest.approx(first + (8 * 106 / 2 + 1 * 8 / 2) / 15)
    # After one of the eight, the second pair does not agree in three of six, and leaves two that cost 2.
    assert spent[0, 3] == pytest.approx(first + (8 * (106 / 2 + 3 / 6 * 4) + 1 * 8 / 2) / 15)
    assert np.array_equal(spent[0], spent[1])
    assert np.array_equal(spent[0], spent[2])
