"""Folds of questions keep clusters whole, are balanced, and do not depend on the order of the questions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.rules.folds import clusters_of, fold_of

QUESTIONS = pd.DataFrame({"question_id": ["q2", "q1", "q3"], "topic": ["b", " a", "a "], "cluster": [7, 7, 8]})


@given(st.lists(st.integers(0, 8), min_size=2, max_size=60), st.integers(2, 10), st.integers(0, 99))
def test_folds_keep_clusters_whole_and_are_balanced(labels, n_folds, seed):
    clusters = np.unique(labels, return_inverse=True)[1]
    assume(clusters.max() + 1 >= n_folds)
    folds = fold_of(clusters, n_folds, seed)
    assert all(len(set(folds[clusters == c])) == 1 for c in range(clusters.max() + 1))
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= np.bincount(clusters).max()


def test_large_clusters_are_dealt_first():
    clusters = np.repeat(np.arange(13), [1] * 6 + [6] + [1] * 6)
    assert all(np.bincount(fold_of(clusters, 3, seed)).tolist() == [6, 6, 6] for seed in range(20))


def test_folds_depend_on_the_seed_alone():
    first, again, other = (fold_of(np.arange(40), 10, seed) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()
    assert np.bincount(first).tolist() == [4] * 10


def test_clusters_are_those_of_the_column_or_of_the_column_cluster_or_questions():
    assert clusters_of(QUESTIONS, "topic").tolist() == [1, 0, 0]
    assert clusters_of(QUESTIONS).tolist() == [0, 0, 1]
    assert clusters_of(QUESTIONS.drop(columns="cluster")).tolist() == [1, 0, 2]
    assert clusters_of(QUESTIONS.iloc[::-1], "topic").tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("questions", "column", "message"),
    [
        (QUESTIONS, "topics", r"clusters='topics': no such question column\. Did you mean 'topic'\?"),
        (QUESTIONS.assign(topic=["a", None, "b"]), "topic", "question 'q1' has no value in column 'topic'. Fill in"),
        (QUESTIONS[:2], None, "all questions are in one cluster, so there are no others to learn from. Use more"),
    ],
)
def test_clusters_to_learn_from_are_required(questions, column, message):
    with pytest.raises(MssimError, match=message):
        clusters_of(questions, column)
