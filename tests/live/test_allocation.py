"""One budget for all questions: equal to the naive rule on the draws of replays, and requests that are all used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import AdaptiveAllocation
from mssim.live import Ask, Decision, Draw
from mssim.live.allocation import share_budget
from tests import naive
from tests.conftest import examples
from tests.live.drawn import Ranked, known_of, samples_of
from tests.rules.test_catalogue import TIES, deep_pool, pools

CERTAINTY = st.sampled_from(["beta", "ppr"])


def answer_all(running, draws_of):
    """Answer a generator by the next draws of each question; return its decisions and its rounds."""
    rounds, left = [], {question: list(draws) for question, draws in draws_of.items()}
    try:
        asked = next(running)
        while True:
            rounds.append(asked)
            drawn = []
            for question, ask in asked:
                drawn.append(left[question][: ask.n])
                left[question] = left[question][ask.n :]
            asked = running.send(drawn)
    except StopIteration as stopped:
        return stopped.value, rounds


def replayed(pool, rule, budget, replay, seed, replacement):
    """One replay, live: whether each question is right, and its draws."""
    (plan,) = rule.plans(np.array([budget]))
    (model,), right, draws, randoms = rule.models, naive.recorded(pool)[1], {}, {}
    n = pool.codes.shape[2]
    for q in pool.question_ids:
        places = naive.positions(seed, model, q, replay, n, n, replacement)
        draws[q] = samples_of(pool, q, model, places)
        randoms[q] = Ranked([naive.tie_rank(seed, q, replay, c) for c in range(len(known_of(pool, q)))])
    cap = min(plan.cap, n)  # as in replays, a question can take no more than was recorded
    decisions, rounds = answer_all(share_budget(plan._replace(cap=cap), randoms), draws)
    names = {q: [*known_of(pool, q), None] for q in pool.question_ids}
    used = {q: sum(ask.n for asked in rounds for question, ask in asked if question == q) for q in pool.question_ids}
    return [names[q][decisions[q].answer] in right[q] for q in pool.question_ids], list(used.values())


@settings(max_examples=examples(12))
@given(pools(), st.sampled_from(TIES), st.sampled_from([None, 3]), CERTAINTY, st.integers(0, 2**64 - 1), st.booleans())
def test_answers_and_draws_are_those_of_the_naive_rule(pool, ties, cap, certainty, seed, replacement):
    rule = AdaptiveAllocation("x", cap, ties=ties, certainty=certainty)
    for budget in (1, 2, 3):
        live, used = replayed(pool, rule, budget, 0, seed, replacement)
        right, spent = naive.evaluate(pool, rule, budget, n_replays=1, seed=seed, replacement=replacement)
        assert used == spent
        assert all(a == b or (ties == "wrong" and not a) for a, b in zip(live, right, strict=True))


@pytest.mark.parametrize("certainty", ["beta", "ppr"])
@pytest.mark.parametrize("cap", [None, 6])
def test_many_questions_that_wait_at_one_certainty_share_as_the_naive_rule_does(cap, certainty):
    pool, rule = deep_pool(25, 9), AdaptiveAllocation("x", cap, certainty=certainty)
    for budget in (1, 2, 4, 6):
        found = replayed(pool, rule, budget, 0, 0, False)
        assert found == naive.evaluate(pool, rule, budget, n_replays=1)


def rounds_of(cap, budget, draws):
    (plan,) = AdaptiveAllocation("x", cap).plans(np.array([budget]))
    randoms = {question: np.random.default_rng(0) for question in draws}
    decisions, rounds = answer_all(share_budget(plan, randoms), draws)
    assert all(ask == Ask("x") for asked in rounds for _, ask in asked)
    return decisions, ["".join(question for question, _ in asked) for asked in rounds]


def test_what_is_certain_to_be_used_is_asked_for_together():
    draws = {"a": [Draw(0), Draw(1), *[Draw(0)] * 8], "b": [Draw(2)] * 9, "c": [Draw(-1), *[Draw(0)] * 8]}
    decisions, rounds = rounds_of(None, 3, draws)
    # All, then c, which has no answer yet. Then each has one vote, but a could take all five draws that are left: with
    # one vote against one, and then two against one, it is the least certain.
    assert rounds == ["abc", "c", "a", "a", "a", "b", "c"]
    assert decisions == {q: Decision(c, "budget", 0) for q, c in {"a": 0, "b": 2, "c": 0}.items()}


def test_a_cap_lets_more_draws_be_certain():
    draws = {q: [Draw(0)] * 4 for q in "abcdef"}
    assert rounds_of(4, 2, draws)[1] == ["abcdef", "ab", "cd", "e", "f"]
    assert rounds_of(2, 2, draws)[1] == ["abcdef", "abcdef"]


def test_a_question_that_has_its_cap_takes_no_more():
    draws = {"a": [Draw(0), Draw(1), Draw(0), Draw(1)], "b": [Draw(0)] * 4}
    decisions, rounds = rounds_of(3, 3, draws)
    assert "".join(rounds).count("a") == "".join(rounds).count("b") == 3
    assert [decision.answer for decision in decisions.values()] == [0, 0]
