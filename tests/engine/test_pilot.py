"""A pilot chooses numbers of replays and controls: the target is reached, without bias, and with the same bits."""

import itertools
import random

import numpy as np
import pytest

from mssim import evaluate, evaluate_shard, load_pool, merge, parse_strategy
from mssim.engine import pilot
from mssim.engine.job import read_job
from mssim.engine.pilot import allocate, control_of
from tests import naive
from tests.conftest import Backwards, make_pool
from tests.long_runs import AtOnce, assert_same

BUDGETS = [4, 6]


def pool_of_small(n_questions, n_samples=5):
    """Questions with few samples of two models, and any share of right ones."""
    rng = random.Random(1)
    answers = {}
    for q in range(n_questions):
        right = rng.random()
        for model in "xy":
            kinds = rng.choices("abcd", [right + 0.01, 1 - right, 0.3, 0.1], k=n_samples)
            answers[model, f"q{q}"] = [kind if rng.random() < 0.95 else None for kind in kinds]
    return make_pool(answers)


def true_accuracy(pool, strategy, budget):
    """The mean over all sets of draws; with ties wrong their order is of no consequence."""
    samples, right = naive.recorded(pool)[:2]
    (plan,) = strategy.plans(np.array([budget]))
    found = []
    for question in pool.question_ids:
        drawn = [
            itertools.combinations(samples[model][question], size)
            for model, size in zip(plan.models, plan.sizes[:, 0], strict=True)
        ]
        outcomes = [
            naive.replay(strategy, [list(answers) for answers in draws], right[question], None)[0]
            for draws in itertools.product(*drawn)
        ]
        found.append(np.mean(outcomes))
    return np.array(found)


@pytest.fixture(scope="module")
def small():
    return pool_of_small(100)


@pytest.fixture(scope="module")
def truth(small):
    return np.array([true_accuracy(small, parse_strategy("ms:x+y,ties=wrong"), budget) for budget in BUDGETS])


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_replays_that_a_pilot_chose_have_no_bias_and_the_error_that_is_reported(small, truth, method):
    """10,000 small pools, of which 100 are evaluated together; "auto" has a control, "monte_carlo" none.

    Five tests with limits at 4.9 normal standard errors: all hold but once in 200,000.
    """
    found = [
        evaluate(small, "ms:x+y,ties=wrong", BUDGETS, method=method, mc_error=1e-3, n_replays=400, seed=seed)
        for seed in range(100)
    ]
    accuracy = np.array([one.accuracy[0] for one in found])  # [run, budget, question]
    variance = np.array([one.mc_variance[0] for one in found])
    errors = (accuracy - truth).mean(axis=2)
    expected = np.sqrt(variance.sum(axis=2)) / 100
    z = errors.sum(axis=0) / np.sqrt((expected**2).sum(axis=0))
    assert np.abs(z).max() < 4.9
    # Squares of standard normal numbers have the mean 1 and the variance 2.
    assert np.abs(((errors / expected) ** 2).mean(axis=0) - 1).max() < 4.9 * np.sqrt(2 / 100)
    covered = np.abs(errors) < 1.96 * expected
    assert abs(covered.mean() - 0.95) < 4.9 * np.sqrt(0.95 * 0.05 / covered.size)
    every = np.array([one.n_replays[0, 0] for one in found])
    assert every.mean(axis=1).max() <= 400
    assert (every.max(axis=1) > 1.5 * every.min(axis=1)).all()  # by their variances


@pytest.mark.slow
@pytest.mark.compiled
def test_a_pilot_that_counts_would_be_biased(small, truth, monkeypatch):
    """The same test finds the bias of replays that decide on their own number."""
    monkeypatch.setattr(pilot, "_FIRST", 0)
    monkeypatch.setattr(pilot, "control_of", lambda _: None)
    found = [evaluate(small, "ms:x+y,ties=wrong", 4, mc_error=2.5e-3, n_replays=1000, seed=seed) for seed in range(200)]
    errors = np.array([one.accuracy[0, 0] - truth[0] for one in found])
    outwards = errors * np.sign(truth[0] - 0.5)
    assert outwards.sum() / np.sqrt(sum(one.mc_variance.sum() for one in found)) > 4.9


@pytest.mark.compiled
@pytest.mark.parametrize(
    "rules", [["ms:x+y"], ["ms:x+y,agreement=0.6", "ms:y+x", "mix:x+y,vote=entropy"], ["sc:x,stop=beta"], ["alloc:x"]]
)
@pytest.mark.parametrize("mc_error", [0.02, 0.005, 0.002])
def test_the_target_is_reached_or_the_largest_number_is_used(rules, mc_error):
    pool = pool_of_small(60, n_samples=8)
    found = evaluate(pool, rules, BUDGETS, mc_error=mc_error, n_replays=2000).to_frame()
    reached = found["mc_error"] <= 1.15 * mc_error  # the pilot estimates variances
    assert (reached | (found["n_replays"] > 0.9 * 2000)).all()
    assert found["n_replays"].max() <= 2000
    replayed = found[found["method"] == "monte_carlo"]
    assert mc_error < 0.02 or (replayed["n_replays"] < 1000).all()


def test_what_is_certain_has_no_replays():
    right, wrong = ["a"] * 4, ["b", "c", None, "d"]
    answers = {("x", "q1"): right, ("y", "q1"): right, ("x", "q2"): wrong, ("y", "q2"): wrong}
    pool = make_pool(answers | {("x", "q3"): right, ("y", "q3"): wrong})
    for options in ({}, {"n_replays": 50}):
        found = evaluate(pool, "ms:x+y", 6, **options)
        assert found.accuracy[0, 0, :2].tolist() == [1, 0]
        assert (found.n_replays[0, 0] > 0).tolist() == [False, False, True]
        assert found.mc_variance[0, 0, :2].tolist() == [0, 0]
    assert evaluate(pool.select(where={"question_id": ["q1", "q2"]}), "ms:x+y", 6).to_frame()["method"][0] == "exact"


@pytest.mark.compiled
def test_a_control_reduces_the_variance():
    pool = load_pool("recorded/llm-products")
    found = {
        method: evaluate(pool, "ms:gemma+smol", [4, 8], method=method, mc_error=1e-4, n_replays=1000)
        for method in ("auto", "monte_carlo")
    }
    errors = {method: one.to_frame()["mc_error"] for method, one in found.items()}
    assert (errors["auto"] < 0.6 * errors["monte_carlo"]).all()
    difference = found["auto"].accuracy.mean(axis=2) - found["monte_carlo"].accuracy.mean(axis=2)
    assert (np.abs(difference[0]) < 4.9 * np.hypot(errors["auto"], errors["monte_carlo"])).all()


def test_votes_other_than_plurality_have_a_control():
    plans = {text: parse_strategy(text).plans(np.array([8]))[0] for text in ("ms:x+y", "mix:x+y", "sc:x,vote=cges")}
    assert control_of(plans["ms:x+y"]).vote.within == "none"
    assert control_of(plans["mix:x+y"]) is None
    assert control_of(plans["sc:x,vote=cges"]) is None


@pytest.mark.slow
@pytest.mark.compiled
def test_the_same_bits_for_any_executor_shards_and_resume(tmp_path):
    pool = pool_of_small(40, n_samples=8)
    rules = ["ms:x+y", "ms:y+x,agreement=0.6", "sc:x,stop=beta", "alloc:x", "cov:x+y"]
    options = {"mc_error": 1.2e-3, "n_replays": 900, "seed": 3}
    whole = evaluate(pool, rules, BUDGETS, **options)
    assert len(np.unique(whole.n_replays[0])) > 3
    assert_same(evaluate(pool, rules, BUDGETS, executor=Backwards(), **options), whole)
    for i in (2, 1, 3):
        evaluate_shard(pool, rules, BUDGETS, shard=(i, 3), checkpoint=tmp_path / str(i), executor=AtOnce(), **options)
    assert_same(merge([tmp_path / "1", tmp_path / "2", tmp_path / "3"]), whole)
    assert_same(evaluate(pool, rules, BUDGETS, checkpoint=tmp_path / "2", executor=AtOnce(), **options), whole)
    swapped = evaluate(pool, rules[::-1], BUDGETS, **options)
    assert swapped.accuracy[::-1].tobytes() == whole.accuracy.tobytes()


@pytest.mark.parametrize(
    ("options", "allocated"),
    [
        ({"n_replays": 50}, False),
        ({"quantiles": True}, False),
        ({}, True),
        ({"mc_error": 0.01}, True),
        ({"mc_error": 0.01, "n_replays": 50}, True),
    ],
)
def test_a_target_is_the_default_unless_a_number_is_given(options, allocated):
    pool = pool_of_small(10)
    given = {"method": "auto", "n_replays": None, "seed": 0, "replacement": False, **options}
    job = read_job(["ms:x+y"], [4], pool=pool, **given)
    assert (allocate(job, pool, AtOnce()) is not None) is allocated


def test_few_replays_need_no_pilot():
    found = evaluate(pool_of_small(50), "ms:x+y,ties=wrong", BUDGETS, mc_error=0.01)
    assert set(found.n_replays.ravel()) == {0, 50}  # 0.25 / (50 x 0.01^2), or certain
