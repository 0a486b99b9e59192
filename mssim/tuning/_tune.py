"""Tuning of strategy and budget by cross-validation over questions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, shown, whole_number
from mssim.engine.amounts import Amounts, PricesLike, read_prices_of
from mssim.engine.evaluate import evaluate_quietly
from mssim.engine.job import Strategies, name_strategies, read_budgets, read_groups
from mssim.engine.limited import limit_warnings
from mssim.engine.scheduler import Progress, check_executor
from mssim.engine.shared_draws import Groups, ordered
from mssim.errors import MssimError, PoolWarning, StrategyError
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.results.quantities import SPENDS
from mssim.rules.base import Strategy
from mssim.rules.folds import fold_of
from mssim.rules.plan import QUANTITIES
from mssim.rules.strategies import Coverage, OracleRouter, Reliability
from mssim.tuning.candidates import _Candidates, _candidates, _ladder, _part, _scores
from mssim.tuning.choice import Floats, Ints, Scores, choose_in_runs, training_sets
from mssim.tuning.grid import grid
from mssim.tuning.result import Tuning

__all__ = ["Tuning", "tune"]

MOST_FOLDS = 10  # of more folds, which nearly share their training questions, the intervals do not cover


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
    prices: PricesLike | None = None,
    tokens: str = "all",
    parallel: int | None = None,
    shares_draws: Sequence[Sequence[str]] = (),
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Choose the most accurate strategy and budget within each limit, and score the choice on held-out questions.

    A candidate is a strategy at a budget. At each limit, the candidate with the highest mean accuracy is chosen among
    those whose mean spend is within the limit. Ties go to the lower spend, then to the earlier candidate. The
    in-sample accuracy is that of the candidate chosen on all questions. For the held-out accuracy, a candidate is
    chosen with one fold left out and scored on that fold. The best single model is chosen in the same way as a control.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategies : as in `evaluate`, optional
        Strategies to compare. The default is ``grid(pool.models)``.
    budgets : int or sequence of int, optional
        Samples allowed per question. Budgets that need more samples than were recorded are skipped for a strategy. By
        default, increasing steps up to the largest feasible budget, at most 128.
    spend : {"samples_used", "budget", "tokens", "cost", "latency"}, default "samples_used"
        Quantity whose mean per question is limited.
    limits : float or sequence of float, optional
        Limits of the spend, in its unit. By default the budgets; for tokens, cost and latency, up to eight steps from
        the cheapest to the most expensive candidate.
    n_folds : int, optional
        Number of folds, from 2 to 10. The default is 10, or the number of clusters if that is smaller. With more folds
        the intervals do not cover: tests at 5 % have a size of 28 to 37 % if each question is a fold.
    n_runs : int, optional
        Number of single runs to choose on. Each run simulates every candidate once on each question. The candidate is
        chosen on these outcomes, with the spend of the samples that the run drew, and scored by its expected accuracy.
        By default, it is chosen by expected accuracy and spend.
    method, n_replays, seed, replacement, prices, tokens, parallel, shares_draws, executor, progress
        As in `evaluate`. The seed also determines the folds and the runs. ``replacement=True`` biases accuracies if few
        samples were recorded. There is no warning, because the bias of every candidate would have to be estimated:
        evaluate the choices with ``replacement=True`` to learn theirs. By default, strategies name models that share
        draws in the order of their runs.
    clusters : str, optional
        Question column whose equal values mark questions that stay in one fold, as in `Evaluation.to_frame`.

    Returns
    -------
    Tuning
        Choices and scores.

    Raises
    ------
    BudgetError
        If all budgets need more samples of a strategy than were recorded.
    MssimError
        If no candidate is within a limit, there are more than 10 folds or more than clusters, the spend of a candidate
        is unknown, or an option of `evaluate` is invalid.

    Notes
    -----
    The variance due to other training questions has no unbiased estimate from one cross-validation (Bengio & Grandvalet
    2004, JMLR 5, 1089-1105). The standard errors of held_out and gain contain it by a factor, see `Tuning.to_frame`. If
    all folds make the same choice, optimism is 0 on all questions. This shows that the choice is stable, not that the
    in-sample accuracy is unbiased. Choices on fewer questions are slightly worse, so held-out accuracy is biased
    downwards. Accuracies that differ by at most two Monte Carlo errors are ties, and the cheaper candidate is chosen.

    With runs, optimism has two parts: in_sample - fresh is due to the draws and fresh - held_out to the questions. Runs
    without replacement share recorded samples and become nearly identical for budgets near the recorded number;
    `replacement=True` then models new samples better, but its accuracies are biased, see `evaluate`.

    `UntilVerified` with ``column="correct"`` is chosen nearly always. Use it as a candidate only if you have a verifier
    that knows the correct answer, such as complete unit tests; a verifier that can be wrong has a column of scores.

    `AdaptiveAllocation` shares its samples among all questions. Its draws on training questions therefore depend on
    held-out answers, but not on their correctness.

    Examples
    --------
    Optimism of reporting the best of 32 budgets of one model:

    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> best = tune(pool, "sc:smol", range(1, 33), spend="budget", limits=32, n_runs=50)
    >>> best.to_frame()[["limit", "in_sample", "fresh", "held_out", "optimism"]].round(2)
       limit  in_sample  fresh  held_out  optimism
    0   32.0       0.49   0.47      0.47      0.02

    The same for prior weights: ``tune(pool, grid(models, n_models=[3], prior=[(1, 1, 1), (2, 1, 1), (3, 2, 1)],
    ordered=False), 15, limits=15, n_runs=200)``.
    """
    groups = read_groups(shares_draws)
    named = name_strategies(_grid(pool, groups) if strategies is None else strategies, pool)
    for name, strategy in named.items():
        if isinstance(strategy, Coverage | OracleRouter):
            raise StrategyError(
                f"strategies: {name} is an upper bound that cannot be run and would always be chosen. Remove it."
            )
        if isinstance(strategy, Reliability):
            raise StrategyError(
                f"strategies: {name} measures how often several draws are right. It returns no answer, so it cannot "
                "be run. Remove it."
            )
    check_executor(executor, progress)
    if not isinstance(spend, str) or spend not in SPENDS:
        raise MssimError(f"spend={shown(spend)} is not valid. {choose_from(str(spend), SPENDS)}.")
    if n_runs is not None:
        n_runs = whole_number("n_runs", n_runs, 1, 10**6)
    wanted = None if limits is None else _given_limits(limits)
    steps = _ladder(pool, named.values(), replacement) if budgets is None else read_budgets(budgets)
    candidates = _candidates(pool, named, steps, replacement)
    options: dict[str, Any] = {"method": method, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    options |= {"prices": read_prices_of(prices), "tokens": tokens, "parallel": parallel}
    options |= {"shares_draws": groups, "executor": executor}

    probe = _probe(pool, named, candidates, spend, options)
    labels = probe.cluster_labels(clusters)
    codes = np.unique(pool.question_ids if labels is None else labels, return_inverse=True)[1]
    folds = fold_of(codes, _n_folds(n_folds, codes.max() + 1), seed)

    passes = _passes(pool, candidates, spend, n_runs, progress, options)
    expected = next(passes)
    tried = _default_limits(spend, expected, candidates) if wanted is None else wanted
    outcomes = [expected] if n_runs is None else passes
    sets = training_sets(folds)
    found = choose_in_runs(outcomes, np.nonzero(candidates.single)[0], sets, tried)
    for text in limit_warnings(pool, [plan for one in named.values() for plan in one.plans(np.array([1]))]):
        warnings.warn(text, PoolWarning, stacklevel=2)
    kept = _affordable(found.chosen, tried, expected, sets, every=wanted is not None)
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


def _grid(pool: Pool, groups: Groups) -> list[Strategy]:
    """Return the strategies to try by default; models that share draws are in the order of their runs."""
    return [one for one in grid(ordered(pool.models, groups)) if list(one.models) == ordered(one.models, groups)]


def _probe(
    pool: Pool, named: Mapping[str, Strategy], candidates: _Candidates, spend: str, options: Mapping[str, Any]
) -> Evaluation:
    """Evaluate the first candidate alone, so that invalid options raise before the long computation.

    A spend that is unknown for any candidate raises, too.
    """
    first = candidates.strategies[0]
    probe = evaluate_quietly(pool, {first: named[first]}, candidates.budgets[0], **options)
    if spend in QUANTITIES:
        drawn = {
            (model, most): None
            for group in candidates.groups
            for strategy in group.strategies.values()
            for plan in strategy.plans(group.budgets)
            for model, most, sizes in zip(plan.models, plan.max_tokens or repeat(None), plan.sizes, strict=False)
            if sizes.any()
        }
        models, limits = zip(*drawn, strict=True)
        amounts = Amounts(pool, prices=options["prices"], tokens=options["tokens"])
        amounts.check(list(dict.fromkeys(models)))
        reason = amounts.unknown(spend, models, limits)
        if reason is not None:
            raise MssimError(f"spend={spend!r}: {reason.removeprefix(f'{spend}: ')}")
    return probe


def _passes(
    pool: Pool,
    candidates: _Candidates,
    spend: str,
    n_runs: int | None,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> Iterator[Scores]:
    """Yield the scores of the candidates: first the expectation over draws, then those of each run."""
    total = 1000 * (1 + (n_runs or 0))
    yield _scores(pool, candidates, spend, _part(progress, 0, 1000, total), **options)
    # Derived seeds, so that runs with neighbouring seeds do not overlap.
    for run, seed in enumerate(np.random.SeedSequence(options["seed"]).generate_state(n_runs or 0, np.uint64), 1):
        part = _part(progress, 1000 * run, 1000, total)
        single = {"method": "monte_carlo", "n_replays": 1, "seed": int(seed)}
        yield _scores(pool, candidates, spend, part, **{**options, **single})


def _affordable(chosen: Ints, limits: Floats, expected: Scores, sets: Floats, *, every: bool) -> NDArray[np.bool_]:
    """Return a mask of the limits with a choice in every run and set; raise if none, or not `every` one, has it."""
    kept = np.asarray((chosen >= 0).all(axis=(0, 2)))
    if kept.all() or (kept.any() and not every):
        return kept
    enough = (expected.spend @ sets.T).min(axis=0).max()
    if float(f"{enough:.4g}") < enough * (1 - 1e-9):
        enough *= 1.0005  # so that the message does not round it down
    raise MssimError(
        f"limits: in at least one fold, every candidate spends more than {limits[~kept][0]:g} per question on average. "
        f"Use limits of at least {enough:.4g}."
    )


def _n_folds(given: int | None, n_clusters: int) -> int:
    if n_clusters < 2:
        raise MssimError(
            "clusters: all questions are in one cluster, but cross-validation needs at least 2. Use more questions or "
            "another column of clusters."
        )
    if given is None:
        return min(MOST_FOLDS, n_clusters)
    n_folds = whole_number("n_folds", given, 2, MOST_FOLDS)
    if n_folds > n_clusters:
        raise MssimError(
            f"n_folds={n_folds} exceeds the number of questions or clusters, {n_clusters}. Use at most {n_clusters}."
        )
    return n_folds


def _given_limits(given: ArrayLike) -> Floats:
    try:
        limits = np.atleast_1d(np.asarray(given))
    except ValueError:  # lists of different lengths
        limits = np.empty(0)
    numbers = limits.ndim == 1 and limits.size > 0 and limits.dtype.kind in "iuf"
    if numbers and np.all((limits > 0) & (limits < np.inf)):
        return np.unique(limits).astype(float)
    raise MssimError(
        f"limits={shown(given)} is not valid. Limits of the mean spend per question are positive, finite numbers."
    )


def _default_limits(spend: str, expected: Scores, candidates: _Candidates) -> Floats:
    if spend not in QUANTITIES:
        return np.unique(candidates.budgets).astype(float)
    means = expected.spend.mean(axis=1)
    if not means.any():
        raise MssimError(f"spend={spend!r}: every candidate has {spend} 0. Limit samples_used or budget instead.")
    steps = np.geomspace(means[means > 0].min(), means.max(), 8)
    digit = 10.0 ** (np.floor(np.log10(steps)) - 2)
    return np.unique(
        np.ceil(steps / digit) * digit
    )  # three digits, rounded up so that every candidate is within a limit
