"""What the modules of theory ask of a pool: models that were sampled everywhere, clusters, and chances of a stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.exact import MOST_DRAWS, Floats, Ints, agreements, chances, grid_of, tie_rule
from mssim.engine.job import read_budgets
from mssim.engine.requirements import check_recorded
from mssim.errors import BudgetError, MssimError, PoolError, StrategyError
from mssim.kernels import exact_plurality as kernel
from mssim.kernels.tally import RANDOM, WRONG
from mssim.pools.pool import Pool
from mssim.results.intervals import mean_interval
from mssim.rules.plan import Plan
from mssim.rules.strategies import ModelSwitch, parse_strategy

__all__ = [
    "Stages",
    "counts_of",
    "over_classes",
    "question_of_class",
    "ratio",
    "read_switch",
    "right_below",
    "sampled_models",
    "stages_of",
]


def sampled_models(pool: Pool, models: Sequence[str] | None, least: int) -> tuple[str, ...]:
    """Models by name, default all, each of which must have `least` samples of every question."""
    given = (models,) if isinstance(models, str) else tuple(pool.models if models is None else models)
    lengths = pool.lengths[[pool.model_index(model) for model in given]]
    if not given or len(set(given)) < len(given):
        raise PoolError(f"models={list(given)!r}: name one model or more, each once")
    if lengths.min() < least:
        m, q = np.argwhere(lengths < least)[0]
        raise PoolError(
            f"model {given[m]!r} has {lengths[m, q]} samples of question {pool.question_ids[q]!r}, this takes {least}; "
            f"leave the model out, or select(min_samples={least})"
        )
    return given


def over_classes(pool: Pool, values: NDArray[Any]) -> Floats:
    """Sum over each question's answer classes, the last axis: [..., class] to [..., question]."""
    # Question by question: differences of one long running sum would lose digits, and with them ties.
    question, n = question_of_class(pool), len(pool.questions)
    rows = values.reshape(math.prod(values.shape[:-1]), question.size)
    sums = [np.bincount(question, weights=row, minlength=n) for row in rows]
    return np.array(sums, dtype=float).reshape(*values.shape[:-1], n)


def question_of_class(pool: Pool) -> Ints:
    """Question to which every answer class belongs, [class]."""
    return np.repeat(np.arange(len(pool.questions)), np.diff(pool.class_offsets))


def ratio(right: Floats, share: Floats, confidence_level: float, labels: NDArray[Any] | None) -> tuple[float, ...]:
    """Accuracy where a share of the draws of each question counts, with interval: sum of right / sum of share.

    The interval is that of a mean of the linearised ratio, right - accuracy x share (Cochran 1977, section 6.4), over
    the questions that count at all.
    """
    counts = share > 1e-12
    if not counts.any():
        return np.nan, np.nan, np.nan
    mean = share[counts].mean()
    accuracy = right[counts].mean() / mean
    linear = accuracy + (right - accuracy * share)[counts] / mean
    kept = None if labels is None else labels[counts]
    low, high = mean_interval(linear, confidence_level=confidence_level, clusters=kept)
    return float(accuracy), float(low), float(high)


# Stages of ModelSwitch ------------------------------------------------------------------------------------------------


class Stages(NamedTuple):
    """What the models of a ModelSwitch do, each on its own; arrays are [stage, budget, question]."""

    name: str
    budgets: Ints
    plan: Plan
    agreed: Floats  # chance that the stage agrees
    right: Floats  # chance that it agrees and its leading answer is right; zeros unless asked for

    @property
    def reached(self) -> Floats:
        """Chance that no earlier stage agreed: a product, for given the question models draw independently."""
        passed = np.cumprod(1 - self.agreed, axis=0)
        return np.concatenate([np.ones_like(passed[:1]), passed[:-1]])


def read_switch(strategy: str | ModelSwitch) -> ModelSwitch:
    """Read a ModelSwitch from text too."""
    switch = parse_strategy(strategy)
    if not isinstance(switch, ModelSwitch):
        raise StrategyError(f"{switch}: this is about ModelSwitch; give e.g. 'ms:strong+weak'")
    return switch


def stages_of(pool: Pool, strategy: str | ModelSwitch, budgets: Any, replacement: bool, *, right: bool) -> Stages:
    """Compute the chances of every stage in closed form; those of a right answer only if asked."""
    switch, grid = read_switch(strategy), read_budgets(budgets)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r}; give True or False")
    (plan,) = switch.plans(grid)
    if plan.repeats and not replacement:
        raise StrategyError(
            f"{switch}: a model that has several turns makes them depend on each other; name each model once, or draw "
            "with replacement"
        )
    check_recorded(pool, str(switch), plan, grid, bool(replacement))
    if plan.sizes.max() > MOST_DRAWS:
        raise BudgetError(f"{switch}: {plan.sizes.max()} samples of one model; this is precise up to {MOST_DRAWS}")
    found = np.zeros((2, *plan.sizes.shape, len(pool.questions)))
    for i, model in enumerate(plan.models):
        counts = counts_of(pool, model, bool(replacement))
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


def counts_of(pool: Pool, model: str, replacement: bool) -> kernel.Counts:
    """What was recorded of one model, as the closed forms read it."""
    votes = pool.class_counts(model)
    silent = pool.lengths[pool.model_index(model)] - over_classes(pool, votes).astype(np.int64)
    # Copied, because for read-only arrays Numba would compile the kernels once more.
    offsets, correct = pool.class_offsets.copy(), pool.class_correct.copy()
    return kernel.Counts(votes[None], silent[None], offsets, correct, replacement)


def right_below(counts: kernel.Counts, need: Sequence[int] | Ints, most: int, rule: int) -> Floats:
    """Chance [need, question, draws] that the plurality is right and no answer has `need` votes, to `most` draws."""
    grid = grid_of((int(most),), (1.0,))
    ties = tie_rule(rule, grid, int(np.diff(counts.offsets).max(initial=1)))
    found = np.zeros((len(need), counts.silent.shape[1], int(most) + 1))
    for row, n in enumerate(need):
        if n > 0:
            found[row] = kernel.plurality(counts, grid, np.array([n]), ties)[:, 0]
    return found
