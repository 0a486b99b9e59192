"""Truths and choices of questions, as grading reads them."""

import json

import pyarrow as pa
import pytest

from mssim import PoolError
from tests.grading.tables import questions_table, samples_table


def test_truths_that_cannot_be_met_are_counted(graded):
    found, _ = graded("number")
    assert found.cannot_match == {"q2": "x/4"}
    assert found.warnings() == [
        "1 of 2 truths are not one number (for others, see rule boxed), such as 'x/4'. "
        "The rule number cannot match them. Choose another rule, or correct the truths."
    ]
    found, _ = graded("exact", questions=questions_table({"q1": None, "q2": "3/4"}))
    assert found.warnings() == [
        "1 of 2 truths are not text, such as a missing truth. The rule exact cannot match them. Choose another rule, "
        "or correct the truths.",
        "no answer of a, b is right, e.g. question q1: answer 'It is 7.0'. Check the grading rule and the truths.",
    ]


def test_choices_of_questions_decide(graded):
    choices = [["yes", "no"], ["3", "4", "3/4"]]
    texts = {("q1", "a"): ["yes", "B", "C"], ("q2", "a"): ["The answer is (c).", "3/4", "D"]}
    truths = {"q1": "yes", "q2": "3/4"}
    for given_ in (pa.array(choices), pa.array([json.dumps(c) for c in choices])):
        _, table = graded("choice", samples_table(texts), questions_table(truths, choices=given_))
        assert table["answer"].to_pylist() == ["A", "B", None, "C", "C", None]
        assert table["correct"].to_pylist() == [True, False, False, True, True, False]
    with pytest.raises(PoolError, match=r"question 'q1': choices='yes' is not a list of text"):
        graded("choice", samples_table(texts), questions_table(truths, choices=["yes", "[]"]))
