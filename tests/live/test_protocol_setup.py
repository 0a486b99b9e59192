from dataclasses import replace

import pytest

from mssim.grading import parse_rule
from mssim.live.protocol_setup import ProtocolSetup, call_name, model_of, question_text
from mssim.live.protocols import Call, parse_protocol, prompts_for
from tests.live.repliers import plan, questions

ROW = {"question_id": "q", "question": "Which?", "choices": ["x", "y"], "truth": "x"}


def setup(text="debate:a+b", **options):
    protocol = parse_protocol(text)
    models = {model.name: model for model in plan().resolve(questions()).models}
    return ProtocolSetup(protocol, prompts_for(protocol, None), parse_rule("number"), 4, models | options)


def test_names_of_calls_lead_back_to_their_models():
    assert call_name(Call("round 1, judge", "a as b", [])) == "a as b as round 1, judge"
    assert model_of("a as b as round 1, judge", ["a as b"]) == "a as b"
    assert model_of("c", ["a", "b"]) == "c"
    assert model_of("a as b as round 1, judge", ["a", "a as b"]) == "a as b"
    assert model_of("a as round 1, judge", ["a", "a as b"]) == "a"


def test_choices_are_part_of_the_question():
    assert question_text(ROW) == "Which?\n\nA. x\nB. y"
    assert question_text({**ROW, "choices": None}) == question_text({"question": "Which?"}) == "Which?"


def test_the_prompt_is_that_of_the_recorder():
    assert setup().prompt("a", ROW) == [{"role": "user", "content": "Which?"}]


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": parse_protocol("debate:a+b,rounds=3")},
        {"prompts": {**setup().prompts, "revise": "x"}},
        {"rule": parse_rule("first-number")},
        {"rule": parse_rule("number", reasoning="keep")},
        {"models": {**setup().models, "a": replace(setup().models["a"], settings={"temperature": 0.5})}},
        {"models": {**setup().models, "a": replace(setup().models["a"], template="Say: {{question}}")}},
        {"models": {**setup().models, "a": replace(setup().models["a"], seed=2)}},
    ],
)
def test_all_that_affects_replies_is_in_the_hash(changed):
    other = replace(setup(), **changed)
    assert other.identity() != setup().identity()
    assert other.settings(ROW) != setup().settings(ROW)


def test_the_number_of_runs_is_not_in_the_hash_and_the_question_is():
    assert replace(setup(), runs=8).settings(ROW) == setup().settings(ROW)
    assert setup().settings({**ROW, "question": "Who?"}) != setup().settings(ROW)
