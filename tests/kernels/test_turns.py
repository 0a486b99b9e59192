"""Turns: which samples every replay draws, and which stages vote, as the oracle has it."""

import numpy as np
import pytest

from mssim.kernels.stages import results
from mssim.kernels.tally import Replays
from mssim.kernels.turns import BATCH, SETTLED, take_turns, turns_of
from mssim.rules.agreement import votes_to_agree
from tests import naive
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
