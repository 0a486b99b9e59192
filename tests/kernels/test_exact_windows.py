"""Windows in closed form: chances that given windows agree, in rational arithmetic."""

from collections import Counter
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.engine.exact import one_stage_ties
from mssim.kernels import exact_windows
from mssim.kernels.draw_weights import Counts
from mssim.kernels.tally import RANDOM, WRONG
from tests import naive
from tests.conftest import examples

pytestmark = pytest.mark.kernels


def windows(votes, right, no_answer, window, depth, rule, replacement):
    counts = Counts(np.array([votes]), np.array([[no_answer]]), np.array([0, len(votes)]), np.array(right), replacement)
    ties = one_stage_ties(rule, depth, len(votes))
    return [found[0] for found in exact_windows.windows(counts, window, depth, ties)]


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 6), min_size=2, max_size=3), st.integers(0, 2), st.integers(1, 3), st.booleans())
def test_the_chance_that_one_window_agrees(votes, no_answer, window, replacement):
    total = sum(votes) + no_answer
    depth = min(2 * window, total)
    if depth < window:
        return
    right = [True] + [False] * (len(votes) - 1)
    agree, agree_right, _ = windows(votes, right, no_answer, window, depth, RANDOM, replacement)

    def alike(n):
        return Fraction(n, total) ** window if replacement else Fraction(comb(n, window), comb(total, window))

    assert agree[0] == pytest.approx(1)
    assert agree[1] == pytest.approx(float(sum(map(alike, votes))), abs=1e-12)
    assert agree_right[1] == pytest.approx(float(alike(votes[0])), abs=1e-12)


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.integers(0, 2), st.sampled_from(["random", "wrong"]))
def test_without_a_given_window_the_plurality_is_that_of_the_oracle(votes, no_answer, ties):
    depth, right = sum(votes) + no_answer, [True] + [False] * (len(votes) - 1)
    rule = RANDOM if ties == "random" else WRONG
    _, _, plurality_right = windows(votes, right, no_answer, 2, depth, rule, False)
    for k in range(1, depth + 1):
        expected = naive.maj_at_k(votes, k, {0}, ties, no_answer)
        assert plurality_right[0, k] == pytest.approx(float(expected), abs=1e-10)


def windows_by_hand(votes, no_answer, amounts, window, most):
    """Chance that given windows agree, and the expected amounts of their classes there, without replacement."""
    found, total = {(): Fraction(1)}, sum(votes) + no_answer
    for s in range(most + 1):
        yield sum(found.values()), sum(chance * sum(amounts[c] for c in classes) for classes, chance in found.items())
        longer, ways = Counter(), max(comb(total - window * s, window), 1)
        for classes, chance in found.items():
            for c, n in enumerate(votes):
                left = n - window * classes.count(c)
                longer[*classes, c] = chance * Fraction(comb(left, window), ways) if left >= window else 0
        found = longer


@settings(max_examples=examples(30))
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.integers(0, 2), st.integers(1, 3))
def test_the_amounts_of_agreeing_windows(votes, no_answer, window):
    """Of a question after one without answers."""
    total, amounts = sum(votes) + no_answer, [1, 30, 7][: len(votes)]
    most = min(total // window, 3)
    offsets, recorded = np.array([0, 1, 1 + len(votes)]), np.array([5, total])
    agree, spent = exact_windows.agreeing_amounts(
        np.array([0, *votes]), offsets, recorded, np.array([2.0, *amounts]), window, most
    )
    assert agree[0].tolist() == [1] + [0] * most
    assert spent[0].tolist() == [0] * (most + 1)
    for s, (chance, amount) in enumerate(windows_by_hand(votes, no_answer, amounts, window, most)):
        assert agree[1, s] == pytest.approx(float(chance), abs=1e-12)
        assert spent[1, s] == pytest.approx(float(amount), abs=1e-12)


def test_more_windows_than_were_recorded_do_not_agree():
    given = np.array([4]), np.array([0, 1]), np.array([5]), np.array([2.0])
    agree, spent = exact_windows.agreeing_amounts(*given, 2, 4)
    assert agree[0] == pytest.approx([1, 6 / 10, 1 / 5, 0, 0])
    assert spent[0] == pytest.approx([0, 2 * 6 / 10, 4 / 5, 0, 0])
