"""Features of questions: numbers, words of columns, and hashed words of the text."""

import sys

import numpy as np
import pandas as pd
import pytest

from mssim import MssimError
from mssim.rules.question_features import check_features, distances, features_of

KNOWN = pd.DataFrame(
    {
        "question_id": ["a", "b", "c", "d"],
        "question": ["How many legs?", "many, many eyes", None, ""],
        "level": [1, 2, 3, 6],
        "hard": [True, False, False, True],
        "same": [7.5] * 4,
        "topic": ["x", "y", "x", None],
    }
)
ASKED = pd.DataFrame(
    {"question": ["legs"], "level": [5], "hard": [True], "same": [8.5], "topic": ["z"]},
)


def test_numbers_are_scaled_by_the_training_questions():
    known, asked = features_of(KNOWN, ASKED, ["level", "hard"])
    assert known.mean(axis=0) == pytest.approx([0, 0])
    assert known.std(axis=0) == pytest.approx([1, 1])
    assert asked == pytest.approx(np.array([[2 / np.sqrt(3.5), 1]]))


def test_a_number_that_never_differs_says_nothing():
    assert [part.any() for part in features_of(KNOWN, ASKED, ["same"])] == [False, False]


def test_other_values_have_a_feature_each_and_new_ones_none():
    known, asked = features_of(KNOWN, ASKED, ["topic"])
    assert known.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]  # a missing value is one, too
    assert asked.tolist() == [[0, 0, 0]]
    assert features_of(KNOWN, KNOWN, ["topic", "level"])[1].shape == (4, 4)


def test_words_are_hashed_without_looking_at_other_questions():
    known, asked = features_of(KNOWN, ASKED)
    alone = features_of(KNOWN[1:2], ASKED)[0]
    assert (known[1] != alone[0]).nnz == 0
    assert known.power(2).sum(axis=1).ravel().tolist()[0] == pytest.approx([1, 1, 0, 0])
    # Cosines: one of three words is the same, and none of two.
    assert distances(asked, known).tolist()[0] == pytest.approx([2 - 2 / np.sqrt(3), 2, 1, 1])


def test_distances_are_never_negative():
    rows = np.full((1, 3), 1 / 3)
    assert distances(rows * 1e8, rows * 1e8).min() >= 0
    assert distances(np.array([[1.0, 2.0]]), np.array([[4.0, 6.0], [1.0, 2.0]])).tolist() == [[25, 0]]


@pytest.mark.parametrize(
    ("questions", "columns", "message"),
    [
        (KNOWN, ["levels"], r"features='levels': no such question column\. Did you mean 'level'\?"),
        (KNOWN.assign(level=[1, None, 3, 4]), ["topic", "level"], "column 'level' has missing or infinite numbers. Fi"),
        (KNOWN.assign(level=[1, np.inf, 3, 4]), ["level"], "column 'level' has missing or infinite numbers"),
        (
            KNOWN[["question_id", "level"]],
            None,
            r"no column 'question' with their text\. Set features= to one of \['le",
        ),
    ],
)
def test_what_questions_lack_is_named(questions, columns, message):
    with pytest.raises(MssimError, match=message):
        check_features(questions, columns)


def test_questions_that_lack_nothing_pass():
    check_features(KNOWN, None)
    check_features(KNOWN, ["level", "topic"])


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(
        MssimError, match=r"requires scikit-learn.* Install it with `pip install mssim\[route\]`, or set"
    ):
        check_features(KNOWN, None)
    check_features(KNOWN, ["level"])
