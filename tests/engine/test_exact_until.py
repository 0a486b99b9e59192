"""Draws until one is accepted: closed forms of draws, answers and spending against every order of the samples."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Pool, UntilVerified, evaluate
from mssim.engine.exact_until import expected_until, mean_amounts
from mssim.engine.verdicts import recorded_verdicts, verified_counts
from mssim.kernels.draw_weights import Counts
from mssim.kernels.until import REJECTED, RIGHT, WRONG
from mssim.rules.plan import Plan, Verifier
from tests import naive
from tests.conftest import examples, long_frame, replay

QUANTITIES = ("cost", "latency")


@st.composite
def pools(draw):
    """One or two questions, two models with one to four samples each: answer, score and two amounts that go with it."""
    sample = st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 3), st.integers(0, 9), st.integers(1, 5))
    rows = {
        (model, f"q{q}"): draw(st.lists(sample, min_size=1, max_size=4))
        for q in range(draw(st.integers(1, 2)))
        for model in "xy"
    }
    answers = {key: [answer for answer, *_ in given] for key, given in rows.items()}
    numbers = np.array([numbers for given in rows.values() for _, *numbers in given], dtype=float).T
    frame = long_frame(answers, **dict(zip(("score", *QUANTITIES), numbers, strict=True)))
    frame["correct"] = frame["answer"].isin(["a", "c"])
    return Pool.from_frame(frame.drop(columns="truth"))


@st.composite
def rules(draw):
    models = draw(st.sampled_from(["x", "xy", "yx"]))
    split = draw(st.sampled_from([{}, {"sizes": (2, 1)[: len(models)]}, {"shares": (1, 3)[: len(models)]}]))
    verifier = draw(st.sampled_from([{}, {"column": "score", "threshold": 2.0}]))
    return UntilVerified(list(models), **verifier, **split)


def orders(n, size, replacement):
    return list(itertools.product(range(n), repeat=size) if replacement else itertools.permutations(range(n), size))


def mean_over_all_orders(pool, rule, budget, replacement):
    """Per question: right, accepted, draws per stage and amounts of both quantities, in rational arithmetic."""
    samples, right = naive.recorded(pool)
    columns = {name: naive.column_of(pool, name) for name in ("score", *QUANTITIES)}
    sizes = naive.allocate(budget, len(rule.models), rule.sizes, rule.shares)
    found = []
    for q in pool.question_ids:
        every = [orders(len(samples[m][q]), size, replacement) for m, size in zip(rule.models, sizes, strict=True)]
        total = np.zeros(2 + len(sizes) + 2, dtype=object)
        for places in itertools.product(*every):
            drawn = [[samples[m][q][p] for p in order] for m, order in zip(rule.models, places, strict=True)]
            scores = [[columns["score"][m][q][p] for p in order] for m, order in zip(rule.models, places, strict=True)]
            won, used = naive.until_verified(rule, drawn, right[q], scores)
            pairs = [(i, j) for i, n in enumerate(used) for j in range(n)]
            ends = any(naive.accepted(rule, drawn[i][j], scores[i][j], right[q]) for i, j in pairs)
            spent = [sum(int(columns[name][rule.models[i]][q][places[i][j]]) for i, j in pairs) for name in QUANTITIES]
            total += np.array([int(won), int(ends), *used, *spent], dtype=object)
        found.append([Fraction(x, math.prod(map(len, every))) for x in total])
    return np.array(found, dtype=float).T


def exactly(pool, rule, budgets, replacement):
    """The same in closed form, [right, accepted, draws..., amounts..., budget, question]."""
    (plan,) = rule.plans(np.array(budgets))
    every = slice(0, len(pool.questions))
    counts = verified_counts(pool, plan.models, plan.accepts, every, replacement=replacement)
    verdicts = recorded_verdicts(pool, plan.models, plan.accepts, every)
    rows = [pool.model_index(model) for model in plan.models]
    amounts = np.stack([pool.number(name)[rows] for name in QUANTITIES])
    found = expected_until(plan, counts, mean_amounts(amounts, verdicts, pool.lengths[rows]))
    return np.concatenate([found.right[None], found.agreed[None], found.drawn, found.spent])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.errors.PoolWarning")
@settings(max_examples=examples(60))
@given(pools(), rules(), st.booleans())
def test_it_is_the_mean_over_every_order_of_the_samples(pool, rule, replacement):
    """Also where costs go with the answer, and with unequal numbers of samples."""
    for budget in range(1, 7):
        sizes = naive.allocate(budget, len(rule.models), rule.sizes, rule.shares)
        lengths = [int(pool.lengths[pool.model_index(model)].min()) for model in rule.models]
        if not replacement and any(size > n for size, n in zip(sizes, lengths, strict=True)):
            return
        if replacement and math.prod(4**size for size in sizes) > 1100:
            return
        found = exactly(pool, rule, [budget], replacement)[:, 0]
        assert found == pytest.approx(mean_over_all_orders(pool, rule, budget, replacement), abs=1e-12)
        result = evaluate(pool, rule, budget, method="exact", replacement=replacement)
        assert result.accuracy[0] == pytest.approx(found[:1])
        assert result.agreed[0] == pytest.approx(found[1:2])
        assert result.samples_used[0, 0] == pytest.approx(found[2:-2].sum(axis=0))
        assert [result.cost[0, 0], result.latency[0, 0]] == pytest.approx(found[-2:], abs=1e-12)


# By hand --------------------------------------------------


def counts_of(samples, *, replacement=False):
    """Counts from [stage][question] of (rejected, accepted and wrong, accepted and right)."""
    array = np.array(samples, dtype=np.int64)
    n_questions = array.shape[1]
    correct, offsets = np.tile([False, True], n_questions), 2 * np.arange(n_questions + 1)
    return Counts(array[:, :, 1:].reshape(len(array), -1).copy(), array[:, :, 0].copy(), offsets, correct, replacement)


def plan_of(*sizes):
    rows = np.array(sizes, dtype=np.int64)
    return Plan([f"m{i}" for i in range(len(rows))], rows, np.full_like(rows, 2**62), None, accepts=Verifier())


def test_the_formula_of_one_model():
    """12 samples, of which 4 are accepted and 3 of these are right."""
    found = expected_until(plan_of(range(1, 13)), counts_of([[(8, 1, 3)]]))
    for k in range(1, 13):
        accepted = 1 - Fraction(math.comb(8, k), math.comb(12, k))
        draws = sum(Fraction(math.comb(8, j), math.comb(12, j)) for j in range(k))
        assert found.agreed[k - 1, 0] == pytest.approx(float(accepted), abs=1e-15)
        assert found.right[k - 1, 0] == pytest.approx(float(accepted * Fraction(3, 4)), abs=1e-15)
        assert found.drawn[0, k - 1, 0] == pytest.approx(float(draws), abs=1e-14)
    assert found.spent.shape == (0, 12, 1)
    found = expected_until(plan_of([1, 2, 40]), counts_of([[(8, 1, 3)]], replacement=True))
    assert found.agreed[:, 0] == pytest.approx([1 / 3, 5 / 9, 1 - (2 / 3) ** 40])
    assert found.drawn[0, :, 0] == pytest.approx([1, 1 + 2 / 3, 3 * (1 - (2 / 3) ** 40)])


def test_an_accepted_sample_costs_what_it_costs():
    """Two samples, the accepted one costs 3 and the other one 1: it comes first or second, 3 or 4 in total."""
    counts, means = counts_of([[(1, 0, 1)]]), np.array([[[[1.0]], [[3.0]]]])
    found = expected_until(plan_of([1, 2]), counts, means)
    assert found.drawn[0, :, 0].tolist() == [1.0, 1.5]
    assert found.spent[0, :, 0].tolist() == [2.0, 3.5]  # not 1.5 draws x 2 on average


def test_with_replacement_the_spending_is_that_of_wald():
    counts, means = counts_of([[(3, 1, 1)]], replacement=True), np.array([[[[2.0]], [[7.0]]]])
    found = expected_until(plan_of([1, 2, 9]), counts, means)
    assert found.spent[0, :, 0] == pytest.approx(found.drawn[0, :, 0] * 4.0)


def test_certain_verdicts():
    """All samples are rejected, all are accepted, and no sample has an answer in the first of two stages."""
    found = expected_until(
        plan_of([3], [2]), counts_of([[(5, 0, 0), (0, 2, 3), (4, 0, 0)], [(2, 0, 0), (0, 0, 2), (0, 0, 2)]])
    )
    assert found.right.tolist() == [[0, 0.6, 1]]
    assert found.agreed.tolist() == [[0, 1, 1]]
    assert found.drawn.tolist() == [[[3, 1, 3]], [[2, 0, 1]]]


def test_what_is_unknown_of_a_stage_matters_where_it_draws():
    samples = [[(2, 0, 0), (0, 0, 2)], [(1, 0, 1), (1, 0, 1)]]
    means = np.ones((2, 2, 2, 2))
    means[1, :, 1] = np.nan  # one quantity of the second stage
    found = expected_until(plan_of([2, 2], [0, 1]), counts_of(samples), means)
    assert found.spent[0].tolist() == [[2, 1], [3, 1]]
    assert found.spent[1, 0].tolist() == [2, 1]
    assert np.isnan(found.spent[1, 1]).tolist() == [True, False]


def test_more_draws_than_samples_are_unknown_without_replacement():
    found = expected_until(plan_of([2, 3], [1, 1]), counts_of([[(2, 0, 0)], [(1, 0, 1)]]))
    assert np.isnan(found.right[:, 0]).tolist() == [False, True]
    assert np.isnan(found.drawn[:, :, 0]).tolist() == [[False, True], [False, True]]
    nothing = expected_until(plan_of([2]), counts_of([[(0, 0, 0)]], replacement=True))
    assert np.isnan(nothing.right).all()


def test_mean_amounts_are_those_of_recorded_samples():
    verdicts = np.array([[[RIGHT, REJECTED, WRONG, REJECTED], [REJECTED, REJECTED, REJECTED, REJECTED]]], np.uint8)
    amounts = np.array([[[[1.0, 2.0, 4.0, 8.0], [16.0, 32.0, np.nan, np.nan]]], np.full((1, 2, 4), 5.0)])
    amounts[1, 0, 0, 1] = np.nan
    found = mean_amounts(amounts, verdicts, np.array([[4, 2]]))
    assert found[0].tolist() == [[[5.0, 24.0]], [[2.5, 0.0]]]
    assert np.isnan(found[1]).tolist() == [[[True, False]], [[True, False]]]  # never the mean of a part
    assert found[1, :, 0, 1].tolist() == [5.0, 0.0]


@pytest.mark.compiled
def test_replays_agree_with_the_closed_form():
    """48 comparisons of means over 8 questions, within 5.7 standard errors: one seed in a million fails."""
    rng = np.random.default_rng(5)
    answers = {
        (m, f"q{q}"): rng.choice(["a", "b", "c"], 12, p=[q / 9, 0.1, 0.9 - q / 9]) for m in "xy" for q in range(8)
    }
    frame = long_frame(answers, score=rng.random(2 * 8 * 12))
    pool = Pool.from_frame(frame.assign(cost=np.where(frame["answer"] == "a", 1.0, 3.0) * frame["score"]))
    budgets, n = [1, 5, 16], 4000
    for rule in (UntilVerified(["x", "y"]), UntilVerified(["y", "x"], column="score", threshold=0.9, sizes=(4, 12))):
        for replacement in (False, True):
            exact = evaluate(pool, rule, budgets, method="exact", replacement=replacement)
            drawn = replay(pool, rule, budgets, n_replays=n, seed=2, replacement=replacement)
            for name in ("accuracy", "agreed"):
                p, off = getattr(exact, name)[0], getattr(drawn, name)[0] - getattr(exact, name)[0]
                error = np.sqrt((p * (1 - p)).sum(axis=1) / n) / 8
                assert (np.abs(off.mean(axis=1)) <= 5.7 * error + 1e-12).all()
            for name, most in (("samples_used", 1), ("cost", 3)):  # of a sample; totals scatter by half at most
                off = getattr(drawn, name)[0] - getattr(exact, name)[0]
                assert (np.abs(off.mean(axis=1)) <= 5.7 * most * np.array(budgets) / 2 / np.sqrt(8 * n) + 1e-12).all()
