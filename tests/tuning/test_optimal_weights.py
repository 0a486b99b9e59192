"""Optimal weights as a result, as a strategy and as a candidate of tuning."""

import numpy as np
import pandas as pd
import pytest

from mssim import Mixture, MssimError, Pool, PoolError, PoolWarning, SelfConsistency, StrategyError, evaluate, load_pool
from mssim.theory import limits
from mssim.tuning import optimal_weights
from mssim.tuning.optimal_weights import OptimalWeights, VoteWeights, infinite_vote_leads, infinite_vote_weights
from mssim.tuning.vote_programme import Solution
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

EXAMPLE = {
    ("strong", "q1"): "aaaaaabbbb",
    ("weak", "q1"): "aaabbbbbbb",
    ("strong", "q2"): "aabbbbbbbb",
    ("weak", "q2"): "aaaaaaaaab",
    ("strong", "q3"): "aaaabbbbbb",
    ("weak", "q3"): "aaaacccccc",
}


@pytest.fixture
def example():
    return make_pool({key: list(answers) for key, answers in EXAMPLE.items()})


def test_weights_of_the_worked_example(example):
    found = infinite_vote_weights(example)
    assert found.models == ("strong", "weak")
    assert found.weights == (0.5, 0.5)
    assert found.accuracy == found.bound == pytest.approx(2 / 3)
    assert found.margin == pytest.approx(0.1)
    assert found.status == "optimal"
    assert str(found.strategy()) == "mix:strong+weak"


def test_only_given_questions_and_models_count(example):
    first = infinite_vote_weights(example, questions=[True, False, False])
    assert (first.weights, first.accuracy, first.margin) == ((1, 0), 1, pytest.approx(0.2))
    assert str(first.strategy()) == "sc:strong"
    assert (
        str(infinite_vote_weights(example, ["weak", "strong"], questions=[False, True, False]).strategy()) == "sc:weak"
    )
    alone = infinite_vote_weights(example, ["weak"])
    assert (alone.weights, alone.accuracy) == ((1,), pytest.approx(1 / 3))


def test_leads_are_those_of_the_worked_example(example):
    assert infinite_vote_leads(example, {"strong": 2, "weak": 1}).tolist() == pytest.approx(
        [0, -0.6 * 2 / 3 + 0.8 / 3, 0]
    )
    assert infinite_vote_leads(example, {"weak": 3}).tolist() == pytest.approx([-0.4, 0.8, -0.2])


def test_samples_without_an_answer_weigh_less():
    """Half of the draws of x are empty, so x has half the votes of y."""
    pool = make_pool({("x", "q"): ["a", "a", None, None], ("y", "q"): ["b", "b", "b", "b"]})
    assert infinite_vote_leads(pool, {"x": 1, "y": 1}).tolist() == pytest.approx([-0.25])
    assert infinite_vote_leads(pool, {"x": 2, "y": 1}).tolist() == pytest.approx([0])
    assert infinite_vote_leads(pool, {"x": 3, "y": 1}).tolist() == pytest.approx([0.125])


def test_a_question_without_answers_is_wrong():
    pool = make_pool({("x", "q1"): [None, None], ("x", "q2"): ["b", "b"]})
    assert infinite_vote_leads(pool, {"x": 1}).tolist() == [0, -1]
    found = infinite_vote_weights(pool)
    assert (found.accuracy, found.bound, found.status) == (0, 0, "optimal")
    assert np.isnan(found.margin)


@pytest.mark.parametrize("weights", [(1, 1, 1), (2, 1, 1), (0.3, 1.1, 0.7)])
def test_positive_leads_are_the_limits_of_the_vote(weights):
    pool = random_pool(40, 6, seed=3)
    leads = infinite_vote_leads(pool, dict(zip(pool.models, weights, strict=True)))
    pooled = limits(pool, weights=weights).pooled
    untied = np.abs(leads) > 1e-9
    assert untied.sum() > 20
    assert ((leads > 0) == (pooled == 1))[untied].all()


@pytest.mark.slow
def test_weights_are_at_least_as_good_as_those_of_a_grid():
    pool = load_pool("recorded/llm-sums")
    found = infinite_vote_weights(pool)
    steps = np.linspace(0, 1, 21)
    tried = [
        float(np.mean(infinite_vote_leads(pool, dict(zip(pool.models, (a, b, max(1 - a - b, 0)), strict=True))) > 0))
        for a in steps
        for b in steps[steps <= 1 - a + 1e-9]
    ]
    assert found.status == "optimal"
    assert found.accuracy == found.bound >= max(tried)


@pytest.mark.slow
@pytest.mark.compiled
def test_long_votes_approach_the_infinite_vote():
    pool = load_pool("recorded/llm-products")
    found = infinite_vote_weights(pool)
    leads = infinite_vote_leads(pool, dict(zip(found.models, found.weights, strict=True)))
    clear = np.abs(leads) > 0.15
    accuracy = evaluate(pool, found.strategy(), 400, replacement=True, n_replays=200).accuracy[0, 0]
    assert clear.sum() > 80
    assert np.abs(accuracy - (leads > 0))[clear].max() < 0.03


def weighted(*weights):
    return VoteWeights(tuple("abc"[: len(weights)]), weights, 0.5, 0.1, 0.5, "optimal").strategy()


def test_shares_are_small_integers_of_the_models_that_are_drawn():
    assert weighted(0.25, 0.75) == Mixture(["b", "a"], shares=(3, 1))
    assert weighted(0.25, 0.0, 0.75) == Mixture(["c", "a"], shares=(3, 1))
    assert weighted(0.5, 0.5) == Mixture(["a", "b"])
    assert weighted(0.0, 1.0) == SelfConsistency("b")
    assert str(weighted(0.333, 0.334, 0.333)) == "mix:b+a+c,shares=334/333/333"
    assert weighted(1 / 3, 2 / 3) == Mixture(["b", "a"], shares=(2 / 3, 1 / 3))


@pytest.mark.parametrize(("found", "shown"), [(0.48123, 0.48), (0.50312, 0.503), (0.500312, 0.5003)])
def test_weights_have_the_fewest_digits_that_keep_right_questions(monkeypatch, found, shown):
    """The question is right if x is drawn more often than y, or less often."""
    right = found > 0.5
    pool = make_pool({("x", "q"): ["a" if right else "b"] * 4, ("y", "q"): ["b" if right else "a"] * 4})
    weights = np.array([found, 1 - found])
    monkeypatch.setattr(optimal_weights, "solve", lambda *_: Solution(weights, 1, True))
    assert infinite_vote_weights(pool).weights == pytest.approx((shown, 1 - shown))


def test_weights_that_no_rounding_keeps_are_kept(monkeypatch):
    pool = make_pool({("x", "q"): ["a"] * 4, ("y", "q"): ["b"] * 4})
    weights = np.array([0.5 + 4e-6, 0.5 - 4e-6])
    monkeypatch.setattr(optimal_weights, "_STEPS", (100, 1000))
    monkeypatch.setattr(optimal_weights, "solve", lambda *_: Solution(weights, 1, True))
    assert infinite_vote_weights(pool).weights == tuple(weights)


def test_the_candidate_is_fitted_to_training_questions_alone(example):
    learner = OptimalWeights(["strong", "weak"])
    assert str(learner) == "weights:strong+weak"
    assert learner.models == ("strong", "weak")
    assert learner == OptimalWeights(("strong", "weak"))
    mask = np.array([True, False, True])
    fitted = learner.fit(example, mask)
    assert fitted == infinite_vote_weights(example, questions=mask).strategy()
    others = (
        example.to_frame().assign(correct=lambda f: f["correct"] & (f["question_id"] != "q2")).drop(columns="truth")
    )
    assert learner.fit(Pool.from_frame(others), mask) == fitted


def test_a_search_that_is_cut_off_warns(example, monkeypatch):
    monkeypatch.setattr(optimal_weights, "solve", lambda *_: Solution(np.array([1.0, 0.0]), 2, False))
    found = infinite_vote_weights(example)
    assert (found.accuracy, found.bound, found.status) == (pytest.approx(1 / 3), pytest.approx(2 / 3), "time limit")
    with pytest.warns(
        PoolWarning, match=r"weights:strong\+weak: .* time_limit=5 seconds.* 0\.3333; .* at most 0\.6667"
    ):
        assert OptimalWeights(["strong", "weak"], time_limit=5).fit(example, np.ones(3, bool)) == SelfConsistency(
            "strong"
        )


@pytest.mark.parametrize("mask", [[True], [1, 0, 1], [False] * 3, "all"])
def test_masks_have_one_bool_per_question(example, mask):
    with pytest.raises(MssimError, match=r"questions=.* Use one bool per question, 3 in all"):
        infinite_vote_weights(example, questions=mask)


@pytest.mark.parametrize("seconds", [0, -1, np.nan, "a", True])
def test_time_limits_are_positive(example, seconds):
    for call in (
        lambda: infinite_vote_weights(example, time_limit=seconds),
        lambda: OptimalWeights(["a"], time_limit=seconds),
    ):
        with pytest.raises(MssimError, match=r"time_limit=.* Use a positive number of seconds"):
            call()


@pytest.mark.parametrize("weights", [{}, {"strong": 0}, {"strong": -1, "weak": 2}, {"strong": np.inf}, {"strong": "1"}])
def test_weights_are_numbers_from_0(example, weights):
    with pytest.raises(MssimError, match=r"weights=.* Use numbers from 0, at least one of them positive"):
        infinite_vote_leads(example, weights)


def test_models_are_those_of_the_pool(example):
    with pytest.raises(PoolError, match="no model 'storng'"):
        infinite_vote_weights(example, ["storng"])
    with pytest.raises(StrategyError, match=r"OptimalWeights: models=\[\] must be"):
        OptimalWeights([])
    lacking = Pool.from_frame(pd.DataFrame(example.to_frame().query("model != 'weak' or question_id != 'q2'")))
    with pytest.raises(PoolError, match="'weak' has 0 samples of question 'q2'"):
        infinite_vote_weights(lacking)
