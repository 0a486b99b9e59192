"""Closed forms: the chance that some class has enough votes among the draws of one stage."""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.draw_weights import fill_weights, most_votes


@compiled_like_numpy
def _none_agrees(votes, silent, k, need, rate, replacement):
    """Chance that no class has `need` of k draws."""
    total, together = silent, silent
    for n in votes:
        total += n
    width = np.uint64(k + 1)
    state, product, weights = np.zeros(k + 1), np.zeros(k + 1), np.zeros(k + 1)
    state[0] = 1.0
    for n in votes:
        if most_votes(n, total, k, replacement) < need:
            together += n
            continue
        fill_weights(weights, k + 1, n, rate, replacement)
        product[:] = 0.0
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
    """Chance that some class has `need` votes among the draws of a single stage, and that this class is right.

    counts : Counts of one stage
    draws, need : int64 [pair]

    Returns agreed and right, float64 [question, pair]; NaN where fewer samples were recorded, and right also where two
    classes could both have `need` votes.
    """
    n_questions, n_pairs, replacement = counts.offsets.size - 1, draws.size, counts.replacement
    agreed, right = np.empty((n_questions, n_pairs)), np.empty((n_questions, n_pairs))
    most = 1
    for p in range(n_pairs):
        most = max(most, draws[p] + 1)
    own, others, everything = np.empty(most), np.empty(most), np.empty(most)
    for q in range(n_questions):
        votes, correct = counts.votes[0, counts.offsets[q] :], counts.correct[counts.offsets[q] :]
        n_classes, silent = counts.offsets[q + 1] - counts.offsets[q], counts.silent[0, q]
        total = silent
        for c in range(n_classes):
            total += votes[c]
        for p in range(n_pairs):
            k = draws[p]
            agreed[q, p] = right[q, p] = np.nan
            if total == 0 or (k > total and not replacement):
                continue
            rate = (k + 0.5) / (total + 1.0)
            if 2 * need[p] <= k:
                agreed[q, p] = 1.0 - _none_agrees(votes[:n_classes], silent, k, need[p], rate, replacement)
                continue
            fill_weights(everything, k + 1, total, rate, replacement)
            agreed[q, p] = right[q, p] = 0.0
            for c in range(n_classes):
                if most_votes(votes[c], total, k, replacement) < need[p]:
                    continue
                fill_weights(own, k + 1, votes[c], rate, replacement)
                fill_weights(others, k + 1, total - votes[c], rate, replacement)
                chance = 0.0
                for j in range(need[p], k + 1):
                    chance += own[j] * others[k - j] / everything[k]
                agreed[q, p] += chance
                right[q, p] += chance * correct[c]
    return agreed, right
