"""Replays side by side: each lane draws what it would draw alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels.lanes import draw_tallies, labels, larger
from mssim.kernels.tally import FIRST, LANES, SHIFT
from tests import naive
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
INTEGERS = st.integers(-(2**62), 2**62 - 1)


@given(INTEGERS, INTEGERS)
def test_the_larger_of_two_numbers(a, b):
    assert larger(np.int64(a), np.int64(b)) == max(a, b)


def test_labels_are_classes_and_whether_they_are_right():
    samples, scratch = np.zeros(6, np.uint16), np.zeros(6 * LANES, np.uint16)
    labels(np.array([0, -1, 2, 1], np.int16), 4, np.array([True, False, True]), samples, scratch, 2)
    assert samples.tolist() == [0, 0, 1, 6, 5, 2]
    assert scratch.reshape(6, LANES).tolist() == [[label] * LANES for label in samples]


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("skip", [0, 2])
def test_every_lane_counts_its_own_draws_and_memory_is_put_back(skip, replacement):
    pool, depth = ragged_pool(), 4
    recorded = recorded_of(pool, ["x"], seed=5)
    correct = recorded.correct[recorded.offsets[0] : recorded.offsets[1]]
    samples, scratch = np.zeros(6, np.uint16), np.zeros(6 * LANES, np.uint16)
    labels(recorded.codes[0, 0], 6, correct, samples, scratch, 0)
    before, tally = scratch.copy(), np.zeros(7 * LANES, np.int64)
    seen, places = np.zeros(depth * LANES, np.int64), np.zeros((skip + depth) * LANES, np.uint32)
    draw_tallies(
        seen, 0, skip, depth, 6, correct, samples, scratch, 0,
        places, tally, recorded.keys[0, 0], recorded.tie_keys[0], FIRST, 8, replacement,
    )  # fmt: skip
    for lane in range(LANES):
        order = naive.positions(5, "x", "q1", 8 + lane, 6, skip + depth, replacement)[skip:]
        answers = pool.codes[0, 0, order].tolist()
        for j, c in enumerate(answers):
            found = seen[LANES * j + lane]
            if c < 0:
                assert found < 0
            else:
                assert found >> SHIFT == answers[: j + 1].count(c)
                assert found & 0x1FFFF == 2 * c + correct[c]
    assert not tally.any()
    assert np.array_equal(scratch, before)
