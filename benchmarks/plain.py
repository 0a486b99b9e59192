"""Replays in straightforward plain Python, with random.sample, Counter and a loop over budgets.

The module also restates the analysis that was released with the ModelSwitch paper: one pass over the first K recorded
answers with list.count. Every function returns accuracies by budget.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mssim import Pool

Curve = NDArray[np.float64]


def questions(pool: Pool, *models: str) -> Iterator[tuple[list[bool], list[list[int]]]]:
    """Yield, for each question, the correctness of its classes and the recorded classes of every model."""
    rows = [pool.model_index(model) for model in models]
    for q in range(len(pool.questions)):
        right = pool.class_correct[pool.class_offsets[q] : pool.class_offsets[q + 1]].tolist()
        yield right, [pool.codes[row, q].tolist() for row in rows]


def self_consistency(pool: Pool, budgets: Sequence[int], n_replays: int, seed: int) -> Curve:
    """Add draws to a Counter, and take its leader at every budget."""
    rng, hits, wanted = random.Random(seed), np.zeros(max(budgets) + 1), set(budgets)
    for right, [codes] in questions(pool, "one"):
        for _ in range(n_replays):
            counts: Counter[int] = Counter()
            for n, answer in enumerate(rng.sample(codes, max(budgets)), 1):
                counts[answer] += 1
                if n in wanted:
                    hits[n] += right[max(counts, key=counts.__getitem__)]
    return hits[list(budgets)] / len(pool.questions) / n_replays


def entropy_weight(counts: Counter[int]) -> float:
    m, u = sum(counts.values()), len(counts)
    if u == 1:
        return 1.0
    entropy = -sum(n / m * math.log2(n / m) for n in counts.values())
    return 1 / m + (1 - 1 / m) * (1 - entropy / math.log2(u))


def weighted_vote(stages: Sequence[Counter[int]]) -> int:
    """Return the answer with the most votes, weighted by the consistency of each model."""
    score: dict[int, float] = {}
    for counts in stages:
        weight = entropy_weight(counts)
        for answer, n in counts.items():
            score[answer] = score.get(answer, 0.0) + weight * n
    return max(score, key=score.__getitem__)


def model_switch(pool: Pool, budgets: Sequence[int], n_replays: int, seed: int) -> Curve:
    """Add draws to two Counters in turn, so that after B draws they are those of budget B."""
    rng, hits, wanted = random.Random(seed), np.zeros(max(budgets) + 1), set(budgets)
    for right, models in questions(pool, "one", "two"):
        for _ in range(n_replays):
            samples = [rng.sample(codes, (max(budgets) + 1) // 2) for codes in models]
            stages: list[Counter[int]] = [Counter(), Counter()]
            for n in range(1, max(budgets) + 1):
                j, m = divmod(n - 1, 2)
                stages[m][samples[m][j]] += 1
                if n in wanted:
                    agreed = next((counts for counts in stages if len(counts) == 1), None)
                    hits[n] += right[next(iter(agreed)) if agreed else weighted_vote(stages)]
    return hits[list(budgets)] / len(pool.questions) / n_replays


@cache
def certain(first: int, second: int) -> bool:
    """Return whether Adaptive-Consistency stops at these votes of the two leading answers."""
    return bool(1 - special.betainc(first + 1, second + 1, 0.5) >= 0.95)


def adaptive_consistency(pool: Pool, most: int, n_replays: int, seed: int) -> Curve:
    """Draw until the Beta rule stops, or up to `most` draws."""
    rng, hits = random.Random(seed), 0
    for right, [codes] in questions(pool, "one"):
        for _ in range(n_replays):
            counts: Counter[int] = Counter()
            for answer in rng.sample(codes, most):
                counts[answer] += 1
                (_, first), (_, second) = [*counts.most_common(2), (None, 0)][:2]
                if certain(first, second):
                    break
            hits += right[max(counts, key=counts.__getitem__)]
    return np.array([hits / len(pool.questions) / n_replays])


def released_self_consistency(pool: Pool, budgets: Sequence[int]) -> Curve:
    """Use the most frequent of the first K recorded answers."""
    hits = np.zeros(len(budgets))
    for right, [codes] in questions(pool, "one"):
        for b, budget in enumerate(budgets):
            first = codes[:budget]
            hits[b] += right[max(first, key=first.count)]
    return hits / len(pool.questions)


def released_model_switch(pool: Pool, budgets: Sequence[int]) -> Curve:
    """Use the first model's answer if its first K agree, else a weighted vote over the first K of both."""
    hits = np.zeros(len(budgets))
    for right, models in questions(pool, "one", "two"):
        for b, budget in enumerate(budgets):
            firsts = [models[0][: -(-budget // 2)], models[1][: budget // 2]]
            if firsts[0].count(firsts[0][0]) == len(firsts[0]):
                hits[b] += right[firsts[0][0]]
                continue
            stages = [Counter({answer: first.count(answer) for answer in first}) for first in firsts]
            hits[b] += right[weighted_vote(stages)]
    return hits / len(pool.questions)


def pass_at_k(pool: Pool, ks: Sequence[int]) -> Curve:
    """Compute 1 - C(n - c, k) / C(n, k) in integers."""
    found = np.zeros(len(ks))
    for right, [codes] in questions(pool, "one"):
        n, c = len(codes), sum(right[code] for code in codes)
        found += [1 - math.comb(n - c, k) / math.comb(n, k) for k in ks]
    return found / len(pool.questions)
