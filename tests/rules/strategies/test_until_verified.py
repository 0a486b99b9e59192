"""Draws until one is accepted: by hand, beside the rules that bound it, its text, and what it needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Coverage, PoolError, StrategyError, UntilVerified, evaluate, parse_strategy
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Verifier
from tests.conftest import examples, make_pool
from tests.rules.test_catalogue import XYZ, pools


def test_the_first_right_sample_is_the_answer():
    """Two of four samples are right: the first draw is in 1/2 of the orders, else the second in 2/3, else the third."""
    pool = make_pool({("x", "q"): ["a", "b", None, "a"]})
    result = evaluate(pool, UntilVerified("x"), [1, 2, 3, 4])
    assert result.accuracy[0, :, 0] == pytest.approx([1 / 2, 5 / 6, 1, 1])
    assert result.samples_used[0, :, 0] == pytest.approx([1, 3 / 2, 5 / 3, 5 / 3])
    assert np.array_equal(result.agreed, result.accuracy)


def test_the_next_model_draws_where_the_first_finds_nothing():
    pool = make_pool({("x", "q"): list("abbb"), ("y", "q"): list("aabb")})
    result = evaluate(pool, UntilVerified(["x", "y"], sizes=(2, 2)), [2, 4])
    assert result.accuracy[0, :, 0] == pytest.approx([1 / 2, 1 - 1 / 2 * 1 / 6])
    assert result.samples_used[0, :, 0] == pytest.approx([7 / 4, 7 / 4 + 1 / 2 * 3 / 2])


def test_a_verifier_that_reads_a_score_can_accept_a_wrong_sample_and_none_without_an_answer():
    answers, score = {("x", "q"): ["a", "b", None, "c"]}, [0.9, 0.5, 0.9, 0.4]
    pool = make_pool(answers, score=score)
    result = evaluate(pool, UntilVerified("x", column="score", threshold=0.5), [1, 4])
    assert result.accuracy[0, :, 0] == pytest.approx([1 / 4, 1 / 2])
    assert result.agreed[0, :, 0] == pytest.approx([1 / 2, 1])
    assert result.samples_used[0, :, 0] == pytest.approx([1, 1 + 1 / 2 + 1 / 6])


@settings(max_examples=examples(24))
@given(pools(), st.sampled_from([XYZ[:1], XYZ[:2], XYZ]), st.booleans())
def test_it_is_as_accurate_as_coverage_with_fewer_samples(pool, models, replacement):
    budgets = np.arange(1, pool.codes.shape[2] + 1) * len(models)
    rules = {"until": UntilVerified(models), "coverage": Coverage(models)}
    result = evaluate(pool, rules, budgets, replacement=replacement)
    assert result.accuracy[0] == pytest.approx(result.accuracy[1], abs=1e-12)
    assert (result.samples_used[0] <= result.samples_used[1] + 1e-9).all()
    if len(models) == 1:  # with larger shares the first model can find at once what the second would draw for
        assert (np.diff(result.samples_used[0], axis=0) >= -1e-9).all()


@settings(max_examples=examples(24))
@given(pools(), st.booleans())
def test_the_lower_the_threshold_the_more_is_accepted_with_fewer_draws(pool, replacement):
    n = pool.codes.shape[2]
    thresholds = (-9, 0, 0.15, 0.3, 9)
    rules = {str(t): UntilVerified(["x", "y"], column="score", threshold=t) for t in thresholds}
    result = evaluate(pool, rules, [1, n, 2 * n], replacement=replacement)
    assert (np.diff(result.agreed, axis=0) <= 1e-12).all()
    assert (np.diff(result.samples_used, axis=0) >= -1e-9).all()
    assert (result.accuracy <= result.agreed + 1e-12).all()
    assert not result.agreed[-1].any()
    assert (result.samples_used[-1] == result.budgets[:, None]).all()


def test_a_plan_has_a_verifier_and_neither_votes_nor_stops():
    (plan,) = UntilVerified(["x", "y"], column="score", threshold=1, shares=(2, 1), max_tokens=9).plans(
        np.array([3, 9])
    )
    assert plan.sizes.tolist() == [[2, 6], [1, 3]]
    assert (plan.vote, plan.stop, plan.least, plan.cap) == (None, None, None, 0)
    assert (plan.need == NEVER).all()
    assert (plan.accepts, plan.max_tokens) == (Verifier("score", 1.0), (9, 9))


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("until:x", UntilVerified("x")),
        ("until:x+y", UntilVerified(["x", "y"], column="correct")),
        ("until:x+y,sizes=8/1", UntilVerified(["x", "y"], sizes=(8, 1))),
        ("until:x,column=score,threshold=0.5", UntilVerified("x", "score", 0.5)),
        ("until:x,column=reward,threshold=-2", UntilVerified("x", "reward", -2)),
        ('until:x,column="a,b",threshold=1e-09,max_tokens=512', UntilVerified("x", "a,b", 1e-9, max_tokens=512)),
    ],
)
def test_text_and_back(text, strategy):
    assert str(strategy) == text
    assert parse_strategy(text) == strategy


NUMBER = "is not a finite number. Use e.g. threshold=0.5"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: parse_strategy("until:x,column=score"), "strategy 'until:x,column=score': column='score' requires a "
         "threshold, from which a sample is accepted. Set e.g. threshold=0.5."),
        (lambda: UntilVerified("x", threshold=0.5), "threshold=0.5 applies to a column of numbers, but the column is"),
        (lambda: UntilVerified("x", "correct", 1), "Remove the threshold, or set the column, e.g. to 'score'"),
        (lambda: UntilVerified("x", 3), "column=3 is not the name of a column. Use 'correct', or a recorded number"),
        (lambda: UntilVerified("x", ""), "column='' is not the name of a column"),
        (lambda: UntilVerified("x", "score", np.nan), f"threshold=nan {NUMBER}"),
        (lambda: UntilVerified("x", "score", "high"), f"threshold='high' {NUMBER}"),
        (lambda: UntilVerified("x", "score", True), f"threshold=True {NUMBER}"),
        (lambda: UntilVerified("x", "score", 10**400), NUMBER),
        (lambda: parse_strategy("until:x,column=score,threshold=high"), "threshold='high' cannot be read. Example:"),
        (lambda: UntilVerified(["x", "x"]), "repeats a model. Name each model once"),
        (lambda: UntilVerified(["x"], sizes=(1, 2)), "does not fit the models ['x']"),
        (lambda: parse_strategy("until:x,vote=plurality"), "unknown option 'vote'. Choose from 'column', 'threshold'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(StrategyError) as error:
        call()
    assert says in str(error.value)


def test_the_numbers_of_a_verifier_must_be_recorded():
    rule = UntilVerified("x", column="reward", threshold=0.5)
    answers = {("x", "q"): ["a", "b", None], ("y", "q"): ["a", "b", "b"]}
    with pytest.raises(PoolError, match=r"requires column 'reward' .a number for each sample.: the pool has no column"):
        evaluate(make_pool(answers), rule, 1)
    with pytest.raises(PoolError, match="but 1 samples of model 'x' have none, first sample 1 of question 'q'"):
        evaluate(make_pool(answers, reward=[0.1, None, None, 0.1, 0.1, 0.1]), rule, 1)
    pool = make_pool(answers, reward=[0.1, 0.6, None, None, None, 0.1])  # of the model's samples with an answer
    assert evaluate(pool, rule, 3).agreed.item() == 1
