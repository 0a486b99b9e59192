"""Selection bias: how much accuracy a paper gains by trying many candidates once and reporting the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mssim import ModelSwitch, Pool, tune
from mssim.engine.job import Strategies

__all__ = ["BestKept", "best_number_of_samples", "best_of_many"]

MOST_SAMPLES = 512  # the largest number of samples in Fig. 1


class BestKept(NamedTuple):
    """Selection bias, averaged over simulated papers that report their best candidate.

    Attributes
    ----------
    best : float
        Mean reported accuracy.
    added_by_draws : float
        Excess over the accuracy of the same candidate on the same questions with other draws.
    added : float
        Excess over the accuracy of candidates chosen in this way on other questions.
    mc_error : float
        Monte Carlo error of `added`.
    """

    best: float
    added_by_draws: float
    added: float
    mc_error: float


def best_of_many(
    pool: Pool,
    strategies: Strategies,
    budgets: Sequence[int],
    *,
    n_papers: int = 200,
    n_replays: int = 1000,
    seed: int = 0,
    replacement: bool = True,
) -> BestKept:
    """Simulate papers that run all candidates once and report the best one.

    Parameters
    ----------
    pool : Pool
        Recorded samples of as many questions as the paper evaluated.
    strategies : as in `evaluate`
        Every strategy at every budget is a candidate. All candidates see the same draws.
    budgets : sequence of int
        Samples allowed per question.
    n_papers : int, default 200
        Number of simulated papers. Each draws once for each question.
    n_replays : int, default 1000
        Number of Monte Carlo replays of the expected accuracy, where it has no closed form.
    seed : int, default 0
        Seed of the replays.
    replacement : bool, default True
        Draw with replacement. Without replacement, papers share recorded samples, and their results become equal as the
        budget approaches the recorded number.

    Returns
    -------
    BestKept
        Reported accuracy and selection bias.

    Examples
    --------
    >>> from mssim import load_pool
    >>> kept = best_of_many(load_pool("recorded/llm-products"), "sc:smol", range(1, 33), n_papers=20)
    >>> round(kept.best, 2), round(kept.added_by_draws, 2), round(kept.added, 2)
    (0.49, 0.02, 0.02)
    """
    options: dict[str, Any] = {"n_runs": n_papers, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    row = tune(pool, strategies, budgets, spend="budget", limits=max(budgets), **options).to_frame().iloc[0]
    best, fresh, added, mc_error = (float(row[name]) for name in ("in_sample", "fresh", "optimism", "mc_error"))
    return BestKept(best, best - fresh, added, mc_error)


def best_number_of_samples(pool: Pool, models: Sequence[str], *, n_papers: int = 200, seed: int = 0) -> BestKept:
    """Compute the selection bias of the best number of samples per model, the choice behind the stars of Fig. 1.

    Candidates are all numbers of samples up to 512 in total, or up to the number recorded for every model. ModelSwitch
    stops where more than 85 % agree, as in the released code for these curves.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str
        Models in the order in which ModelSwitch asks them.
    n_papers : int, default 200
        Number of simulated papers.
    seed : int, default 0
        Seed of the replays.

    Returns
    -------
    BestKept
        Reported accuracy and selection bias.

    Examples
    --------
    >>> from mssim import load_pool
    >>> few = load_pool("recorded/llm-products").select(where=[("sample_index", "<", 16)])
    >>> kept = best_number_of_samples(few, ["gemma", "smol"], n_papers=20)
    >>> round(kept.best, 2), round(kept.added, 2)
    (0.61, 0.02)
    """
    rows = [pool.model_index(model) for model in models]
    most = min(int(pool.lengths[rows].min()), MOST_SAMPLES // len(models))
    budgets = [len(models) * k for k in range(1, max(most, 1) + 1)]  # without samples, tune raises the error
    switch = ModelSwitch(models, agreement=0.85, strict=True)
    return best_of_many(pool, switch, budgets, n_papers=n_papers, seed=seed)
