"""Columns of a long table: the first row that cannot be meant is named, with a remedy."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool, PoolError, load_pool
from mssim.importers import from_table
from tests.conftest import long_frame, make_pool
from tests.pools.tables import GOOD, change_json, full_pool, refused


def test_rows_without_numbers_can_be_numbered(tmp_path):
    frame, path = long_frame(GOOD).drop(columns="sample_index"), tmp_path / "it's.csv"
    number = ", or number the rows: frame.groupby(['question_id', 'model']).cumcount(). Choose from"
    refused(frame, f"column 'sample_index' is missing. Rename one of the columns to 'sample_index'{number}")
    numbered = frame.assign(sample_index=frame.groupby(["question_id", "model"]).cumcount())
    assert Pool.from_frame(numbered).fingerprint == make_pool(GOOD).fingerprint
    frame.to_csv(path, index=False)
    with pytest.raises(PoolError, match=re.escape(f"number the rows: mssim.importers.from_table({str(path)!r}). ")):
        load_pool(path)
    assert from_table(path).fingerprint == make_pool(GOOD).fingerprint


@pytest.mark.parametrize("column", ["question_id", "model", "answer"])
def test_a_missing_column_is_named(column):
    refused(
        long_frame(GOOD).drop(columns=column),
        f"column {column!r} is missing. Rename one of the columns to {column!r}, or see which names `mssim import` "
        "proposes. ",
    )


def test_the_nearest_column_is_offered():
    refused(long_frame(GOOD).rename(columns={"answer": "answers"}), "Did you mean 'answers'?")


def test_correct_or_truth_is_needed():
    refused(long_frame(GOOD).drop(columns="truth"), "has neither a column 'correct' nor a column 'truth'")


@pytest.mark.parametrize(
    ("column", "value"),
    [("score", np.nan), *((column, value) for column in ("score", "confidence") for value in (np.inf, -np.inf))],
)
def test_a_score_that_is_not_finite_is_refused(column, value):
    frame = long_frame(GOOD, **{column: 0.5})
    frame.loc[3, column] = value
    refused(frame, f"row 4 (question 'q1', model 'y', sample_index 0): {column} is ")


def test_a_sample_without_an_answer_needs_no_score():
    frame = long_frame({("x", "q"): ["a", None]}, score=[0.5, np.nan])
    assert np.isnan(Pool.from_frame(frame).numbers["score"][0, 0, 1])


def test_a_confidence_may_be_unknown():
    frame = long_frame(GOOD, confidence=-0.5)
    frame.loc[3, "confidence"] = np.nan
    assert np.isnan(Pool.from_frame(frame).numbers["confidence"][1, 0, 0])


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


@pytest.mark.parametrize("right", [True, 1, 1.0, "true", "True", "1", "1.0"])
@pytest.mark.parametrize("wrong", [False, 0, 0.0, "false", "False", "0"])
def test_correct_in_the_ways_people_write_it(right, wrong):
    frame = long_frame(GOOD)
    frame["correct"] = [right if answer == "a" else wrong for answer in frame["answer"]]
    assert Pool.from_frame(frame.drop(columns="truth")).fingerprint == make_pool(GOOD).fingerprint


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (pd.DataFrame({"question_id": ["q1"], "truth": ["a"]}), "question 'q2' of samples.parquet is missing"),
        (pd.DataFrame({"question_id": ["q1", "q2", "q2"], "truth": ["a"] * 3}), "a question_id is repeated"),
        (pd.DataFrame({"truth": ["a"] * 2}), "column question_id is missing. Restore the file"),
    ],
)
def test_questions_that_do_not_fit_are_refused(tmp_path, questions, says):
    full_pool().save(tmp_path / "pool")
    change_json(tmp_path / "pool", files={})
    questions.to_parquet(tmp_path / "pool" / "questions.parquet")
    with pytest.raises(PoolError) as error:
        load_pool(tmp_path / "pool")
    assert f"questions.parquet: {says}" in str(error.value)


def test_answers_as_bytes_are_text_and_as_lists_refused(tmp_path):
    frame = long_frame({("x", "q"): list("ab")})
    columns = {name: frame[name] for name in frame}
    pq.write_table(pa.table(columns | {"answer": [b"a", "é".encode()]}), tmp_path / "bytes.parquet")
    assert load_pool(tmp_path / "bytes.parquet").to_frame()["answer"].tolist() == ["a", "é"]
    pq.write_table(pa.table(columns | {"answer": [b"a", b"\xff"]}), tmp_path / "bytes.parquet")
    with pytest.raises(PoolError, match="column 'answer' contains bytes that are not UTF-8"):
        load_pool(tmp_path / "bytes.parquet")
    pq.write_table(pa.table(columns | {"answer": [["a"], ["b"]]}), tmp_path / "lists.parquet")
    with pytest.raises(
        PoolError, match=r"column 'answer' has the nested type list.*\. Store its values as text or numbers"
    ):
        load_pool(tmp_path / "lists.parquet")


# Group confidences ----------------------------------------------------------------------------------------------------

GROUPS = [[3.0, 4], [5.0], [1.0], [2.0, 2, 2], [6.0], [7.0], [8.0], [9.0]]


def grouped(answers, groups):
    return long_frame(answers).assign(group_confidence=groups)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([[1.0], [np.nan]], "row 2 (question 'q', model 'x', sample_index 1): group_confidence has a value that is not "
         "a finite number of at least 0."),
        ([[1.0, np.inf], [1.0]], "row 1 (question 'q', model 'x', sample_index 0): group_confidence has a value"),
        ([[1.0], [1.0, -0.5]], "Correct the value or drop the column."),
        ([[1.0], [1.0, None]], "row 2 (question 'q', model 'x', sample_index 1): group_confidence has a value"),
        ([[1.0], []], "row 2 (question 'q', model 'x', sample_index 1): group_confidence is empty, but the sample has"),
        ([None, [1.0]], "row 1 (question 'q', model 'x', sample_index 0): group_confidence is empty"),
        ([None, None], "group_confidence is empty, but the sample has an answer. Record at least one group"),
        ([[["a"]], [["b"]]], "column 'group_confidence' does not contain lists of numbers"),
        ([1.0, 2.0], "column 'group_confidence' has the type double, not lists of numbers. Write an array of numbers "
         "for each sample, in Parquet or JSONL: a CSV file has no arrays."),
        (["[1.0]", "[2.0]"], "column 'group_confidence' has the type "),
    ],
)  # fmt: skip
def test_group_confidences_are_lists_of_numbers(groups, says):
    refused(grouped({("x", "q"): ["a", "b"]}, groups), says)


def test_a_sample_without_an_answer_needs_no_groups():
    pool = Pool.from_frame(grouped({("x", "q"): ["a", None, None]}, [[1.0], None, []]))
    assert [given.tolist() for given in pool.lists("group_confidence", "x")] == [[1], [0, 1, 1, 1]]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int16(), 2)])
def test_any_list_of_numbers_is_read(kind, tmp_path):
    frame = long_frame({("x", "q"): ["a", "b"]})
    table = pa.Table.from_pandas(frame).append_column("group_confidence", pa.array([[1, 2], [3, 4]], kind))
    pq.write_table(table, tmp_path / "samples.parquet")
    pool = load_pool(tmp_path)
    assert pool.lists("group_confidence", "x")[0].tolist() == [1, 2, 3, 4]
    assert "group_confidence" not in pool.questions
    frame.assign(group_confidence=[[1, 2], [3, 4]]).to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    assert load_pool(tmp_path / "x.jsonl").fingerprint == pool.fingerprint
    assert from_table(tmp_path / "x.jsonl").fingerprint == pool.fingerprint


def test_files_of_one_table_may_have_floats_of_different_width(tmp_path):
    frame = long_frame({("x", "q"): ["a", "b", "a"]})
    for i, kind in enumerate([pa.float32(), pa.float64(), pa.float32()]):
        table = pa.Table.from_pandas(frame[i : i + 1], preserve_index=False)
        table = table.append_column("group_confidence", pa.array([[0.5 + i]], pa.list_(kind)))
        pq.write_table(table, tmp_path / f"samples-{i}.parquet")
    assert load_pool(tmp_path).lists("group_confidence", "x")[0].tolist() == [0.5, 1.5, 2.5]
