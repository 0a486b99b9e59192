"""Variance components, samples used and cost of two strategies, from a pilot pool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mssim._validation import shown, whole_number
from mssim.engine.amounts import PricesLike
from mssim.engine.evaluate import evaluate, evaluate_quietly
from mssim.engine.job import name_strategies, read_job
from mssim.engine.requirements import asked_of
from mssim.errors import BudgetError, StrategyError
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.results.planning import PairedQuestions, Prices, Variances
from mssim.rules.base import Strategy

__all__ = ["Pilot", "pilot"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a pilot pool says about two strategies, from `pilot`.

    Attributes
    ----------
    strategies : tuple of str, length 2
        The strategies a and b.
    budgets : tuple of int, length 2
        Their budgets: samples allowed per question and run.
    accuracy : tuple of float, length 2
        Their mean accuracies.
    samples_used : tuple of float, length 2
        Expected samples used per question and run; less than the budget for strategies that stop.
    cost : tuple of float, length 2
        Expected cost per question and run; NaN if neither costs nor prices are known.
    questions : PairedQuestions
        Estimates per question, for `mssim.results.planning.plan`.
    halves : bool
        Whether the variances come from separate halves of the samples and are unbiased. Otherwise the pool has fewer
        than twice the samples of a run, and the variance between questions contains the noise of the pool.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import pilot
    >>> pool = load_pool("recorded/llm-products")
    >>> found = pilot(pool, "ms:gemma+smol", "sc:gemma", 8, n_splits=2, n_replays=500)
    >>> found.to_frame()[["strategy", "budget", "samples_used", "within"]].round(2)
            strategy  budget  samples_used  within
    0  ms:gemma+smol       8          6.84    0.06
    1       sc:gemma       8          8.00    0.05
    """

    strategies: tuple[str, str]
    budgets: tuple[int, int]
    accuracy: tuple[float, float]
    samples_used: tuple[float, float]
    cost: tuple[float, float]
    questions: PairedQuestions
    halves: bool

    def to_frame(self) -> pd.DataFrame:
        """Return a row per strategy.

        Returns
        -------
        DataFrame
            Columns: strategy; budget; accuracy; within (variance of one run, mean over questions); samples_used and
            cost (expected, per question and run); n_questions.
        """
        variances = self.variances
        return pd.DataFrame(
            {
                "strategy": self.strategies,
                "budget": self.budgets,
                "accuracy": self.accuracy,
                "within": [variances.within_a, variances.within_b],
                "samples_used": self.samples_used,
                "cost": self.cost,
                "n_questions": self.questions.difference.size,
            }
        )

    @property
    def variances(self) -> Variances:
        """Variance components of the difference."""
        return self.questions.variances()

    def prices(self, question: float | None = None) -> Prices | None:
        """Return the prices of a measurement, given the price of one question; None if no price is known."""
        if question is None and np.isnan(self.cost).all():
            return None
        cost_a, cost_b = (0.0 if np.isnan(one) else one for one in self.cost)
        return Prices(question or 0.0, cost_a, cost_b)


def pilot(
    pool: Pool,
    a: str | Strategy,
    b: str | Strategy,
    budget: int | tuple[int, int],
    *,
    clusters: str | None = None,
    prices: PricesLike | None = None,
    n_splits: int = 8,
    n_replays: int = 2000,
    seed: int = 0,
) -> Pilot:
    """Estimate from a pilot pool what the plan of a comparison of two strategies needs.

    Parameters
    ----------
    pool : Pool
        Recorded samples of some questions.
    a, b : str or Strategy
        The strategies. One run of a strategy answers each question once.
    budget : int or (int, int)
        Budget of a run of both strategies, or the budgets of a and b.
    clusters : str, optional
        Question column that marks dependent questions, as in `Evaluation.to_frame`.
    prices : optional
        Price table, its path, or prices per sample, as in `evaluate`.
    n_splits : int, default 8
        Number of random splits of the samples of each question into halves, from 1 to 1000.
    n_replays : int, default 2000
        Number of Monte Carlo replays of strategies without a closed form.
    seed : int, default 0
        Seed of the splits and replays.

    Returns
    -------
    Pilot
        Variance components, samples used and cost.

    Raises
    ------
    BudgetError
        If a budget is invalid or needs more samples than were recorded.
    StrategyError
        If a strategy is invalid or spends one budget on all questions (`alloc:`), so that questions are dependent.
    MssimError
        If another option is invalid or the pilot has fewer than two independent questions or clusters.

    Notes
    -----
    The samples of each model and question are split at random into halves. Given the question, the halves are
    independent: the product of the differences in both halves estimates the squared difference of the expectations,
    and p (1 - q), with the accuracies p and q of a strategy in both halves, the variance of one run, both without the
    noise of the pool. Estimates are means over the splits.

    A budget that needs more than half of the samples has no halves. Then the accuracies of the whole pool are used:
    for one run per question the variance of the measured difference is still unbiased, for more runs it is too large,
    and the plan has too many questions rather than too few.

    The plan takes the runs of both strategies as independent. If the strategies have a model in common and reuse its
    samples, their outcomes correlate, and the measurement usually needs fewer questions.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.results.planning import questions_needed
    >>> from mssim.theory import pilot
    >>> found = pilot(load_pool("recorded/llm-products"), "sc:gemma", "sc:smol", 1)
    >>> found.variances.to_frame()[["between", "within_a", "within_b"]].round(3)
       between  within_a  within_b
    0    0.138     0.106     0.091
    >>> questions_needed(found.variances, 0.03, runs=4)
    1684
    """
    splits = whole_number("n_splits", n_splits, 1, 1000)
    runs = list(zip(_both(pool, a, b), _budgets(budget), strict=True))
    options: dict[str, Any] = {"n_replays": n_replays, "seed": seed, "prices": prices}
    whole = [_evaluated(pool, run, runs, options) for run in runs]
    models = dict.fromkeys(model for strategy, one in runs for model in _models(strategy, one))
    found = _of_halves(pool.select(models=list(models)), runs, splits, options)
    p = np.array([evaluation.accuracy[0, 0] for evaluation in whole])
    biased = (p[0] - p[1], (p[0] - p[1]) ** 2, *(p * (1 - p)))
    difference, square, within_a, within_b = biased if found is None else found
    return Pilot(
        strategies=(str(runs[0][0]), str(runs[1][0])),
        budgets=(runs[0][1], runs[1][1]),
        accuracy=_means(evaluation.accuracy for evaluation in whole),
        samples_used=_means(evaluation.samples_used for evaluation in whole),
        cost=_means(evaluation.cost for evaluation in whole),
        questions=PairedQuestions(difference, square, within_a, within_b, whole[0].cluster_labels(clusters)),
        halves=found is not None,
    )


def _both(pool: Pool, *given: str | Strategy) -> tuple[Strategy, Strategy]:
    first, second = (strategy for one in given for strategy in name_strategies(one, pool).values())
    for strategy in (first, second):
        if any(plan.is_joint for plan in strategy.plans(np.array([1]))):
            raise StrategyError(
                f"{strategy}: the questions depend on each other, so that their number cannot be planned. Use another "
                "strategy."
            )
    return first, second


def _budgets(budget: Any) -> tuple[int, int]:
    pair = budget if isinstance(budget, tuple | list) else (budget, budget)
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 1 for one in pair)
    if len(pair) != 2 or not whole:
        raise BudgetError(f"budget: {shown(budget)} is neither an int nor a pair. Use budget=8 or budget=(8, 16).")
    return int(pair[0]), int(pair[1])


def _evaluated(
    pool: Pool, run: tuple[Strategy, int], runs: list[tuple[Strategy, int]], options: dict[str, Any]
) -> Evaluation:
    """Evaluate one of the runs; an error names what helps both."""
    try:
        return evaluate(pool, *run, **options)
    except BudgetError as error:
        problem, end, _ = str(error).partition(" were recorded.")
        if not end:
            raise
        # A pilot cannot be drawn with replacement or extrapolated, which `evaluate` suggests.
        plans = [plan for strategy, budget in runs for plan in strategy.plans(np.array([budget]))]
        selecting = selecting_asked(pool, asked_of(plans, False))
        remedy = f"use {selecting}" if selecting else "record more samples"
        raise BudgetError(f"{problem}{end} Lower the budget, or {remedy}.") from None


def _models(strategy: Strategy, budget: int) -> list[str]:
    job = read_job(strategy, budget, method="auto", n_replays=1, seed=0, replacement=False, prices=None)
    return job.models


def _means(values: Iterable[Floats]) -> tuple[float, float]:
    first, second = (float(one.mean()) for one in values)
    return first, second


def _of_halves(
    pool: Pool, runs: list[tuple[Strategy, int]], n_splits: int, options: dict[str, Any]
) -> list[Floats] | None:
    """Return the arrays of `PairedQuestions` from halves of the samples; None if a run needs more than a half."""
    rng = np.random.default_rng(options["seed"])
    total = np.zeros((4, len(pool.questions)))
    for _ in range(n_splits):
        halves = _split(pool, rng)
        try:
            p, q = (np.array([_accuracy(half, run, options) for run in runs]) for half in halves)
        except BudgetError:
            return None
        x, y = p[0] - p[1], q[0] - q[1]
        total += [(x + y) / 2, x * y, *((p * (1 - q) + q * (1 - p)) / 2)]
    return list(total / n_splits)


def _accuracy(half: Pool, run: tuple[Strategy, int], options: dict[str, Any]) -> Floats:
    """Return the accuracy of a run on each question; warnings are about the whole pool."""
    found = evaluate_quietly(half, *run, method="auto", replacement=False, **options)
    return np.asarray(found.accuracy[0, 0])


def _split(pool: Pool, rng: np.random.Generator) -> tuple[Pool, Pool]:
    """Split the samples of each model and question at random into halves; an odd one is left out."""
    width = pool.codes.shape[2]
    keys = np.where(np.arange(width) < pool.lengths[:, :, None], rng.random(pool.codes.shape), 2)  # recorded ones first
    order, size = np.argsort(keys, axis=2), pool.lengths // 2
    places = np.arange(max(int(size.max()), 1))
    halves = []
    for start in (np.zeros_like(size), size):
        at = np.take_along_axis(order, np.minimum(start[:, :, None] + places, width - 1), axis=2)
        numbers = {name: np.take_along_axis(values, at, axis=2) for name, values in pool.numbers.items()}
        codes = np.take_along_axis(pool.codes, at, axis=2)
        halves.append(replace(pool, codes=codes, lengths=size.copy(), numbers=numbers, extra=pa.table({})))
    return halves[0], halves[1]
