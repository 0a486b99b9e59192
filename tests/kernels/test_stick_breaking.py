"""Partitions by stick breaking, in rational arithmetic and against SciPy."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from mssim.kernels import stick_breaking


def partitions_of(m, theta):
    """Chance of every list of class sizes of m wrong draws, guest by guest in the Chinese restaurant."""
    states = {(): Fraction(1)}
    for n in range(m):
        after = Counter()
        for sizes, chance in states.items():
            after[tuple(sorted((*sizes, 1)))] += chance * theta / (theta + n)
            for i, size in enumerate(sizes):
                grown = tuple(sorted((*sizes[:i], size + 1, *sizes[i + 1 :])))
                after[grown] += chance * size / (theta + n)
        states = after
    return states


@pytest.mark.kernels
@pytest.mark.parametrize("theta", [0.03, 1.0, 7.5, 300.0])
def test_chances_of_the_largest_class_by_size(theta):
    exact = Fraction(theta)
    for m in range(8):
        found = partitions_of(m, exact)
        for limit in range(1, m + 2):
            below = sum(chance for sizes, chance in found.items() if max(sizes, default=0) < limit)
            assert stick_breaking.all_below(theta, limit, 9)[m] == pytest.approx(float(below), rel=1e-12)


@pytest.mark.kernels
@pytest.mark.parametrize(("a", "b"), [(0.2, 0.3), (1.0, 1.0), (0.5, 40.0), (40.0, 0.5), (3.0, 5.0), (5e5, 2e5), (1, 9)])
@pytest.mark.parametrize("k", [1, 7, 512])
def test_right_draws_are_beta_binomial(k, a, b):
    found = stick_breaking.right_draws(k, float(a), float(b))
    # SciPy subtracts logarithms of large gamma functions, so it is the less precise of the two.
    assert found == pytest.approx(
        stats.betabinom.pmf(np.arange(k + 1), k, a, b), rel=1e-7 if a < 1e5 else 1e-2, abs=1e-15
    )
    assert found @ np.arange(k + 1) == pytest.approx(k * a / (a + b), rel=1e-12)
