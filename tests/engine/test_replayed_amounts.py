"""What replays spend, against the oracle on the same draws: every rule of the catalogue, and every total."""

import itertools
import random
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Pool, PoolWarning, SelfConsistency
from mssim.engine.amounts import Amounts
from mssim.engine.blocks import Block
from mssim.engine.division import Part, replay_blocks
from mssim.engine.monte_carlo import ReplayTasks
from mssim.kernels.spending import N_BINS
from mssim.rules.parsing import parse_strategy
from mssim.rules.plan import QUANTITIES
from tests import naive, naive_strategies
from tests.conftest import examples
from tests.rules.test_catalogue import RULES, XYZ, as_parameters, budgets_for, described

COLUMNS = {"tokens": "output_tokens", "cost": "cost", "latency": "latency"}


@cache
def costly_pool(n_samples=9, most=6000):
    """Wrong answers are long, models have unequal numbers of samples, and one question has no answers at all."""
    rng = random.Random(5)
    rows = []
    for q in range(3):
        for number, model in enumerate(XYZ):
            for i in range(n_samples + (q + number) % 3):
                answer = None if q == 2 else rng.choice(["a", "a", "b", "c", None])
                slow = 10 if answer == "a" else most // 2
                rows.append(
                    {
                        "question_id": f"q{q}",
                        "model": model,
                        "sample_index": i,
                        "answer": answer,
                        "truth": "a",
                        "score": rng.gauss(0, 1),
                        "confidence": rng.random(),
                        "output_tokens": float(rng.randrange(slow) + slow),
                        "cost": float(rng.randrange(4)),
                        "latency": float(rng.randrange(slow)),
                        "group_confidence": [rng.gauss(9, 1) for _ in range(rng.randrange(1, 9))],
                    }
                )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return described(pd.DataFrame(rows))


def replayed(pool, strategy, budgets, *, n_replays, seed=0, replacement=False, parallel=None, bins=True):
    """Totals [plan][quantity, budget, question], and {place: count} of each plan, over all its blocks."""
    amounts = Amounts(pool, parts=ends_early(strategy))
    tasks = ReplayTasks(
        pool,
        seed,
        replacement=replacement,
        amounts=amounts,
        models=strategy.models,
        parallel=parallel,
        bins=bins,
    )
    found = []
    for number, plan in enumerate(strategy.plans(np.asarray(budgets))):
        totals, histogram = np.zeros((len(QUANTITIES), len(budgets), len(pool.questions))), {}
        questions = np.arange(len(pool.questions))
        part = Part((number,), [plan], np.arange(len(budgets)), questions, n_replays)
        for block in replay_blocks([part], pool):
            outcome = tasks.task(plan, block).run()
            totals[:, np.array(block.budgets), block.at] += outcome.spent
            for place, count in outcome.histogram.astype(int).tolist():
                histogram[place] = histogram.get(place, 0) + count
        found.append((totals, histogram))
    return found


def ends_early(strategy):
    """Whether samples can spend a part of their amounts."""
    return type(strategy).__name__ in naive_strategies.PARTS


def parts_of(strategy):
    """A strategy whose draws the oracle follows for every plan."""
    if type(strategy).__name__ not in ("RandomRouter", "OracleRouter", "Router"):
        return [strategy]
    return [SelfConsistency(model, strategy.vote, strategy.stop, looks=strategy.looks) for model in strategy.models]


def bin_of(total):
    """Bin of a whole total, by its binary digits."""
    power = max(total.bit_length() - 12, 0)
    return power * 2048 + (total >> power)


def check_against_the_oracle(pool, strategy, budgets, **options):
    found = replayed(pool, strategy, budgets, **options)
    for part, (totals, histogram) in zip(parts_of(strategy), found, strict=True):
        expected = {}
        for k, quantity in enumerate(QUANTITIES):
            for b, budget in enumerate(budgets):
                each = naive.spent(pool, part, int(budget), quantity=quantity, **options)
                sums = [sum(question) for question in each]
                if ends_early(part) and quantity != "tokens":  # parts of them are rounded to units
                    assert totals[k, b] == pytest.approx(sums, rel=1e-6, abs=1e-6), (quantity, budget)
                    histogram = {place: n for place, n in histogram.items() if place // N_BINS // len(budgets) != k}
                    continue
                assert totals[k, b].tolist() == sums, (quantity, budget)
                for total in itertools.chain(*each):
                    place = (k * len(budgets) + b) * N_BINS + bin_of(int(total))
                    expected[place] = expected.get(place, 0) + 1
        assert histogram == expected


@pytest.mark.kernels
@pytest.mark.parametrize("rule", as_parameters(RULES))
@settings(max_examples=examples(8))
@given(st.integers(0, 2**64 - 1), st.booleans(), st.sampled_from([None, None, 1, 2, 3]), st.integers(1, 7), st.data())
def test_every_total_is_that_of_the_oracle(rule, seed, replacement, parallel, n_replays, data):
    grid = budgets_for(rule, 9)
    budgets = sorted(data.draw(st.sets(st.sampled_from(grid.tolist()), min_size=1, max_size=3)))
    options = {"n_replays": n_replays, "seed": seed, "replacement": replacement, "parallel": parallel}
    check_against_the_oracle(costly_pool(), rule, budgets, **options)


@pytest.mark.kernels
@pytest.mark.parametrize(
    "text", ["sc:x", "sc:y,stop=window:2", "rel:z", "ms:x+y+z,agreement=0.7", "mix:x+z,vote=score_sum", "alloc:y"]
)
def test_more_replays_than_a_batch_has(text):
    """Replays run in groups of four or of 64; the last group may have fewer."""
    for n_replays in (64, 70):
        check_against_the_oracle(costly_pool(), parse_strategy(text), [2, 6], n_replays=n_replays)


def small_pool(**columns):
    """One model, two questions of three samples."""
    frame = pd.DataFrame(
        {"question_id": ["q"] * 3 + ["r"] * 3, "model": "x", "sample_index": [0, 1, 2] * 2, "answer": "a", "truth": "a"}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return Pool.from_frame(frame.assign(**columns))


def test_fractions_are_rounded_to_a_unit_of_which_the_largest_has_2_to_the_26():
    pool = small_pool(cost=[0.1, 0.2, 0.3, 1 / 3, 0.7, 0.1], latency=0.25)
    ((totals, _),) = replayed(pool, SelfConsistency("x"), [3], n_replays=5)
    assert np.isnan(totals[0]).all()  # no tokens were recorded
    assert totals[1, 0] == pytest.approx([5 * 0.6, 5 * (1 / 3 + 0.8)], rel=1e-7)
    assert (totals[1] * 2**27 == np.rint(totals[1] * 2**27)).all()
    assert totals[2, 0].tolist() == [1.25, 1.25]  # all draws at once


def test_a_question_with_an_unknown_amount_is_unknown_and_leaves_no_histogram():
    pool = small_pool(output_tokens=[1.0, 2, 3, 4, np.nan, 6], cost=[1.0, 2, 3, 4, 5, 6])
    ((totals, histogram),) = replayed(pool, SelfConsistency("x"), [1, 3], n_replays=4)
    assert totals[0, 1, 0] == 24
    assert np.isnan(totals[0, :, 1]).all()
    assert totals[1, 1].tolist() == [24, 60]
    assert {place // (2 * N_BINS) for place in histogram} == {1}


def test_without_amounts_or_count_what_is_spent_is_unknown():
    pool = small_pool(output_tokens=7.0)
    (plan,) = SelfConsistency("x").plans(np.array([2]))
    (block,) = replay_blocks([Part((0,), [plan], np.arange(1), np.arange(len(pool.questions)), 3)], pool)
    counting = ReplayTasks(pool, 0, replacement=False, amounts=Amounts(pool), bins=True)
    tasks = [
        ReplayTasks(pool, 0, replacement=False).task(plan, block),
        counting.task(plan, block, count=False),
        ReplayTasks(small_pool(), 0, replacement=False, amounts=Amounts(small_pool())).task(plan, block),
    ]
    for task in tasks:
        outcome = task.run()
        assert np.isnan(outcome.spent).all()
        assert outcome.histogram.shape == (0, 2)
    task = counting.task(plan, block)
    assert task.nbytes == tasks[1].nbytes + 4 * 6
    assert task.run().spent[0].tolist() == [[42, 42]]
    assert task.run().histogram.tolist() == [[14, 6]]


def test_what_is_spent_does_not_depend_on_blocks():
    """Sums of whole units are the same in any order."""
    strategy, pool = parse_strategy("ms:x+y,agreement=0.7"), costly_pool()
    ((whole, bins),) = replayed(pool, strategy, [3, 8], n_replays=30)
    (plan,) = strategy.plans(np.array([3, 8]))
    tasks = ReplayTasks(pool, 0, replacement=False, amounts=Amounts(pool), models=["x", "y"], bins=True)
    totals, histogram = np.zeros_like(whole), {}
    for first, n in ((0, 7), (7, 1), (8, 22)):
        for question in range(3):
            block = Block((0,), False, (0, 1), range(question, question + 1), first, n)
            outcome = tasks.task(plan, block).run()
            totals[:, :, block.at] += outcome.spent
            for place, number in outcome.histogram.astype(int).tolist():
                histogram[place] = histogram.get(place, 0) + number
    assert totals.tolist() == whole.tolist()
    assert histogram == bins


def test_a_model_that_a_budget_does_not_draw_may_be_unknown():
    rows = [
        {
            "question_id": q,
            "model": model,
            "sample_index": i,
            "answer": "a",
            "truth": "a",
            "output_tokens": None if model == "y" and q == "q1" and i == 1 else float(i + 1),
        }
        for q in ("q1", "q2")
        for model in "xy"
        for i in range(2)
    ]
    pool = Pool.from_frame(pd.DataFrame(rows))
    [(totals, histogram)] = replayed(pool, parse_strategy("mix:x+y"), [1, 2], n_replays=20)
    assert np.isfinite(totals[0, 0]).all()
    assert np.isnan(totals[0, 1]).tolist() == [True, False]
    assert sum(histogram.values()) == 40
    assert max(histogram) < N_BINS  # of the first budget alone
