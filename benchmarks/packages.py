"""Other packages, called as documented; those that are not installed are skipped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain import questions
from benchmarks.vectorised import outcomes
from mssim import Pool

Curve = NDArray[np.float64]
MODULES = {"scorio": "scorio", "AdaptiveConsistency": "adaptive_consistency"}


def installed(name: str) -> bool:
    return find_spec(MODULES[name]) is not None


def scorio_self_consistency(pool: Pool, budgets: Sequence[int], n_replays: int, seed: int) -> Curve:
    """Use scorio.aggregate.majority_vote on the first draws of random orders, for each budget.

    It processes whole batches of questions and breaks ties by first appearance, as mssim does.
    """
    from scorio.aggregate import majority_vote

    rng, codes, hits = np.random.default_rng(seed), pool.codes[0], np.zeros(len(budgets))
    for _ in range(n_replays):
        drawn = rng.permuted(codes, axis=1)[:, : max(budgets)]
        for b, budget in enumerate(budgets):
            leaders = majority_vote(drawn[:, :budget]).astype(np.int64)
            hits[b] += pool.class_correct[pool.class_offsets[:-1] + leaders].mean()
    return hits / n_replays


def scorio_vote(
    pool: Pool, function: str, column: str, options: dict[str, object], budget: int, n_replays: int, seed: int
) -> Curve:
    """Use a vote of scorio.aggregate on the first draws of random orders; `column` has the scores, if it needs any."""
    from scorio import aggregate

    rng, codes, hits = np.random.default_rng(seed), pool.codes[0], 0.0
    numbers = pool.number(column)[0] if column else None
    for _ in range(n_replays):
        drawn = rng.permuted(np.tile(np.arange(codes.shape[1]), (len(codes), 1)), axis=1)[:, :budget]
        answers = np.take_along_axis(codes, drawn, axis=1)
        scores = () if numbers is None else (np.take_along_axis(numbers, drawn, axis=1),)
        leaders = getattr(aggregate, function)(answers, *scores, **options).astype(np.int64)
        hits += pool.class_correct[pool.class_offsets[:-1] + leaders].mean()
    return np.array([hits / n_replays])


def scorio_rank(pool: Pool, function: str, k: int, _: int) -> Curve:
    """Use a ranking of scorio.rank, and return the scores by which it ranks the models."""
    from scorio import rank

    right = np.stack([outcomes(pool, row) for row in range(len(pool.models))]).astype(int)
    options = {"k": k} if function == "pass_at_k" else {}
    _, scores = getattr(rank, function)(right, return_scores=True, **options)
    return np.asarray(scores)


def scorio_pass_at_k(pool: Pool, ks: Sequence[int]) -> Curve:
    """Use scorio.eval.pass_at_k for each k."""
    from scorio.eval import pass_at_k

    right = outcomes(pool).astype(int)
    return np.array([pass_at_k(right, k) for k in ks])


def scorio_maj_at_k(pool: Pool, ks: Sequence[int]) -> Curve:
    """Use scorio.eval.maj_at_k for each k; it asks whether more than half of the samples are correct."""
    from scorio.eval import maj_at_k

    right = outcomes(pool).astype(int)
    return np.array([maj_at_k(right, k) for k in ks])


def package_adaptive_consistency(pool: Pool, most: int, n_replays: int, seed: int) -> Curve:
    """Use AC.should_stop of AdaptiveConsistency after every draw, and answer with the leader when it stops."""
    from adaptive_consistency import AC, BetaStoppingCriteria

    rule, rng, hits = AC(max_gens=most, stop_criteria=BetaStoppingCriteria(0.95)), random.Random(seed), 0
    for right, [codes] in questions(pool, "one"):
        for _ in range(n_replays):
            drawn = rng.sample(codes, most)
            said = {}
            for n in range(1, most + 1):
                said = rule.should_stop(drawn[:n], return_dict=True)
                if said["stop"]:
                    break
            hits += right[said["most_common"]]
    return np.array([hits / len(pool.questions) / n_replays])
