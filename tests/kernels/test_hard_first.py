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


@settings(max_examples=examples(100))
@given(st.integers(1, 20), st.integers(1, 40), st.integers(0, 5000), st.booleans())
def test_the_first_look_is_the_mean_in_whole_windows(window, before, total, enough):
    look = getattr(hard_first._first_look, "py_func", hard_first._first_look)
    if enough:
        windows = round(Fraction(total, before * window))  # halves to even numbers
        assert look(before, before, total, window) == max(1, windows) * window
    else:
        assert look(before - 1, before, total, window) == window


def test_a_question_without_answers_never_agrees():
    recorded, sizes = recorded_of(ragged_pool(), ["x"]), np.array([1, 2, 6])
    places, enough = np.array([1, 0, 2]), BetaStop().table(6).by_second
    _, drawn = hard_first.replayed(
        recorded, TIE_RULES["first"], sizes, places, (2, 1, 1), enough, Replays(0, 10, False)
    )  # fmt: skip
    assert drawn[1].tolist() == [10, 20, 60]  # the hardest: no answer is certain
    assert drawn[0, 0] == 10
    assert drawn[0, 2] > drawn[0, 1]
