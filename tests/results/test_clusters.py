"""Clusters: labels, sums, and CR2 standard errors against matrices written out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

from mssim import MssimError
from mssim.results.clusters import cluster_labels, cluster_sums, degrees_of_freedom, standard_error
from mssim.results.differences import mean_difference

VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=30)


@given(VALUES)
def test_standard_error_is_that_of_the_mean(values):
    assert standard_error(values) == pytest.approx(stats.sem(values), abs=1e-12)


def by_matrices(values, labels, power=-0.5):
    """CR2 and Bell and McCaffrey's degrees of freedom of a regression on a constant, as defined for any regression.

    With the power -1 in place of -1/2, these are the sums of squares and degrees of freedom of the jackknife.
    """
    n = len(values)
    design = np.ones((n, 1))
    hat = design @ design.T / n
    residuals = values - np.mean(values)
    meat, columns = 0.0, []
    for label in sorted(set(labels)):
        inside = np.array(labels) == label
        adjust = linalg.fractional_matrix_power(np.eye(inside.sum()) - hat[np.ix_(inside, inside)], power)
        meat += (design[inside].T @ adjust @ residuals[inside]).item() ** 2
        columns.append((np.eye(n) - hat)[:, inside] @ adjust @ design[inside, 0] / n)
    gram = np.array(columns) @ np.array(columns).T
    return np.sqrt(meat) / n, np.trace(gram) ** 2 / (gram**2).sum()


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=2, max_size=20))
def test_error_and_degrees_of_freedom_are_those_of_cr2(rows):
    values, labels = np.array([x for x, _ in rows]), [g for _, g in rows]
    error = standard_error(values, labels)
    if len(set(labels)) < 2:
        assert np.isnan(error)
        return
    expected, freedom = by_matrices(values, labels)
    assert error == pytest.approx(expected, abs=1e-12)
    sizes = np.unique(labels, return_counts=True)[1]
    assert degrees_of_freedom(sizes) == pytest.approx(freedom)
    jackknife, freedom = by_matrices(values, labels, -1)
    assert degrees_of_freedom(sizes, jackknife=True) == pytest.approx(freedom)
    found = mean_difference(values, clusters=labels)
    if found.method == "t" and jackknife > 1e-9:
        half = stats.t.ppf(0.975, freedom) * np.sqrt(1 - 1 / sizes.size) * jackknife
        assert found.high == pytest.approx(min(values.mean() + half, 1))


def test_known_errors_and_degrees_of_freedom():
    equal = np.repeat([1.0, 0, 1, 0, 1, 0, 1, 0, 1, 0], [9, 1, 8, 2, 7, 3, 10, 0, 9, 1])
    assert standard_error(equal, np.arange(50) // 10) == pytest.approx(0.05099, abs=5e-6)
    assert degrees_of_freedom([10] * 5) == pytest.approx(4)
    unequal = np.repeat([1.0, 0, 1, 0, 1, 0, 1, 0], [3, 2, 4, 0, 10, 2, 2, 7])
    assert standard_error(unequal, np.repeat(range(4), [5, 4, 12, 9])) == pytest.approx(0.187595, abs=5e-7)
    assert degrees_of_freedom([5, 4, 12, 9]) == pytest.approx(2.4506, abs=5e-5)


def test_clusters_of_one_question_each_change_nothing():
    values = np.random.default_rng(0).random((3, 2, 20))
    assert standard_error(values, np.arange(20)) == pytest.approx(standard_error(values))
    assert standard_error(values).shape == (3, 2)
    sums, sizes = cluster_sums(values, np.arange(20)[::-1])
    assert (sums is values, sizes.tolist()) == (True, [1.0] * 20)


def test_sums_of_clusters_by_hand():
    sums, sizes = cluster_sums(np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 1.0]]), ["b", "a", "b"])
    assert (sums.tolist(), sizes.tolist()) == ([[2.0, 5.0], [1.0, 1.0]], [1.0, 2.0])


def test_degrees_of_freedom_of_many_clusters_need_no_matrix():
    assert degrees_of_freedom(np.ones(100_000)) == pytest.approx(99_999)


@pytest.mark.parametrize("sizes", [[5], [], [3, 0], [[2, 2]]])
def test_degrees_of_freedom_need_two_clusters(sizes):
    with pytest.raises(MssimError, match="numbers of questions of at least two clusters"):
        degrees_of_freedom(sizes)


def test_clusters_that_are_not_one_per_question_are_refused():
    with pytest.raises(MssimError, match="clusters: 2 labels for 3 questions"):
        standard_error([1.0, 0.0, 1.0], clusters=["a", "b"])


@pytest.mark.parametrize("clusters", [[None, "a"], [["a"], ["b"]], [["a"], ["b", "c"]], "ab", []])
def test_clusters_that_are_not_one_label_each(clusters):
    with pytest.raises(MssimError, match="clusters: "):
        standard_error([0.0, 1.0], clusters=clusters)


def test_clusters_are_a_column_of_the_questions():
    questions = pd.DataFrame({"question_id": ["q1", "q2"], "topic": [1, 2]})
    assert cluster_labels(questions) is None
    assert cluster_labels(questions, "topic").tolist() == ["1", "2"]
    with_clusters = questions.assign(cluster=["a", "b"])
    assert cluster_labels(with_clusters).tolist() == ["a", "b"]
    assert cluster_labels(with_clusters, "question_id") is None
    with pytest.raises(MssimError, match=r"clusters: no column 'topics'\. Did you mean 'topic'"):
        cluster_labels(questions, "topics")
    with pytest.raises(MssimError, match="clusters: question 'q2' has no value in column 'topic'"):
        cluster_labels(questions.assign(topic=["a", None]), "topic")


@pytest.mark.parametrize("column", [5, ["cluster"], {"a": 1}, b"cluster"])
def test_a_column_of_clusters_is_named_by_text(column):
    with pytest.raises(MssimError, match="is not the name of a column"):
        cluster_labels(pd.DataFrame({"question_id": ["q"]}), column)


def test_labels_that_are_no_text_are_refused():
    with pytest.raises(MssimError, match="'bytes' cannot be written as text"):
        cluster_labels(
            pd.DataFrame({"question_id": ["q"], "bytes": [b"\xff"]}).astype({"bytes": "large_binary[pyarrow]"}), "bytes"
        )


def test_labels_of_clusters_are_compared_without_white_space():
    questions = pd.DataFrame({"question_id": ["q", "r", "s"], "cluster": ["a", "a ", "b"]})
    assert cluster_labels(questions).tolist() == ["a", "a", "b"]
