"""Number and order of models: how many should share a budget, and in which order?"""

from __future__ import annotations

import pandas as pd

from analysis import published
from analysis.sources import Source
from analysis.tables import of_source
from mssim import ModelSwitch, SelfConsistency, evaluate
from mssim.results.bands import mean_band

__all__ = ["orders", "run"]

IN_FILE = (
    "strategy",
    "replay_sd",
    "mc_error",
    "agreed",
    "cost",
    "method",
    "n_questions",
    "band_low",
    "band_high",
)  # columns that are only in the CSV file
BUDGET = 16
MOST_MODELS = 6


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Evaluate ModelSwitch of the first n models of an order at one budget, for every n.

    The last model is not tested, as in the released analysis, because a single sample always agrees with itself. The
    budget is 16, or the number of samples recorded for every model if that is smaller. The columns `alone` give the
    accuracy of each model with one sample, in the row where it joins.

    Returns
    -------
    DataFrame
        source, synthetic, order, n_models, added (the model that joins), alone (its accuracy with one sample),
        alone_low, alone_high, the columns of `mssim.Evaluation.to_frame`, and band_low, band_high (limits of the
        simultaneous band over numbers of models).
    """
    models = source.models[:MOST_MODELS]
    budget = min(BUDGET, source.most(models))
    single = evaluate(source.pool, {model: SelfConsistency(model) for model in models}, [1]).to_frame()
    single = single.set_index("strategy")[["accuracy", "low", "high"]]
    single.columns = ["alone", "alone_low", "alone_high"]
    frames = []
    for order, listed in orders(source).items():
        teams = {f"{n} models": _first(listed, n) for n in range(1, len(listed) + 1)}
        evaluation = evaluate(source.pool, teams, [budget], n_replays=n_replays, seed=seed)
        found = evaluation.to_frame()
        found["band_low"], found["band_high"] = mean_band(
            evaluation.accuracy[:, 0], clusters=evaluation.cluster_labels(), band="simultaneous"
        )
        found.insert(0, "order", order)
        found.insert(1, "n_models", range(1, len(listed) + 1))
        found.insert(2, "added", listed)
        frames.append(found.join(single, on="added"))
    return of_source(source, pd.concat(frames, ignore_index=True))


def orders(source: Source) -> dict[str, tuple[str, ...]]:
    """Return the orders of the models: those that the paper compares, or strongest first and weakest first."""
    models = source.models[:MOST_MODELS]
    six = published.points(figure="fig6", n_models=MOST_MODELS)
    compared = [tuple(text.split("+")) for text in six[six["dataset"] == source.dataset]["models"]]
    if compared and set(compared[0]) == set(models):
        return dict(zip(("closed first", "open first"), compared, strict=True))
    return {"strong first": models, "weak first": models[::-1]}


def _first(order: tuple[str, ...], n: int) -> SelfConsistency | ModelSwitch:
    """Return ModelSwitch of the first n models, or Self-Consistency of a single one."""
    return SelfConsistency(order[0]) if n == 1 else ModelSwitch(order[:n], test_last=False)
