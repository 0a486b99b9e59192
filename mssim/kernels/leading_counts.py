"""Likelihoods of the votes of the two leading answers, given the shares of a question's answers in order.

A polynomial has the likelihood of n votes of some answers as its coefficient n, up to factors that depend on n alone.
One answer with share p has the terms (p s)^n / n!, n = 0, 1, ..., for any scale s; those of several answers multiply.
All terms are positive, so sums lose no digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled

NONE, SOME = 0, 1  # whether any answer has exactly as many votes as the second


@compiled
def _add_product(one, other, reach, total):
    """Add the product of two polynomials to `total`, up to the power `reach`."""
    for i in range(reach + 1):
        if one[i] != 0.0:
            for j in range(reach + 1 - i):
                total[i + j] += one[i] * other[j]


@compiled
def _take_in(before, term, second, reach, after):
    """Multiply what some answers do, [NONE or SOME, votes], by the terms of one more with at most `second` votes."""
    after[:] = 0.0
    for r in range(min(second, reach) + 1):
        for d in range(reach + 1 - r):
            after[SOME, d + r] += before[SOME, d] * term[r]
            after[NONE if r < second else SOME, d + r] += before[NONE, d] * term[r]


@compiled
def _leading(terms, n_answers, groups, weights, second, ahead, every):
    n_priors, most_answers, width = terms.shape
    reach = width - 2 - second  # most votes of all but the leader, which has more than the second
    low, high = np.zeros((most_answers + 1, 2, width)), np.zeros((most_answers + 1, 2, width))
    either, others = np.zeros(width), np.zeros(width)
    for m in range(n_priors):
        last, g = n_answers[m], groups[m]
        high[last] = 0.0
        low[0, NONE, 0] = high[last, NONE, 0] = 1.0
        for i in range(last):  # the answers before i, and those after
            _take_in(low[i], terms[m, i], second, reach, low[i + 1])
        for i in range(last, 0, -1):
            _take_in(high[i], terms[m, i - 1], second, reach, high[i - 1])
        for i in range(last):
            others[:] = 0.0
            if second > 0:
                for d in range(reach + 1):
                    either[d] = high[i + 1, NONE, d] + high[i + 1, SOME, d]
                _add_product(low[i, NONE], high[i + 1, SOME], reach, others)
                _add_product(low[i, SOME], either, reach, others)
            else:
                others[0] = 1.0
            for first in range(second + 1, width - second):
                factor = weights[m] * terms[m, i, first]
                for d in range(second, width - first):
                    every[g, first, d] += factor * others[d]
                    if i == 0:
                        ahead[g, first, d] += factor * others[d]


def leading_counts(
    terms: NDArray[np.float64],
    n_answers: NDArray[np.int64],
    groups: NDArray[np.int64],
    weights: NDArray[np.float64],
    second: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the likelihoods of a second answer with `second` votes, and a leader with more, over the priors of a group.

    terms     : float64 [prior, answer, votes], those of each answer, the most probable first
    n_answers : int64 [prior]
    groups    : int64 [prior], from 0
    weights   : float64 [prior]

    Returns two arrays float64 [group, votes of the leader, votes of all others]: where the most probable answer leads,
    and in all cases. They are 0 where the votes contradict each other or exceed those of `terms`.
    """
    width = terms.shape[2]
    ahead, every = np.zeros((2, int(groups.max()) + 1, width, width))
    if width >= 2 * second + 2:
        _leading(terms, n_answers, groups, weights, second, ahead, every)
    return ahead, every
