"""Bias of drawing with replacement from few samples, estimated from halves of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.engine.job import Job
from mssim.engine.requirements import enough_recorded
from mssim.engine.sample_groups import keep_samples
from mssim.engine.scheduler import run_blocks
from mssim.engine.totals import Totals
from mssim.engine.work import Work
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.results.intervals import mean_interval

__all__ = ["bias_warning", "half_pools", "halves_of_counts", "replacement_bias"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_HALVES = 2000  # halves of counts that are enumerated
_RANDOM_HALVES = 200
_ROUNDING = 1e-9
_MOST_REPLAYS = 1000  # enough for a mean over questions


def halves_of_counts(counts: Ints) -> tuple[Ints, Floats]:
    """Return the counts of halves of some samples, [half, class], and their probabilities.

    Halves of an odd number are one smaller and one larger, with probability 1/2 each. All halves are enumerated if they
    are few, else 200 pairs are drawn with a fixed seed.
    """
    total = int(counts.sum())
    sizes = (total // 2, total - total // 2)
    if np.prod(counts + 1.0) / (counts.max() + 1) > _MOST_HALVES:
        first = np.random.default_rng(0).multivariate_hypergeometric(counts, sizes[0], size=_RANDOM_HALVES)
        every = np.concatenate([first, counts - first])
        return every, np.full(len(every), 1 / len(every))
    largest = int(counts.argmax())
    others = np.delete(counts, largest)
    rows, chances = [], []
    for taken in itertools.product(*(range(n + 1) for n in others)):
        ways = float(np.prod([comb(int(n), t) for n, t in zip(others, taken, strict=True)], initial=1, dtype=object))
        for size in sizes:
            rest = size - sum(taken)
            if 0 <= rest <= counts[largest]:
                rows.append(np.insert(np.array(taken, dtype=np.int64), largest, rest))
                chances.append(ways * comb(int(counts[largest]), rest) / comb(total, size) / 2)
    return np.array(rows, dtype=np.int64), np.array(chances)


def half_pools(pool: Pool, seed: int, groups: Sequence[Sequence[str]] = ()) -> tuple[Pool, Pool]:
    """Return two pools with complementary random halves of the samples; a single sample is in both.

    Models of a group, which share draws, have the same halves.
    """
    recorded = pool.recorded
    order = np.random.default_rng([seed, 2]).random(pool.codes.shape)
    for group in groups:
        rows = [pool.model_index(model) for model in group]
        order[rows] = order[rows[0]]
    rank = np.argsort(np.argsort(np.where(recorded, order, 2.0), axis=2), axis=2)
    first = recorded & (rank < (pool.lengths // 2)[:, :, None])
    single = recorded & (pool.lengths == 1)[:, :, None]
    return keep_samples(pool, first | single), keep_samples(pool, recorded & ~first)


def replacement_bias(job: Job, pool: Pool, found: Evaluation, executor: Executor | None) -> Floats:
    """Return the bias of the mean accuracies of an evaluation with replacement, [strategy, budget].

    With an accuracy P(K) of K samples that is off by about b / K, that of K/2 samples is off by 2 b / K. So the bias is
    estimated by mean P(K/2) - P(K). It is NaN where questions depend on each other, and where a run draws several
    samples although a question has only one, which has no halves.
    """
    bias = np.full(found.accuracy.shape[:2], np.nan)
    apart = [all(not plan.is_joint for plan in plans) for plans in job.per_strategy]
    kept = {name: strategy for (name, strategy), alone in zip(job.strategies.items(), apart, strict=True) if alone}
    if kept:
        few = min(job.n_replays, _MOST_REPLAYS)
        small = replace(job, strategies=kept, n_replays=few, mc_error=None, quantiles=False)
        halves = [_mean_accuracy(small, half, executor) for half in half_pools(pool, job.seed, job.shares_draws)]
        bias[apart] = np.mean(halves, axis=0) - found.accuracy[apart].mean(axis=2)
    least = {model: int(pool.lengths[pool.model_index(model)].min()) for model in job.models}
    lone = [any(least[model] < 2 for plan in plans for model in plan.models) for plans in job.per_strategy]
    bias[np.array(lone)[:, None] & (job.budgets > 1)] = np.nan
    return bias


def bias_warning(job: Job, pool: Pool, found: Evaluation) -> str | None:
    """Return a warning if a bias exceeds a tenth of the width of its interval over independent questions."""
    assert found.bias is not None
    low, high = mean_interval(found.accuracy)
    excess = np.abs(np.nan_to_num(found.bias)) - (high - low) / 10
    too_large = excess > _ROUNDING
    if not too_large.any():
        return None
    s, b = np.unravel_index(int(np.nanargmax(excess)), excess.shape)
    others = int(too_large.sum()) - 1
    more = f"; the same holds for {counted(others, 'other accuracy', 'other accuracies')}" if others else ""
    plans = list(job.strategies.values())[int(s)].plans(found.budgets[[b]])
    enough = all(enough_recorded(pool, plan, False).all() for plan in plans)
    remedy = "Draw" if enough else "Lower the budget and draw"
    return (
        f"replacement: with the recorded number of samples it shifts the accuracy of {found.strategies[s]} at budget "
        f"{found.budgets[b]} by about {100 * found.bias[s, b]:+.1f} points, more than a tenth of the width of its "
        f"interval{more}. {remedy} without replacement, which has no bias, record more samples, or subtract the "
        "estimated bias with correct_bias=True."
    )


def _mean_accuracy(job: Job, pool: Pool, executor: Executor | None) -> Floats:
    work, totals = Work(job, pool), Totals(job.plans, len(pool.questions))
    run_blocks(range(len(work.blocks)), work.task, lambda i, o: totals.add(work.blocks[i], o), executor)
    found = job.evaluation(totals.estimates(), pool.questions, {})
    return np.asarray(found.accuracy.mean(axis=2))
