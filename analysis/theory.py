"""Theory and experiment: do exact values agree with replays?"""

from __future__ import annotations

import pandas as pd
from scipy.stats import norm

from analysis.sources import Source
from analysis.tables import of_source
from mssim import ModelSwitch, SelfConsistency, Vote, evaluate

__all__ = ["run"]

IN_FILE = ("n_questions",)  # columns that are only in the CSV file
BUDGETS = (10, 16)
PASS, REPLAYS, EXACT, INFINITE = "one pass", "replays", "exact", "infinite pool"
_QUANTILE = norm.ppf(0.975)


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Compute the accuracy of the two strongest models and of ModelSwitch with a plurality vote in four ways.

    - "one pass" draws the samples once, as a paper does. Its interval is that of another pass over the same questions.
    - "replays" is the mean of Monte Carlo replays over the recorded samples, with its Monte Carlo interval.
    - "exact" is the expectation of replays, in closed form.
    - "infinite pool" is the expectation of independent draws from the recorded shares, as in the paper's theory.

    Returns
    -------
    DataFrame
        source, synthetic, strategy, budget, way, accuracy, low, high (95 % interval over draws for these questions),
        samples_used, n_questions.
    """
    models = source.models[:2]
    strategies: dict[str, SelfConsistency | ModelSwitch] = {model: SelfConsistency(model) for model in models}
    if len(models) > 1:
        strategies["ModelSwitch"] = ModelSwitch(models, vote=Vote.plurality())
    budgets = source.within(BUDGETS, models) or [source.most(models)]
    ways = {
        PASS: {"method": "monte_carlo", "n_replays": 1, "seed": seed},
        REPLAYS: {"method": "monte_carlo", "n_replays": n_replays, "seed": seed},
        EXACT: {"method": "exact"},
        INFINITE: {"method": "exact", "replacement": True},
    }
    frames = {way: evaluate(source.pool, strategies, budgets, **options).to_frame() for way, options in ways.items()}
    # A single pass has no scatter; the standard deviation of passes is known in closed form.
    frames[PASS]["mc_error"] = frames[EXACT]["replay_sd"]
    return of_source(source, pd.concat([_within_error(way, frame) for way, frame in frames.items()], ignore_index=True))


def _within_error(way: str, frame: pd.DataFrame) -> pd.DataFrame:
    half = _QUANTILE * frame["mc_error"]
    bounds = {"low": (frame["accuracy"] - half).clip(0), "high": (frame["accuracy"] + half).clip(upper=1)}
    kept = ["strategy", "budget", "way", "accuracy", "low", "high", "samples_used", "n_questions"]
    return frame.assign(way=way, **bounds)[kept]
