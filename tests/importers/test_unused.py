"""Columns that no name reads: verdicts that contradict the truth, and several data sets under one id."""

import numpy as np
import pyarrow as pa
import pytest

from mssim.importers.unused import contradicted, of_several_sets, said_verdicts


def columns(**values):
    return {name: pa.chunked_array([column]) for name, column in values.items()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, None], [1, 0, -1]),
        ([1, 0, 1], [1, 0, 1]),
        (["True", "false", None], [1, 0, -1]),
        ([1.0, 0.5, 0.0], None),
        ([None, None, None], None),
        (["yes", "no", "Wrong"], [1, 0, 0]),
        (["A", "B", "A"], None),
        ([[1], [0], [1]], None),
    ],
)
def test_a_column_of_right_and_wrong_is_found_by_its_name(values, expected):
    for name in ("is_correct", "score"):
        found = said_verdicts(columns(**{name: values, "other": [True, True, True]}))
        assert (found and (found[0], found[1].tolist())) == (expected and (name, expected))
    assert said_verdicts(columns(other=values)) is None


def test_unused_verdicts_are_said_if_they_contradict_the_truth():
    given = columns(question_id=["q", "q", "r"], answer=["7.", None, "8"], passed=[True, False, None])
    assert contradicted(given, np.array([1, 0, 0], np.int8)) == []
    assert contradicted(columns(question_id=["q"], answer=["7"]), np.array([1], np.int8)) == []
    assert contradicted(given, np.array([0, 1, 1], np.int8)) == [
        "column 'passed' is not read as the verdict, and disagrees with the comparison of answers and truths on 2 of 2 "
        "samples, e.g. question 'q': answer '7.' is right by 'passed' and wrong by the truth. If it holds the "
        "verdicts, map it: names={'correct': 'passed'}."
    ]


def test_several_data_sets_under_one_id_are_said():
    given = columns(question_id=["0", "0", "1", "1"], model=["m", "m", "m", "n"], subset=["a", "b", "a", "b"])
    assert of_several_sets(given, {"question_id": "idx"}) == [
        "the column 'subset' has several values in 1 question, e.g. 'a' and 'b' for question '0'. If the ids start "
        "anew in each, samples of different questions are joined. Use names={'question_id': 'subset+idx'}."
    ]
    assert of_several_sets({**given, "subset": pa.chunked_array([["a", None, "a", "b"]])}, {}) == []
    assert of_several_sets({**given, "subset": pa.chunked_array([[None] * 4])}, {}) == []
    lists = {**given, "options": pa.chunked_array([[["x", "y"], ["y", "x"], ["x"], ["x"]]])}
    del lists["subset"]
    assert "e.g. ['x', 'y'] and ['y', 'x'] for question '0'" in of_several_sets(lists, {})[0]
