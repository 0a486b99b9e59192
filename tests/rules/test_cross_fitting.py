"""Predictions from questions of other folds: equal to plain Python, and blind to a question's own values."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError, StrategyError
from mssim.rules.cross_fitting import CrossFitting
from mssim.rules.folds import clusters_of, fold_of
from tests import naive_strategies
from tests.conftest import examples

WAYS = {
    "all": CrossFitting(),
    "column": CrossFitting("topic"),
    "column, clusters": CrossFitting("topic", folds=3, clusters="level"),
    "nearest words": CrossFitting("knn", k=3),
    "nearest columns": CrossFitting("knn", k=2, features=("level", "topic"), folds=4),
    "regression on words": CrossFitting("logistic", folds=2),
    "regression on columns": CrossFitting("logistic", features=("topic", "level"), folds=3),
}
# scikit-learn takes seconds to import.
every_way = pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=pytest.mark.slow if "words" in name else ()) for name, way in WAYS.items()]
)
few = settings(max_examples=examples(16))


@st.composite
def cases(draw):
    """Questions, and values of two models that often tie."""
    n = draw(st.integers(6, 24))

    def several(values):
        return draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    frame = pd.DataFrame(
        {
            "question_id": [f"q{i}" for i in range(n)],
            "topic": several("abc"),
            "level": [1, 2, *several([1, 2, 3, 5])[2:]],
            "question": several(["how many legs", "which leg is it", "legs of many legs", "who", ""]),
        }
    )
    return frame, np.array([several([0.0, 0.25, 0.5, 1.0]) for _ in range(2)])


def questions_of(frame):
    return [dict(row, place=i) for i, row in enumerate(frame.to_dict("records"))]


@every_way
@few
@given(cases())
def test_predictions_equal_the_naive_ones(way, case):
    frame, values = case
    found = way.predict(values, frame)
    questions = questions_of(frame)
    folds = naive_strategies.folds_of([str(one[way.clusters or "question_id"]) for one in questions], way.folds)
    for question, fold in zip(questions, folds, strict=True):
        training = [other for other, its in zip(questions, folds, strict=True) if its != fold]
        expected = naive_strategies.scores_of(way, question, training, values.tolist())
        assert found[:, question["place"]] == pytest.approx(expected, abs=1e-6)


@every_way
@few
@given(cases(), st.data())
def test_values_of_a_fold_have_no_effect_on_its_predictions(way, case, data):
    frame, values = case
    one = data.draw(st.integers(0, len(frame) - 1))
    clusters = clusters_of(frame, way.clusters)
    folds = fold_of(clusters, min(way.folds, clusters.max() + 1), 0)
    changed = values.copy()
    changed[:, folds == folds[one]] = data.draw(st.sampled_from([0.0, 0.7, 1.0]))
    before, after = way.predict(values, frame), way.predict(changed, frame)
    assert np.array_equal(before[:, folds == folds[one]], after[:, folds == folds[one]])


@every_way
@few
@given(cases(), st.data())
def test_only_training_questions_are_learnt_from(way, case, data):
    frame, values = case
    n = data.draw(st.integers(3, len(frame) - 1))
    training = np.arange(len(frame)) < n
    changed = values.copy()
    changed[:, ~training] = 1 - changed[:, ~training]
    before, after = (way.predict(given, frame, training) for given in (values, changed))
    assert np.array_equal(before, after)
    # Among themselves they are cross-fitted, and of the others all of them are learnt from.
    alone = way.predict(values[:, training], frame[training])
    assert before[:, training] == pytest.approx(alone)
    questions = questions_of(frame)
    last = naive_strategies.scores_of(way, questions[-1], questions[:n], values.tolist())
    assert before[:, -1] == pytest.approx(last, abs=1e-6)


@given(cases())
@few
def test_the_order_of_the_questions_changes_nothing(case):
    frame, values = case
    order = np.random.default_rng(len(frame)).permutation(len(frame))
    for way in (WAYS["column"], WAYS["nearest columns"], WAYS["all"]):
        found = way.predict(values[:, order], frame.iloc[order].reset_index(drop=True))
        assert found == pytest.approx(way.predict(values, frame)[:, order])


def test_values_of_few_questions_and_missing_ones_are_not_learnt_from():
    topics = ["rare"] * 5 + ["usual"] * 13 + [None] * 2
    frame = pd.DataFrame({"question_id": range(20), "topic": topics})
    values = np.array([[0.0] * 5 + [1.0] * 13 + [0.5] * 2])
    found = CrossFitting("topic", folds=20).predict(values, frame)[0]
    assert found[5:18].tolist() == [1] * 13
    assert found[:5] == pytest.approx(14 / 19)  # four others have the topic
    assert found[18:] == pytest.approx(13.5 / 19)
    assert CrossFitting("topic", folds=20).predict(values[:, 1:], frame[1:])[0, :4] == pytest.approx(14 / 18)


def test_nearest_questions_are_those_of_the_largest_cosine():
    """The router of RouterBench: the mean over the k nearest by cosine, as scikit-learn finds them."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(3)
    words = [f"word{i}" for i in range(60)]
    texts = [" ".join(rng.choice(words, rng.integers(80, 200))) for _ in range(60)]
    frame, values = pd.DataFrame({"question_id": range(60), "question": texts}), rng.random((2, 60))
    training = np.arange(60) < 40
    found = CrossFitting("knn", k=5).predict(values, frame, training)[:, 40:]
    hashed = HashingVectorizer(n_features=4096).transform(texts)
    near = NearestNeighbors(n_neighbors=5, metric="cosine").fit(hashed[:40]).kneighbors(hashed[40:])[1]
    assert found == pytest.approx(values[:, near].mean(axis=2))


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_a_regression_without_both_outcomes_predicts_the_rate(certain):
    frame = pd.DataFrame({"question_id": range(6), "level": range(6)})
    found = CrossFitting("logistic", features=("level",)).predict(np.full((1, 6), certain), frame)
    assert found.tolist() == [[certain] * 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": ""}, "by='' is not the name of a question column"),
        ({"by": 3}, "by=3 is not the name of a question column"),
        ({"clusters": 3}, "clusters=3 is not the name of a question column"),
        (
            {"by": "knn", "features": "topic"},
            r"features='topic' are not names of question columns. Use e\.g\. \['topic",
        ),
        ({"by": "knn", "features": ()}, r"features=\(\) are not names of question columns"),
        ({"features": ("topic",)}, r"features=\('topic',\) require by='knn' or by='logistic'. Remove them, or set by"),
        ({"by": "topic", "features": ("topic",)}, "require by='knn'"),
        (
            {"by": "knn", "features": ("a/b",)},
            r"features=\('a/b',\) cannot be written as text, where / separates names",
        ),
        ({"k": 0}, "k=0 is out of range"),
        ({"folds": 1}, "folds=1 is out of range"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(MssimError, match=message):
        CrossFitting(**options)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (
            CrossFitting("topics"),
            r"by='topics': no such question column. Use 'knn', 'logistic' or a column. Did you mean",
        ),
        (CrossFitting(clusters="c"), "clusters='c': no such question column"),
        (CrossFitting("knn"), "the questions have no column 'question'"),
        (CrossFitting("logistic", features=("x",)), "features='x': no such question column"),
    ],
)
def test_what_questions_lack_is_named(way, message):
    frame = pd.DataFrame({"question_id": ["a", "b"], "topic": ["x", "y"]})
    with pytest.raises(MssimError, match=message):
        way.check(frame)
    CrossFitting("topic").check(frame)


def test_without_scikit_learn_only_a_regression_and_words_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    frame = pd.DataFrame({"question_id": range(4), "level": range(4)})
    with pytest.raises(
        MssimError, match=r"by='logistic' requires scikit-learn.*pip install mssim\[route\]`, or use by='kn"
    ):
        CrossFitting("logistic", features=("level",)).check(frame)
    CrossFitting("knn", features=("level",)).check(frame)


def test_errors_of_options_are_those_of_strategies():
    with pytest.raises(StrategyError):
        CrossFitting(by="")
