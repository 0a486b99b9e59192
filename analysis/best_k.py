"""What a paper gains by running many candidates once and reporting the one that came out best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mssim import ModelSwitch, Pool, tune
from mssim.engine.job import Strategies

__all__ = ["BestKept", "best_number_of_samples", "best_of_many"]

MOST_SAMPLES = 512  # of Fig. 1


class BestKept(NamedTuple):
    """Mean over simulated papers that keep their best candidate.

    best: the accuracy they report. added_by_draws: how far above what the same candidate has on the same questions with
    other draws. added, with 95 % interval over questions: how far above what candidates so chosen have on other
    questions. mc_error: Monte Carlo error of added.
    """

    best: float
    added_by_draws: float
    added: float
    added_low: float
    added_high: float
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
    """Points that a paper gains by running all candidates once and reporting the one that came out best.

    Parameters
    ----------
    pool : Pool
        As many questions as the paper had.
    strategies : as in `evaluate`
        Candidates are all of them at all budgets; all see the same draws.
    budgets : sequence of int
    n_papers : int, default 200
        Every paper draws once for each question.
    n_replays : int, default 1000
        Of the expected accuracy, where it has no closed form.
    seed : int, default 0
    replacement : bool, default True
        Without, papers share recorded samples: near the recorded number all are the same paper.

    Examples
    --------
    >>> from mssim import load_pool
    >>> kept = best_of_many(load_pool("recorded/tiny-arithmetic"), "sc:lstm-times", range(1, 33), n_papers=50)
    >>> round(kept.best, 2), round(kept.added_by_draws, 2), round(kept.added, 2)
    (0.73, 0.01, 0.01)
    """
    options: dict[str, Any] = {"n_runs": n_papers, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    row = tune(pool, strategies, budgets, spend="budget", limits=max(budgets), **options).to_frame().iloc[0]
    best, fresh, added, low, high, mc_error = (
        float(row[name]) for name in ("in_sample", "fresh", "optimism", "optimism_low", "optimism_high", "mc_error")
    )
    return BestKept(best, best - fresh, added, low, high, mc_error)


def best_number_of_samples(pool: Pool, models: Sequence[str], *, n_papers: int = 200, seed: int = 0) -> BestKept:
    """Keep the best number of samples per model, as the stars of Fig. 1 were, among all up to 512 for all models.

    ModelSwitch stops where a share above 85 % agrees, as the released code has it for these curves. No more than were
    recorded of every model are tried.

    Examples
    --------
    >>> from mssim import load_pool
    >>> few = load_pool("recorded/tiny-arithmetic", where=[("sample_index", "<", 64)])
    >>> kept = best_number_of_samples(few, ["tf-plus", "lstm-times"], n_papers=50)
    >>> round(kept.best, 2), round(kept.added, 2)
    (0.84, 0.01)
    """
    rows = [pool.model_index(model) for model in models]
    most = min(int(pool.lengths[rows].min()), MOST_SAMPLES // len(models))
    budgets = [len(models) * k for k in range(1, max(most, 1) + 1)]  # with none recorded, tune says what is missing
    switch = ModelSwitch(models, agreement=0.85, strict=True)
    return best_of_many(pool, switch, budgets, n_papers=n_papers, seed=seed)
