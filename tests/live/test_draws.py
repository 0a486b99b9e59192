"""Draws of one question: what a strategy sees of a sample, and what the samples cost."""

import math

import pytest

from mssim.grading import parse_rule
from mssim.live import Ask, Decision, Draw
from mssim.live.classes import Classes
from mssim.live.draws import Course, Draws
from mssim.live.strategies import turns

ROW = {"question_id": "q", "truth": "7"}


def sample(index, text="7", **more):
    plain = {
        "sample_index": index, "text": text, "finish_reason": "stop", "confidence": None, "output_tokens": None,
        "request_output_tokens": 6, "input_tokens": 9, "choices": 1, "cost": None, "latency": 1.0, "served_model": None,
        "fingerprint": None, "request_id": None, "time": 0.0,
    }  # fmt: skip
    return plain | more


def draws(limited=()):
    return Draws(ROW, Classes(parse_rule("number"), "7"), limited)


def test_a_sample_of_a_request_of_its_own_has_the_tokens_of_the_request():
    one = draws()
    assert one.add("a", [sample(0, cost=0.5, confidence=-1.0)]) == [
        Draw(0, {"confidence": -1.0, "input_tokens": 9.0, "output_tokens": 6.0, "cost": 0.5, "latency": 1.0})
    ]
    answer = one.answer(None)
    assert (answer.input_tokens, answer.output_tokens, answer.cost, answer.latency) == (9, 6, 0.5, 1)


def test_samples_of_one_request_share_its_tokens_and_cost():
    several = draws()
    shared = {"choices": 2, "input_tokens": 9, "request_output_tokens": 10, "cost": 1.0}
    found = several.add("a", [sample(0, **shared), sample(1, "8", output_tokens=7, **shared)])
    assert found == [
        Draw(0, {"cost": 0.5, "latency": 1.0}),
        Draw(1, {"output_tokens": 7.0, "cost": 0.5, "latency": 1.0}),
    ]
    answer = several.answer(None)
    assert (answer.input_tokens, answer.output_tokens, answer.cost) == (9, 12, 1)


def test_unknown_tokens_are_not_zero():
    unknown = draws()
    unknown.add("a", [sample(0, input_tokens=None)])
    answer = unknown.answer(None)
    assert math.isnan(answer.tokens)
    assert answer.output_tokens == 6
    assert math.isnan(answer.cost)


def test_a_round_lasts_as_long_as_its_longest_request():
    several = draws()
    several.add("a", [sample(0, latency=1.0), sample(1, latency=3.0)])
    several.add("b", [sample(0, latency=2.0)])
    assert several.answer(None).latency == 5
    assert (several.next("a"), several.next("b"), several.next("c")) == (2, 1, 0)


@pytest.mark.parametrize(("limited", "code"), [((), 0), (("a",), -1), (("b",), 0)])
def test_cut_off_samples_of_a_model_with_a_limit_are_no_answers(limited, code):
    assert draws(limited).add("a", [sample(0, finish_reason="length")])[0].answer == code


def test_an_answer_has_the_decision_its_class_and_the_draws():
    course = Course(draws(), turns("sc:a", 2, "q"))
    assert (course.ask, course.start) == (Ask("a", 2), 0)
    assert course.answer().decision is None
    course.give([sample(0), sample(1, "7.0")])
    assert course.ask is None
    answer = course.answer()
    assert answer.decision == Decision(0, "budget", 0)
    assert (answer.question_id, answer.answer, answer.truth, answer.correct) == ("q", "7", "7", True)
    assert [(d.model, d.sample_index, d.code, d.text, d.finish_reason) for d in answer.draws] == [
        ("a", 0, 0, "7", "stop"),
        ("a", 1, 0, "7.0", "stop"),
    ]


def test_stages_of_one_round_last_as_long_as_the_longest_request():
    course = Course(draws(), turns("mix:a+b+a2", 6, "q"))
    assert course.round == [("a", 0, 2), ("b", 0, 2), ("a2", 0, 2)]
    for longest in (2.0, 5.0, 3.0):
        course.give([sample(0, latency=longest), sample(1, latency=1.0)])
    assert course.answer().latency == 5


def test_a_model_that_has_several_turns_in_a_round_continues():
    course = Course(draws(), turns("ms:a+b+a,agreement=2", 6, "q"))
    assert course.round == [("a", 0, 2), ("b", 0, 2), ("a", 2, 2)]
    course.give([sample(0, latency=4.0), sample(1)])
    assert course.round == [("b", 0, 2), ("a", 2, 2)]


def test_rounds_follow_one_another():
    course = Course(draws(), turns("ms:a+b", 2, "q"))
    assert course.round == [("a", 0, 1)]
    course = Course(draws(), turns("sc:a,stop=window:2", 4, "q"))
    for first, (text, latency) in enumerate([("7", 2.0), ("8", 3.0)]):
        course.give([sample(2 * first, text, latency=latency), sample(2 * first + 1, "9", latency=1.0)])
    assert course.answer().latency == 5
