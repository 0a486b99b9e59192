"""pass^k, G-Pass@k and mG-Pass@k of pools: equal to the functions of counts, and below the votes."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import (
    Coverage,
    MssimError,
    Reliability,
    SelfConsistency,
    StrategyError,
    evaluate,
    g_pass_at_k,
    mg_pass_at_k,
    parse_strategy,
    pass_hat_k,
)
from tests.conftest import examples, make_pool, replay


def pool_of(right, others):
    return make_pool({("x", "q"): ["a"] * right + others})


ANSWERS = st.lists(st.sampled_from(["b", "c", None]), max_size=6)


@settings(max_examples=examples(24))
@given(st.integers(0, 6), ANSWERS)
def test_it_is_the_function_of_the_counts(right, others):
    n = right + len(others)
    if not n:
        return
    ks = np.arange(1, n + 1)
    rules = [Reliability("x"), Reliability("x", 0.6), Reliability("x", "mean")]
    found = evaluate(pool_of(right, others), rules, ks).accuracy[:, :, 0]
    expected = [pass_hat_k(n, right, ks), g_pass_at_k(n, right, ks, 0.6), mg_pass_at_k(n, right, ks)]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_samples_without_an_answer_are_not_right_and_all_correct_answers_are():
    pool = make_pool({("x", "q"): ["a", "A", "b", None]})
    frame = pool.to_frame()
    both = pool.from_frame(frame.assign(correct=frame["answer"].isin(["a", "A"])))
    assert evaluate(both, "rel:x", [1, 2]).accuracy[0, :, 0].tolist() == pytest.approx([1 / 2, 1 / comb(4, 2)])


@settings(max_examples=examples(24))
@given(st.integers(0, 6), ANSWERS, st.booleans())
def test_all_right_implies_a_right_vote_which_implies_a_right_draw(right, others, replacement):
    n = right + len(others)
    if not n:
        return
    rules = {
        "all": Reliability("x"),
        "mean": Reliability("x", "mean"),
        "more than half": Reliability("x", 0.5 + 1 / 32),
        "vote": SelfConsistency("x"),
        "any": Coverage("x"),
    }
    found = evaluate(pool_of(right, others), rules, range(1, n + 1), replacement=replacement).accuracy[:, :, 0]
    every, mean, most, vote, some = found
    assert (np.diff(every) <= 1e-12).all()
    assert (mean <= most + 1e-12).all()
    assert (every <= most + 1e-12).all()
    assert (most <= vote + 1e-12).all()  # more than half of up to 12 draws have one answer, which is right
    assert (vote <= some + 1e-12).all()


@pytest.mark.parametrize("tau", [1.0, 0.6, "mean"])
def test_replacement_takes_the_pool_as_an_infinite_one(tau):
    pool = pool_of(3, ["b", None])
    found = evaluate(pool, Reliability("x", tau), [1, 4, 9], replacement=True).accuracy[0, :, 0]
    infinite = evaluate(pool_of(3 * 10**4, ["b"] * 2 * 10**4), Reliability("x", tau), [1, 4, 9]).accuracy[0, :, 0]
    assert found == pytest.approx(infinite, abs=2e-4)
    assert tau != 1.0 or found == pytest.approx([0.6, 0.6**4, 0.6**9])


@pytest.mark.compiled
@pytest.mark.parametrize("replacement", [False, True])
def test_replays_agree_with_the_closed_form(replacement):
    """Eighteen comparisons within 5.5 standard errors: one seed in a million fails."""
    pool = make_pool({("x", f"q{q}"): ["a"] * q + ["b"] * (8 - q) for q in range(9)})
    rules = [Reliability("x"), Reliability("x", 0.6), Reliability("x", "mean")]
    exact = evaluate(pool, rules, [3, 6, 8], method="exact", replacement=replacement).to_frame()
    drawn = replay(pool, rules, [3, 6, 8], n_replays=4000, replacement=replacement).to_frame()
    assert set(exact["method"]) == {"exact"}
    assert set(drawn["method"]) == {"monte_carlo"}
    off = (exact["accuracy"] - drawn["accuracy"]).abs()
    assert (off <= 5.5 * exact["replay_sd"] / np.sqrt(4000) + 1e-12).all()
    assert (exact["samples_used"] == exact["budget"]).all()
    assert (drawn["samples_used"] == exact["budget"]).all()
    assert (drawn["agreed"] == 0).all()


def test_a_model_that_is_always_right_is_perfect_but_for_the_sum_of_an_odd_number():
    found = evaluate(pool_of(9, []), [Reliability("x"), Reliability("x", "mean")], range(1, 10)).accuracy[:, :, 0]
    assert found[0].tolist() == [1] * 9
    assert found[1] == pytest.approx([(k - k % 2) / k for k in range(1, 10)])


def test_a_plan_says_how_many_draws_must_be_right():
    (plan,) = Reliability("x", 0.7).plans(np.array([1, 3, 10]))
    assert (plan.vote, plan.raised) == (None, False)
    assert plan.sizes.tolist() == [[1, 3, 10]]
    assert plan.least.tolist() == [1, 3, 7]
    (plan,) = Reliability("x", "mean").plans(np.array([1, 4, 5]))
    assert plan.raised
    assert plan.least.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("rel:x", Reliability("x")),
        ("rel:x", Reliability(["x"], tau=1)),
        ("rel:x,tau=0.75", Reliability("x", 0.75)),
        ("rel:x,tau=mean", Reliability("x", "mean")),
    ],
)
def test_text_and_back(text, strategy):
    assert str(strategy) == text
    assert parse_strategy(text) == strategy
    assert parse_strategy({"kind": "rel", "models": "x", "tau": strategy.tau}) == strategy
    assert strategy.models == (strategy.model,) == ("x",)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Reliability("x", 0), "tau=0 is not a share of right samples. Use a number above 0 and at most 1, or"),
        (lambda: parse_strategy("rel:x,tau=1.5"), "strategy 'rel:x,tau=1.5': tau=1.5 is not a share of right samples"),
        (lambda: parse_strategy("rel:x,tau=median"), "tau='median' is not a share of right samples"),
        (lambda: Reliability(["x", "y"]), "Reliability: model=['x', 'y'] must be the name of one model, e.g. 'gpt-4'"),
        (lambda: Reliability([]), "Reliability: models=[] must be one or more names of models"),
        (lambda: parse_strategy("rel:x+y"), "rel takes one model, but 2 were given"),
        (lambda: parse_strategy("rel:x,ties=first"), "unknown option 'ties'. Choose from 'tau'"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(MssimError) as error:
        call()
    assert isinstance(error.value, StrategyError)
    assert says in str(error.value)
