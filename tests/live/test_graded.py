"""What a live run says of the graded pool: where classes differ, and where truths are missing."""

import pandas as pd
import pytest

from mssim.live import Answer, Decision, Drawn
from mssim.live.graded import differences, untold_truths

DONE = Decision(0, "budget", 0)


def answered(*codes, question="q1", **more):
    return Answer(question, DONE, "7", "7", True, tuple(Drawn("a", i, code, **more) for i, code in enumerate(codes)))


def graded(folder, *answers, question="q1"):
    frame = pd.DataFrame(
        {"question_id": question, "model": "a", "sample_index": range(len(answers)), "answer": answers},
    ).astype({"answer": object})
    frame.to_parquet(folder / "samples.parquet")


@pytest.mark.parametrize(
    ("codes", "answers"),
    [((0, 1, 0, -1), ("7", "8", "7", None)), ((0, 0), ("7", "7")), ((0,), ("7", "8", "9")), ((-1,), (None,))],
)
def test_equal_classes_need_no_note(tmp_path, codes, answers):
    graded(tmp_path, *answers)
    assert differences(tmp_path, [answered(*codes)]) == []


@pytest.mark.parametrize(
    ("codes", "answers"),
    [((0, 0), ("7", "8")), ((0, 1), ("7", "7")), ((0, -1), ("7", "7")), ((0, -1), ("7", "8")), ((0, 1), ("7", None))],
)
def test_other_classes_are_said(tmp_path, codes, answers):
    graded(tmp_path, *answers)
    (note,) = differences(tmp_path, [answered(*codes)])
    assert note.startswith("1 question, first 'q1', has other answer classes in the graded pool than in this run")


def test_classes_of_two_questions_are_compared_apart(tmp_path):
    both = [("q1", "7"), ("q1", "8"), ("q2", "8"), ("q2", "7")]
    frame = pd.DataFrame([(q, "a", i % 2, text) for i, (q, text) in enumerate(both)])
    frame.columns = ["question_id", "model", "sample_index", "answer"]
    frame.to_parquet(tmp_path / "samples.parquet")
    assert differences(tmp_path, [answered(0, 1), answered(0, 1, question="q2")]) == []
    (note,) = differences(tmp_path, [answered(0, 0), answered(0, 0, question="q2")])
    assert note.startswith("2 questions, first 'q1', have other answer classes")


def test_samples_that_a_limit_cut_off_are_said_apart(tmp_path):
    graded(tmp_path, "7", "7")
    cut = answered(-1, -1, finish_reason="length")
    (note,) = differences(tmp_path, [cut], ["a"])
    assert note.startswith("2 samples were cut off by max_tokens of the strategy and are no answer in this run.")
    (note,) = differences(tmp_path, [cut])
    assert "other answer classes" in note
    graded(tmp_path, None, None)
    assert differences(tmp_path, [cut], ["a"]) == []


def test_without_draws_or_files_there_is_nothing_to_compare(tmp_path):
    assert differences(tmp_path, [answered(0)]) == []
    graded(tmp_path, "7")
    assert differences(tmp_path, [Answer("q1", None)]) == []


def test_missing_truths_are_counted():
    assert untold_truths(["7"]) == []
    assert untold_truths([None, None]) == [
        "2 questions have no truth. They count for no accuracy here, and as wrong in the pool."
    ]
