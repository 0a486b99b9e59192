"""Ranges of recorded numbers: what is in them, and the words about a number that is not."""

import math

from mssim.rules.number_range import CHANCES, NumberRange


def test_bounds_are_not_in_the_range():
    given = [-0.1, 0.0, 1e-300, 0.5, 1 - 1e-16, 1.0, 2.0, math.nan, math.inf]
    assert CHANCES.holds(given).tolist() == [False, False, True, True, True, False, False, False, False]
    below = NumberRange(-math.inf, 3.0, "Scale it.")
    assert below.holds([-1e300, 2.9, 3.0]).tolist() == [True, True, False]


def test_the_problem_names_column_number_bounds_and_remedy():
    assert CHANCES.problem("confidence", -0.25).startswith(
        "confidence=-0.25 is not between 0 and 1, both excluded. Record the probability"
    )
    assert NumberRange(-math.inf, 19.75, "Scale it.").problem("p", 700) == "p=700 is not below 19.75. Scale it."
