"""Arguments that all packages check in one way."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim._validation import choose_from, counted, is_number, level, printable, shown, whole_number


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
def test_whole_numbers_in_a_range(value, low, high):
    if low <= value <= high:
        assert whole_number("n", value, low, high) == value
    else:
        with pytest.raises(MssimError, match=rf"^n={value} is out of range\. Use an integer from {low} to {high}\.$"):
            whole_number("n", value, low, high)


@pytest.mark.parametrize("value", [np.int32(3), np.uint8(3), np.int64(3)])
def test_whole_numbers_of_numpy_become_int(value):
    assert type(whole_number("n", value, 0, 9)) is int


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, Fraction(3), np.array([3, 4]), np.array(0.9)])
def test_nothing_else_is_a_whole_number(value):
    with pytest.raises(MssimError, match="is not an integer"):
        whole_number("n", value, 0, 9)


def test_real_numbers_are_numbers_and_truth_values_are_not():
    for value in (0, -1.5, float("nan"), np.float32(2), np.int8(1), Fraction(1, 3)):
        assert is_number(value)
    for value in (True, False, "1", None, 1j, Decimal(1), [1]):
        assert not is_number(value)


def test_the_nearest_names_come_before_all_names():
    assert choose_from("bugdet", ["cost", "budget"]) == "Did you mean 'budget'? Choose from 'cost', 'budget'"
    assert choose_from("x1", ["x2", "x3"]) == "Choose from 'x2', 'x3'"
    both = choose_from("answer", ["answers", "an_answer", "text"])
    assert both.startswith("Did you mean 'answers' or 'an_answer'? Choose from 'answers'")
    assert choose_from("anything", []) == "There is nothing to choose from"


@pytest.mark.parametrize(("n", "more"), [(12, ""), (13, " and 1 more"), (40, " and 28 more")])
def test_twelve_names_are_listed(n, more):
    names = [f"name{i:02}" for i in range(n)]
    assert choose_from("zzz", names) == "Choose from " + ", ".join(map(repr, names[:12])) + more


def test_one_of_a_thing_and_several():
    assert [counted(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]
    assert [counted(n, "strategy", "strategies") for n in (1, 2)] == ["1 strategy", "2 strategies"]


@pytest.mark.parametrize(
    "value",
    [0, 1, -0.1, 95, float("nan"), "0.95", None, True, [0.95], Decimal("0.9"), pytest.param(10**5000, id="huge")],
)
def test_what_is_no_confidence_level(value):
    with pytest.raises(MssimError, match=r"^confidence_level=.* is not between 0 and 1\. Use e\.g\. 0\.95"):
        level(value)


def test_confidence_levels_become_floats():
    assert level(Fraction(9, 10)) == level(np.float32(0.5)) + 0.4 == 0.9


def test_control_sequences_are_written_as_escapes():
    assert printable("a\x1b[31m\nb\u202e\udc80é") == "a\\x1b[31m\\nb\\u202e\\udc80é"


def test_arguments_in_messages_fit_into_a_line():
    assert shown("a") == "'a'"
    assert shown(16**4500 - 1) == "an integer of 18000 bits"
    assert shown([16**5000]) == "list"
    assert len(shown("x" * 10**6)) == 200
    assert shown(np.zeros((2, 1))) == "array([[0.],        [0.]])"
