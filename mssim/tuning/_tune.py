"""Tuning of strategy and budget by cross-validation over questions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import shown, whole_number
from mssim.engine.amounts import PricesLike, read_prices_of
from mssim.engine.job import Job, read_budgets, read_groups
from mssim.engine.limited import limit_warnings
from mssim.engine.requirements import check_columns, check_questions
from mssim.engine.scheduler import Progress, check_executor
from mssim.errors import MssimError, PoolWarning
from mssim.pools.pool import Pool
from mssim.results.clusters import cluster_labels
from mssim.rules.base import Strategy
from mssim.rules.folds import fold_of
from mssim.rules.plan import QUANTITIES
from mssim.tuning.candidates import (
    Versions,
    bounds_of_versions,
    check_all,
    expected_scores,
    ladder,
    list_versions,
    outcomes_of_run,
    passes_of,
    without_samples,
)
from mssim.tuning.choice import Floats, Ints, Scores, choose_in_runs, training_masks, training_sets
from mssim.tuning.families import candidates_of
from mssim.tuning.fitting import Given, check_candidate, fit_all, read_candidates
from mssim.tuning.learners import Learner
from mssim.tuning.options import (
    DEFAULT_FAMILY,
    MOST_FOLDS,
    check_numbers,
    check_spend,
    read_families,
    read_limits,
)
from mssim.tuning.result import Tuning
from mssim.tuning.spends import Bounds

__all__ = ["Tuning", "tune", "tune_each"]

DEFAULT_REPLAYS, DEFAULT_ERROR = 2000, 2e-4


def tune(
    pool: Pool,
    strategies: Given | None = None,
    budgets: ArrayLike | None = None,
    *,
    families: str | Iterable[str] | None = None,
    spend: str = "samples_used",
    limits: ArrayLike | None = None,
    n_folds: int | None = None,
    n_runs: int | None = None,
    method: str = "auto",
    n_replays: int | None = None,
    mc_error: float | None = None,
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

    A candidate is a strategy at a budget. At each limit, the most accurate candidate is chosen among those whose mean
    spend is within the limit. Candidates that differ by no more than their Monte Carlo errors are ties, which go to the
    lower spend, then to the earlier candidate. The in-sample accuracy is that of the candidate chosen on all questions.
    For the held-out accuracy, a candidate is chosen with one fold left out and scored on that fold. A candidate that is
    fitted (`mssim.tuning.Learner`) is fitted without that fold, too. The best single model is chosen in the same way
    as a control.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategies : as in `evaluate`, optional
        Strategies to compare, and objects that fit a strategy to training questions, see `mssim.tuning.Learner`. The
        default is the family "switch", ``grid(pool.models)``.
    budgets : int or sequence of int, optional
        Samples allowed per question. Budgets that need more samples than were recorded are skipped for a strategy. By
        default, increasing steps up to the largest feasible budget, at most 128.
    families : str or sequence of str, optional
        Families of candidates to compare beside `strategies`: "switch", "stops", "votes", "weights", "routers" and
        "models", see `mssim.tuning.FAMILIES`. Each also has every single model, the control. Rules that need a column
        which the pool does not have, or more samples than were recorded at each budget, are left out, and listed in
        `left_out` of the result.
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
        By default, it is chosen by expected accuracy and spend. Candidates that are fitted are not supported.
    n_replays, mc_error
        As in `evaluate`. By default the Monte Carlo error is at most 2e-4, with at most 2000 replays of a question.
    method, seed, replacement, prices, tokens, parallel, shares_draws, executor, progress
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
        If a family does not exist, no candidate is within a limit, there are more than 10 folds or more than clusters,
        the spend of a candidate is unknown, or an option of `evaluate` is invalid. What can be known without an
        evaluation raises before it.

    Notes
    -----
    The variance due to other training questions has no unbiased estimate from one cross-validation (Bengio & Grandvalet
    2004, JMLR 5, 1089-1105). The standard errors of held_out and gain contain it by a factor, see `Tuning.to_frame`. If
    all folds make the same choice, optimism is 0 on all questions. This shows that the choice is stable, not that the
    in-sample accuracy is unbiased. Choices on fewer questions are slightly worse, so held-out accuracy is biased
    downwards.

    Each replayed accuracy has an interval for its Monte Carlo error. On every set of questions, the intervals of all
    candidates cover at the same time with 95 %, by Bonferroni's inequality. A candidate gives way only to one whose
    interval lies above its own, so that noise does not decide between equal candidates. Sums of errors bound those of
    differences whatever draws candidates share. Of the candidates that remain, the cheapest is chosen. Replayed spends
    are equal if their intervals overlap; their variance has the bound of Bhatia and Davis (2000). More replays show
    smaller differences.

    With runs, optimism has two parts: in_sample - fresh is due to the draws and fresh - held_out to the questions. Runs
    without replacement share recorded samples and become nearly identical for budgets near the recorded number;
    `replacement=True` then models new samples better, but its accuracies are biased, see `evaluate`.

    `UntilVerified` with ``column="correct"`` is chosen nearly always. Use it as a candidate only if you have a verifier
    that knows the correct answer, such as complete unit tests; a verifier that can be wrong has a column of scores.

    `AdaptiveAllocation` shares its samples among all questions. Its draws on training questions therefore depend on
    held-out answers, but not on their correctness. So do priors that `OptimalStop` learns from other questions.

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
    return tune_each(
        pool,
        strategies,
        budgets,
        limits={check_spend(spend): limits},
        families=families,
        n_folds=n_folds,
        n_runs=n_runs,
        method=method,
        n_replays=n_replays,
        mc_error=mc_error,
        seed=seed,
        replacement=replacement,
        prices=prices,
        tokens=tokens,
        parallel=parallel,
        shares_draws=shares_draws,
        clusters=clusters,
        executor=executor,
        progress=progress,
    )[spend]


def tune_each(
    pool: Pool,
    strategies: Given | None = None,
    budgets: ArrayLike | None = None,
    *,
    limits: Mapping[str, ArrayLike | None],
    families: str | Iterable[str] | None = None,
    n_folds: int | None = None,
    n_runs: int | None = None,
    method: str = "auto",
    n_replays: int | None = None,
    mc_error: float | None = None,
    seed: int = 0,
    replacement: bool = False,
    prices: PricesLike | None = None,
    tokens: str = "all",
    parallel: int | None = None,
    shares_draws: Sequence[Sequence[str]] = (),
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Tuning]:
    """Tune within limits of several quantities, with one evaluation of the candidates.

    Parameters
    ----------
    limits : mapping of str to float or sequence of float, or None
        Limits of each quantity, as in `tune`; several quantities only without runs.
    pool, strategies, budgets, others
        As in `tune`.

    Returns
    -------
    dict of str to Tuning
        The result of `tune` for each quantity.

    Examples
    --------
    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> found = tune_each(pool, ["sc:gemma", "sc:smol"], [1, 4], limits={"samples_used": 4, "tokens": 40})
    >>> {spend: tuning.to_frame()["strategy"].tolist() for spend, tuning in found.items()}
    {'samples_used': ['sc:gemma'], 'tokens': ['sc:gemma']}
    """
    if not isinstance(pool, Pool):
        raise MssimError(f"pool={shown(pool)} is not a Pool. Pass the pool that load_pool(path) returns.")
    wanted = {spend: None if given is None else read_limits(given) for spend, given in limits.items()}
    seed = whole_number("seed", seed, 0, 2**64 - 1)
    n_folds, n_runs = check_numbers(n_folds, n_runs)
    if n_runs is not None and len(wanted) > 1:
        raise MssimError("n_runs: runs are drawn once, for one quantity. Tune each quantity on its own.")
    check_executor(executor, progress)
    groups = read_groups(shares_draws)
    named, left_out, given = _candidates(pool, strategies, families, groups, clusters)
    if n_runs is not None:
        _check_not_fitted(named, pool)
    labels = cluster_labels(pool.questions, clusters)
    codes = np.unique(pool.question_ids if labels is None else labels, return_inverse=True)[1]
    folds = fold_of(codes, _number_of_folds(n_folds, codes.max() + 1), seed)
    fitted = fit_all(named, pool, training_masks(folds))
    of_versions = [one.strategy for several in fitted.values() for one in several]
    steps = ladder(pool, of_versions, replacement) if budgets is None else read_budgets(budgets)
    fitted, unpaid = without_samples(pool, fitted, steps, replacement, given)
    versions = list_versions(pool, fitted, steps, replacement)

    replays = replays_or_default(n_replays, mc_error)
    options: dict[str, Any] = {"method": method, "seed": seed, "replacement": replacement}
    options |= {"n_replays": replays[0], "mc_error": replays[1]}
    options |= {"prices": read_prices_of(prices), "tokens": tokens, "parallel": parallel, "shares_draws": groups}
    jobs = check_all(pool, versions, options)
    sets = training_sets(folds)
    bounds = {}
    for spend in wanted:
        _check_known(jobs, spend, pool)
        bounds[spend] = bounds_of_versions(jobs, versions, spend, pool)
        _check_limits(spend, wanted[spend], bounds[spend][0], versions, sets)

    passes = passes_of(pool, versions, jobs, tuple(wanted), n_runs, executor, progress, options)
    found = next(passes)
    for text in limit_warnings(pool, [plan for one in of_versions for plan in one.plans(np.array([1]))]):
        warnings.warn(text, PoolWarning, stacklevel=3)
    tunings = {}
    for spend, tried in wanted.items():
        expected = expected_scores(found, spend, *bounds[spend])
        within = _default_limits(spend, expected, versions) if tried is None else tried
        outcomes = [expected] if n_runs is None else (outcomes_of_run(one, spend) for one in passes)
        choices = choose_in_runs(outcomes, np.nonzero(versions.single)[0], sets, within, versions.usable)
        kept = _affordable(choices.chosen, within, expected.spend, sets, versions, every=tried is not None)
        tunings[spend] = Tuning(
            strategies=versions.names,
            fitted=versions.fitted,
            budgets=versions.budgets,
            candidate=versions.candidate,
            usable=versions.usable,
            questions=pool.questions.copy(),
            accuracy=found.accuracy,
            spend=found.spends[spend],
            n_replays=found.n_replays,
            mc_variance=found.mc_variance,
            spend_noise=expected.spend_noise,
            limits=within[kept],
            folds=folds,
            chosen=choices.chosen[:, kept],
            control=choices.control[:, kept],
            training=choices.training[:, kept],
            in_sample=choices.in_sample[:, kept],
            clusters=labels,
            n_runs=n_runs,
            left_out=left_out | unpaid,
            provenance={
                **jobs[0].provenance(pool),
                "strategies": {name: str(named[name]) for name in fitted},
                "spend": spend,
            },
        )
    return tunings


def replays_or_default(n_replays: int | None, mc_error: float | None) -> tuple[int | None, float | None]:
    """Return the given numbers of replays and Monte Carlo error, or the default of both."""
    return (DEFAULT_REPLAYS, DEFAULT_ERROR) if n_replays is None and mc_error is None else (n_replays, mc_error)


def _candidates(
    pool: Pool,
    strategies: Given | None,
    families: str | Iterable[str] | None,
    groups: Sequence[Sequence[str]],
    clusters: str | None,
) -> tuple[dict[str, Strategy | Learner], dict[str, str], set[str]]:
    """Return candidates by name, the rules of families that are left out with the reason, and the names given."""
    names = (DEFAULT_FAMILY,) if families is None else read_families(families)
    named = {} if strategies is None else read_candidates(strategies, pool)
    for name, candidate in named.items():
        if isinstance(candidate, Strategy):
            check_candidate(name, candidate)
            check_questions(pool, name, candidate)  # before others are fitted, which takes seconds
            for plan in candidate.plans(np.array([len(candidate.models)])):
                check_columns(pool, name, plan)
    if strategies is not None and families is None:
        return named, {}, set(named)
    family = candidates_of(names, pool, groups, clusters)
    texts = {str(candidate) for candidate in named.values()}
    return (
        named | {name: one for name, one in family.candidates.items() if name not in texts},
        family.left_out,
        set(named),
    )


def _check_not_fitted(named: Mapping[str, Strategy | Learner], pool: Pool) -> None:
    for name, candidate in named.items():
        if not isinstance(candidate, Strategy) or candidate.learns(pool.questions):
            raise MssimError(
                f"n_runs: {name} is fitted to all recorded samples, not to the draws of one run. Remove it or its "
                "family, or do not choose on single runs."
            )


def _check_known(jobs: Sequence[Job], spend: str, pool: Pool) -> None:
    """Raise if the spend of any candidate is unknown."""
    if spend not in QUANTITIES:
        return
    drawn = {
        (model, most): None
        for job in jobs
        for plan in job.plans
        for model, most, sizes in zip(plan.models, plan.max_tokens or repeat(None), plan.sizes, strict=False)
        if sizes.any()
    }
    models, limits = zip(*drawn, strict=True)
    reason = jobs[0].amounts(pool).unknown(spend, models, limits)
    if reason is not None:
        raise MssimError(f"spend={spend!r}: {reason.removeprefix(f'{spend}: ')}")


def _check_limits(spend: str, limits: Floats | None, bounds: Bounds, versions: Versions, sets: Floats) -> None:
    """Raise if every candidate spends nothing, or at least what some limit does not allow."""
    if not bounds.most.any():
        raise MssimError(f"spend={spend!r}: every candidate has {spend} 0. Limit samples_used or budget instead.")
    if limits is None:
        return
    least = np.where(versions.usable, bounds.least @ sets.T, np.inf)
    enough = least.min(axis=0).max()
    if limits[0] < enough * (1 - 1e-9):
        row = least[:, least.min(axis=0).argmax()].argmin()
        raise _too_low(limits[0], enough, known=bool((bounds.least[row] == bounds.most[row]).all()))


def _too_low(limit: float, least: float, *, known: bool = True) -> MssimError:
    """Return the error for a limit below the spend of every candidate, which is `least` or, unless `known`, more."""
    if float(f"{least:.4g}") < least * (1 - 1e-9):
        least *= 1.0005  # so that the message does not round it down
    return MssimError(
        f"limits: in at least one fold, every candidate spends more than {limit:g} per question on average. "
        f"Use limits {'of at least' if known else 'above'} {least:.4g}."
    )


def _affordable(
    chosen: Ints, limits: Floats, spend: Floats, sets: Floats, versions: Versions, *, every: bool
) -> NDArray[np.bool_]:
    """Return a mask of the limits with a choice in every run and set; raise if none, or not `every` one, has it."""
    kept = np.asarray((chosen >= 0).all(axis=(0, 2)))
    if kept.all() or (kept.any() and not every):
        return kept
    raise _too_low(limits[~kept][0], np.where(versions.usable, spend @ sets.T, np.inf).min(axis=0).max())


def _number_of_folds(given: int | None, n_clusters: int) -> int:
    if n_clusters < 2:
        raise MssimError(
            "clusters: all questions are in one cluster, but cross-validation needs at least 2. Use more questions or "
            "another column of clusters."
        )
    if given is not None and given > n_clusters:
        raise MssimError(
            f"n_folds={given} exceeds the number of questions or clusters, {n_clusters}. Use at most {n_clusters}."
        )
    return min(MOST_FOLDS, n_clusters) if given is None else given


def _default_limits(spend: str, expected: Scores, versions: Versions) -> Floats:
    if spend not in QUANTITIES:
        return np.unique(versions.budgets).astype(float)
    means = expected.spend.mean(axis=1)
    steps = np.geomspace(means[means > 0].min(), means.max(), 8)
    digit = 10.0 ** (np.floor(np.log10(steps)) - 2)
    # Three digits, rounded up so that every candidate is within a limit.
    return np.unique(np.ceil(steps / digit) * digit)
