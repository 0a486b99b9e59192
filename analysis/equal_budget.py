"""Equal budget: does ModelSwitch of two models beat Self-Consistency of one, and its controls?"""

from __future__ import annotations

import pandas as pd

from analysis import published
from analysis.sources import Source
from analysis.tables import of_source, versus, with_bands
from mssim import Mixture, ModelSwitch, SelfConsistency, Vote, evaluate
from mssim.errors import PoolError

__all__ = ["run", "three_models", "two_models"]

IN_FILE = (
    "replay_sd",
    "mc_error",
    "agreed",
    "cost",
    "method",
    "n_questions",
    "band_low",
    "band_high",
)  # columns that are only in the CSV file
BUDGETS = (1, 2, 4, 8, 12, 16)
DEBATE_BUDGET = 15
SELF = "ModelSwitch to itself"


def run(source: Source, *, n_replays: int = 500, seed: int = 0) -> pd.DataFrame:
    """Evaluate at the paper's budgets, and compare with the best single model question by question.

    The controls spend the same budget: each model alone; ModelSwitch from the strongest model to itself, which saves
    samples without a second model; and the mix of both models, which never stops.

    Returns
    -------
    DataFrame
        source, synthetic, the columns of `mssim.Evaluation.to_frame`, band_low and band_high (limits of the
        simultaneous band over budgets), and control, difference, difference_low, difference_high, p_value (see
        `analysis.tables.versus`).
    """
    models = two_models(source)
    strategies = {model: SelfConsistency(model) for model in models} | {
        "ModelSwitch": ModelSwitch(models),
        SELF: ModelSwitch([models[0], models[0]]),
        "mix": Mixture(models),
    }
    budgets = source.within(BUDGETS, models)
    evaluation = evaluate(source.pool, strategies, budgets, n_replays=n_replays, seed=seed)
    return of_source(source, versus(evaluation, with_bands(evaluation), models))


def two_models(source: Source) -> tuple[str, ...]:
    """Return the two strongest models of a source; raise if there is only one."""
    if len(source.models) < 2:
        raise PoolError(
            f"{source.name}: {source.models[0]!r} is the only model. ModelSwitch needs at least two models."
        )
    return source.models[:2]


def three_models(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Evaluate up to three models, without controls, at budget 15: together, and the best model alone.

    ModelSwitch uses the prior weights released with the paper if the source represents a data set that has them.

    Returns
    -------
    DataFrame
        source, synthetic, n_models, and the columns of `mssim.Evaluation.to_frame`. The strategies are "one sample" and
        "Self-Consistency" (each of the model with the highest accuracy on these questions), "ModelSwitch" and "mix".
    """
    models = tuple(model for model in source.models if model not in source.controls)[:3]
    two_models(source)
    budget = min(DEBATE_BUDGET, source.most(models))
    alone = evaluate(source.pool, {model: SelfConsistency(model) for model in models}, [1, budget]).to_frame()
    best = alone.sort_values("accuracy", ascending=False, kind="stable").groupby("budget").head(1)
    best = best.assign(strategy=best["budget"].map({1: "one sample", budget: "Self-Consistency"}))
    vote = Vote.entropy(prior=_released(source, models))
    together = {"ModelSwitch": ModelSwitch(models, vote=vote), "mix": Mixture(models)}
    found = evaluate(source.pool, together, [budget], n_replays=n_replays, seed=seed).to_frame()
    frame = pd.concat([best.sort_values("budget"), found], ignore_index=True)
    frame.insert(0, "n_models", len(models))
    return of_source(source, frame)


def _released(source: Source, models: tuple[str, ...]) -> dict[str, float] | None:
    """Return the prior weights released with the paper, or None if these models have none."""
    if source.dataset is None:
        return None
    weights = published.weights(source.dataset)
    return {model: weights[model] for model in models} if set(models) <= set(weights) else None
