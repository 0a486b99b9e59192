"""Verdicts on samples with and without an answer, and their counts."""

import warnings

import numpy as np
import pytest

from mssim import Pool, PoolWarning
from mssim.engine.verdicts import recorded_verdicts, verdicts_of, verified_counts
from mssim.kernels.until import REJECTED, RIGHT, SPARE, WRONG
from mssim.rules.plan import Verifier
from tests.conftest import long_frame

CORRECT, HIGH = Verifier(), Verifier("score", 0.5)
ANSWERS = {("x", "p"): ["a", "b", None, "a"], ("x", "q"): [None, None], ("y", "p"): ["b"], ("y", "q"): ["c", "a", "c"]}
SCORES = [0.5, 0.9, 0.9, 0.4, 0.9, np.nan, 0.1, 0.6, 0.5, 0.4]


@pytest.fixture(scope="module")
def pool():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return Pool.from_frame(long_frame(ANSWERS, score=SCORES))


def test_the_correct_samples_or_those_with_a_high_number_are_accepted(pool):
    """One question and model a line: x and y of p, then of q."""
    both = slice(0, 2)
    found = recorded_verdicts(pool, ["x", "y"], CORRECT, both)
    assert found[0].tolist() == [[RIGHT, REJECTED, REJECTED, RIGHT], [REJECTED] * 4]
    assert found[1].tolist() == [[REJECTED] * 4, [REJECTED, RIGHT, REJECTED, REJECTED]]
    found = recorded_verdicts(pool, ["x", "y"], HIGH, both)
    assert found[0].tolist() == [[RIGHT, WRONG, REJECTED, REJECTED], [REJECTED] * 4]
    assert found[1].tolist() == [[REJECTED] * 4, [WRONG, RIGHT, REJECTED, REJECTED]]


def test_the_last_draw_may_answer_although_it_is_rejected(pool):
    verifier = Verifier("score", (0.5,), strict=True, last=True)
    found = recorded_verdicts(pool, ["x", "y"], verifier, slice(0, 2))
    assert found[0].tolist() == [[SPARE, WRONG, REJECTED, SPARE], [REJECTED] * 4]
    assert found[1].tolist() == [
        [REJECTED] * 4,
        [REJECTED, SPARE, REJECTED, REJECTED],
    ]  # no threshold
    counts = verified_counts(pool, ["x", "y"], verifier, slice(0, 2), replacement=False)
    assert counts.votes.tolist() == [[1, 0, 2, 0, 0, 0], [0, 0, 0, 0, 0, 1]]  # wrong, right and spare of p, then of q
    assert counts.no_answer.tolist() == [[1, 2], [1, 2]]
    assert counts.offsets.tolist() == [0, 3, 6]
    assert counts.correct.tolist() == [False, True, False] * 2


def test_every_stage_has_its_threshold(pool):
    found = recorded_verdicts(pool, ["x", "y"], Verifier("score", (0.9, 0.5)), slice(0, 2))
    assert found[0, 0].tolist() == [REJECTED, WRONG, REJECTED, REJECTED]
    assert found[1, 1].tolist() == [WRONG, RIGHT, REJECTED, REJECTED]


def test_some_models_and_questions_have_the_verdicts_they_have_among_all(pool):
    for verifier in (CORRECT, HIGH):
        whole = recorded_verdicts(pool, pool.models, verifier, slice(0, 2))
        assert np.array_equal(recorded_verdicts(pool, ["y"], verifier, slice(1, 2)), whole[1:, 1:])


def test_a_question_without_any_answer_has_no_classes():
    codes, lengths = np.full((1, 1, 3), -1, np.int16), np.array([[3]], np.int32)
    nothing = np.zeros(2, np.int64), np.zeros(0, bool)
    assert verdicts_of(CORRECT, codes, lengths, *nothing, None).tolist() == [[[REJECTED] * 3]]
    assert verdicts_of(HIGH, codes, lengths, *nothing, np.ones((1, 1, 3))).tolist() == [[[REJECTED] * 3]]


def test_counts_of_accepted_samples(pool):
    counts = verified_counts(pool, ["x", "y"], HIGH, slice(0, 2), replacement=True)
    assert counts.votes.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]  # wrong and right of p, then of q
    assert counts.no_answer.tolist() == [[2, 2], [1, 1]]
    assert counts.offsets.tolist() == [0, 2, 4]
    assert counts.correct.tolist() == [False, True, False, True]
    assert counts.replacement
    counts = verified_counts(pool, ["y"], CORRECT, slice(1, 2), replacement=False)
    assert (counts.votes.tolist(), counts.no_answer.tolist()) == ([[0, 1]], [[2]])


def test_samples_that_are_left_out_count_nowhere(pool):
    kept = np.array([[False, True, False, True], [True] * 4])
    counts = verified_counts(pool, ["x", "y"], HIGH, slice(0, 2), replacement=False, kept=kept)
    assert counts.votes.tolist() == [[1, 0, 0, 0], [0, 0, 1, 1]]
    assert counts.no_answer.tolist() == [[1, 2], [0, 1]]
