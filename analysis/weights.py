"""Weights and thresholds: which are best, and how much of their gain is selection bias?"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.sources import Source
from analysis.tables import of_source, versus
from mssim import ModelSwitch, Vote, evaluate, tune
from mssim.errors import PoolError

__all__ = ["run"]

IN_FILE = ("low", "high", "control", "n_questions")  # columns that are only in the CSV file
BUDGET = 15
MOST_MODELS = 3
DEFAULT = "default"
PRIORS = {2: ((2, 1), (1, 2), (3, 2)), 3: ((2, 1, 1), (3, 2, 2), (2, 2, 1), (3, 3, 2), (3, 2, 1), (1, 2, 2))}
AGREEMENT = (0.9, 0.8, 0.7, 0.6, 0.5)


def run(source: Source, *, n_replays: int = 1000, n_runs: int = 100, seed: int = 0) -> pd.DataFrame:
    """Change one setting of ModelSwitch at a time, at budget 15, and then choose the best.

    Each setting is compared, question by question, with the default: unanimity, entropy weights over the distinct
    answers, equal prior weights. The rows "best" choose by the accuracy of one run on these questions, as published
    weights were chosen, and report the accuracy of the choice with other draws and on other questions (`mssim.tune`).

    Returns
    -------
    DataFrame
        source, synthetic, part (within, prior, agreement, switch), setting, budget, accuracy, low, high, samples_used,
        control, difference, difference_low, difference_high, p_value. Rows with setting "best" have in_sample, fresh,
        held_out and optimism (in_sample - held_out) instead.
    """
    models = source.models[:MOST_MODELS]
    if len(models) < 2:
        raise PoolError(f"{source.name}: {models[0]!r} is the only model. Voting weights need at least two models.")
    budget = min(BUDGET, source.most(models) * len(models))
    parts = _settings(models)
    default = ModelSwitch(models)
    strategies = {DEFAULT: default} | {f"{part}: {name}": s for part, some in parts.items() for name, s in some.items()}
    evaluation = evaluate(source.pool, strategies, [budget], n_replays=n_replays, seed=seed)
    frame = versus(evaluation, evaluation.to_frame(), [DEFAULT])
    named = frame.pop("strategy").str.partition(": ")
    frame.insert(0, "part", named[0])
    frame.insert(1, "setting", named[2].where(named[2] != "", DEFAULT))
    best = [_best(source, part, {DEFAULT: default, **some}, budget, n_runs, seed) for part, some in parts.items()]
    kept = ["part", "setting", "budget", "accuracy", "low", "high", "samples_used", "control", "difference"]
    kept += ["difference_low", "difference_high", "p_value", "n_questions"]
    return of_source(source, pd.concat([frame[kept], *best], ignore_index=True))


def _settings(models: tuple[str, ...]) -> dict[str, dict[str, ModelSwitch]]:
    """Return the changed settings by part."""
    return {
        "within": {
            "plurality": ModelSwitch(models, vote=Vote.plurality()),
            "entropy over samples": ModelSwitch(models, vote=Vote.entropy(normaliser="samples")),
        },
        "prior": {
            "/".join(map(str, prior)): ModelSwitch(models, vote=Vote.entropy(prior=prior))
            for prior in PRIORS[len(models)]
        },
        "agreement": {str(share): ModelSwitch(models, agreement=share) for share in AGREEMENT},
        "switch": {
            "pool on agreement": ModelSwitch(models, on_agreement="pool"),
            "last model untested": ModelSwitch(models, test_last=False),
        },
    }


def _best(
    source: Source, part: str, some: Mapping[str, ModelSwitch], budget: int, n_runs: int, seed: int
) -> pd.DataFrame:
    """Return the bias of choosing the best of some settings by one run."""
    tuned = tune(source.pool, dict(some), [budget], limits=[budget], spend="budget", n_runs=n_runs, seed=seed)
    frame = tuned.to_frame()[["in_sample", "fresh", "held_out", "optimism", "n_questions"]]
    return frame.assign(part=part, setting="best", budget=budget)
