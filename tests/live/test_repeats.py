"""Samples of a live run that a recording already has."""

from dataclasses import replace

import numpy as np
import pytest

from mssim import PoolError
from mssim.engine.sample_groups import keep_samples
from mssim.grading import parse_rule
from mssim.live.repeats import known_before, other_questions, other_settings, refuse_repeats
from mssim.recorder import ModelPlan, Server
from mssim.simulate import AnswerModel

MODEL = AnswerModel(["a", "b"], sure=0.1, a=1, b=1.5, spread=2, no_answer=0.1)
POOL = MODEL.draw(40, 24, seed=1)


def part(first, end):
    place = np.broadcast_to(np.arange(24), POOL.codes.shape)
    return keep_samples(POOL, (place >= first) & (place < end)).select(models=POOL.models)


def test_the_first_samples_of_the_recording_are_refused():
    with pytest.raises(PoolError, match=r"pool: 320 of 320 samples of the live run equal .* 1\d\d would by chance"):
        refuse_repeats(part(0, 4), POOL)


def test_a_run_that_repeats_a_part_is_refused():
    mixed = keep_samples(POOL, np.broadcast_to(np.arange(24) < 8, POOL.codes.shape)).select(models=["a"])
    codes = mixed.codes.copy()
    codes[:, 20:] = POOL.codes[:1, 20:, 16:24]
    changed = type(POOL)(**{name: getattr(mixed, name) for name in mixed.__dataclass_fields__} | {"codes": codes})
    with pytest.raises(PoolError, match="Run it with another seed of samples"):
        refuse_repeats(changed, POOL)


def test_other_samples_of_the_same_questions_pass():
    assert refuse_repeats(part(0, 12), part(12, 24)) is None  # it raises otherwise


def test_other_models_and_questions_are_not_compared():
    halves = [POOL.select(questions=POOL.question_ids[:20]), POOL.select(questions=POOL.question_ids[20:])]
    for one, other in ([POOL.select(models=["a"]), POOL.select(models=["b"])], halves):
        assert refuse_repeats(one, other) is None  # it raises otherwise


def test_samples_that_are_always_equal_say_nothing():
    sure = AnswerModel(["a"], sure=1.0, a=1, b=1, spread=1).draw(30, 8, seed=0)
    assert refuse_repeats(sure, sure) is None  # it raises otherwise


def described(**models):
    return replace(POOL, info={"models": models})


def test_other_settings_are_noted():
    live = described(a={"settings": {"temperature": 0.5}, "template": None, "seed": 2}, b={"settings": {}})
    recorded = described(a={"settings": {"temperature": 1.0}, "template": None, "seed": 1}, b={"settings": {}})
    assert other_settings(live, recorded) == [
        "model 'a': settings is {'temperature': 0.5} in the live run and {'temperature': 1.0} in the recording, which "
        "may therefore not predict it."
    ]


def test_another_grading_rule_is_noted():
    live, recorded = (replace(POOL, info={"grader": {"rule": rule}}) for rule in ("number", "boxed"))
    (note,) = other_settings(live, recorded)
    assert note.startswith("rule: the live run is graded by 'number' and the recording by 'boxed'")
    kept = replace(POOL, info={"grader": {"rule": "number", "reasoning": "keep"}})
    assert "by 'number' with reasoning and" in other_settings(kept, live)[0]
    assert other_settings(live, live) == other_settings(live, replace(POOL, info={"grader": 3})) == []


def test_what_a_plan_has_otherwise_is_known_before_the_run():
    server = Server("http://localhost")
    one, two = (ModelPlan(name, "m", server, 1, seed=3, settings={"temperature": 1.0}) for name in "ab")
    same = {"model_id": "m", "settings": {"temperature": 1.0}, "system": None}
    recorded = replace(
        POOL,
        info={
            "models": {"a": {**same, "template": "of the questions", "seed": 3}, "b": {**same, "seed": 4}},
            "grader": {"rule": "number", "reasoning": "keep"},
        },
    )
    (seed,) = known_before([one, two], parse_rule("number", reasoning="keep"), recorded)
    assert seed.startswith("model 'a': its seed of samples, 3, is that of the recording")
    system, template, rule = known_before([replace(two, system="x", template="y")], parse_rule("number"), described_b())
    assert "system is 'x' in the live run and None" in system + template
    assert "template is 'y' in the live run and 'z'" in system + template
    assert rule.startswith("rule: the live run is graded by 'number' and the recording by 'boxed'")
    assert known_before([replace(one, seed=None)], parse_rule("number"), POOL) == []


def described_b():
    models = {"b": {"model_id": "m", "settings": {"temperature": 1.0}, "system": None, "template": "z", "seed": 4}}
    return replace(POOL, info={"models": models, "grader": {"rule": "boxed"}})


def test_other_questions_under_the_same_names_are_noted():
    def asked(**columns):
        given = POOL.questions.assign(question="Why?", truth="7", **columns)
        return replace(POOL, questions=given)

    same, choices = asked(), [np.array(["a", "b"], dtype=object)] * 40
    nameless = replace(POOL, questions=POOL.questions[["question_id"]])
    assert other_questions(same, same) == other_questions(same, nameless) == []
    assert other_questions(asked(choices=choices), asked(choices=[["a", "b"]] * 40)) == []
    (note,) = other_questions(asked(choices=[None, *choices[:38], ["b", "a"]]), asked(choices=choices))
    assert "1 question, first" in note
    other = replace(POOL, questions=POOL.questions.assign(question=["Why?"] * 38 + ["How?"] * 2, truth="8"))
    first, second = other_questions(other, same)
    assert first.startswith(f"questions: 2 questions, first {POOL.question_ids[38]!r}, have another question in the")
    assert "40 questions" in second
    assert "have another truth" in second
    part = POOL.question_ids[:38]
    assert len(other_questions(other.select(questions=part), same)) == 1


@pytest.mark.parametrize("info", [{}, {"models": 3}, {"models": {"a": None}}, {"models": {"a": {"seed": 1}}}])
def test_unknown_settings_are_not_compared(info):
    assert other_settings(described(a={"settings": {"temperature": 0.5}}), replace(POOL, info=info)) == []
