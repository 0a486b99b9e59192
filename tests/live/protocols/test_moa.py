import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from mssim.live.protocols.moa import PROMPTS
from tests.playing import ask, play, system, user


def given(*answers):
    listed = "\n\n".join(f"{i}. {text}" for i, text in enumerate(answers, 1))
    return PROMPTS["aggregate"].text.replace("{{answers}}", listed)


def script(*layers):
    steps = {f"layer {n}, proposer {i}": text for n, texts in enumerate(layers, 1) for i, text in enumerate(texts, 1)}
    return steps | {"aggregator": "So 12"}


def test_each_layer_sees_the_answers_of_the_layer_before():
    end, calls, rounds = play("moa:told+b,aggregator=c", script(("t1", "b1"), ("t2", "b2")))
    assert rounds == [[f"layer {n}, proposer {i}" for i in (1, 2)] for n in (1, 2)] + [["aggregator"]]
    assert [call.model for call in calls.values()] == ["told", "b", "told", "b", "c"]
    assert [call.messages for call in calls.values()] == [
        ask("told"),
        ask("b"),
        [system(f"Be brief.\n\n{given('t1', 'b1')}"), *ask("told")[1:]],
        [system(given("t1", "b1")), *ask("b")],
        [system(given("t2", "b2")), *ask("c")],
    ]
    assert end == Final("So 12", "layers")


def test_one_model_may_propose_several_times():
    _, calls, _ = play("moa:a,proposers=3,layers=2", script(("1", "2", "")))
    assert calls["aggregator"] == ("aggregator", "a", [system(given("1", "2", "")), *ask("a")])


def test_a_template_with_the_question_is_the_whole_message():
    prompts = {"moa": {"aggregate": "{{answers}}\n{{prompt}}", "answer": "{{text answer}}", "between": " "}}
    _, calls, _ = play("moa:a+told,layers=2", script(("so 1", "?")), prompts)
    assert calls["aggregator"].messages == [system("Be brief."), user("1 \nFor told: 3 x 4? Digits.")]


def test_empty_answers_are_still_a_layer():
    _, calls, _ = play("moa:a,layers=3", script(("",), ("",)))
    assert calls["layer 2, proposer 1"].messages == [system(given("")), *ask("a")]


@pytest.mark.parametrize(
    ("text", "number"), [("a", 3), ("a+b+c", 7), ("a+b,layers=2,proposers=6", 7), ("a,layers=4", 4)]
)
def test_the_number_of_calls_is_known_before(text, number):
    assert parse_protocol(f"moa:{text}").calls() == Calls(number, number)


@pytest.mark.parametrize("options", ["layers=1", "proposers=0", "proposers=1"])
def test_refused(options):
    with pytest.raises(StrategyError, match="protocol 'moa"):
        parse_protocol(f"moa:a+b,{options}")
