"""The one door: the same bits whoever does the work, honest numbers, and refusals before any work is done."""

import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from mssim import (
    BudgetError,
    Coverage,
    Mixture,
    ModelSwitch,
    PoolWarning,
    SelfConsistency,
    Vote,
    WindowStop,
    evaluate,
)
from mssim.engine import division
from tests import naive
from tests.conftest import Backwards, make_pool, replay
from tests.recording_http import FORKS

RULES = {
    "sc": SelfConsistency("x", Vote.plurality(ties="random")),
    "ms": ModelSwitch(["x", "y"], vote=Vote.entropy(ties="random")),
    "pool": ModelSwitch(["y", "x"], agreement=0.6, on_agreement="pool"),
    "mix": Mixture(["x", "y", "z"]),
    "cov": Coverage(["z"]),
    "windows": SelfConsistency("y", stop=WindowStop(3)),
}


def random_pool(n_questions=12, n_samples=24, seed=0, **columns):
    rng = random.Random(seed)
    answers = {}
    for q in range(n_questions):
        tempting = rng.choices("abbc", k=3)
        for model in "xyz":
            answers[model, f"q{q}"] = rng.choices(["a", *tempting, None], k=n_samples)
    return make_pool(answers, **columns)


def bits(**options):
    result = replay(random_pool(), RULES, [1, 2, 3, 8, 20], n_replays=1001, seed=5, **options)
    return np.stack([result.accuracy, result.samples_used])


@pytest.fixture
def small_tasks(monkeypatch):
    """Split the work into many blocks of questions and replays."""
    monkeypatch.setattr(division, "_DRAWS_PER_TASK", 1500)


@pytest.mark.slow
def test_the_same_bits_whatever_the_blocks(monkeypatch):
    whole = bits()
    for draws in (200, 10**5):
        monkeypatch.setattr(division, "_DRAWS_PER_TASK", draws)
        assert np.array_equal(bits(), whole)


@pytest.mark.slow
@pytest.mark.usefixtures("small_tasks")
@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(1), lambda: ThreadPoolExecutor(7), Backwards])
def test_the_same_bits_whatever_the_executor(make):
    with make() as executor:
        assert np.array_equal(bits(executor=executor), bits())


@pytest.mark.slow
@pytest.mark.usefixtures("small_tasks")
def test_the_same_bits_from_other_processes():
    with ProcessPoolExecutor(2, mp_context=FORKS) as executor:
        assert np.array_equal(bits(executor=executor), bits())


@pytest.mark.compiled
def test_the_same_bits_whatever_else_is_evaluated():
    pool = random_pool()
    whole = replay(pool, RULES, [1, 2, 3, 8, 20], n_replays=500)
    for i, (name, rule) in enumerate(RULES.items()):
        alone = replay(pool, {name: rule}, [8], n_replays=500)
        assert np.array_equal(alone.accuracy[0, 0], whole.accuracy[i, 3])


def test_an_executor_that_was_given_is_left_open():
    with ThreadPoolExecutor(1) as executor:
        replay(random_pool(), "sc:x", 4, n_replays=5, executor=executor)
        assert executor.submit(int).result() == 0


def test_other_seeds_give_other_replays():
    one, two = (replay(random_pool(), "sc:x", 3, n_replays=500, seed=seed).accuracy for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_means_agree_with_random_sample(name, replacement):
    """Another generator, another implementation; |z| < 6 for every question: off by chance once in 10^7."""
    pool, rule, n = random_pool(6, 10), RULES[name], 2000
    ours = replay(pool, rule, 6, n_replays=20_000, seed=1, replacement=replacement)
    hits, _ = naive.evaluate(pool, rule, 6, n_replays=n, replacement=replacement, rng=random.Random(name))
    p = ours.accuracy[0, 0]
    error = np.sqrt(np.maximum(p * (1 - p), 1e-3) * (1 / n + 1 / 20_000))
    assert (np.abs(np.array(hits) / n - p) < 6 * error).all()
    assert abs(np.mean(hits) / n - p.mean()) < 6 * np.sqrt((error**2).sum()) / p.size


def test_a_replay_of_all_samples_is_the_pools_own_plurality():
    pool = make_pool({("x", "q1"): list("aab"), ("x", "q2"): list("abb"), ("x", "q3"): [None] * 3})
    assert replay(pool, "sc:x", 3, n_replays=7).accuracy[0, 0].tolist() == [1, 0, 0]


@pytest.mark.compiled
def test_replacement_reaches_beyond_what_was_recorded():
    pool = make_pool({("x", "q"): list("aab")})
    accuracy = replay(pool, "sc:x", 101, replacement=True, n_replays=2000).accuracy.item()
    assert accuracy > 0.99


# Costs ----------------------------------------------------


def test_tokens_that_look_impossible_are_told():
    columns = {"output_tokens": [0.0] * 4 + [5.0] * 4, "input_tokens": [9.0] * 4 + [None] * 4}
    pool = make_pool({(model, "q"): list("aabb") for model in "xy"}, **columns)
    with (
        pytest.warns(PoolWarning, match="tokens: all output_tokens of model 'x' are 0"),
        pytest.warns(PoolWarning, match="tokens: model 'y' has no input_tokens, but another model of the pool has"),
    ):
        evaluate(pool, ["sc:x", "sc:y"], 1)
    evaluate(pool.select(models=["y"]), "sc:y", 1)  # warnings are errors


# Progress and refusals ------------------------------------


@pytest.mark.compiled
@pytest.mark.usefixtures("small_tasks")
def test_progress_counts_every_block():
    seen = []
    replay(random_pool(), RULES, [8], n_replays=500, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 10
    assert seen == [(i, len(seen)) for i in range(1, len(seen) + 1)]


@pytest.mark.usefixtures("small_tasks")
def test_an_interrupt_stops_the_work():
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(random_pool(), RULES, [8], n_replays=500, progress=interrupt)


def test_more_than_was_recorded_names_model_question_asked_and_recorded():
    answers = {("x", "q1"): list("abab"), ("x", "q2"): list("aba"), ("y", "q1"): list("ab"), ("y", "q2"): list("ab")}
    pool = make_pool(answers)
    with pytest.raises(BudgetError) as error:
        replay(pool, ["sc:y", "sc:x"], [2, 4])
    assert str(error.value) == (
        "sc:y: budget 4 needs 4 samples of model 'y' for question 'q1', but 2 were recorded. "
        "Lower the budget, or draw with replacement=True."
    )
    with pytest.raises(BudgetError) as error:
        replay(pool, "sc:x", [4])
    assert str(error.value) == (
        "sc:x: budget 4 needs 4 samples of model 'x' for question 'q2', but 3 were recorded. "
        "Lower the budget, or draw with replacement=True, or use "
        "pool.select(models=['x'], min_samples=4), which keeps 1 of 2 questions."
    )
    assert replay(pool, "sc:x", [4], replacement=True, n_replays=3).accuracy.shape == (1, 1, 2)
    assert replay(pool, ModelSwitch(["x", "y"], sizes=(3, 2)), [5], n_replays=3).accuracy.shape == (1, 1, 2)


def test_a_model_without_samples_cannot_be_drawn_even_with_replacement():
    pool = make_pool({("x", "q1"): ["a"], ("x", "q2"): ["a"], ("y", "q1"): ["a"]})
    with pytest.raises(
        BudgetError, match=r"question 'q2', but 0 were recorded. Lower the budget, or use pool.select\(min_samples=1\)"
    ):
        replay(pool, "sc:y", 1, replacement=True)
