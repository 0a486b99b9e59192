"""Replays in NumPy, vectorised over replays and budgets, and closed forms in NumPy and SciPy.

Every function returns accuracies by budget.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mssim import Pool

Curve = NDArray[np.float64]


def orders(n_replays: int, n: int, depth: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the first draws of random orders of n samples, the smallest of n random keys."""
    keys = rng.random((n_replays, n))
    smallest = keys.argpartition(depth - 1, axis=1)[:, :depth]
    return np.take_along_axis(smallest, np.take_along_axis(keys, smallest, axis=1).argsort(axis=1), axis=1)


def prefixes(codes: np.ndarray, drawn: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return votes of every class after every draw, and the first draw of each class, for all replays."""
    votes = codes[drawn][:, :, None] == np.arange(n_classes)
    first_seen = np.where(votes.any(axis=1), votes.argmax(axis=1), votes.shape[1])
    return votes.cumsum(axis=1), first_seen


def self_consistency(pool: Pool, budgets: Sequence[int], n_replays: int, seed: int) -> Curve:
    """Compute the plurality after every draw with cumulative one-hot counts."""
    rng, codes, most = np.random.default_rng(seed), pool.codes[0], max(budgets)
    n_classes, hits = int(codes.max()) + 1, np.zeros(most)
    for q in range(len(codes)):
        counts, first_seen = prefixes(codes[q], orders(n_replays, codes.shape[1], most, rng), n_classes)
        leader = (counts * (most + 1) - first_seen[:, None]).argmax(axis=2)
        hits += pool.class_correct[pool.class_offsets[q] + leader].mean(axis=0)
    return hits[np.array(budgets) - 1] / len(codes)


def entropy_weights(counts: np.ndarray) -> np.ndarray:
    """Return the weights of one model, [replay, budget], from its votes [replay, budget, class]."""
    m, u = counts.sum(axis=2), (counts > 0).sum(axis=2)
    p = counts / m[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0, p * np.log2(p), 0).sum(axis=2)
        return np.where(u == 1, 1.0, 1 / m + (1 - 1 / m) * (1 - entropy / np.log2(u)))


def model_switch(pool: Pool, budgets: Sequence[int], n_replays: int, seed: int) -> Curve:
    """Compute ModelSwitch of two models with entropy weights at all budgets."""
    rng, most, n_classes = np.random.default_rng(seed), (max(budgets) + 1) // 2, int(pool.codes.max()) + 1
    sizes = np.stack([-(-np.array(budgets) // 2), np.array(budgets) // 2])
    hits = np.zeros(len(budgets))
    for q in range(pool.codes.shape[1]):
        votes, seen = [], []
        for m, codes in enumerate(pool.codes[:, q]):
            counts, first_seen = prefixes(codes, orders(n_replays, codes.size, most, rng), n_classes)
            votes.append(counts[:, sizes[m] - 1])
            seen.append(first_seen)
        later = np.where(seen[0] < most, seen[0], 2 * most + seen[1])[:, None]  # models in order, then draws
        score = sum(entropy_weights(counts)[:, :, None] * counts for counts in votes)
        leader = (score - 1e-9 * later).argmax(axis=2)
        for counts in reversed(votes):
            unanimous = (counts > 0).sum(axis=2) == 1
            leader = np.where(unanimous, counts.argmax(axis=2), leader)
        hits += pool.class_correct[pool.class_offsets[q] + leader].mean(axis=0)
    return hits / pool.codes.shape[1]


def adaptive_consistency(pool: Pool, most: int, n_replays: int, seed: int) -> Curve:
    """Compute the plurality where the Beta rule first stops, from a table of votes of the two leading answers."""
    rng, codes, rows = np.random.default_rng(seed), pool.codes[0], np.arange(n_replays)
    votes = np.arange(most + 1)
    stops = 1 - special.betainc(votes[:, None] + 1, votes[None] + 1, 0.5) >= 0.95
    n_classes, hits = max(2, int(codes.max()) + 1), 0.0
    for q in range(len(codes)):
        counts, first_seen = prefixes(codes[q], orders(n_replays, codes.shape[1], most, rng), n_classes)
        second, first = np.moveaxis(np.partition(counts, n_classes - 2, axis=2)[:, :, -2:], 2, 0)
        done = stops[first, second]
        end = np.where(done.any(axis=1), done.argmax(axis=1), most - 1)
        leader = (counts[rows, end] * (most + 1) - first_seen).argmax(axis=1)
        hits += pool.class_correct[pool.class_offsets[q] + leader].mean()
    return np.array([hits / len(codes)])


def right_samples(pool: Pool) -> NDArray[np.int64]:
    """Return the number of correct samples of the first model, [question]."""
    return np.array([row.sum() for row in outcomes(pool)])


def outcomes(pool: Pool, row: int = 0) -> NDArray[np.bool_]:
    """Return whether every sample of a model is correct, [question, sample]."""
    return pool.class_correct[pool.class_offsets[:-1, None] + pool.codes[row]]


def pass_at_k(pool: Pool, ks: Sequence[int]) -> Curve:
    """Compute the product published with pass@k (Chen et al. 2021, figure 3), for each question and k."""
    n, found = pool.codes.shape[2], np.zeros(len(ks))
    for c in right_samples(pool):
        found += [1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)) for k in ks]
    return found / len(pool.questions)


def strict_majority(pool: Pool, ks: Sequence[int]) -> Curve:
    """Compute the probability that more than half of k samples are correct, with the hypergeometric tail."""
    k = np.array(ks)
    return stats.hypergeom.sf(k // 2, pool.codes.shape[2], right_samples(pool)[:, None], k).mean(axis=0)
