"""When one model stops by the votes of all answers, in every replay: against chances computed draw by draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import all_counts
from mssim.kernels.tally import Replays
from mssim.rules.stops import BayesFactorStop
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()
NOBODY = np.zeros((0, 0))


def expected(rule, looks, seed, first, n, replacement):
    """The draw after which each replay of each question stops, by the rule's plain statement."""
    found = []
    for q, question in enumerate(POOL.question_ids):
        for r in range(first, first + n):
            codes = POOL.codes[0, q, naive.positions(seed, "x", question, r, 6, 6, replacement)].astype(np.int64)
            asked = [k for k in range(1, 7) if looks[k]]
            found.append(next((k for k in asked if rule.stops(codes[:k], NOBODY)), 7))
    return np.array(found).reshape(-1, n)


@settings(max_examples=examples(30))
@given(
    st.sampled_from([BayesFactorStop(b) for b in (1, 2.5, 3.7, 4.5, 9, 12)]),
    st.one_of(st.just([True] * 7), st.lists(st.booleans(), min_size=7, max_size=7)),
    st.integers(0, 2**64 - 1),
    st.integers(0, 50),
    st.booleans(),
)
def test_ends_are_those_of_the_plain_statement(rule, looks, seed, first, replacement):
    recorded = recorded_of(POOL, ["x"], seed)
    found = all_counts.ends(recorded, 6, rule.table(6), np.array(looks), Replays(first, 9, replacement))
    assert np.array_equal(found, expected(rule, looks, seed, first, 9, replacement))


def test_remembered_decisions_do_not_depend_on_the_replays_before(monkeypatch):
    monkeypatch.setattr(all_counts, "_REMEMBERED", 1)  # each replaces the one before
    given = recorded_of(POOL, ["x"]), 6, BayesFactorStop(4.5).table(6), np.ones(7, bool)
    together = all_counts.ends(*given, Replays(0, 40, False))
    alone = [all_counts.ends(*given, Replays(r, 1, False))[:, 0] for r in range(40)]
    assert np.array_equal(together, np.stack(alone, axis=1))
    assert len(np.unique(together)) > 3
