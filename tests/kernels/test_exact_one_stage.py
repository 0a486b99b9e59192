"""Closed forms of one stage's plurality, by the oracle's rational arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.engine.exact import one_stage_ties
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_one_stage import plurality
from mssim.kernels.tally import RANDOM, WRONG
from mssim.rules.agreement import NEVER
from tests import naive
from tests.conftest import examples

pytestmark = pytest.mark.kernels


def counts_of(votes, no_answer, right):
    """One question of one model; classes without samples are allowed."""
    offsets, correct = np.array([0, len(votes)]), np.isin(np.arange(len(votes)), list(right))
    return Counts(np.array([votes]), np.array([[no_answer]]), offsets, correct, False)


@settings(max_examples=examples(30))
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.integers(0, 2),
    st.sets(st.integers(0, 3)),
    st.sampled_from(["random", "wrong"]),
)
def test_the_chance_of_a_right_plurality_is_that_of_the_oracle(votes, no_answer, right, ties):
    total, rule = sum(votes) + no_answer, RANDOM if ties == "random" else WRONG
    if total == 0:
        return
    right = {c for c in right if c < len(votes)}
    found = plurality(counts_of(votes, no_answer, right), total + 2, NEVER, one_stage_ties(rule, total + 2, len(votes)))
    assert found[0, 0] == 0
    for k in range(1, total + 1):
        assert found[0, k] == pytest.approx(float(naive.maj_at_k(votes, k, right, ties, no_answer)), abs=1e-12)
    assert np.isnan(found[0, total + 1 :]).all()


def test_a_class_that_may_not_reach_some_votes_wins_with_fewer_only():
    """Of 4 right and 2 wrong samples, 3 are drawn: 2 right and 1 wrong ones in 12 of 20 ways, 3 right ones in 4."""
    found = plurality(counts_of([4, 2], 0, {0}), 3, 3, one_stage_ties(RANDOM, 3, 2))
    assert found[0, 3] == pytest.approx(12 / 20)
    assert plurality(counts_of([4, 2], 0, {0}), 3, NEVER, one_stage_ties(RANDOM, 3, 2))[0, 3] == pytest.approx(16 / 20)
