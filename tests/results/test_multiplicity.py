"""Adjusted p-values, against tables and against the closure of Bonferroni's test."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.results.multiplicity import holm

P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0])), max_size=7)


def closed_bonferroni(p_values):
    """Adjust by the closure principle: the largest Bonferroni p-value of all sets of tests that contain a test."""
    tests = range(len(p_values))
    sets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(tests, size)]
    return [max(min(1, len(s) * min(p_values[j] for j in s)) for s in sets if i in s) for i in tests]


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.0002, 0.0002, 0.05, 0.5], [0.0008, 0.0008, 0.1, 0.5]),
        ([0.2], [0.2]),
        ([0.6, 0.7], [1, 1]),
        ([0, 1], [0, 1]),
        ([], []),
    ],
)
def test_adjusted_p_values_by_hand(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted, abs=1e-15)


@given(P_VALUES)
def test_the_step_down_is_the_closure_of_bonferroni(p_values):
    assert holm(p_values) == pytest.approx(closed_bonferroni(p_values), abs=1e-15)


@given(P_VALUES, st.lists(st.integers(0, 7), max_size=3))
def test_tests_that_were_not_made_do_not_count(p_values, places):
    missing = list(p_values)
    for place in places:
        missing.insert(place, np.nan)
    adjusted = holm(missing)
    assert np.isnan(adjusted).tolist() == np.isnan(missing).tolist()
    assert adjusted[~np.isnan(adjusted)].tolist() == holm(p_values).tolist()


@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_tests_does_not_matter(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    assert holm([p_values[i] for i in order]).tolist() == [holm(p_values)[i] for i in order]


def test_adjusted_p_values_keep_the_given_numbers():
    given_ = np.array([0.5, 0.25])
    assert holm(given_).tolist() == [0.5, 0.5]
    assert given_.tolist() == [0.5, 0.25]
    assert np.isnan(holm([np.nan, np.nan])).all()


@pytest.mark.parametrize(
    "p_values", [[0.1, 1.1], [-1e-9], [[0.1], [0.2]], 0.5, ["0.1"], [True, False], [0.1, [0.2]], [np.inf], None]
)
def test_what_is_not_a_list_of_p_values_is_an_error(p_values):
    with pytest.raises(MssimError, match=r"^p_values=.* are not numbers from 0 to 1 .* Use an array of shape"):
        holm(p_values)
