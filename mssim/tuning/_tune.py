"""Tuning: choose strategy and budget by accuracy, score the choice on other questions, say by how much it flattered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, whole_number
from mssim.engine.evaluate import evaluate
from mssim.engine.job import Strategies, name_strategies, read_budgets
from mssim.engine.scheduler import Progress
from mssim.errors import MssimError, StrategyError
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.rules.strategies import Coverage, OracleRouter, Strategy
from mssim.tuning.candidates import _Candidates, _candidates, _ladder, _part, _scores
from mssim.tuning.choice import Floats, Ints, Scores, choose_in_runs, fold_of, training_sets
from mssim.tuning.grid import grid
from mssim.tuning.result import Tuning

__all__ = ["Tuning", "tune"]

_SPEND = ("budget", "samples_used", "cost")

# What can be chosen ---------------------------------------------------------------------------------------------------


# The one door ---------------------------------------------------------------------------------------------------------


def tune(
    pool: Pool,
    strategies: Strategies | None = None,
    budgets: ArrayLike | None = None,
    *,
    spend: str = "samples_used",
    limits: ArrayLike | None = None,
    n_folds: int | None = None,
    n_runs: int | None = None,
    method: str = "auto",
    n_replays: int = 2000,
    seed: int = 0,
    replacement: bool = False,
    prices: Mapping[str, float] | None = None,
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Choose the most accurate strategy and budget within a limit, and score the choice on other questions.

    A candidate is a strategy at a budget. At each limit the candidate with the highest mean accuracy is chosen among
    those whose mean spend is within it; ties go to the lower spend, then to the earlier candidate. This is done on all
    questions, which gives the choice and its in-sample accuracy, and again without each fold, which scores the
    questions of that fold. The best single model is chosen in the same way as a control.

    Parameters
    ----------
    pool : Pool
    strategies : as in `evaluate`, optional
        Default: ``grid(pool.models)``.
    budgets : int or sequence of int, optional
        Those that a strategy cannot spend on what was recorded are left out for it. Default: growing steps up to the
        most that any strategy can spend, at most 128.
    spend : {"samples_used", "budget", "cost"}, default "samples_used"
        What is limited, on average per question.
    limits : float or sequence of float, optional
        Default: the budgets; for cost, eight steps from the cheapest candidate to the dearest.
    n_folds : int, optional
        Default: 10, or as many as there are clusters.
    n_runs : int, optional
        Replay the practice of choosing on one run: every run draws once for each question, the choice is made by what
        was right in it, and scored by the expectation over all draws. Default: choose by that expectation.
    method, n_replays, seed, replacement, prices, executor, progress
        As in `evaluate`. The seed also decides the folds and the runs.
    clusters : str, optional
        Column of the questions whose equal values mark questions that stay in one fold, as in `Evaluation.to_frame`.

    Returns
    -------
    Tuning

    Raises
    ------
    BudgetError
        If a strategy can spend none of the budgets on what was recorded.
    MssimError
        If nothing can be chosen within a limit, there are more folds than clusters, a cost is not known, or `evaluate`
        refuses an option.

    Notes
    -----
    The intervals and p-values take the choices of the folds as given: they say how far a mean would move with other
    questions of the same folds. That other training questions would have led to other choices is not in them, and
    cannot be had without bias from one cross-validation (Bengio & Grandvalet 2004, JMLR 5, 1089-1105). Where all folds
    choose alike, optimism is 0 with an interval of no width: the choice is stable, which is no proof that the in-sample
    accuracy is right. A choice from all questions is a little better than one without a fold, so held-out accuracy errs
    on the low side. P-values at several limits are several tests.

    With runs, optimism has two parts: in_sample - fresh is the luck of the draws that were chosen on, fresh - held_out
    that of the questions. Runs without replacement share recorded samples: near the recorded number all are nearly the
    same run, and `replacement=True` is the better model of sampling again.

    `AdaptiveAllocation` shares its samples among all questions, so its draws on training questions depend on the
    answers to those held out, though not on which of them are right.

    Examples
    --------
    The practice of reporting the best of 32 numbers of samples of one model, and by how much it flatters:

    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/tiny-arithmetic")
    >>> best = tune(pool, "sc:lstm-times", range(1, 33), spend="budget", limits=32, n_runs=50)
    >>> best.to_frame()[["limit", "in_sample", "fresh", "held_out", "optimism"]].round(2)
       limit  in_sample  fresh  held_out  optimism
    0   32.0       0.74   0.72      0.72      0.01

    Likewise the best weights: ``tune(pool, grid(models, n_models=[3], prior=[(1, 1, 1), (2, 1, 1), (3, 2, 1)],
    ordered=False), 15, limits=15, n_runs=200)``.
    """
    named = name_strategies(grid(pool.models) if strategies is None else strategies)
    for name, strategy in named.items():
        if isinstance(strategy, Coverage | OracleRouter):
            raise StrategyError(f"{name}: a ceiling that nobody can run would always be chosen; leave it out")
    if spend not in _SPEND:
        raise MssimError(f"spend={spend!r}; {choose_from(str(spend), _SPEND)}")
    if n_runs is not None:
        n_runs = whole_number("n_runs", n_runs, 1, 10**6)
    wanted = None if limits is None else _given_limits(limits)
    steps = _ladder(pool, named.values(), replacement) if budgets is None else read_budgets(budgets)
    candidates = _candidates(pool, named, steps, replacement)
    options: dict[str, Any] = {"method": method, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    options |= {"prices": prices, "executor": executor}

    probe = _probe(pool, named, candidates, spend, options)
    labels = probe.cluster_labels(clusters)
    codes = np.unique(pool.question_ids if labels is None else labels, return_inverse=True)[1]
    folds = fold_of(codes, _n_folds(n_folds, codes.max() + 1), seed)

    passes = _passes(pool, candidates, spend, n_runs, progress, options)
    expected = next(passes)
    tried = _default_limits(spend, expected, candidates) if wanted is None else wanted
    outcomes = [expected] if n_runs is None else passes
    found = choose_in_runs(outcomes, np.nonzero(candidates.single)[0], training_sets(folds), tried)
    kept = _affordable(found.chosen, tried, expected, every=wanted is not None)
    return Tuning(
        strategies=candidates.strategies,
        budgets=candidates.budgets,
        questions=pool.questions.copy(),
        accuracy=expected.accuracy,
        spend=expected.spend,
        n_replays=expected.n_replays,
        limits=tried[kept],
        folds=folds,
        chosen=found.chosen[:, kept],
        control=found.control[:, kept],
        training=found.training[:, kept],
        in_sample=found.in_sample[:, kept],
        clusters=labels,
        n_runs=n_runs,
        provenance={
            **probe.provenance,
            "strategies": {name: str(strategy) for name, strategy in named.items()},
            "spend": spend,
        },
    )


def _probe(
    pool: Pool, named: Mapping[str, Strategy], candidates: _Candidates, spend: str, options: Mapping[str, Any]
) -> Evaluation:
    """Evaluate the first candidate alone: what is wrong with an option shows before the long work."""
    first = candidates.strategies[0]
    probe = evaluate(pool, {first: named[first]}, candidates.budgets[0], **options)
    if spend == "cost" and np.isnan(probe.cost).any():
        raise MssimError("spend='cost', but no cost is known; record a column 'cost' or pass prices=")
    return probe


def _passes(
    pool: Pool,
    candidates: _Candidates,
    spend: str,
    n_runs: int | None,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> Iterator[Scores]:
    """Evaluate the candidates: first the expectation over draws, then run after run."""
    total = 1000 * (1 + (n_runs or 0))
    yield _scores(pool, candidates, spend, _part(progress, 0, 1000, total), **options)
    # Seeds of their own, so that the runs of neighbouring seeds are not the same.
    for run, seed in enumerate(np.random.SeedSequence(options["seed"]).generate_state(n_runs or 0, np.uint64), 1):
        part = _part(progress, 1000 * run, 1000, total)
        single = {"method": "monte_carlo", "n_replays": 1, "seed": int(seed)}
        yield _scores(pool, candidates, spend, part, **{**options, **single})


def _affordable(chosen: Ints, limits: Floats, expected: Scores, *, every: bool) -> NDArray[np.bool_]:
    """Limits within which every run and set of questions has a choice; refused if `every` one must, or if none has."""
    kept = np.asarray((chosen >= 0).all(axis=(0, 2)))
    if kept.all() or (kept.any() and not every):
        return kept
    raise MssimError(
        f"limits: no candidate spends at most {limits[~kept][0]:g} on all training questions; the cheapest spends "
        f"{expected.spend.mean(axis=1).min():g} per question on average, give more than that"
    )


def _n_folds(given: int | None, n_clusters: int) -> int:
    if n_clusters < 2:
        raise MssimError("the questions are a single cluster; to choose on some and score on others takes two")
    if given is None:
        return min(10, n_clusters)
    n_folds = whole_number("n_folds", given, 2, 10**6)
    if n_folds > n_clusters:
        raise MssimError(f"n_folds={n_folds}, but the questions are {n_clusters} clusters that stay whole; give fewer")
    return n_folds


def _given_limits(given: ArrayLike) -> Floats:
    try:
        limits = np.atleast_1d(np.asarray(given))
    except ValueError:  # lists of different lengths
        limits = np.empty(0)
    numbers = limits.ndim == 1 and limits.size > 0 and limits.dtype.kind in "iuf"
    if numbers and np.all((limits > 0) & (limits < np.inf)):
        return np.unique(limits).astype(float)
    raise MssimError(f"limits={given!r}; give positive numbers, the most to spend per question on average")


def _default_limits(spend: str, expected: Scores, candidates: _Candidates) -> Floats:
    if spend != "cost":
        return np.unique(candidates.budgets).astype(float)
    costs = expected.spend.mean(axis=1)
    if not costs.any():
        raise MssimError("spend='cost', but every candidate is free; limit samples_used or budget instead")
    steps = np.geomspace(costs[costs > 0].min(), costs.max(), 8)
    digit = 10.0 ** (np.floor(np.log10(steps)) - 2)
    return np.unique(np.ceil(steps / digit) * digit)  # three digits, rounded up so that the cheapest and all others fit
