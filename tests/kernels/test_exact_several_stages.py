"""Closed forms of votes of several stages: what is unknown, and a vote by all ways of drawing."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from mssim.engine.exact import grid_of, tie_rule
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_several_stages import plurality
from mssim.kernels.tally import RANDOM, WRONG
from mssim.rules.agreement import NEVER

pytestmark = pytest.mark.kernels


def test_a_stage_of_fewer_samples_than_others_is_unknown_beyond_them():
    """`evaluate` refuses such budgets; the kernel leaves them open and keeps to its arrays."""
    votes = np.array([[2, 0, 4, 1], [1, 1, 3, 2]])  # of two questions, the first with two samples of each model
    counts = Counts(votes, np.zeros((2, 2), np.int64), np.array([0, 2, 4]), np.array([True, False] * 2), False)
    grid = grid_of((4, 3), (1.0, 1.0))
    found = plurality(counts, grid, np.array([NEVER, NEVER]), tie_rule(RANDOM, grid, 2))
    assert np.isfinite(found[0, :3, :3]).all()
    assert np.isnan(found[0, 3:]).all()
    assert np.isnan(found[0, :, 3]).all()
    assert np.isfinite(found[1]).all()


def test_without_samples_of_the_last_stage_nothing_is_known_but_that_no_draws_are_wrong():
    counts = Counts(
        np.array([[2, 1], [0, 0]]), np.zeros((2, 1), np.int64), np.array([0, 2]), np.array([True, False]), False
    )
    grid = grid_of((2, 2), (1.0, 1.0))
    found = plurality(counts, grid, np.array([NEVER, NEVER]), tie_rule(RANDOM, grid, 2))
    assert found[0, 0, 0] == 0
    assert np.isnan(found).sum() == found.size - 1


@pytest.mark.parametrize("rule", [RANDOM, WRONG])
def test_the_chance_of_a_right_plurality_is_that_of_all_ways_of_drawing(rule):
    """Class 0 is right; the first model counts twice."""
    recorded, weights, sizes = ("0012", "0112-"), (2, 1), (2, 3)
    votes = np.array([[given.count(c) for c in "012"] for given in recorded])
    no_answer = np.array([[given.count("-")] for given in recorded])
    counts = Counts(votes, no_answer, np.array([0, 3]), np.array([True, False, False]), False)
    grid = grid_of(sizes, (1.0, 0.5))
    found = plurality(counts, grid, np.array([NEVER, NEVER]), tie_rule(rule, grid, 3))
    for first in range(1, sizes[0] + 1):
        for second in range(sizes[1] + 1):
            chances = []
            for drawn in combinations(recorded[0], first):
                for more in combinations(recorded[1], second):
                    scores = [weights[0] * drawn.count(c) + weights[1] * more.count(c) for c in "012"]
                    tied = [c for c in range(3) if scores[c] == max(scores) > 0]
                    chances.append(
                        Fraction(tied == [0]) if rule == WRONG else Fraction(tied.count(0), max(len(tied), 1))
                    )
            assert found[0, first, second] == pytest.approx(float(sum(chances) / len(chances)), abs=1e-12)
