"""Closed forms of agreement, by counting all ways of drawing."""

from itertools import combinations

import numpy as np
import pytest

from mssim import agreement_at_k
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_agreement import agreement

pytestmark = pytest.mark.kernels


def test_chances_are_those_of_all_ways_of_drawing():
    """Also where two classes can both have the votes; then the chance to be right is unknown."""
    recorded = "aaabbcd-"
    counts = Counts(
        np.array([[recorded.count(c) for c in "abcd"]]), np.array([[1]]), np.array([0, 4]), np.arange(4) == 1, False
    )
    pairs = [(k, need) for k in range(1, len(recorded) + 1) for need in range(1, k + 1)]
    agreed, right = agreement(counts, *np.array(pairs).T)
    for p, (k, need) in enumerate(pairs):
        ways = [{c for c in "abcd" if drawn.count(c) >= need} for drawn in combinations(recorded, k)]
        assert agreed[0, p] == pytest.approx(sum(map(bool, ways)) / len(ways), abs=1e-12)
        if 2 * need > k:
            assert right[0, p] == pytest.approx(sum("b" in found for found in ways) / len(ways), abs=1e-12)
        else:
            assert np.isnan(right[0, p])


def test_where_fewer_samples_were_recorded_agreement_is_unknown():
    found = agreement_at_k([[3, 1], [1, 0], [0, 0]], [1, 3], agreement=0.6)
    assert found == pytest.approx(np.array([[1, 1], [1, np.nan], [np.nan, np.nan]]), nan_ok=True)
