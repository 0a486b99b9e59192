"""Sums over classes and shares of samples, by hand."""

import numpy as np
import pytest

from mssim import MssimError, PoolError
from mssim.pools.shares import answer_shares, over_classes, question_mask, question_of_class, sampled_models
from tests.conftest import make_pool

RAGGED = {("x", "q1"): ["a", "b", "a", None], ("x", "q2"): ["c", None], ("y", "q1"): ["b"], ("y", "q2"): ["a", "a"]}


def test_sums_go_over_the_classes_of_each_question():
    pool = make_pool(RAGGED)
    assert pool.class_labels.to_pylist() == ["a", "b", "a", "c"]
    assert question_of_class(pool).tolist() == [0, 0, 1, 1]
    values = np.array([[[1, 2, 4, 8]], [[0.5, 0, 0.25, 0]]])
    assert over_classes(pool, values).tolist() == [[[3, 12]], [[0.5, 0.25]]]
    assert over_classes(pool, np.ones(4)).tolist() == [2, 2]


def test_models_have_the_samples_that_are_required():
    pool = make_pool(RAGGED)
    assert sampled_models(pool, None, 1) == ("x", "y")
    assert sampled_models(pool, "y", 1) == ("y",)
    assert sampled_models(pool, ["x"], 2) == ("x",)
    with pytest.raises(PoolError, match=r"'y' has 1 samples of question 'q1', but 2 are required\. .*min_samples=2"):
        sampled_models(pool, None, 2)
    for models in ([], ["x", "x"]):
        with pytest.raises(PoolError, match=r"is empty or repeats a model\. Name each model once"):
            sampled_models(pool, models, 1)


def test_shares_are_those_of_all_samples():
    """Of four samples of x, one has no answer."""
    assert answer_shares(make_pool(RAGGED), ["y", "x"]).tolist() == [[0, 1, 1, 0], [0.5, 0.25, 0, 0.5]]


def test_masks_have_one_bool_per_question():
    pool = make_pool(RAGGED)
    assert question_mask(pool, None).tolist() == [True, True]
    assert question_mask(pool, [False, True]).tolist() == [False, True]
    for mask in ([True], [1, 0], [False, False], "all"):
        with pytest.raises(MssimError, match=r"questions=.* Use one bool per question, 2 in all"):
            question_mask(pool, mask)
