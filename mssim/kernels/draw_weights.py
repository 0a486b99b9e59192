"""Weights of draws: how often a class gets j votes, up to a factor that all classes share.

If k of N recorded samples are drawn, the votes of the classes have the distribution of independent Binomial(n_c, rate)
counts, given that these add up to k, for any rate. With replacement the counts are Poisson(n_c rate). So every chance
in a closed form is a coefficient of a product of polynomials, one per class, divided by the same coefficient for all
samples together. All terms are positive, so nothing cancels, and the rate is chosen so that nothing underflows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled_like_numpy

_RARE = 46.0  # chances below exp(-46) = 1e-20 are left out
_UNDERFLOW = -600.0  # logarithm of the smallest chance that may be divided by


class Counts(NamedTuple):
    """Recorded votes of a block of questions, by the models of a strategy."""

    votes: NDArray[np.int64]  # [stage, class], recorded samples of each class
    no_answer: NDArray[np.int64]  # [stage, question], recorded samples without an answer
    offsets: NDArray[np.int64]  # [question + 1], where a question's classes begin
    correct: NDArray[np.bool_]  # [class]
    replacement: bool


@compiled_like_numpy
def _log_weight(n, j, rate, replacement):
    """Return the logarithm of the weight of j draws from n samples."""
    if replacement:
        return j * math.log(n * rate) - n * rate - math.lgamma(j + 1.0)
    choose = math.lgamma(n + 1.0) - math.lgamma(j + 1.0) - math.lgamma(n - j + 1.0)
    return choose + j * math.log(rate) + (n - j) * math.log1p(-rate)


@compiled_like_numpy
def fill_weights(out, size, n, rate, replacement):
    """Fill out[j], j < size, with the weight of j draws from n samples: Binomial(n, rate) or Poisson(n * rate)."""
    for j in range(size):
        out[j] = 0.0
    most = size - 1 if replacement else min(n, size - 1)
    if n == 0:
        out[0] = 1.0
        return
    mode, start = 0, -n * rate if replacement else n * math.log1p(-rate)
    if start < _UNDERFLOW:
        mode = min(int(n * rate), most)
        start = _log_weight(n, mode, rate, replacement)
    out[mode] = math.exp(start)
    odds = n * rate if replacement else rate / (1.0 - rate)
    for j in range(mode, most):
        out[j + 1] = out[j] * ((odds if replacement else odds * (n - j)) / (j + 1))
    for j in range(mode, 0, -1):
        out[j - 1] = out[j] * (j / (odds if replacement else odds * (n - j + 1)))


@compiled_like_numpy
def _rare(votes, draws, share):
    """Return whether a class of this share has so many votes, or so few, with a probability below 1e-20.

    Where a share f is expected, the chance of a share a, or one further from it on the same side, is at most
    exp(-draws KL(a, f)), with and without replacement (Hoeffding 1963, doi:10.1080/01621459.1963.10500830).
    """
    if share >= 1.0:
        return votes < draws
    a = votes / draws
    divergence = (a * math.log(a / share) if a > 0.0 else 0.0) - (
        (1.0 - a) * math.log((1.0 - share) / (1.0 - a)) if a < 1.0 else 0.0
    )
    return draws * divergence > _RARE


@compiled_like_numpy
def most_votes(n, total, draws, replacement):
    """Return the most votes that a class of n among `total` samples can get."""
    if n == 0:
        return 0
    high = draws if replacement else min(n, draws)
    low = min(int(n / total * draws), high)
    while low < high:
        votes = (low + high + 1) // 2
        if _rare(votes, draws, n / total):
            high = votes - 1
        else:
            low = votes
    return high


@compiled_like_numpy
def most_draws(n, total, votes, draws):
    """Return the most draws, up to `draws`, in which such a class can have at most `votes` votes."""
    low, high = votes, draws
    while low < high:
        k = (low + high + 1) // 2
        if votes < k * (n / total) and _rare(votes, k, n / total):
            high = k - 1
        else:
            low = k
    return high


@compiled_like_numpy
def last_of_block(total, low, high, replacement):
    """Return the most draws, up to `high`, that can share one rate with `low` draws without underflow."""
    while high > low:
        rate = (low + high + 1.0) / (2.0 * (total + 1.0))
        worst = min(_log_weight(total, low, rate, replacement), _log_weight(total, high, rate, replacement))
        if worst > _UNDERFLOW:
            break
        high = (low + high) // 2
    return high
