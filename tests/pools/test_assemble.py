"""Rows become arrays: in order, each sample once, and every answer class right or wrong."""

import numpy as np
import pandas as pd

from mssim import Pool, load_pool
from tests.conftest import long_frame, make_pool
from tests.pools.tables import FOUR, GOOD, load_refused, refused, write_split


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


def test_more_answers_than_codes_are_refused():
    refused(long_frame({("x", "q"): [str(i) for i in range(2**15 - 1)]}), "has more than 32766 distinct answers")


@FOUR
def test_an_answer_that_is_right_in_one_file_and_wrong_in_another(tmp_path):
    frame = long_frame(GOOD).assign(correct=lambda f: f["answer"] == "a").drop(columns="truth")
    frame.loc[10, "correct"] = False
    load_refused(
        write_split(frame, tmp_path / "pool", [7]),
        "answer: 'a' is correct in row 7 of samples-00000.parquet (question 'q2', model 'x', sample_index 0) and wrong "
        "in row 4 of samples-00001.parquet (question 'q2', model 'y', sample_index 1)",
    )


@FOUR
def test_one_sample_in_two_files(tmp_path):
    frame = long_frame(GOOD, run=1)
    twice = pd.concat([frame, frame.iloc[[4]].assign(run=2)], ignore_index=True)
    load_refused(
        write_split(twice, tmp_path / "pool", [9]),
        "2 rows hold the same sample, the second is row 4 of samples-00001.parquet (question 'q1', model 'y', "
        "sample_index 1). Column 'run' distinguishes them: select one value with where={'run': ...} (1, 2)",
    )
    assert load_pool(tmp_path / "pool", where={"run": 1}).fingerprint == make_pool(GOOD).fingerprint
