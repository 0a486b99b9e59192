"""The answer of one text: in normal form, or none, and whose function failed."""

import pytest

from mssim import PoolError
from mssim.grading import Rule
from mssim.grading.answers import answer_of


def found(extract, text="x"):
    return answer_of(Rule("own", extract), text, lambda: "sample 3")


@pytest.mark.parametrize(
    ("answer", "expected"), [("  7 ", "7"), ("", None), (" \n", None), (None, None), ("e\u0301", "\u00e9")]
)
def test_answers_are_in_normal_form_and_blank_ones_are_none(answer, expected):
    assert found(lambda _: answer) == expected


def test_a_lone_surrogate_is_replaced():
    found(lambda _: "a\ud800").encode()


@pytest.mark.parametrize(
    ("extract", "says"),
    [
        (lambda text: text[9], "rule own: sample 3: IndexError: string index out of range"),
        (lambda _: 7, "rule own: sample 3: the function returned 7, of type int. It must return text"),
    ],
)
def test_functions_that_fail_are_named_with_their_sample(extract, says):
    with pytest.raises(PoolError, match=says):
        found(extract)
