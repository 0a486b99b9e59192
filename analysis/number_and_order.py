"""How many models, and in which order, should share a budget?"""

from __future__ import annotations

import pandas as pd

from analysis import published
from analysis.sources import Source
from analysis.tables import of_source
from mssim import ModelSwitch, SelfConsistency, evaluate

__all__ = ["orders", "run"]

IN_FILE = (
    "strategy",
    "replay_sd",
    "mc_error",
    "agreed",
    "cost",
    "method",
    "n_questions",
)  # columns that the command line leaves to the CSV file
BUDGET = 16
MOST_MODELS = 6


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Accuracy of ModelSwitch with the first n models of an order that share one budget, for all n.

    The last model is not tested, as in the released analysis: a single sample always agrees with itself. The budget is
    16, or what every model can spend alone. Every model also stands alone with a single sample, in the row whose
    n_models adds it.

    Returns
    -------
    DataFrame
        source, synthetic, order, n_models, added (the model that joins), alone (its accuracy with one sample),
        alone_low, alone_high, and the columns of `mssim.Evaluation.to_frame`.
    """
    models = source.models[:MOST_MODELS]
    budget = min(BUDGET, source.most(models))
    single = evaluate(source.pool, {model: SelfConsistency(model) for model in models}, [1]).to_frame()
    single = single.set_index("strategy")[["accuracy", "low", "high"]]
    single.columns = ["alone", "alone_low", "alone_high"]
    frames = []
    for order, listed in orders(source).items():
        teams = {f"{n} models": _first(listed, n) for n in range(1, len(listed) + 1)}
        found = evaluate(source.pool, teams, [budget], n_replays=n_replays, seed=seed).to_frame()
        found.insert(0, "order", order)
        found.insert(1, "n_models", range(1, len(listed) + 1))
        found.insert(2, "added", listed)
        frames.append(found.join(single, on="added"))
    return of_source(source, pd.concat(frames, ignore_index=True))


def orders(source: Source) -> dict[str, tuple[str, ...]]:
    """Orders to ask the models in: the strongest first and the weakest first, or those that the paper compares."""
    models = source.models[:MOST_MODELS]
    six = published.points(figure="fig6", n_models=MOST_MODELS)
    compared = [tuple(text.split("+")) for text in six[six["dataset"] == source.dataset]["models"]]
    if compared and set(compared[0]) == set(models):
        return dict(zip(("closed first", "open first"), compared, strict=True))
    return {"strong first": models, "weak first": models[::-1]}


def _first(order: tuple[str, ...], n: int) -> SelfConsistency | ModelSwitch:
    """ModelSwitch with the first n models; one model cannot switch."""
    return SelfConsistency(order[0]) if n == 1 else ModelSwitch(order[:n], test_last=False)
