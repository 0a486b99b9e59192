"""Tallies: the largest one leads, and ties are decided as the oracle does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels.tally import (
    FIRST,
    LANES,
    RANDOM,
    SHIFT,
    UNIT,
    WRONG,
    buffers,
    lead,
    load,
    logarithms,
    right_classes,
    start,
    tie_rank,
    wins,
)
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


def test_no_answer_is_the_class_after_the_last():
    samples, scratch = np.zeros((2, 5), np.uint16), np.zeros((2, 5), np.uint16)
    load(np.array([1, -1, 0, 2, 9], np.int16), 4, 3, samples, scratch, 1)
    assert samples[1, :4].tolist() == scratch[1, :4].tolist() == [1, 3, 0, 2]
    assert not samples[0].any()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.sampled_from([FIRST, WRONG]))
def test_the_leader_after_every_draw_is_that_of_counting(draws, ties):
    """Class 4 is no answer; classes 0 and 2 are right."""
    right = np.array([1, 0, 1, 0, 0])
    _, _, order, _, tally, best = buffers(1, 1, len(draws), np.array([0, 4]))
    for lane in range(LANES):
        order[lane] = draws
        tally[lane] = 0
        start(tally, order, lane, len(draws), right, ties, np.uint64(0))
    lead(0, len(draws), order, tally, best)
    for n in range(1, len(draws) + 1):
        seen = [c for c in dict.fromkeys(draws[:n]) if c < 4]
        votes = {c: draws[:n].count(c) for c in seen}
        tied = [c for c in seen if votes[c] == max(votes.values())]
        for lane in range(LANES):
            if not seen:
                assert best[lane, n] <= 0
                continue
            assert best[lane, n] >> SHIFT == max(votes.values())
            if ties == FIRST:
                assert (best[lane, n] >> 1) & 0xFFFF == tied[0]
            assert best[lane, n] & 1 == (right[tied[0]] if ties == FIRST else min(right[c] for c in tied))


def test_tables_of_logarithms_add_up_to_entropies():
    logs, inverse_logs, inverses, steps = logarithms(200)
    for n in (2, 3, 10, 199):
        assert logs[n] == pytest.approx(math.log2(n))
        assert inverse_logs[n] == pytest.approx(1 / math.log2(n))
        assert inverses[n] == pytest.approx(1 / n)
        assert steps[:n].sum() * UNIT == pytest.approx(n * math.log2(n), abs=1e-10)
    assert (logs[:2], steps[0]) == (pytest.approx([0, 0]), 0)
