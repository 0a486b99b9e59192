"""Bounds of what candidates spend, against evaluations and single replays."""

import numpy as np
import pytest

from mssim import evaluate, parse_strategy
from mssim.engine.amounts import Amounts
from mssim.engine.job import read_job
from mssim.tuning.spends import AS_ACCURACY, bounds_of, spend_noise, spend_replays
from tests.engine.test_evaluate import random_pool

RULES = [
    *("sc:x", "sc:x,stop=window:2", "sc:x,stop=majority:0.6", "ms:x+y", "ms:x+y+z,agreement=1.5", "mix:x+z"),
    *("cascade:x+y,agreement=0.5", "ms:x+x,agreement=0.6", "alloc:y,cap=9", "until:x+y", "random:x+y"),
]
QUANTITIES = ["samples_used", "budget", "tokens", "cost", "latency"]


def spending_pool():
    rng = np.random.default_rng(5)
    n = 12 * 3 * 24
    return random_pool(output_tokens=rng.integers(1, 40, n), cost=rng.exponential(2.0, n), latency=rng.random(n))


@pytest.mark.parametrize("rule", RULES)
def test_expectations_and_replays_are_within_their_bounds(rule):
    pool, budgets = spending_pool(), np.array([2, 6])
    strategy = parse_strategy(rule)
    expected = evaluate(pool, strategy, budgets, n_replays=200)
    once = evaluate(pool, strategy, budgets, n_replays=1, method="monte_carlo", seed=3)
    for spend in QUANTITIES:
        bounds = bounds_of(strategy.plans(budgets), budgets, 12, spend, Amounts(pool))
        assert all(values.shape == (2, 12) for values in bounds)
        mean, replay = ((budgets[:, None] if spend == "budget" else getattr(r, spend)[0]) for r in (expected, once))
        if "alloc" not in rule:  # its questions share the budget
            noise = 4 * np.sqrt(spend_noise(np.broadcast_to(mean, (2, 12)), bounds, np.array([[200], [200]])))
            assert (mean >= bounds.least - noise - 1e-9).all()
        assert (replay >= bounds.floor - 1e-9).all()
        assert (replay <= bounds.most + 1e-9).all()


def test_bounds_by_hand():
    pool, budgets = spending_pool(), np.array([2, 6])
    tokens = pool.numbers["output_tokens"]
    least, floor, most = bounds_of(parse_strategy("ms:x+y").plans(budgets), budgets, 12, "tokens", Amounts(pool))
    assert least[1] == pytest.approx(3 * tokens[0].mean(axis=1))
    assert not floor.any()
    assert most[1] == pytest.approx(3 * tokens[0].max(axis=1) + 3 * tokens[1].max(axis=1))
    latency = bounds_of(parse_strategy("ms:x+y").plans(budgets), budgets, 12, "latency", Amounts(pool))
    assert latency.least[1] == pytest.approx(pool.numbers["latency"][0].mean(axis=1))
    always = bounds_of(
        parse_strategy("ms:x+y,agreement=1.5").plans(budgets), budgets, 12, "samples_used", Amounts(pool)
    )
    assert [values[:, 0].tolist() for values in always] == [[2, 6]] * 3


def test_rounds_that_continue_a_run_are_not_counted_twice():
    pool = spending_pool()
    plans = read_job(
        "mix:x+y", 2, method="auto", n_replays=1, seed=0, replacement=False, shares_draws=[["x", "y"]], pool=pool
    ).plans
    least = bounds_of(plans, np.array([2]), 12, "tokens", Amounts(pool)).least
    assert least[0] == pytest.approx(pool.numbers["output_tokens"][0].mean(axis=1))


def test_a_model_without_samples_that_is_not_drawn_spends_nothing():
    frame = spending_pool().to_frame()
    pool = random_pool().from_frame(frame[(frame["model"] != "y") | (frame["question_id"] != "q3")])
    budgets = np.array([1])
    most = bounds_of(parse_strategy("ms:x+y").plans(budgets), budgets, 12, "tokens", Amounts(pool)).most
    assert most[0] == pytest.approx(pool.numbers["output_tokens"][0].max(axis=1))


@pytest.mark.parametrize(
    ("rule", "spend", "method", "replays"),
    [
        ("ms:x+y", "samples_used", "auto", 0),
        ("ms:x+y", "tokens", "auto", 0),
        ("ms:x+y", "tokens", "monte_carlo", AS_ACCURACY),
        ("ms:x+y", "budget", "monte_carlo", 0),
        ("sc:x,stop=beta:0.9", "samples_used", "auto", AS_ACCURACY),
        ("sc:x,stop=window:3", "samples_used", "auto", 0),
        ("sc:x,stop=window:3", "latency", "auto", 300),
        ("alloc:x", "samples_used", "auto", AS_ACCURACY),
    ],
)
def test_spends_that_are_exact_have_no_replays(rule, spend, method, replays):
    assert spend_replays(parse_strategy(rule).plans(np.array([4])), spend, method, 2000) == replays


def test_the_variance_of_a_spend_is_at_most_its_bound():
    pool = spending_pool()
    means = [
        evaluate(pool, "sc:x,stop=majority:0.6", 6, n_replays=20, seed=seed, method="monte_carlo").samples_used[0]
        for seed in range(60)
    ]
    budgets = np.array([6])
    bounds = bounds_of(
        parse_strategy("sc:x,stop=majority:0.6").plans(budgets), budgets, 12, "samples_used", Amounts(pool)
    )
    bound = spend_noise(np.mean(means, axis=0), bounds, np.array([20]))
    assert (np.var(means, axis=0) <= 1.5 * bound).all()  # the estimate of 60 exceeds its expectation by less than this
    assert spend_noise(means[0], bounds, np.array([0])).tolist() == [[0] * 12]
