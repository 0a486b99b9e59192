"""Weighted votes: who beats whom, and replays as the oracle counts them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Mixture, Pool, Vote
from mssim.kernels.tally import FIRST, WRONG
from mssim.kernels.weighted_votes import CLOSE, MAX, SUM, beats, clear, count_within, counters, note, top, total
from tests import naive
from tests.conftest import replay
from tests.kernels.pools import ragged_pool

pytestmark = pytest.mark.kernels


def beaten(scores, ties=FIRST, close=0.0):
    """Whether class 0, seen last and right, beats class 1, seen first and wrong."""
    right, seen = np.array([1, 0, 0]), np.array([9, 2])
    return beats(0, 1, np.array(scores), seen, close, right, ties, np.uint64(0))


def test_scores_tie_up_to_rounding_and_no_further():
    assert beaten([1.0 + 3 * CLOSE, 1.0])
    assert not beaten([1.0 + CLOSE / 3, 1.0])  # a tie, which the class seen first wins
    assert not beaten([1.0 - CLOSE / 3, 1.0], WRONG)
    assert not beaten([1.0 - 3 * CLOSE, 1.0])
    assert not beaten([0.1, 0.0], close=0.2)
    assert beaten([0.3, 0.0], close=0.2)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(-3, 3), min_size=6, max_size=6),
)
def test_the_top_is_the_highest_score_and_of_equals_the_one_seen_first(members, scores):
    seen = np.array([5, 3, 1, 4, 0, 2])
    found = top(len(members), np.array(members), np.array(scores, float), seen, 0.0, np.zeros(7), FIRST, np.uint64(0))
    assert found == min(members, key=lambda c: (-scores[c], seen[c]))
    assert top(0, np.array(members), np.array(scores, float), seen, 0.0, np.zeros(7), FIRST, np.uint64(0)) == 6


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.5, -1.0, 2.0])), max_size=12), st.sampled_from([SUM, MAX])
)
def test_draws_are_counted_and_forgotten(draws, kind):
    scores, seen, members, known, counts, sums, facts, _, _ = counters(1, 3)
    n = 0
    for j, (c, number) in enumerate(draws):
        n = note(c, j, n, known, seen, members)
        count_within(0, c, number, kind, counts, sums, facts, np.zeros(20, np.int64))
    total(n, members, np.array([2.0]), 0, kind == MAX, counts, sums, scores)
    for c in {c for c, _ in draws}:
        numbers = [number for other, number in draws if other == c]
        assert scores[c] == pytest.approx(2 * (max(numbers) if kind == MAX else sum(numbers)))
        assert seen[c] == [other for other, _ in draws].index(c)
        assert counts[0, c] == len(numbers)
    assert members[:n].tolist() == list(dict.fromkeys(c for c, _ in draws))
    clear(n, True, known, scores, members, counts, sums, facts)
    for memory in (known, scores, counts, sums, facts):
        assert not memory.any()


@pytest.mark.parametrize(
    "vote", [Vote.score_sum(), Vote.best_of_n(prior=(1, 2)), Vote.confidence(0.5), Vote.shortest(2)]
)
def test_replays_are_those_of_the_oracle(vote):
    rng = np.random.default_rng(0)
    frame = ragged_pool().to_frame()
    n = len(frame)
    numbers = {"score": rng.choice([0.1, 0.2, 0.3], n), "confidence": rng.choice([0.5, 1.0], n)}
    pool = Pool.from_frame(frame.assign(**numbers, output_tokens=rng.integers(1, 4, n)))
    rule = Mixture(["x", "y"], vote)
    result = replay(pool, {"": rule}, range(1, 13), n_replays=6)
    for b in range(12):
        hits, _ = naive.evaluate(pool, rule, b + 1, n_replays=6)
        assert np.rint(result.accuracy[0, b] * 6).tolist() == hits
