"""Turns: which samples every replay draws, and which stages vote, as the oracle has it."""

import numpy as np
import pytest

from mssim import Pool
from mssim.kernels.bundles import results
from mssim.kernels.tally import Replays, right_classes
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of
from mssim.rules.agreement import NEVER, votes_to_agree
from tests import naive
from tests.conftest import make_pool, replay
from tests.kernels.pools import ragged_pool, recorded_of, rules_of

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("replacement", [False, True])
def test_draws_and_stages_are_those_of_the_oracle(adopt, replacement):
    pool, seed, sizes, n = ragged_pool(), 5, np.array([[1, 2, 5], [1, 2, 5]]), BATCH + 3
    rules = rules_of(sizes, votes_to_agree(sizes, 0.6), adopt=adopt)
    recorded, replays = recorded_of(pool, ["x", "y"], seed), Replays(4, n, replacement)
    turns, never = turns_of(rules, recorded, replays), np.empty((3, 0), np.uint16)
    hits, stopped = results(rules, recorded)
    agreed, right = np.zeros_like(stopped), np.zeros_like(hits)
    for q, question in enumerate(pool.question_ids):
        for first in range(0, n, BATCH):
            take_turns(q, first, recorded, rules, never, replays, turns, hits, stopped)
            for r in range(min(BATCH, n - first)):
                drawn = [naive.positions(seed, m, question, 4 + first + r, 6, 5, replacement) for m in "xy"]
                for b, size in enumerate(sizes[0]):
                    agree = []
                    for i in range(2):
                        given = [c for c in recorded.codes[i, q, drawn[i][:size]] if c >= 0]
                        agree.append(any(given.count(c) >= rules.need[i, b] for c in given))
                    expected = agree.index(True) if any(agree) else 1
                    assert turns.last[r, b] == (SETTLED if adopt and any(agree) else expected)
                    if any(agree):
                        given = [c for c in recorded.codes[expected, q, drawn[expected][:size]].tolist() if c >= 0]
                        leader = max(given, key=given.count)  # of equals the one seen first
                        agreed[q, expected, b] += 1
                        right[q, b] += adopt and recorded.correct[recorded.offsets[q] + leader]
                for i in range(1 if turns.last[r].max() < 1 else 2):
                    assert turns.order[r, i].tolist() == drawn[i]
    assert stopped.tolist() == agreed.tolist()
    assert hits.tolist() == right.tolist()
    assert agreed.any()
    assert hits.any() == adopt


def test_a_question_with_one_answer_needs_no_votes():
    """Unless stages can stop, or a sample has another answer or none."""
    samples = {("x", "all"): ["a"] * 3, ("y", "all"): ["a"] * 3, ("x", "one"): ["a", "a", "b"], ("y", "one"): ["a"] * 3}
    samples |= {("x", "none"): [None] * 3, ("y", "none"): [None] * 3}
    samples |= {("x", "some"): ["a", None, "a"], ("y", "some"): ["a"] * 3}
    pool, sizes = make_pool(samples), np.array([[1, 2], [1, 2]])
    rules, recorded, replays = (
        rules_of(sizes, np.full((2, 2), NEVER)),
        recorded_of(pool, ["x", "y"], 5),
        Replays(0, 7, False),
    )
    never, found = np.empty((4, 0), np.uint16), {}
    hits, stopped = results(rules, recorded)
    for q, question in enumerate(pool.question_ids):
        right = right_classes(recorded.correct, recorded.offsets, q)
        turns = turns_of(rules, recorded, replays)
        found[question] = count_same(q, recorded, rules, never, replays, turns, right, hits, stopped)
        stops = turns._replace(tested=np.array([True, False]))
        assert not count_same(q, recorded, rules, never, replays, stops, right, hits, stopped)
        ends = np.ones((4, 7), np.uint16)
        assert not count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped)
    assert found == {"all": True, "one": False, "none": True, "some": False}
    assert hits[list(found).index("all")].tolist() == [7, 7]
    assert hits.sum() == 14


@pytest.mark.parametrize("vote", ["plurality", "best_of_majority", "borda"])
def test_what_is_spent_on_a_question_with_one_answer_is_counted(vote):
    """The replays of the second question are not counted as votes either, since it has no answer."""
    pool = make_pool({("x", "q1"): ["a"] * 3, ("x", "q2"): [None] * 3}, output_tokens=10)
    scored = Pool.from_frame(pool.to_frame().assign(score=1.0))
    result = replay(scored, f"sc:x,vote={vote}" + ",column=score" * (vote != "plurality"), [1, 3], n_replays=70)
    assert result.accuracy[0].tolist() == [[1, 0], [1, 0]]
    assert result.tokens[0].tolist() == [[10, 10], [30, 30]]
