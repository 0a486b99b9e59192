"""Quantities of a pool shared by the modules of theory: ratios, resamples, and stages of ModelSwitch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine import exact
from mssim.engine.exact import MOST_DRAWS, Floats, Ints, agreements, chances, one_stage_ties
from mssim.engine.job import read_budgets
from mssim.engine.limited import check_limits
from mssim.engine.requirements import check_recorded
from mssim.errors import BudgetError, MssimError, StrategyError
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_one_stage import plurality
from mssim.kernels.tally import RANDOM, WRONG
from mssim.pools.pool import Pool
from mssim.pools.shares import over_classes
from mssim.results.intervals import ratio_interval
from mssim.rules.parsing import parse_strategy
from mssim.rules.plan import Plan
from mssim.rules.strategies import ModelSwitch

__all__ = [
    "Stages",
    "counts_of",
    "ratio",
    "read_switch",
    "resampled",
    "right_below",
    "stages_of",
]


def ratio(right: Floats, share: Floats, confidence_level: float, labels: NDArray[Any] | None) -> tuple[float, ...]:
    """Return the ratio of the means of `right` and `share`, with its confidence interval.

    The accuracy of a replayed vote can lie outside 0 to 1 by Monte Carlo error. The interval is that of values within.
    """
    if not (share > 0).any():
        return np.nan, np.nan, np.nan
    inside = right.clip(0, share)
    low, high = ratio_interval(inside, share, confidence_level=confidence_level, clusters=labels)
    return float(right.sum() / share.sum()), float(low), float(high)


def resampled(n_questions: int, labels: NDArray[Any] | None, n_resamples: int, seed: int) -> Ints:
    """Return how often each question is drawn in a bootstrap, [resample, question]; clusters are drawn whole."""
    codes = np.arange(n_questions) if labels is None else np.unique(labels, return_inverse=True)[1]
    n = int(codes.max()) + 1
    return np.asarray(np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)[:, codes])


# Stages of ModelSwitch ------------------------------------------------------------------------------------------------


class Stages(NamedTuple):
    """Agreement of the stages of a ModelSwitch, each considered alone; arrays are [stage, budget, question]."""

    name: str
    budgets: Ints
    plan: Plan
    agreed: Floats  # probability that the stage reaches agreement
    right: Floats  # probability of agreement on a correct answer; zeros unless requested

    @property
    def reached(self) -> Floats:
        """Probability that no earlier stage agrees; a product, since draws are independent given the question."""
        passed = np.cumprod(1 - self.agreed, axis=0)
        return np.concatenate([np.ones_like(passed[:1]), passed[:-1]])


def read_switch(strategy: str | ModelSwitch) -> ModelSwitch:
    """Return a ModelSwitch, parsing text; raise for other strategies."""
    switch = parse_strategy(strategy)
    if not isinstance(switch, ModelSwitch):
        raise StrategyError(f"strategy: {switch} is not a ModelSwitch. Use e.g. 'ms:strong+weak'.")
    return switch


def stages_of(pool: Pool, strategy: str | ModelSwitch, budgets: Any, replacement: bool, *, right: bool) -> Stages:
    """Compute the probabilities of every stage in closed form; `right` also requests those of correct answers."""
    switch, grid = read_switch(strategy), read_budgets(budgets)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r} is not a bool. Use True or False.")
    (plan,) = switch.plans(grid)
    if plan.repeats and not replacement:
        raise StrategyError(
            f"{switch}: stages of the same model are dependent without replacement. Name each model once, or use "
            "replacement=True."
        )
    check_recorded(pool, str(switch), plan, grid, bool(replacement))
    check_limits(pool, str(switch), plan)
    if plan.sizes.max() > MOST_DRAWS:
        raise BudgetError(
            f"{switch}: {plan.sizes.max()} samples of one model exceed the limit of {MOST_DRAWS}. Use a lower budget."
        )
    found = np.zeros((2, *plan.sizes.shape, len(pool.questions)))
    limits = plan.max_tokens or (None,) * len(plan.models)
    for i, (model, limit) in enumerate(zip(plan.models, limits, strict=True)):
        counts = counts_of(pool, model, bool(replacement), limit)
        tested = np.nonzero((plan.need[i] <= plan.sizes[i]) & (plan.sizes[i] > 0))[0]
        sizes, need = plan.sizes[i, tested], plan.need[i, tested]
        agreed, agreed_right = agreements(counts, sizes, need)
        found[0, i, tested] = agreed.T
        if right:
            rule = WRONG if switch.vote.ties == "wrong" else RANDOM
            known = 2 * need > sizes
            found[1, i, tested[known]] = agreed_right.T[known]
            for b, k, n in zip(tested[~known], sizes[~known], need[~known], strict=True):
                below = right_below(counts, [k + 1, n], k, rule)[:, :, k]
                found[1, i, b] = chances(below[0] - below[1])
    return Stages(str(switch), grid, plan, *found)


def counts_of(pool: Pool, model: str, replacement: bool, limit: int | None = None) -> Counts:
    """Return the recorded counts of one model, with its limit of tokens, in the form required by the closed forms."""
    if limit is not None:
        return exact.counts_of(pool, [model], slice(0, len(pool.questions)), [limit], replacement=replacement)
    votes = pool.class_counts(model)
    no_answer = pool.lengths[pool.model_index(model)] - over_classes(pool, votes).astype(np.int64)
    # Copied, because Numba compiles the kernels again for read-only arrays.
    offsets, correct = pool.class_offsets.copy(), pool.class_correct.copy()
    return Counts(votes[None], no_answer[None], offsets, correct, replacement)


def right_below(counts: Counts, need: Sequence[int] | Ints, most: int, rule: int) -> Floats:
    """Return P[plurality correct and no answer has `need` votes], [need, question, draws], up to `most` draws."""
    ties = one_stage_ties(rule, int(most), int(np.diff(counts.offsets).max(initial=1)))
    found = np.zeros((len(need), counts.no_answer.shape[1], int(most) + 1))
    for row, n in enumerate(need):
        if n > 0:
            found[row] = plurality(counts, int(most), int(n), ties)
    return found
