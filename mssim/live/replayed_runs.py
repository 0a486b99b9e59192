"""Moments of one live run, from replays of a recording: means, and covariances by draws and by the finite recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.engine.evaluate import evaluate_quietly
from mssim.engine.sample_groups import group_numbers, without_group
from mssim.errors import BudgetError, StrategyError
from mssim.pools.pool import Pool
from mssim.rules.base import Strategy
from mssim.rules.plan import Ints, Plan

__all__ = ["TOTALS", "Moments", "check_enough", "moments"]

Floats = NDArray[np.float64]

TOTALS = ("accuracy", "samples_used", "output_tokens")  # what is predicted of every strategy
_MEAN_REPLAYS = 10_000
_GROUP_REPLAYS = 1000  # their noise adds less than 2 % to the variance of a run


class Moments(NamedTuple):
    """Moments of the totals over the questions of one run of several strategies.

    Rows are strategies by `TOTALS`, in this order.
    """

    mean: Floats  # [question, row], expectations
    draws: Floats  # [row, row], covariance of the totals of runs that have the same draws
    recording: Floats  # [row, row], covariance of the sums of `mean` that is due to the finite recording
    largest: Floats  # [row], largest variance of a question, 0 for totals that do not vary, and 1 for accuracy
    share: Floats  # [row], largest share of the recorded samples of a model and question that a run can draw


@dataclass(frozen=True)
class _OnePlan(Strategy):
    """One of the plans among which a strategy chooses at random."""

    models: Sequence[str]
    whole: Strategy
    number: int

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        return (self.whole.plans(budgets)[self.number],)


def moments(pool: Pool, runs: Sequence[tuple[Strategy, int]], *, n_runs: int, seed: int) -> Moments:
    """Return the moments of live runs of strategies, each with its budget.

    Parameters
    ----------
    pool : Pool
        The recording, with the questions of the run only.
    runs : sequence of (Strategy, int)
        Strategies and their budgets.
    n_runs : int
        Number of simulated runs behind the covariance of draws.
    seed : int
        Seed of the replays.

    Returns
    -------
    Moments
        The moments. Output tokens are NaN where they are unknown.

    Raises
    ------
    MssimError
        If the pool lacks a model or samples, or has too few to leave out a part of them.

    Notes
    -----
    A run is one replay. The variances of questions are added, because their draws are independent, unless a strategy
    shares a budget among questions. The error by the finite recording is a jackknife that leaves out one of ten groups
    of the samples of each question in turn.

    Examples
    --------
    >>> from mssim import load_pool, parse_strategy
    >>> pool = load_pool("recorded/llm-products")
    >>> pool = pool.select(questions=pool.question_ids[:50])
    >>> found = moments(pool, [(parse_strategy("sc:gemma"), 4)], n_runs=20, seed=0)
    >>> found.mean.shape, found.draws.shape
    ((50, 3), (3, 3))
    """
    plans = [strategy.plans(np.array([budget])) for strategy, budget in runs]
    kept = _without_texts(pool.select(models=_models(plans)))
    for run in runs:
        check_enough(pool, *run)
    alone = [_parts(*run) for run in runs]
    seeds = np.random.SeedSequence([seed, 3]).generate_state(n_runs, np.uint64).tolist()
    drawn = np.array([_stacked([_one_run(kept, parts, one) for parts in alone]) for one in seeds])
    together = any(plan.is_joint for some in plans for plan in some)
    return Moments(
        _stacked([_expected(kept, *run, n_replays=_MEAN_REPLAYS, seed=seed) for run in runs]),
        _scatter(drawn, together) / (n_runs - 1),
        _jackknife(kept, runs, seed, together),
        _largest(drawn),
        np.repeat([_share(kept, some) for some in plans], len(TOTALS)),
    )


def _models(plans: Sequence[Sequence[Plan]]) -> list[str]:
    return list(dict.fromkeys(model for some in plans for plan in some for model in plan.models))


def _without_texts(pool: Pool) -> Pool:
    """Drop texts, of which copies are slow."""
    texts = [name for name in ("text",) if name in pool.extra.column_names]
    return replace(pool, extra=pool.extra.drop_columns(texts)) if texts else pool


# Replays --------------------------------------------------------------------------------------------------------------


class _AtOnce(Executor):
    """Executor of small blocks, for which threads take longer than the work."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _expected(
    pool: Pool, strategy: Strategy, budget: int, *, n_replays: int, seed: int, method: str = "auto"
) -> Floats:
    """Return the expected totals of each question, [question, total]."""
    found = evaluate_quietly(
        pool,
        {str(strategy): strategy},
        [budget],
        method=method,
        n_replays=n_replays,
        seed=seed,
        replacement=False,
        tokens="output",
        executor=_AtOnce() if n_replays == 1 else None,
    )
    return np.stack([found.accuracy[0, 0], found.samples_used[0, 0], found.tokens[0, 0]], axis=-1)


def _stacked(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts, axis=-1)


class _Parts(NamedTuple):
    """The strategies of which a run follows one on each question, with the chances of each."""

    strategies: Sequence[Strategy]
    chances: Floats
    budget: int


def _parts(strategy: Strategy, budget: int) -> _Parts:
    n_plans = len(strategy.plans(np.array([budget])))
    if n_plans == 1:
        return _Parts([strategy], np.ones(1), budget)
    chances = strategy.chances()
    if chances is None:
        raise StrategyError(
            f"{strategy}: it chooses by the recorded answers, so it cannot be run live. Use another strategy."
        )
    return _Parts(
        [_OnePlan(strategy.models, strategy, number) for number in range(n_plans)],
        np.array(chances) / sum(chances),
        budget,
    )


def _one_run(pool: Pool, parts: _Parts, seed: int) -> Floats:
    """Return the totals of one replay, [question, total]."""
    found = [
        _expected(pool, strategy, parts.budget, n_replays=1, seed=seed, method="monte_carlo")
        for strategy in parts.strategies
    ]
    if len(found) == 1:
        return found[0]
    chosen = np.random.default_rng(seed).choice(len(found), p=parts.chances, size=len(found[0]))
    return np.stack(found)[chosen, np.arange(len(chosen))]


# Covariances ----------------------------------------------------------------------------------------------------------


def _scatter(values: Floats, together: bool) -> Floats:
    """Return sums of squares and products of the deviations of totals, [row, row], from values [case, question, row].

    `together` is whether questions depend on each other; else their products are left out, which only add noise.
    """
    deviations = values - values.mean(axis=0)
    if together:
        deviations = deviations.sum(axis=1, keepdims=True)
    flat = deviations.reshape(-1, values.shape[2])
    return np.asarray(flat.T @ flat)


def _largest(drawn: Floats) -> Floats:
    """Return the largest variance of a question, 0 for totals that do not vary, and 1 for accuracy."""
    largest = np.where(np.ptp(drawn.sum(axis=1), axis=0) > 0, drawn.var(axis=0, ddof=1).max(axis=0), 0.0)
    largest[:: len(TOTALS)] = 1.0
    return largest


def _jackknife(pool: Pool, runs: Sequence[tuple[Strategy, int]], seed: int, together: bool) -> Floats:
    """Return the covariance of the sums of expectations that is due to the finite recording."""
    numbers = _groups(pool)
    found = []
    for group in range(int(numbers[0])):
        part = without_group(pool, group, numbers)
        found.append(_stacked([_expected(part, *run, n_replays=_GROUP_REPLAYS, seed=seed) for run in runs]))
    return _scatter(np.array(found), together) * (len(found) - 1) / len(found)


def _groups(pool: Pool) -> Ints:
    """Return the number of groups of samples of each question, the same for all."""
    numbers = group_numbers(pool, pool.models)
    return np.full_like(numbers, numbers.min())


def check_enough(pool: Pool, strategy: Strategy, budget: int) -> None:
    """Raise if a pool lacks a model of a strategy, or too few samples of a question remain without a group of them."""
    plans = strategy.plans(np.array([budget]))
    pool = pool.select(models=_models([plans]))
    groups = int(_groups(pool)[0])
    for model, asked in _asked(plans):
        lengths = pool.lengths[pool.model_index(model)]
        question = int(lengths.argmin())
        least = int(lengths[question])
        if asked > least - (-(-least // groups) if groups else 0) or groups < 2:
            raise BudgetError(
                f"pool: {strategy} at budget {budget} draws up to {counted(asked, 'sample')} of model {model!r}, and "
                f"{least} of question {pool.question_ids[question]!r} were recorded. The error of a prediction is "
                "estimated by leaving out a tenth of them in turn, or half of fewer than four. Lower the budget, or "
                "use a pool with more samples."
            )


def _asked(plans: Sequence[Plan]) -> Iterator[tuple[str, int]]:
    """Yield each model of each plan with the largest number of samples that a run draws of it."""
    for plan in plans:
        for model in dict.fromkeys(plan.models):
            yield model, int(plan.sizes[[other == model for other in plan.models]].sum())


def _share(pool: Pool, plans: Sequence[Plan]) -> float:
    """Return the largest share of the recorded samples of a model and a question that a run can draw."""
    shares = [asked / int(pool.lengths[pool.model_index(model)].min()) for model, asked in _asked(plans)]
    return min(max(shares), 1.0)
