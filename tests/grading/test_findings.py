"""What grading tells of the samples beside their grades."""

import pyarrow.parquet as pq
import pytest

from mssim.grading import grade, grade_file, parse_rule
from mssim.pools.folder import read_info, write_info
from tests.grading.tables import questions_table, samples_table

TEXTS = {("q1", "a"): ["7", "", "It is 8"], ("q2", "a"): ["9", "", ""]}


def notes(tmp_path, texts=TEXTS, judged=False, **columns):
    pq.write_table(samples_table(texts, **columns), tmp_path / "in.parquet")
    found = grade_file(
        tmp_path / "in.parquet",
        tmp_path / "out.parquet",
        questions_table({"q1": "7", "q2": "4"}),
        parse_rule("number"),
        judged=judged,
    )
    assert found.warnings() == list(found.notes)
    return found.warnings(), pq.read_table(tmp_path / "out.parquet")


def test_samples_that_were_cut_off_and_empty_texts(tmp_path):
    reasons = ["stop", "length", "length", "stop", "stop", "length"]
    assert notes(tmp_path, finish_reason=reasons, reasoning=[None, "Hm", None, None, None, None])[0] == [
        "3 of 6 samples of a were cut off (finish_reason length).",
        "3 of 6 texts of a are empty, 2 cut off, 1 with no reason given. 1 of them has reasoning.",
        "1 of 6 samples of a has reasoning, kept in the column reasoning.",
    ]


def test_a_model_without_a_right_answer(tmp_path):
    texts = {("q1", "a"): ["8", "none"], ("q2", "a"): ["9"], ("q1", "b"): ["7"], ("q1", "c"): ["none", "6"]}
    assert notes(tmp_path, texts)[0] == [
        "no answer of a is right, e.g. question q1: answer '8', truth '7'. Check the grading rule and the truths."
    ]


def test_batches_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.grading.sample_files._ROWS", 2)
    texts = {("q1", "a"): ["8", "8", "8", "7"], ("q1", "b"): ["8"] * 3, ("q2", "b"): ["8"]}
    requests = [f"r{i // 2}" for i in range(8)]
    found, _ = notes(tmp_path, texts, request_id=requests, request_samples=2)
    assert found[0].startswith("no answer of b is right, e.g. question q1: answer '8'")
    assert len(found) == 1
    found, _ = notes(tmp_path, texts, request_id=requests[4:] + requests[:4], request_samples=2, served_model=requests)
    assert [warning[:25] for warning in found] == [
        "a was served by 2 models:",
        "b was served by 2 models:",
        found[2][:25],
    ]


@pytest.mark.parametrize("column", ["correct", "correct_in_source"])
def test_verdicts_of_the_source_are_compared_and_kept(tmp_path, column):
    verdicts = [True, True, False, True, False, None]
    found, table = notes(tmp_path, judged=column == "correct", **{column: verdicts})
    says = (
        "the rule number and the verdicts of the file disagree on 2 of 5 samples, e.g. question q1: no answer, truth "
        "'7', wrong by the rule and right in the file. The verdicts of the file are in the column correct_in_source."
    )
    assert found[0] == says
    assert table["correct_in_source"].to_pylist() == verdicts
    assert table["correct"].to_pylist() == [True] + [False] * 5


def test_earlier_grades_are_no_verdicts(tmp_path):
    found, table = notes(tmp_path, correct=[False] * 6)
    assert not any("disagree" in warning for warning in found)
    assert "correct_in_source" not in table.column_names


def test_a_pool_is_compared_until_it_was_graded_and_keeps_its_verdicts(tmp_path):
    texts = {("q1", "a"): ["7", "8"]}
    pq.write_table(samples_table(texts, answer=["x", "y"], correct=[False, False]), tmp_path / "samples.parquet")
    pq.write_table(questions_table({"q1": "7"}), tmp_path / "questions.parquet")
    write_info(tmp_path, tmp_path, {"title": "t"})
    for _ in range(2):  # the second time, the verdicts are those that the first one kept
        (warning,) = grade(tmp_path, "number").warnings()
        assert "disagree on 1 of 2 samples, e.g. question q1: answer '7', truth '7', right by the rule" in warning
    assert read_info(tmp_path)["grader"]["rule"] == "number"
