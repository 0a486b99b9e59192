"""Stop quality (T5): accuracy of ModelSwitch by the stage at which it ends, and calibration of agreement."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mssim.engine.evaluate import evaluate
from mssim.engine.exact import MOST_DRAWS, Floats, agreements, chances
from mssim.engine.job import read_budgets
from mssim.engine.requirements import check_recorded
from mssim.engine.scheduler import Progress
from mssim.errors import BudgetError, MssimError, StrategyError
from mssim.kernels.tally import RANDOM
from mssim.pools.pool import Pool
from mssim.results.clusters import cluster_labels
from mssim.rules.strategies import ModelSwitch, SelfConsistency
from mssim.theory.pool_facts import Stages, counts_of, ratio, read_switch, right_below, stages_of

__all__ = ["calibration", "stop_quality"]


def stop_quality(
    pool: Pool,
    strategy: str | ModelSwitch,
    budgets: ArrayLike,
    *,
    method: str = "auto",
    n_replays: int | None = None,
    seed: int = 0,
    replacement: bool = False,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Split the accuracy of ModelSwitch by the stage at which replays end.

    Accuracy is the sum over ends of coverage x accuracy given that end.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategy : str or ModelSwitch
        A ModelSwitch with ``on_agreement="adopt"``.
    budgets : int or sequence of int
        Samples allowed per question.
    method, n_replays, seed, replacement, executor, progress
        As in `evaluate`. They affect only the final vote. ``replacement=True`` biases accuracies if few samples were
        recorded.
    confidence_level, clusters
        As in `Evaluation.to_frame`.

    Returns
    -------
    DataFrame
        strategy, budget; stage (from 1), model and end ("agreement" of the model of that stage, or the final "vote",
        which is the last stage and has no model); coverage (share of replays with this end; the sum is 1); accuracy,
        low, high (share of these replays that are correct, with its confidence interval over questions; NaN if the
        coverage is 0); risk (1 - accuracy); contribution (coverage x accuracy; the sum is the accuracy of the
        strategy); mc_error (upper bound of the Monte Carlo error of accuracy, 0 if exact).

    Raises
    ------
    StrategyError
        If the strategy is not a ModelSwitch, uses ``on_agreement="pool"``, or asks a model twice without replacement.
    BudgetError
        If a budget needs more samples than were recorded, or more than 1024 samples of one model.

    Notes
    -----
    Given the question, stages are independent. Coverage and contribution of every stage are therefore products of
    closed forms, averaged over questions. The contribution of the final vote is the accuracy of `evaluate` minus the
    other contributions. If `evaluate` uses replays, the accuracy of the vote can lie outside 0 to 1 by a few mc_error.
    Later stages see the harder questions, on which earlier stages did not agree, so accuracies of stages do not compare
    models.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import stop_quality
    >>> pool = load_pool("recorded/llm-products")
    >>> frame = stop_quality(pool, "ms:gemma+smol,vote=plurality", 8)
    >>> frame[["end", "model", "coverage", "accuracy", "risk", "contribution"]].round(3)
             end  model  coverage  accuracy   risk  contribution
    0  agreement  gemma     0.290     0.950  0.050         0.275
    1  agreement   smol     0.158     0.793  0.207         0.125
    2       vote    NaN     0.552     0.361  0.639         0.199
    """
    switch = read_switch(strategy)
    if switch.on_agreement != "adopt":
        raise StrategyError(
            f"{switch}: on_agreement=pool is not supported, because agreement then does not determine the answer. Use "
            "on_agreement=adopt."
        )
    stages = stages_of(pool, switch, budgets, replacement, right=True)
    options: dict[str, Any] = {"method": method, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    result = evaluate(pool, switch, stages.budgets, **options, executor=executor, progress=progress)
    labels = result.cluster_labels(clusters)
    mc_error = result.to_frame()["mc_error"]
    rows = []
    for b, stage, model, share, right in _ends(stages, result.accuracy[0]):
        accuracy, low, high = ratio(right, share, confidence_level, labels)
        coverage = share.mean()
        noise = mc_error[b] if model is None and coverage > 0 else 0.0
        rows.append(
            {
                "strategy": stages.name,
                "budget": stages.budgets[b],
                "stage": stage,
                "model": model,
                "end": "vote" if model is None else "agreement",
                "coverage": coverage,
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "risk": 1 - accuracy,
                "contribution": right.mean(),
                "mc_error": noise / coverage if noise else 0.0,
            }
        )
    return pd.DataFrame(rows)


def _ends(stages: Stages, total: Floats) -> Iterator[tuple[int, int, str | None, Floats, Floats]]:
    """Yield every end: budget, stage, model, and its probabilities to occur and to be correct, [question]."""
    reached = stages.reached
    share, right = reached * stages.agreed, reached * stages.right
    tested = (stages.plan.need <= stages.plan.sizes) & (stages.plan.sizes > 0)
    for b in range(stages.budgets.size):
        for i, model in enumerate(stages.plan.models):
            if tested[i, b]:
                yield b, i + 1, model, share[i, b], right[i, b]
        left = chances(np.prod(1 - stages.agreed[:, b], axis=0))
        yield b, len(stages.plan.models) + 1, None, left, np.where(left > 0, total[b] - right[:, b].sum(axis=0), 0.0)


def calibration(
    pool: Pool,
    model: str,
    budgets: ArrayLike,
    *,
    replacement: bool = False,
    confidence_level: float = 0.95,
    clusters: str | None = None,
) -> pd.DataFrame:
    """Compute the accuracy of a model's plurality, given the number of draws that agree.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    model : str
        Name of the model.
    budgets : int or sequence of int
        Numbers of draws K, up to 1024.
    replacement : bool, default False
        As in `evaluate`.
    confidence_level, clusters
        As in `Evaluation.to_frame`.

    Returns
    -------
    DataFrame
        model, budget; votes (of the leading answer, 0 to K); agreement (votes / K); coverage (probability of this
        number of votes, mean over questions); accuracy, low, high (accuracy of the plurality given this number of
        votes, with its confidence interval; NaN if the coverage is 0); contribution (coverage x accuracy; the sum is
        the accuracy of Self-Consistency).

    Raises
    ------
    BudgetError
        If a budget needs more samples than were recorded, or more than 1024.

    Notes
    -----
    Agreement is calibrated if accuracy equals agreement. For one budget, the sum of coverage x |agreement - accuracy|
    is the expected calibration error (Naeini et al. 2015) with one bin per number of votes. All numbers are exact:
    P[top >= t] and P[correct, top < t] are the closed forms of agreement and plurality.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import calibration
    >>> frame = calibration(load_pool("recorded/llm-products"), "gemma", 5)
    >>> frame[["votes", "agreement", "coverage", "accuracy"]].round(3)
       votes  agreement  coverage  accuracy
    0      0        0.0     0.000     0.000
    1      1        0.2     0.149     0.058
    2      2        0.4     0.245     0.228
    3      3        0.6     0.176     0.529
    4      4        0.8     0.175     0.828
    5      5        1.0     0.255     0.966
    """
    grid = read_budgets(budgets)
    strategy = SelfConsistency(model)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r} is not a bool. Use True or False.")
    check_recorded(pool, str(strategy), strategy.plans(grid)[0], grid, bool(replacement))
    if grid.max() > MOST_DRAWS:
        raise BudgetError(
            f"{strategy}: {grid.max()} samples of one model exceed the limit of {MOST_DRAWS}. Use a lower budget."
        )
    counts, labels = counts_of(pool, model, bool(replacement)), cluster_labels(pool.questions, clusters)
    below = right_below(counts, np.arange(1, int(grid.max()) + 2), int(grid.max()), RANDOM)
    rows = []
    for k in grid.tolist():
        need = np.arange(1, k + 1)
        fewer = 1 - agreements(counts, np.full(k, k), need)[0].T  # [need, question], P[top < need]
        share = np.diff(fewer, axis=0, prepend=0, append=1)
        right = np.diff(below[: k + 1, :, k], axis=0, prepend=0)
        for votes, (ends, wins) in enumerate(zip(chances(share), chances(right), strict=True)):
            accuracy, low, high = ratio(wins, ends, confidence_level, labels)
            rows.append(
                {
                    "model": model,
                    "budget": k,
                    "votes": votes,
                    "agreement": votes / k,
                    "coverage": ends.mean(),
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                    "contribution": wins.mean(),
                }
            )
    return pd.DataFrame(rows)
