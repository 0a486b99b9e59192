"""When one model stops, in every replay: against tables read draw by draw in the order of the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import stops
from mssim.kernels.tally import Replays
from mssim.rules.stops import StopTable
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()


def expected(table, depth, seed, first, n, replacement):
    """The draw after which each replay of each question stops, by looking votes up in the table."""
    found = []
    for q, question in enumerate(POOL.question_ids):
        for r in range(first, first + n):
            places = naive.positions(seed, "x", question, r, 6, depth, replacement)
            answers = POOL.codes[0, q, places].tolist()
            end = depth + 1
            for k in range(depth, 0, -1):
                votes = sorted((answers[:k].count(c) for c in range(3)), reverse=True)
                last = answers[k - table.window : k]
                if table.window:
                    stop = k % table.window == 0 and len(set(last)) == 1 and last[0] >= 0
                else:
                    stop = votes[0] > 0 and votes[0] >= max(table.by_second[votes[1]], table.by_draws[k])
                end = k if stop else end
            found.append(end)
    return np.array(found).reshape(len(POOL.question_ids), n)


@settings(max_examples=examples(30))
@given(st.data(), st.integers(0, 2**64 - 1), st.integers(0, 50), st.integers(1, 9), st.booleans())
def test_ends_are_looked_up_draw_by_draw(data, seed, first, n, replacement):
    depth = data.draw(st.integers(1, 6))
    votes = st.lists(st.integers(0, 7), min_size=depth + 1, max_size=depth + 1).map(np.array)
    table = StopTable(data.draw(votes), data.draw(votes), window=data.draw(st.integers(0, 3)))
    found = stops.ends(recorded_of(POOL, ["x"], seed), depth, table, Replays(first, n, replacement))
    assert np.array_equal(found, expected(table, depth, seed, first, n, replacement))


def test_an_infinite_threshold_of_entropy_is_not_looked_at():
    nothing = np.zeros(7, np.int64)
    ends = [
        stops.ends(recorded_of(POOL, ["x"]), 6, StopTable(nothing, nothing, entropy), Replays(0, 20, False))
        for entropy in (math.inf, 1.0, 1e-6)
    ]
    assert np.array_equal(ends[0], ends[1])  # an entropy is never above its maximum
    assert (ends[0][[0, 2]] <= 2).all()
    assert (ends[2] == 7).all()
