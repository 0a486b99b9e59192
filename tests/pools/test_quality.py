"""Warnings of a pool: each where it is due, and none for a sound pool."""

import warnings

import pytest

from mssim import Pool, PoolWarning, load_pool
from mssim.pools.quality import no_votes, pool_remarks, repeated_texts
from tests.conftest import long_frame, make_pool
from tests.pools.tables import GOOD


def warned(answers, tmp_path, **columns):
    long_frame(answers, **columns).to_parquet(tmp_path / "p.parquet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_pool(tmp_path / "p.parquet")
    assert all(w.category is PoolWarning and w.filename == __file__ for w in caught)
    return " | ".join(str(w.message) for w in caught)


def test_a_sound_pool_is_loaded_in_silence(tmp_path):
    assert (
        warned(GOOD, tmp_path, prompt="p", text=[f"a long text, all its own: number {i:030d}" for i in range(12)]) == ""
    )


@pytest.mark.parametrize(
    ("answers", "columns", "says"),
    [
        (GOOD | {("y", "q2"): ["a"]}, {}, "samples per question and model range from 1 to 3"),
        ({k: v for k, v in GOOD.items() if k != ("x", "q2")}, {}, "model 'x' has no samples for 1 of 2 questions"),
        (GOOD | {("y", "q2"): ["c", None, "a"]}, {}, "model 'y' gives no answer in 16.7% of its samples"),
        (GOOD, {"text": "the very same response, forty characters long"}, "8 of 12 long texts repeat an earlier one"),
        (GOOD, {"temperature": [0.5, 1.0, 1.0] * 4}, "mixed settings: column 'temperature' varies within a model"),
    ],
)
def test_pool_warnings_are_emitted(tmp_path, answers, columns, says):
    message = warned(answers, tmp_path, **columns)
    assert says in message
    assert message.count("|") == 0


@pytest.mark.parametrize(("no_answer", "warns"), [(5, False), (6, True)])
def test_more_than_one_sample_in_twenty_without_an_answer_is_warned_of(tmp_path, no_answer, warns):
    message = warned({("x", "q"): ["a"] * (100 - no_answer) + [None] * no_answer}, tmp_path)
    assert ("gives no answer in 6.0% of its samples" in message) == warns


def test_a_setting_that_belongs_to_a_model_is_no_mixture(tmp_path):
    assert warned(GOOD, tmp_path, temperature=[0.5] * 3 + [1.0] * 3 + [0.5] * 3 + [1.0] * 3) == ""


def test_short_texts_repeat_naturally(tmp_path):
    assert warned(GOOD, tmp_path, text="7") == ""


@pytest.mark.parametrize(("repeats", "long", "warns"), [(0, 0, False), (1, 100, False), (2, 100, True), (1, 99, True)])
def test_more_than_one_long_text_in_a_hundred_may_not_repeat(repeats, long, warns):
    assert bool(repeated_texts(repeats, long)) == warns


@pytest.mark.parametrize(("length", "repeats"), [(39, 0), (40, 1)])
def test_texts_are_long_from_forty_characters(length, repeats):
    pool = make_pool({("x", "q"): ["a", "b"]}, text="t" * length)
    assert len([warning for warning in pool.warnings() if "repeat an earlier one" in warning]) == repeats


def test_samples_without_votes_are_warned_of():
    pool = make_pool({("x", "q"): ["a", "b"]})
    assert no_votes(pool) == []
    without = Pool.from_frame(pool.to_frame(), info={"votes": False})
    assert "Each sample is its own answer class, so votes are meaningless" in no_votes(without)[0]


def test_columns_that_are_constant_within_questions_are_of_samples_too():
    """Of one model, a served model that changed between questions looks like a property of the questions."""
    answers = {("m", "q1"): ["a", "b"], ("m", "q2"): ["a", "b"]}
    pool = make_pool(answers, served_model=["v1", "v1", "v2", "v2"], reasoning=["hm", "hm", None, None])
    assert "served_model" in pool.questions
    assert pool.warnings() == ["m was served by 2 models: v1 (2 samples), v2 (2 samples)."]
    assert pool_remarks(pool) == ["2 of 4 samples of m have reasoning, kept in the column reasoning."]


def test_models_are_told_apart_in_any_order_of_rows():
    answers = {(m, q): ["a", "b"] for q in ("q1", "q2") for m in ("x", "y")}
    frame = long_frame(answers, finish_reason=["length", "stop", "stop", "stop"] * 2, text=["", "b", "a", "b"] * 2)
    frame["request_id"] = [f"r{i // 2}" for i in range(8)]
    frame.loc[frame["model"] == "y", "text"] = "same"
    found = Pool.from_frame(frame).warnings()
    assert found[:2] == [
        "2 of 4 samples of x were cut off (finish_reason length).",
        "2 of 4 texts of x are empty, all cut off.",
    ]
    assert found[2].startswith("the texts of y are equal within every request with several samples (2 requests, 4 ")
    assert len(found) == 3


@pytest.mark.parametrize(("samples", "rare"), [(1000, False), (1001, True)])
def test_less_than_one_sample_in_a_thousand_is_a_remark(samples, rare):
    columns = {"finish_reason": ["length"] + ["stop"] * (samples - 1), "text": [""] + ["a"] * (samples - 1)}
    pool = make_pool({("m", "q"): [None] + ["a"] * (samples - 1)}, **columns)
    told = [
        f"1 of {samples} samples of m was cut off (finish_reason length).",
        f"1 of {samples} texts of m is empty, cut off.",
    ]
    assert (pool.warnings(), pool_remarks(pool)) == (([], told) if rare else (told, []))
