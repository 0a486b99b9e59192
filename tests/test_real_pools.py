"""Recorded answers of real models, where they lie beside the checkout."""

import random
import warnings

import numpy as np
import pytest

from mssim import PoolError, PoolWarning, load_pool, parse_strategy
from tests import naive
from tests.conftest import replay

pytestmark = pytest.mark.slow

WHERE = [("prompt", "==", "chain_of_thought"), ("dataset", "!=", "comprehensive-100")]
STRATEGIES = ["sc:gpt-4", "ms:gpt-35-turbo+gpt-4", "ms:gpt-35-turbo+gpt-4,agreement=0.8,vote=plurality"]
BUDGETS = [2, 4, 8, 10]


@pytest.fixture
def exams(shared_pools):
    return load_pool(shared_pools / "exams-two-models", where=WHERE)


def test_single_sample_accuracy(exams):
    described = exams.describe().set_index("model")
    assert described["questions"].tolist() == [1000, 1000]
    assert described["samples_min"].tolist() == described["samples_max"].tolist() == [10, 10]
    assert described.loc["gpt-35-turbo", "accuracy"] == pytest.approx(0.573, abs=5e-4)
    assert described.loc["gpt-4", "accuracy"] == pytest.approx(0.757, abs=5e-4)


@pytest.mark.parametrize("text", STRATEGIES)
def test_every_decision_equals_the_naive_one(exams, text):
    result = replay(exams, text, BUDGETS, n_replays=2)
    for i, budget in enumerate(BUDGETS):
        hits, used = naive.evaluate(exams, parse_strategy(text), budget, n_replays=2)
        assert (2 * result.accuracy[0, i]).tolist() == hits
        assert (2 * result.samples_used[0, i]).tolist() == used


@pytest.mark.parametrize("text", STRATEGIES)
def test_every_number_agrees_with_random_sample(exams, text):
    """Another generator; the means differ by more than six of their own errors once in 10^8 seeds."""
    n, more = 10, 10_000
    budgets = [4, 10]
    frame = replay(exams, text, budgets, n_replays=more).to_frame()
    for i, budget in enumerate(budgets):
        hits, used = naive.evaluate(exams, parse_strategy(text), budget, n_replays=n, rng=random.Random(budget))
        error = frame["replay_sd"][i] * np.sqrt(1 / n + 1 / more)
        assert abs(np.mean(hits) / n - frame["accuracy"][i]) < 6 * error + 1e-12
        # Samples used are K_1 or the budget: a binary number per replay and question, like a right answer.
        mean, spread = np.array(used) / n, (budget - naive.allocate(budget, 2)[0]) / 2
        assert abs(mean.mean() - frame["samples_used"][i]) < 6 * spread / np.sqrt(1000 * n) + 1e-12


def test_repeats_at_several_temperatures_are_told_apart(shared_pools):
    with pytest.raises(PoolError, match="Column 'temperature' distinguishes them: select one value with where="):
        load_pool(shared_pools / "exam-nine-models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = load_pool(shared_pools / "exam-nine-models", where={"temperature": 0.7})
    assert len(pool.models) > 1
    assert set(pool.questions["temperature"]) == {0.7}


def test_a_pool_whose_answers_were_cut_is_refused_with_the_row(shared_pools):
    with pytest.raises(PoolError, match=r"is correct in row 18451 .* and wrong in row .*Grade the samples again"):
        load_pool(shared_pools / "gym-nine-models")
