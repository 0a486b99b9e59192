"""Tallies: the largest one leads, and ties are decided as the oracle does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels import tally
from mssim.kernels.tally import RANDOM, UNIT, WRONG, logarithms, right_classes, tie_rank, wins
from tests import naive

pytestmark = pytest.mark.kernels


@given(st.integers(0, 2**64 - 1), st.text(max_size=3), st.integers(0, 99), st.integers(0, 40))
def test_random_ties_have_the_ranks_of_the_oracle(seed, question, replay, c):
    state = np.uint64(naive.word(naive.stream_key(seed, "", question), replay))
    assert tie_rank(RANDOM, np.int64(0), state, np.int64(c)) == naive.tie_rank(seed, question, replay, c)


def test_of_tied_classes_a_wrong_one_wins_under_wrong():
    right, state = np.array([1, 0, 1, 0]), np.uint64(7)
    assert wins(WRONG, right, state, 1, 0)
    assert not wins(WRONG, right, state, 0, 1)
    assert not wins(WRONG, right, state, 0, 2)
    assert wins(RANDOM, right, state, 0, 1) != wins(RANDOM, right, state, 1, 0)


def test_classes_of_a_question_are_followed_by_a_wrong_one_for_no_answer():
    correct, offsets = np.array([True, False, False, True]), np.array([0, 3, 3, 4])
    assert [right_classes(correct, offsets, q).tolist() for q in range(3)] == [[1, 0, 0, 0], [0], [1, 0]]


def test_the_most_classes_of_a_question():
    assert tally.most_classes(np.array([0, 2, 2, 7])) == 5
    assert tally.most_classes(np.array([0])) == 0


def test_tables_of_logarithms_add_up_to_entropies():
    logs, inverse_logs, inverses, steps = logarithms(200)
    for n in (2, 3, 10, 199):
        assert logs[n] == pytest.approx(math.log2(n))
        assert inverse_logs[n] == pytest.approx(1 / math.log2(n))
        assert inverses[n] == pytest.approx(1 / n)
        assert steps[:n].sum() * UNIT == pytest.approx(n * math.log2(n), abs=1e-10)
    assert (logs[:2], steps[0]) == (pytest.approx([0, 0]), 0)
