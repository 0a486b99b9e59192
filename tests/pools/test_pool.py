"""Pools: what they refuse, warn of, keep, and give back."""

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mssim import MssimError, Pool, PoolError, PoolWarning, load_pool
from tests.conftest import long_frame, make_pool
from tests.engine.test_monte_carlo import pools

GOOD = {
    ("x", "q1"): ["a", "b", "a"],
    ("y", "q1"): ["b", "b", "c"],
    ("x", "q2"): ["a"] * 3,
    ("y", "q2"): ["c", "a", "b"],
}


def refused(frame, says, **options):
    with pytest.raises(PoolError) as error:
        Pool.from_frame(frame, **options)
    assert says in str(error.value)


@pytest.mark.parametrize("column", ["question_id", "model", "sample_index", "answer"])
def test_a_missing_column_is_named(column):
    refused(long_frame(GOOD).drop(columns=column), f"column {column!r} is missing. Rename the column that contains it")


def test_the_nearest_column_is_offered():
    refused(long_frame(GOOD).rename(columns={"answer": "answers"}), "did you mean 'answers'?")


def test_correct_or_truth_is_needed():
    refused(long_frame(GOOD).drop(columns="truth"), "'correct' and 'truth' are both missing")


def test_a_duplicate_names_row_sample_and_remedy():
    frame = long_frame(GOOD)
    refused(
        pd.concat([frame, frame.iloc[[4]]], ignore_index=True),
        "2 rows hold the same sample, the second is row 13 (question 'q1', model 'y', sample_index 1). Drop the dupl",
    )


def test_a_duplicate_names_the_column_that_separates_the_rows():
    twice = pd.concat([long_frame(GOOD, prompt="short"), long_frame(GOOD, prompt="long")], ignore_index=True)
    refused(twice, "Column 'prompt' distinguishes them: select one value with where={'prompt': ...} (short, long)")
    assert Pool.from_frame(twice, where={"prompt": "long"}).fingerprint == make_pool(GOOD).fingerprint


def test_an_answer_that_is_right_and_wrong_is_refused():
    frame = long_frame(GOOD).assign(correct=lambda f: f["answer"] == "a")
    frame.loc[2, "correct"] = False
    refused(
        frame,
        "answer: 'a' is correct in row 1 (question 'q1', model 'x', sample_index 0) and wrong in row 3 (question 'q1'",
    )


def test_the_same_answer_may_be_right_in_one_question_and_wrong_in_another():
    frame = long_frame(GOOD)
    frame["truth"] = frame["question_id"].map({"q1": "b", "q2": "a"})
    assert Pool.from_frame(frame).class_correct.tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["score", "confidence"])
def test_a_score_that_is_not_finite_is_refused(column, value):
    frame = long_frame(GOOD, **{column: 0.5})
    frame.loc[3, column] = value
    refused(frame, f"row 4 (question 'q1', model 'y', sample_index 0): {column} is ")


def test_a_sample_without_an_answer_needs_no_score():
    frame = long_frame({("x", "q"): ["a", None]}, score=[0.5, np.nan])
    assert np.isnan(Pool.from_frame(frame).numbers["score"][0, 0, 1])


def test_a_cost_may_be_unknown_but_not_infinite():
    frame = long_frame(GOOD, cost=0.5)
    frame.loc[3, "cost"] = np.nan
    assert np.isnan(Pool.from_frame(frame).numbers["cost"][1, 0, 0])
    frame.loc[3, "cost"] = np.inf
    refused(frame, "cost is inf. Use a finite number")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.iloc[:0], "the pool is empty"),
        (lambda f: f.assign(model=["x", None] * 6), "row 2: model is empty"),
        (lambda f: f.assign(question_id=""), "row 1: question_id is empty"),
        (lambda f: f.assign(sample_index=0.5), "sample_index: not an integer column"),
        (lambda f: f.assign(sample_index="first"), "sample_index: not an integer column"),
        (lambda f: f.assign(sample_index=-1), "Number the samples of a question and model from 0"),
        (lambda f: f.assign(score="high"), "column 'score' is not numeric"),
        (lambda f: f.assign(truth=[None] * 12), "truth is empty and the table has no column 'correct'"),
        (lambda f: f.assign(correct="perhaps"), "correct is 'perhaps'. Use true or false."),
        (lambda f: f.assign(correct=[None] * 12), "correct is None. Use true or false."),
        (
            lambda f: f.assign(answer=[None] * 12, correct=True),
            "correct is true, but the answer is empty. Add the answer",
        ),
    ],
)
def test_bad_rows_are_refused(change, says):
    refused(change(long_frame(GOOD)), says)


def test_conditions_that_leave_nothing_are_refused():
    refused(long_frame(GOOD, topic="t"), "the pool is empty", where=[("topic", "!=", "t")])


@pytest.mark.parametrize("right", [True, 1, 1.0, "true", "True", "1", "1.0"])
@pytest.mark.parametrize("wrong", [False, 0, 0.0, "false", "False", "0"])
def test_correct_in_the_ways_people_write_it(right, wrong):
    frame = long_frame(GOOD)
    frame["correct"] = [right if answer == "a" else wrong for answer in frame["answer"]]
    assert Pool.from_frame(frame.drop(columns="truth")).fingerprint == make_pool(GOOD).fingerprint


def test_sample_index_as_text_or_huge_ids_orders_the_samples():
    frame = long_frame({("x", "q"): list("abca")})
    ids = np.array([9, 3, 7, 5]) + 2**60
    for given_ in (ids, ids.astype(str)):
        pool = Pool.from_frame(frame.assign(sample_index=given_))
        assert pool.codes[0, 0].tolist() == [1, 0, 2, 0]
        assert pool.to_frame()["sample_index"].tolist() == sorted(ids)


def test_the_order_of_rows_does_not_matter_but_first_appearance_names_models_and_questions():
    frame = long_frame(GOOD)
    shuffled = pd.concat([frame.iloc[[0]], frame.iloc[1:].sample(frac=1, random_state=1)])
    pool = Pool.from_frame(shuffled).select(models=["x", "y"], questions=["q1", "q2"])
    assert pool.to_frame().sort_values(["model", "question_id"]).answer.tolist() == (
        frame.sort_values(["model", "question_id"]).answer.tolist()
    )


def test_columns_of_questions_and_of_samples_are_told_apart():
    frame = long_frame(GOOD, topic="t", tokens=range(12))
    pool = Pool.from_frame(frame)
    assert pool.questions.columns.tolist() == ["question_id", "truth", "topic"]
    assert pool.extra.column_names == ["tokens"]
    assert sorted(pool.to_frame()["tokens"]) == list(range(12))


def test_arrays_cannot_be_written():
    pool = make_pool(GOOD, cost=1.0)
    for mapping in (pool.numbers, pool.info):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["cost"] = 1
    for array in (pool.codes, pool.lengths, pool.class_correct, pool.numbers["cost"]):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


# Select, describe -----------------------------------------


def test_select_models_questions_and_columns():
    pool = make_pool(GOOD, topic="t", tokens=range(12), cost=range(12))
    part = pool.select(models=["y"], questions=["q2"])
    assert part.models == ("y",)
    assert part.question_ids == ["q2"]
    assert part.to_frame()["answer"].tolist() == ["c", "a", "b"]
    assert part.to_frame()["tokens"].tolist() == part.to_frame()["cost"].tolist() == [9, 10, 11]
    assert pool.select(models=["y", "x"]).models == ("y", "x")
    assert pool.select(where={"question_id": "q1"}).question_ids == ["q1"]
    assert pool.select(where=[("tokens", "<", 6)]).question_ids == ["q1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": ["xx"]}, "no model 'xx' in this pool; did you mean 'x'? Choose from 'x', 'y'"),
        ({"models": ["x", "x"]}, "is empty or repeats a model. Name each model once."),
        ({"models": []}, "is empty or repeats a model. Name each model once."),
        ({"questions": ["q3"]}, "no question 'q3'; choose from 'q1', 'q2'"),
        ({"min_samples": -1}, "min_samples=-1 is out of range. Use an integer from 0"),
        ({"min_samples": 4}, "select: no questions remain, the conditions exclude all 2 questions"),
        ({"where": {"topic": "t"}}, "no column 'topic'"),
    ],
)
def test_select_refuses(options, says):
    with pytest.raises(MssimError) as error:
        make_pool(GOOD).select(**options)
    assert says in str(error.value)


@given(pools())
def test_selecting_everything_changes_nothing(pool):
    same = pool.select(models=pool.models, questions=pool.question_ids)
    assert same.fingerprint == pool.fingerprint
    pd.testing.assert_frame_equal(same.to_frame(), pool.to_frame())


@given(pools())
def test_a_frame_comes_back_as_the_same_pool(pool):
    assert Pool.from_frame(pool.to_frame()).fingerprint == pool.fingerprint


def test_describe_counts_by_hand():
    pool = make_pool({("x", "q1"): ["a", "b", None, None], ("x", "q2"): ["a", "a", "a"], ("y", "q1"): ["b"]})
    x, y = pool.describe().to_dict("records")
    assert x == {
        "model": "x",
        "questions": 2,
        "samples_min": 3,
        "samples_median": 3.5,
        "samples_max": 4,
        "no_answer": pytest.approx(2 / 7),
        "distinct_answers": 1.5,
        "accuracy": pytest.approx((1 / 4 + 1) / 2),
        "top_share": pytest.approx((1 / 4 + 1) / 2),
    }
    assert (y["questions"], y["samples_max"], y["accuracy"]) == (1, 1, 0.0)


# Save, load -----------------------------------------------


def full_pool():
    return Pool.from_frame(
        long_frame(
            GOOD, topic="t", tokens=range(12), cost=[0.5] * 11 + [np.nan], text=[f"text {i}" for i in range(12)]
        ),
        info={"title": "a title", "licence": "MIT", "settings": {"temperature": 1.0}},
    )


def test_a_saved_pool_comes_back(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    back = load_pool(tmp_path / "pool")
    assert back.fingerprint == pool.fingerprint
    assert back.info == pool.info
    pd.testing.assert_frame_equal(back.to_frame(), pool.to_frame())
    pd.testing.assert_frame_equal(back.questions, pool.questions)
    assert load_pool(tmp_path / "pool", where={"question_id": "q2"}).question_ids == ["q2"]
    back.save(tmp_path / "again")
    pd.testing.assert_frame_equal(load_pool(tmp_path / "again").to_frame(), pool.to_frame())


def test_questions_without_samples_survive(tmp_path):
    make_pool(GOOD).save(tmp_path / "pool")
    part = load_pool(tmp_path / "pool", where=[("question_id", "!=", "q1")])
    assert part.question_ids == ["q2"]


def test_saving_never_overwrites_unasked(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    with pytest.raises(PoolError, match=r"already exists\. Choose another path or pass overwrite=True"):
        make_pool(GOOD).save(tmp_path / "pool")
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    pool.select(models=["x"]).save(tmp_path / "pool", overwrite=True)
    assert load_pool(tmp_path / "pool").models == ("x",)
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_a_pool_travels_to_other_processes():
    pool = full_pool()
    back = pickle.loads(pickle.dumps(pool))
    assert back.fingerprint == pool.fingerprint
    with pytest.raises(ValueError, match="read-only"):
        back.codes[:] = 0


def test_info_cannot_break_the_folder(tmp_path):
    pool = Pool.from_frame(long_frame(GOOD), info={"schema": 9, "files": {"x": "y"}, "title": "t"})
    pool.save(tmp_path / "pool")
    assert dict(load_pool(tmp_path / "pool").info) == {"title": "t"}
    with pytest.raises(PoolError, match="info: cannot be written to"):
        Pool.from_frame(long_frame(GOOD), info={"made": pd.Timestamp(0)}).save(tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_overwriting_replaces_a_pool_alone(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    (tmp_path / "pool" / "README.md").write_text("the data card")
    pool.save(tmp_path / "pool", overwrite=True)
    assert (tmp_path / "pool" / "README.md").read_text() == "the data card"
    (tmp_path / "pool" / "pool.json").unlink()
    with pytest.raises(PoolError, match="is not a pool folder and is not overwritten"):
        pool.save(tmp_path / "pool", overwrite=True)
    assert len(list((tmp_path / "pool").iterdir())) == 3


def test_a_save_that_fails_leaves_the_old_pool(tmp_path, monkeypatch):
    pool = full_pool()
    pool.save(tmp_path / "pool")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full_disk)
    with pytest.raises(PoolError, match=r"cannot be written \(No space left"):
        make_pool(GOOD).save(tmp_path / "pool", overwrite=True)
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_a_folder_with_samples_alone_is_read_as_that_table(tmp_path):
    long_frame(GOOD, topic="t").to_parquet(tmp_path / "samples.parquet")
    assert load_pool(tmp_path, where={"topic": "t"}).fingerprint == make_pool(GOOD).fingerprint


def change_json(folder, **change):
    path = folder / "pool.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: change_json(p, schema=2), "unknown schema version. This mssim reads version 1"),
        (lambda p: (p / "pool.json").write_text("{"), "pool.json: not valid JSON"),
        (lambda p: (p / "pool.json").write_text("[]"), "unknown schema version"),
        (lambda p: (p / "pool.json").write_text("[" * 100_000), "pool.json: not valid JSON"),
        (lambda p: (p / "samples.parquet").unlink(), "contains no samples.parquet"),
        (lambda p: (p / "questions.parquet").unlink(), "questions.parquet is listed in pool.json but missing"),
        (lambda p: change_json(p, files={"../x": "0"}), "is listed in pool.json but missing"),
        (
            lambda p: (p / "samples.parquet").write_bytes((p / "samples.parquet").read_bytes()[:-1]),
            "the SHA-256 checksum differs from pool.json",
        ),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, damage, says):
    full_pool().save(tmp_path / "pool")
    damage(tmp_path / "pool")
    with pytest.raises(PoolError) as error:
        load_pool(tmp_path / "pool")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (pd.DataFrame({"question_id": ["q1"], "truth": ["a"]}), "question 'q2' of samples.parquet is missing"),
        (pd.DataFrame({"question_id": ["q1", "q2", "q2"], "truth": ["a"] * 3}), "a question_id is repeated"),
        (pd.DataFrame({"truth": ["a"] * 2}), "the column question_id is missing"),
    ],
)
def test_questions_that_do_not_fit_are_refused(tmp_path, questions, says):
    full_pool().save(tmp_path / "pool")
    change_json(tmp_path / "pool", files={})
    questions.to_parquet(tmp_path / "pool" / "questions.parquet")
    with pytest.raises(PoolError) as error:
        load_pool(tmp_path / "pool")
    assert f"questions.parquet: {says}" in str(error.value)


# Warnings -------------------------------------------------


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
        (GOOD | {("y", "q2"): ["c"]}, {}, "samples per question and model range from 1 to 3"),
        ({k: v for k, v in GOOD.items() if k != ("y", "q2")}, {}, "model 'y' has no samples for 1 of 2 questions"),
        (GOOD | {("y", "q2"): ["c", None, "a"]}, {}, "model 'y' gives no answer in 16.7% of its samples"),
        (GOOD, {"text": "the very same response, forty characters long"}, "8 of 12 long texts repeat an earlier one"),
        (GOOD, {"temperature": [0.5, 1.0, 1.0] * 4}, "mixed settings: column 'temperature' varies within a model"),
    ],
)
def test_pool_warnings_are_emitted(tmp_path, answers, columns, says):
    message = warned(answers, tmp_path, **columns)
    assert says in message
    assert message.count("|") == 0


@pytest.mark.parametrize(("silent", "warns"), [(5, False), (6, True)])
def test_more_than_one_sample_in_twenty_without_an_answer_is_warned_of(tmp_path, silent, warns):
    message = warned({("x", "q"): ["a"] * (100 - silent) + [None] * silent}, tmp_path)
    assert ("gives no answer in 6.0% of its samples" in message) == warns


def test_more_answers_than_codes_are_refused():
    refused(long_frame({("x", "q"): [str(i) for i in range(2**15 - 1)]}), "has more than 32766 distinct answers")


def test_a_setting_that_belongs_to_a_model_is_no_mixture(tmp_path):
    assert warned(GOOD, tmp_path, temperature=[0.5] * 3 + [1.0] * 3 + [0.5] * 3 + [1.0] * 3) == ""


def test_short_texts_repeat_naturally(tmp_path):
    assert warned(GOOD, tmp_path, text="7") == ""


# Alignment ---------------------------------------------------


@given(st.data())
def test_selecting_from_a_ragged_pool_equals_filtering_its_table(data):
    """Every row carries its own token, cost and answer; none may slip to another sample."""
    cells = st.integers(0, 4)
    sizes = {(m, q): data.draw(cells) for m in "xyz" for q in "abc"}
    frame = long_frame({(m, q): [f"{m}{q}{i}" for i in range(n)] for (m, q), n in sizes.items()})
    assume(len(frame) > 0)
    frame["token"], frame["cost"] = [f"t{i}" for i in range(len(frame))], np.arange(len(frame)) / 4
    frame["half"] = np.arange(len(frame)) % 2
    shuffled = frame.sample(frac=1, random_state=data.draw(st.integers(0, 9)))
    pool = Pool.from_frame(shuffled)
    models = data.draw(st.lists(st.sampled_from(pool.models), min_size=1, unique=True))
    questions = data.draw(st.lists(st.sampled_from(pool.question_ids), min_size=1, unique=True))
    halves = data.draw(st.sampled_from([None, 0, 1]))
    kept = frame if halves is None else frame[frame["half"] == halves]
    assume(set(models) <= set(kept["model"]) and set(questions) <= set(kept["question_id"]))
    wanted = kept[kept["model"].isin(models) & kept["question_id"].isin(questions)]
    where = None if halves is None else {"half": halves}
    part = pool.select(models=models, questions=questions, where=where).to_frame()
    columns = ["question_id", "model", "answer", "token", "cost"]
    order = ["model", "question_id", "token"]
    pd.testing.assert_frame_equal(
        part[columns].sort_values(order, ignore_index=True),
        wanted[columns].sort_values(order, ignore_index=True),
        check_dtype=False,
    )
