"""Stops that read numbers: the incomplete beta function, and looks at some draws only."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from mssim import BEACONStop, CGESStop, ReASCStop
from mssim.engine.stop_kernels import KERNELS
from mssim.kernels.number_stops import chance_ahead
from mssim.kernels.tally import Replays
from tests import naive
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()


@given(st.floats(0, 300), st.floats(0, 1))
def test_the_chance_to_be_ahead_is_an_incomplete_beta_function(first, share):
    second = first * share
    expected = special.betaincc(first + 1, second + 1, 0.5)
    assert chance_ahead(first, second) == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_the_chance_of_whole_votes_is_rational():
    for first, second in [(0, 0), (3, 0), (4, 4), (9, 2), (40, 31)]:
        assert chance_ahead(float(first), float(second)) == pytest.approx(float(naive.leads(first, second)), rel=1e-13)
    assert chance_ahead(2e4, 1.98e4) == pytest.approx(special.betaincc(20001, 19801, 0.5), rel=1e-9)
    assert chance_ahead(1e6, 0.0) == 1.0


@pytest.mark.parametrize("rule", [ReASCStop(0.8, 0.5), CGESStop(0.7), BEACONStop(0.4, 4, "confidence")], ids=str)
@pytest.mark.parametrize("replacement", [False, True])
def test_a_rule_is_asked_at_looks_only(rule, replacement):
    """Also where the draw at a look has no answer, and the draws before would have stopped."""
    rng, depth, n = np.random.default_rng(2), 6, 40
    numbers = rng.random(POOL.codes.shape)
    numbers[POOL.codes < 0] = math.nan
    recorded, replays = recorded_of(POOL, ["x"]), Replays(0, n, replacement)
    for asked in ([1, 2, 3, 4, 5, 6], [2, 4], [3, 6], []):
        looks = np.isin(np.arange(depth + 1), asked)
        kernel, table = KERNELS[type(rule.table(depth))], rule.table(depth)
        found = kernel(recorded, depth, table, looks, replays, numbers[None, :1])
        for q, question in enumerate(POOL.question_ids):
            for r in range(n):
                places = naive.positions(0, "x", question, r, 6, depth, replacement)
                answers, given_ = POOL.codes[0, q, places].astype(np.int64), numbers[:1, q, places]
                ends = (k for k in asked if rule.stops(answers[:k], given_[:, :k]))
                assert found[q, r] == next(ends, depth + 1)
