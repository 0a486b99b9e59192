"""Reward model: how much does best-of-N add to Self-Consistency and to ModelSwitch?"""

from __future__ import annotations

import pandas as pd

from analysis.equal_budget import BUDGETS, two_models
from analysis.sources import Source
from analysis.tables import of_source, with_bands
from mssim import ModelSwitch, SelfConsistency, Vote, evaluate
from mssim.errors import PoolError

__all__ = ["has_scores", "run"]

IN_FILE = (
    "replay_sd",
    "agreed",
    "cost",
    "n_questions",
    "band_low",
    "band_high",
)  # columns that are only in the CSV file
BEST, SWITCH_BEST = "best of N", "ModelSwitch + best of N"


def has_scores(source: Source) -> bool:
    """Return whether the samples have scores of a reward model."""
    return "score" in source.pool.numbers


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Evaluate voting and best-of-N, each with the strongest model and with ModelSwitch of two.

    ModelSwitch with best-of-N adopts the answer on which a model agrees. Otherwise it returns the answer with the
    highest score among all draws.

    Returns
    -------
    DataFrame
        source, synthetic, the columns of `mssim.Evaluation.to_frame`, and band_low, band_high (limits of the
        simultaneous band over budgets).

    Raises
    ------
    PoolError
        If the samples have no column `score`.
    """
    if not has_scores(source):
        raise PoolError(
            f"{source.name}: no column 'score', which best-of-N requires. Record the score of a reward model for each "
            "sample."
        )
    models = two_models(source)
    strategies = {
        models[0]: SelfConsistency(models[0]),
        BEST: SelfConsistency(models[0], vote=Vote.best_of_n()),
        "ModelSwitch": ModelSwitch(models),
        SWITCH_BEST: ModelSwitch(models, vote=Vote.best_of_n()),
    }
    evaluation = evaluate(source.pool, strategies, source.within(BUDGETS, models), n_replays=n_replays, seed=seed)
    return of_source(source, with_bands(evaluation))
