"""Replays of one model that stops: ends against tables read draw by draw, and answers counted as the oracle does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import stops
from mssim.kernels.tally import TIE_RULES, Replays
from mssim.rules.stops import StopTable
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of
from tests.kernels.test_one_model import CASES, drawn, right_after

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
                    give_up = -1 if table.give_up is None else table.give_up[votes[1]]
                    stop = votes[0] > 0 and (stop or votes[0] <= give_up)
                end = k if stop and looks[k] else end
            found.append(end)
    return np.array(found).reshape(len(POOL.question_ids), n)


@settings(max_examples=examples(30))
@given(st.data(), st.integers(0, 2**64 - 1), st.integers(0, 50), st.integers(1, 9), st.booleans())
def test_ends_are_looked_up_draw_by_draw(data, seed, first, n, replacement):
    depth = data.draw(st.integers(1, 6))
    votes = st.lists(st.integers(0, 7), min_size=depth + 1, max_size=depth + 1).map(np.array)
    give_up = data.draw(st.none() | votes.map(lambda most: np.minimum(most, 3) - 2))  # seldom
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


def hits_of(ends, ties, seed, first, replacement, adopt):
    """Right answers after every number of draws, of replays that stop at given ends."""
    hits = np.zeros((len(POOL.question_ids), 6), int)
    for (q, i), end in np.ndenumerate(ends):
        answers, question = drawn(seed, q, first + i, replacement), POOL.question_ids[q]
        for k in range(1, 7):
            if end <= k and adopt:
                hits[q, k - 1] += answers[end - 1] == 0
            else:
                hits[q, k - 1] += right_after(ties, seed, question, first + i, answers[: min(k, end)])
    return hits


@settings(max_examples=examples(30))
@given(*CASES, st.booleans(), st.data())
def test_a_replay_that_stops_keeps_its_answer(ties, seed, first, n, replacement, adopt, data):
    shape = (len(POOL.question_ids), n)
    ends = np.array(data.draw(st.lists(st.integers(1, 7), min_size=3 * n, max_size=3 * n)), np.uint16).reshape(shape)
    recorded, replays = recorded_of(POOL, ["x"], seed), Replays(first, n, replacement)
    found = stops.curve_until(recorded, TIE_RULES[ties], 6, adopt, ends, replays)
    assert found.tolist() == hits_of(ends, ties, seed, first, replacement, adopt).tolist()


@settings(max_examples=examples(30))
@given(*CASES, st.booleans(), st.integers(0, 3), st.lists(st.booleans(), min_size=7, max_size=7))
def test_a_rule_stops_where_it_says_and_keeps_its_answer(ties, seed, first, n, replacement, adopt, window, looks):
    table = StopTable(np.arange(4) + 2, np.zeros(7, np.int64), window=window)
    recorded, replays = recorded_of(POOL, ["x"], seed), Replays(first, n, replacement)
    hits, ends = stops.curve(recorded, TIE_RULES[ties], 6, adopt, table, np.array(looks), replays)
    assert np.array_equal(ends, stops.ends(recorded, 6, table, np.array(looks), replays))
    assert hits.tolist() == hits_of(ends, ties, seed, first, replacement, adopt).tolist()
