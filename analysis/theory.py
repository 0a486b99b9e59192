"""Does theory say what experiments find?"""

from __future__ import annotations

import pandas as pd
from scipy.stats import norm

from analysis.sources import Source
from analysis.tables import of_source
from mssim import ModelSwitch, SelfConsistency, Vote, evaluate

__all__ = ["run"]

IN_FILE = ("n_questions",)  # columns that the command line leaves to the CSV file
BUDGETS = (10, 16)
PASS, REPLAYS, EXACT, INFINITE = "one pass", "replays", "exact", "infinite pool"
_QUANTILE = norm.ppf(0.975)


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Accuracy of the two strongest models, and of ModelSwitch under a plurality vote, found in four ways.

    "one pass" is what a paper does: samples drawn once; its interval says how far another pass over the same questions
    may be off. "replays" is Monte Carlo over the recorded samples, with its Monte Carlo interval. "exact" is the
    expectation that replays approach, in closed form. "infinite pool" takes the recorded shares of answers for the
    models' laws and is the expectation under independent draws, as in the paper's theory.

    Returns
    -------
    DataFrame
        source, synthetic, strategy, budget, way, accuracy, low, high (95 % over draws, of these questions),
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
    # One pass cannot tell how far passes scatter, the closed form can.
    frames[PASS]["mc_error"] = frames[EXACT]["replay_sd"]
    return of_source(source, pd.concat([_within_error(way, frame) for way, frame in frames.items()], ignore_index=True))


def _within_error(way: str, frame: pd.DataFrame) -> pd.DataFrame:
    half = _QUANTILE * frame["mc_error"]
    bounds = {"low": (frame["accuracy"] - half).clip(0), "high": (frame["accuracy"] + half).clip(upper=1)}
    kept = ["strategy", "budget", "way", "accuracy", "low", "high", "samples_used", "n_questions"]
    return frame.assign(way=way, **bounds)[kept]
