"""Estimates from sums over replays, with and without a control."""

import numpy as np
import pytest

from mssim.engine.blocks import Outcome
from mssim.engine.estimates import SIXTEENTHS, Estimate, binomial_variance, controlled, fewest_replays


def test_the_variance_of_a_share_is_unbiased():
    rng, n, p = np.random.default_rng(0), 8, 0.3
    shares = rng.binomial(n, p, 200_000) / n
    found = binomial_variance(shares, np.full(shares.size, n))
    assert found.mean() == pytest.approx(p * (1 - p) / n, rel=0.01)


@pytest.mark.parametrize("coefficient", [0, 5, 16])
def test_a_control_has_no_bias_and_the_variance_that_is_reported(coefficient):
    """Replays in which the control is right as often as not, and the plan differs from it in one of ten."""
    rng, n, runs = np.random.default_rng(1), 50, 40_000
    control = rng.random((runs, n)) < 0.5
    plan = control ^ (rng.random((runs, n)) < 0.1)
    both = (plan & control).mean(axis=1)
    given = np.full(runs, n), np.full(runs, 0.5), np.full(runs, coefficient)
    accuracy, variance = controlled(plan.mean(axis=1), control.mean(axis=1), both, *given)
    assert accuracy.mean() == pytest.approx(0.5, abs=5 * accuracy.std() / np.sqrt(runs))
    assert variance.mean() == pytest.approx(accuracy.var(), rel=0.04)
    b = coefficient / SIXTEENTHS
    expected = (0.25 - 2 * b * 0.2 + b**2 * 0.25) / n  # the covariance of both is 0.45 - 0.25
    assert accuracy.var() == pytest.approx(expected, rel=0.04)


def test_an_accuracy_with_a_control_is_a_probability():
    ones = np.ones(1)
    accuracy, _ = controlled(ones, 0.9 * ones, 0.9 * ones, np.array([9]), ones, np.array([SIXTEENTHS]))
    assert accuracy.tolist() == [1]


def test_a_mixture_has_the_replays_of_its_least_certain_part():
    def part(n):
        nothing = np.zeros((1, 3))
        return Estimate(Outcome.of(nothing, nothing[None], nothing), np.array([n]), nothing)

    assert fewest_replays([part([0, 0, 9]), part([0, 5, 7])]).tolist() == [[0, 5, 7]]
