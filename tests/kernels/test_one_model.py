"""Curves of one model: every replay as the oracle draws and counts it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Vote
from mssim.kernels import one_model
from mssim.kernels.tally import TIE_RULES, Replays
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()
CASES = (
    st.sampled_from(sorted(TIE_RULES)),
    st.integers(0, 2**64 - 1),
    st.integers(0, 30),
    st.integers(1, 9),
    st.booleans(),
)


def right_after(ties, seed, question, r, answers):
    """Whether the plurality of some answers (class numbers, -1 = none) is right; class 0 is."""
    scores = naive.vote([[None if c < 0 else c for c in answers]], Vote())
    return naive.is_right(scores, {0}, ties, lambda c: naive.tie_rank(seed, question, r, c))


def drawn(seed, q, r, replacement):
    places = naive.positions(seed, "x", POOL.question_ids[q], r, 6, 6, replacement)
    return POOL.codes[0, q, places].tolist()


@settings(max_examples=examples(30))
@given(*CASES)
def test_every_point_of_a_curve_is_a_plurality(ties, seed, first, n, replacement):
    found = one_model.curve(recorded_of(POOL, ["x"], seed), TIE_RULES[ties], 6, Replays(first, n, replacement))
    for q, question in enumerate(POOL.question_ids):
        for k in range(1, 7):
            replays = range(first, first + n)
            hits = sum(right_after(ties, seed, question, r, drawn(seed, q, r, replacement)[:k]) for r in replays)
            assert found[q, k - 1] == hits
