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


def expected(table, depth, looks, seed, first, n, replacement):
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
                elif table.by_votes is not None:
                    stop = table.by_votes[table.kinds[q], sum(votes), votes[1], votes[0]]
                else:
                    stop = votes[0] >= max(table.by_second[votes[1]], table.by_draws[k])
                    stop = votes[0] > 0 and (stop or votes[0] <= table.give_up[votes[1]])
                end = k if stop and looks[k] else end
            found.append(end)
    return np.array(found).reshape(len(POOL.question_ids), n)


@settings(max_examples=examples(30))
@given(st.data(), st.integers(0, 2**64 - 1), st.integers(0, 50), st.integers(1, 9), st.booleans())
def test_ends_are_looked_up_draw_by_draw(data, seed, first, n, replacement):
    depth = data.draw(st.integers(1, 6))
    votes = st.lists(st.integers(0, 7), min_size=depth + 1, max_size=depth + 1).map(np.array)
    give_up = np.minimum(data.draw(votes), 3) - 2  # seldom
    table = StopTable(data.draw(votes), data.draw(votes), window=data.draw(st.integers(0, 3)), give_up=give_up)
    if data.draw(st.booleans()):
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        decided = rng.random((2, depth + 1, depth // 2 + 1, depth + 1)) < 0.3
        table = table._replace(by_votes=decided, kinds=rng.integers(0, 2, len(POOL.question_ids)))
    looks = np.array(data.draw(st.lists(st.booleans(), min_size=depth + 1, max_size=depth + 1)))
    found = stops.ends(recorded_of(POOL, ["x"], seed), depth, table, looks, Replays(first, n, replacement))
    assert np.array_equal(found, expected(table, depth, looks, seed, first, n, replacement))


def test_an_infinite_threshold_of_entropy_is_not_looked_at():
    nothing = np.zeros(7, np.int64)
    ends = [
        stops.ends(
            recorded_of(POOL, ["x"]), 6, StopTable(nothing, nothing, entropy), np.ones(7, bool), Replays(0, 20, False)
        )
        for entropy in (math.inf, 1.0, 1e-6)
    ]
    assert np.array_equal(ends[0], ends[1])  # an entropy is never above its maximum
    assert (ends[0][[0, 2]] <= 2).all()
    assert (ends[2] == 7).all()
