"""Likelihoods of the two leading vote counts: against the sum over all votes that the answers can have."""

import itertools
import math

import numpy as np
import pytest

from mssim.kernels.leading_counts import leading_counts

pytestmark = pytest.mark.kernels


def summed(shares, second, depth):
    """Sums of products of p^n / n! over all votes, [votes of the leader, of all others]: the first leads, or any."""
    ahead, every = np.zeros((2, depth + 1, depth + 1))
    for counts in itertools.product(range(depth + 1), repeat=len(shares)):
        most = sorted([*counts, 0], reverse=True)
        if sum(counts) <= depth and most[1] == second < most[0]:
            value = math.prod(p**n / math.factorial(n) for p, n in zip(shares, counts, strict=True))
            every[most[0], sum(counts) - most[0]] += value
            ahead[most[0], sum(counts) - most[0]] += value * (counts[0] == most[0])
    return ahead, every


def terms_of(priors, depth):
    terms = np.zeros((len(priors), max(map(len, priors)), depth + 1))
    for m, prior in enumerate(priors):
        for i, share in enumerate(prior):
            terms[m, i] = [share**n / math.factorial(n) for n in range(depth + 1)]
    return terms


@pytest.mark.parametrize("second", range(5))
def test_likelihoods_are_sums_over_all_votes(second):
    """Of three priors with different numbers of answers, the first and the last in one group."""
    priors, groups, weights, depth = [(0.5, 0.3, 0.1, 0.1), (1.0,), (0.6, 0.4)], [0, 1, 0], [1.0, 2.0, 0.5], 7
    found = leading_counts(terms_of(priors, depth), np.array([4, 1, 2]), np.array(groups), np.array(weights), second)
    for part, expected in zip(
        found, zip(*(summed(prior, second, depth) for prior in priors), strict=True), strict=True
    ):
        for group in (0, 1):
            total = sum(w * e for g, w, e in zip(groups, weights, expected, strict=True) if g == group)
            assert part[group] == pytest.approx(total, rel=1e-13, abs=0)


def test_too_few_draws_for_so_many_votes_have_no_likelihood():
    one = np.array([2]), np.array([0]), np.array([1.0])
    for depth, second, possible in [(0, 0, False), (1, 0, True), (2, 1, False), (3, 1, True), (4, 2, False)]:
        ahead, every = leading_counts(terms_of([(0.5, 0.5)], depth), *one, second)
        assert ahead.shape == every.shape == (1, depth + 1, depth + 1)
        assert every.any() == possible
