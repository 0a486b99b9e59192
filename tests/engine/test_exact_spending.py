"""Expected tokens, cost and latency: equal to the mean over all draws, in rational arithmetic."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import BetaStop, Cascade, Coverage, Mixture, ModelSwitch, SelfConsistency, UntilVerified, Vote, WindowStop
from mssim.engine.exact import counts_of, expected
from mssim.engine.exact_spending import StageSamples, expected_spend
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
            orders = [order[:n] for (order, _), n in zip(drawn, used, strict=True)]
            values = [[amounts[k, i, q, order].tolist() for i, order in enumerate(orders)] for k in range(3)]
            rounds = naive.rounds_of(strategy, used, sizes)
            rounds = [[values[2][i][first:end] for i, first, end in stages] for stages in rounds]
            spent = [sum(map(sum, values[0])), sum(map(sum, values[1]))]
            spent += [naive.latency_of(rounds, parallel) for parallel in parallels]
            found[:, q] += [chance * int(x) for x in spent]
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
            windows = isinstance(plan.stop, WindowStop) and plan.stop.window > 1
            if windows and not replacement and parallel != 1:
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
    "windows of one": SelfConsistency("x", stop=WindowStop(1)),
    "windows of two": SelfConsistency("x", stop=WindowStop(2)),
    "mix": Mixture(["x", "y"]),
    "cov": Coverage(XYZ),
    "ms": ModelSwitch(["x", "y"], vote=plurality),
    "ms of two sizes": ModelSwitch(["z", "x"], sizes=(1, 2), vote=plurality),
    "ms that never stops": ModelSwitch(["x", "y"], agreement=1.5, vote=plurality),
    "ms that always stops": ModelSwitch(["x", "y"], agreement=0, vote=plurality),
    "ms, strict": ModelSwitch(["x", "y"], agreement=1.0, strict=True, test_last=False, vote=plurality),
    "cascade": Cascade(["x", "y"], agreement=0.6),
}  # rounds of one stage and of several, and stages that are never drawn


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


# Larger pools, in rational arithmetic ---------------------


def spent_in_windows(counts, amounts, k, window):
    """Expected amounts with windows, over all counts drawn so far; a sample of class c costs amounts[c]."""
    states, spent = {(0,) * len(counts): Fraction(1)}, Fraction(0)
    for size in [window] * (k // window) + [k % window] * (k % window > 0):
        after = Counter()
        for drawn, chance in states.items():
            left = [n - d for n, d in zip(counts, drawn, strict=True)]
            spent += chance * Fraction(size * sum(a * n for a, n in zip(amounts, left, strict=True)), sum(left))
            for more in itertools.product(*(range(min(size, n) + 1) for n in left)):
                if sum(more) == size and max(more) < window:
                    ways = math.prod(math.comb(n, j) for n, j in zip(left, more, strict=True))
                    there = tuple(d + j for d, j in zip(drawn, more, strict=True))
                    after[there] += chance * Fraction(ways, math.comb(sum(left), size))
        states = after
    return spent


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("counts", "window", "k"), [((300, 212), 5, 64), ((490, 22), 5, 84), ((30, 20, 10), 4, 18), ((20, 20), 2, 33)]
)
def test_windows_are_precise(counts, window, k):
    """The rare answer costs 100 times as much, so most is spent where windows do not agree."""
    pool = make_pool({("x", "q"): [answer for answer, n in zip("abc", counts, strict=False) for _ in range(n)]})
    amounts = [3, 300, 40][: len(counts)]
    given = np.repeat(amounts, counts)[None, None, None].repeat(3, axis=0).astype(float)
    found = spend(pool, SelfConsistency("x", stop=WindowStop(window)), [k], given)[0].item()
    assert abs(Fraction(found) / spent_in_windows(counts, amounts, k, window) - 1) < 1e-10


# Larger pools, in runs of NumPy ---------------------------

LARGE = {
    "windows": (SelfConsistency("x", stop=WindowStop(3)), 40),
    "ms": (ModelSwitch(["x", "y"], agreement=0.7, vote=plurality), 18),
    "mix": (Mixture(["x", "y", "z"], sizes=(3, 7, 2)), 12),
}


def runs(pool, strategy, budget, amounts, parallel, replacement):
    """Tokens and latency of 3000 runs of the only question, [run, 2]."""
    rng, found = np.random.default_rng(8), []
    answers, right = naive.recorded(pool)
    given = [answers[model]["q0"] for model in strategy.models]
    sizes = naive.allocate(budget, len(strategy.models), *naive.split_of(strategy))
    for _ in range(3000):
        orders = [rng.choice(len(a), size, replace=replacement) for a, size in zip(given, sizes, strict=True)]
        draws = [[a[j] for j in order] for a, order in zip(given, orders, strict=True)]
        _, used = naive.replay(strategy, draws, right["q0"], lambda _: 0)
        values = [amounts[:, i, 0, order[:n]] for i, (order, n) in enumerate(zip(orders, used, strict=True))]
        rounds = naive.rounds_of(strategy, used, sizes)
        latency = naive.latency_of([[values[i][2, a:b] for i, a, b in stages] for stages in rounds], parallel)
        found.append((sum(part[0].sum() for part in values), latency))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parallel", "replacement"),
    [
        ("windows", 1, False),
        ("windows", None, True),
        ("windows", 2, True),
        ("ms", None, False),
        ("ms", 4, True),
        ("mix", None, False),
        ("mix", None, True),
        ("mix", 3, False),
    ],
)
def test_expectations_agree_with_runs(name, parallel, replacement):
    """Within 5.5 standard errors, 16 comparisons: one seed in a million fails."""
    strategy, budget = LARGE[name]
    pool = random_pool(1, 60, seed=5)
    amounts = amounts_of(pool, plan_of(strategy, [budget]))
    spent = spend(pool, strategy, [budget], amounts, parallel=parallel, replacement=replacement)[[0, 2], 0, 0]
    found = runs(pool, strategy, budget, amounts, parallel, replacement)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - spent) <= 5.5 * error + 1e-9).all()
    assert (error > 0).all() or name == "mix"


# What is unknown ------------------------------------------


def test_amounts_that_are_unknown_make_what_draws_them_unknown():
    strategy = RULES["ms"]
    amounts = amounts_of(RAGGED, plan_of(strategy, [1, 4]))
    amounts[0, 0, 0, 3] = np.nan  # tokens of x in q1
    amounts[1, 1, 0, 1] = np.nan  # cost of y in q1
    amounts[2] = np.nan
    tokens, cost, latency = spend(RAGGED, strategy, [1, 4], amounts)
    assert np.isnan(tokens).tolist() == [[True, False], [True, False]]
    assert np.isnan(cost).tolist() == [[False, False], [True, False]]  # at budget 1 only x is drawn
    assert np.isnan(latency).all()


def test_a_stage_that_is_never_reached_may_be_unknown():
    strategy = RULES["ms that always stops"]
    amounts = amounts_of(RAGGED, plan_of(strategy, [4]))
    known = spend(RAGGED, strategy, [4], amounts)
    amounts[:, 1] = np.nan
    assert np.isfinite(known).all()
    assert np.array_equal(spend(RAGGED, strategy, [4], amounts), known)


def test_plans_without_a_closed_form_are_unknown():
    amounts = np.ones((3, 1, 2, 4))
    for plan in (
        plan_of(SelfConsistency("x", stop=BetaStop()), [3]),
        plan_of(SelfConsistency("x"), [3])._replace(cap=3),
        plan_of(UntilVerified("x"), [3]),
        plan_of(Mixture(["x", "y"]), [3])._replace(models=("x", "x")),
    ):
        given = samples_of(RAGGED, plan, np.repeat(amounts, len(plan.models), axis=1))
        drawn = np.ones((len(plan.models), 1, 2))
        assert np.isnan(expected_spend(plan, drawn, given, parallel=1, replacement=False)).all()


@pytest.mark.parametrize("replacement", [False, True])
def test_windows_are_unknown_where_their_draws_are(replacement):
    strategy = SelfConsistency("x", stop=WindowStop(2))
    plan = plan_of(strategy, [1, 2, 3])
    samples = samples_of(RAGGED, plan, amounts_of(RAGGED, plan))
    drawn = np.array([[[1.0, 1], [2, 2], [np.nan, np.nan]]])
    spent = expected_spend(plan, drawn, samples, parallel=1, replacement=replacement)
    assert np.isnan(spent).all(axis=(0, 2)).tolist() == [False, False, True]
    assert np.isfinite(spent[:, :2]).all()
    latency = expected_spend(plan, drawn, samples, parallel=None, replacement=replacement)[2]
    assert np.isnan(latency).tolist() == [[not replacement] * 2] * 2 + [[True, True]]
    assert np.isnan(expected_spend(plan, drawn * np.nan, samples, parallel=1, replacement=replacement)).all()


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_question_costs_the_same_bits_among_others(name, replacement):
    strategy, pool = RULES[name], random_pool(7, 20, seed=2)
    plan = plan_of(strategy, [1, 3, 8])
    amounts = amounts_of(pool, plan) / 7
    counts = counts_of(pool, plan.models, slice(0, 7), replacement=replacement)
    drawn = expected(plan, counts, np.full(3, plan.stop is not None)).drawn
    for parallel in (None, 1, 2):
        options = {"parallel": parallel, "replacement": replacement}
        whole = expected_spend(plan, drawn, samples_of(pool, plan, amounts), **options)
        for q in range(7):
            part = slice(q, q + 1)
            alone = expected_spend(plan, drawn[:, :, part], samples_of(pool, plan, amounts, part), **options)
            assert np.array_equal(alone[:, :, 0], whole[:, :, q], equal_nan=True)
