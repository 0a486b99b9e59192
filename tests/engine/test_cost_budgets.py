"""Cost budgets become the largest budget within a limit."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from mssim import BudgetError, MssimError, PoolWarning, evaluate
from mssim.engine.cost_budgets import resolve_limits
from mssim.engine.job import read_job
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

PRICES = {"x": 0.5, "y": 2.0, "z": 1.0}


def budgets_of(evaluation, row=0):
    return evaluation.budgets[~np.isnan(evaluation.accuracy[row, :, 0])].tolist()


@pytest.mark.parametrize(("limit", "budget"), [("0.5", 1), ("4.4", 8), ("4.5", 9), ("8.99", 17), ("11.9", 23)])
def test_the_largest_budget_within_a_limit(limit, budget):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(random_pool(), f"sc:x@cost={limit}", prices=PRICES)
    assert found.budgets.tolist() == [budget]


def test_several_strategies_and_limits_in_one_evaluation():
    pool = random_pool()
    found = evaluate(
        pool, ["ms:x+y@cost=3,cost=6", "sc:y,stop=beta@3,cost=4", "sc:x"], [2], prices=PRICES, n_replays=99
    )
    whole = evaluate(pool, list(found.strategies), range(1, 25), prices=PRICES, n_replays=20).cost.mean(axis=2)
    for row, limits in enumerate([[3, 6], [4]]):
        largest = [1 + int(np.nonzero(whole[row] <= limit)[0].max()) for limit in limits]
        assert budgets_of(found, row) == sorted({*largest, *([3] if row else [])})
    assert budgets_of(found, 2) == [2]


@pytest.mark.parametrize("quantity", ["tokens", "latency"])
def test_tokens_and_seconds(quantity):
    answers = {(model, f"q{q}"): ["a", "b", "a", "c", "a", "a"] for model in "xy" for q in range(3)}
    spends = np.random.default_rng(2).integers(1, 99, (2, 36))
    pool = make_pool(answers, output_tokens=spends[0], latency=spends[1])
    for text, parallel in (("ms:x+y", None), ("sc:x,stop=beta", 2), ("mix:x+y", 1)):
        options = {"parallel": parallel, "n_replays": 50, "seed": 4}
        whole = getattr(evaluate(pool, text, range(1, 7), **options), quantity)[0].mean(axis=1)
        limit = (whole[3] + whole[4]) / 2
        budget = 1 + int(np.nonzero(whole <= limit)[0].max())
        found = evaluate(pool, f"{text}@{quantity}={limit}", **options)
        assert found.budgets.tolist() == [budget]
        assert getattr(found, quantity).mean() <= limit


def test_a_limit_below_the_smallest_budget_is_refused():
    with pytest.raises(BudgetError, match=r"sc:y@cost=1\.5: the limit is too low.*budget 1 the mean cost.* is 2\."):
        evaluate(random_pool(), "sc:y@cost=1.5", prices=PRICES)


def test_a_limit_that_cannot_be_spent_gives_a_warning():
    with pytest.warns(PoolWarning, match=r"sc:x@cost=99: .*Budget 24 is the largest.* question is only 12\.") as caught:
        found = evaluate(random_pool(), "sc:x@cost=99", prices=PRICES)
    assert caught[0].filename == __file__
    assert found.budgets.tolist() == [24]
    with pytest.warns(PoolWarning, match="Budget 6 is the largest that can be drawn"):  # more is never drawn
        found = evaluate(random_pool(), "mix:x+y,sizes=5/1@cost=99", prices=PRICES)
    assert found.budgets.tolist() == [6]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(random_pool(), "sc:x@cost=12", prices=PRICES)  # the limit is spent


def test_with_replacement_more_can_be_drawn_than_was_recorded():
    assert evaluate(random_pool(), "sc:x@cost=20", prices=PRICES, replacement=True).budgets.tolist() == [40]


def test_unknown_spend_and_missing_samples_are_refused():
    for quantity, says in (
        ("cost", r"the samples have no costs\. Record a column 'cost' or use evaluate"),
        ("tokens", r"the samples have no tokens\. Record a column 'output_tokens'"),
        ("latency", r"the samples have no latencies\. Record a column 'latency'"),
    ):
        with pytest.raises(MssimError, match=rf"sc:x@{quantity}=5: {says}"):
            evaluate(random_pool(), f"sc:x@{quantity}=5")
    pool = make_pool({("x", "q"): ["a"], ("y", "p"): ["a"]})
    with pytest.raises(BudgetError, match="sc:x: budget 1 needs 1 samples of model 'x' for question 'p', but 0 were"):
        evaluate(pool, "sc:x@cost=5", prices=PRICES)
    with pytest.raises(MssimError, match="is not a Pool"):
        evaluate("pool", "sc:x@cost=5")


def resolved(spend, text="sc:x@cost=10"):
    """Resolve a budget with made-up spends of budgets 1, 2, ...; return it and the budgets that were evaluated."""
    asked = []

    def run(job):
        asked.append(job.budgets.tolist())
        cost = np.array(spend)[job.budgets - 1][None, :, None]
        return SimpleNamespace(cost=cost, accuracy=cost, strategies=("sc:x",), provenance={})

    job = read_job(text, None, method="auto", n_replays=9, seed=0, replacement=False)
    found = resolve_limits(job, random_pool(n_samples=len(spend)), run)
    assert found.limits == {}
    assert np.array_equal(found.budgets, found.own["sc:x"])
    return found.budgets.tolist(), asked


def test_the_search_ends_after_a_part_of_which_all_spend_more():
    assert resolved(np.arange(1.0, 41)) == ([10], [[*range(1, 9)], [*range(9, 17)], [*range(17, 33)]])
    falls = np.full(40, 11.0)
    falls[[0, 14]] = 9.5, 10  # spend that falls within a part is found
    assert resolved(falls)[0] == [15]
    assert resolved(np.arange(1.0, 41), "sc:x@cost=3,cost=10,2")[0] == [2, 3, 10]


def test_parts_are_evaluated_once_for_all_limits():
    assert resolved(np.arange(1.0, 41), "sc:x@cost=20,cost=3")[1] == [
        [*range(1, 9)],
        [*range(9, 17)],
        [*range(17, 33)],
        [*range(33, 41)],
    ]
