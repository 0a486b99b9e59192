"""Questions by difficulty: the first look, by arithmetic; replays are compared in tests/rules/strategies."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import hard_first
from mssim.kernels.tally import TIE_RULES, Replays
from mssim.rules.stops import BetaStop
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels


@settings(max_examples=examples(60))
@given(st.integers(1, 20), st.integers(1, 40), st.lists(st.integers(0, 5000), min_size=1, max_size=3))
def test_the_first_look_is_the_mean_in_whole_windows(window, before, totals):
    sums, looks = np.array(totals), np.zeros(len(totals), np.int64)
    hard_first._predict(before, before, window, sums, looks)
    windows = [round(Fraction(total, before * window)) for total in totals]  # halves to even numbers
    assert looks.tolist() == [max(1, n) * window for n in windows]
    hard_first._predict(before - 1, before, window, sums, looks)
    assert (looks == window).all()


def test_a_question_without_answers_never_agrees():
    recorded, sizes = recorded_of(ragged_pool(), ["x"]), np.array([1, 2, 6])
    places, enough = np.array([1, 0, 2]), BetaStop().table(6).by_second
    _, drawn = hard_first.replayed(
        recorded, TIE_RULES["first"], sizes, places, (2, 1, 1), enough, Replays(0, 10, False)
    )  # fmt: skip
    assert drawn[1].tolist() == [10, 20, 60]  # the hardest: no answer is certain
    assert drawn[0, 0] == 10
    assert drawn[0, 2] > drawn[0, 1]
