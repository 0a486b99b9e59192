"""How wrong answers fall into classes when their law is broken off a stick: closed forms of the largest class.

Wrong draws of a question form a Chinese restaurant process with parameter theta: m of them make up classes of sizes
n_1, ..., n_k in theta^k / theta^(m) x prod (n_i - 1)! ways (Ewens 1972, doi:10.1016/0040-5809(72)90035-4), theta^(m) =
theta (theta + 1) ... (theta + m - 1). So the chance that all classes are smaller than c is a coefficient of
exp(theta sum_{j < c} x^j / j), divided by the same coefficient of (1 - x)^-theta. All terms are positive: nothing
cancels. With x scaled by n / (n + theta) nothing overflows either.
"""

from __future__ import annotations

import math

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy


@compiled_like_numpy
def _weights(theta, n):
    """Return weights theta x^j / j of a class of j draws, x = n / (n + theta), and the initial value."""
    x = n / (n + theta)
    weights = np.zeros(n + 1)
    power = theta
    for j in range(1, n + 1):
        power *= x
        weights[j] = power / j
    return weights, math.exp(-0.5 * theta * math.log1p(n / theta))


@compiled_like_numpy
def _exponential(weights, start, limit, out):
    """Fill out[m] with coefficients of start x exp(sum of weights[j] x^j over 0 < j < limit)."""
    out[0] = start
    for m in range(1, out.size):
        total = 0.0
        for j in range(1, min(limit, m + 1)):
            total += j * weights[j] * out[m - j]
        out[m] = total / m


@compiled_like_numpy
def all_below(theta, limit, n):
    """Return probabilities [m], 0 <= m <= n, that m wrong draws have no class of `limit` or more."""
    weights, start = _weights(theta, max(n, 1))
    below, all_ways = np.empty(n + 1), np.empty(n + 1)
    _exponential(weights, start, limit, below)
    _exponential(weights, start, n + 1, all_ways)
    return below / all_ways


@compiled_like_numpy
def wins(theta, k):
    """Return probabilities [c] that c correct draws outvote k - c wrong ones; tied classes have equal chances."""
    weights, start = _weights(theta, max(k, 1))
    below, all_ways = np.empty(k + 1), np.empty(k + 1)
    _exponential(weights, start, k + 1, all_ways)
    won = np.ones(k + 1)
    won[0] = 0.0
    for c in range(1, k // 2 + 1):
        m = k - c
        _exponential(weights, start, c, below[: m + 1])
        total, ways = 0.0, 1.0  # ways for t tied classes: weights[c]^t / t!
        for tied in range(m // c + 1):
            total += ways * below[m - tied * c] / (tied + 1)
            ways *= weights[c] / (tied + 1)
        won[c] = total / all_ways[m]
    return won


@compiled_like_numpy
def right_draws(k, a, b):
    """Return beta-binomial probabilities [c] of c correct draws among k, computed by ratios from the mode."""
    out = np.empty(k + 1)
    mode = 0
    if a >= 1.0:
        mode = k if b < 1.0 else int((k + 1) * (a - 1.0) / max(a + b - 2.0, 1e-300))
    mode = min(max(mode, 0), k)
    out[mode] = 1.0
    for c in range(mode, k):
        out[c + 1] = out[c] * ((k - c) / (c + 1.0) * (a + c) / (b + k - c - 1.0))
    for c in range(mode, 0, -1):
        out[c - 1] = out[c] * (c / (k - c + 1.0) * (b + k - c) / (a + c - 1.0))
    return out / out.sum()
