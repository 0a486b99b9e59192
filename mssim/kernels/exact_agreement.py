"""Closed forms: the chance that some class has enough votes among the draws of one stage."""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.draw_weights import fill_weights, most_votes


@compiled_like_numpy
def _none_agrees(votes, first, last, no_answer, k, need, rate, replacement):
    """Return the probability that none of the classes `first` to `last` - 1 has `need` of k draws."""
    total, together, width = no_answer, no_answer, np.uint64(k + 1)
    for c in range(first, last):
        total += votes[0, c]
    state, product, weights = np.zeros(k + 1), np.zeros(k + 1), np.empty(k + 1)
    state[0] = 1.0
    for c in range(first, last):
        n = votes[0, c]
        if most_votes(n, total, k, replacement) < need:
            together += n
            continue
        fill_weights(weights, k + 1, n, rate, replacement)
        for x in range(width):
            product[x] = 0.0
        for j in range(need):
            shift, weight = np.uint64(j), weights[j]
            for x in range(width - shift):
                product[x + shift] += weight * state[x]
        state, product = product, state
    chance = 0.0
    fill_weights(weights, k + 1, together, rate, replacement)
    for j in range(k + 1):
        chance += state[j] * weights[k - j]
    fill_weights(weights, k + 1, total, rate, replacement)
    return chance / weights[k]


@compiled_like_numpy
def agreement(counts, draws, need):
    """Compute the probability that a class has `need` votes in a single stage, and that this class is correct.

    counts : Counts of one stage
    draws, need : int64 [pair]

    Returns agreed and right, float64 [question, pair]; NaN where fewer samples were recorded, and right also where two
    classes could both have `need` votes.
    """
    votes, no_answer, offsets, correct, replacement = counts
    most, n_questions = 0, offsets.size - 1
    for p in range(draws.size):
        most = max(most, draws[p])
    own, others, everything = np.empty(most + 1), np.empty(most + 1), np.empty(most + 1)
    agreed, right = np.empty((n_questions, draws.size)), np.empty((n_questions, draws.size))
    for q in range(n_questions):
        first, last = offsets[q], offsets[q + 1]
        total = no_answer[0, q]
        for c in range(first, last):
            total += votes[0, c]
        for p in range(draws.size):
            k, enough = draws[p], need[p]
            agreed[q, p] = right[q, p] = np.nan
            if total == 0 or (k > total and not replacement):
                continue
            rate = (k + 0.5) / (total + 1.0)
            if 2 * enough <= k:
                agreed[q, p] = 1.0 - _none_agrees(votes, first, last, no_answer[0, q], k, enough, rate, replacement)
                continue
            fill_weights(everything, k + 1, total, rate, replacement)
            agreed[q, p] = right[q, p] = 0.0
            for c in range(first, last):
                if most_votes(votes[0, c], total, k, replacement) < enough:
                    continue
                fill_weights(own, k + 1, votes[0, c], rate, replacement)
                fill_weights(others, k + 1, total - votes[0, c], rate, replacement)
                chance = 0.0
                for j in range(enough, k + 1):
                    chance += own[j] * others[k - j] / everything[k]
                agreed[q, p] += chance
                right[q, p] += chance * correct[c]
    return agreed, right
