"""By cost: how does accuracy grow with samples and with tokens, for every model and for models together?"""

from __future__ import annotations

import pandas as pd

from analysis.equal_budget import two_models
from analysis.sources import Source
from analysis.tables import curves
from mssim import Mixture, ModelSwitch, SelfConsistency, Strategy

__all__ = ["alone", "run", "together"]

IN_FILE = ("replay_sd", "mc_error", "agreed", "cost", "latency", "method", "n_questions", "band_low", "band_high")
BUDGETS = tuple(2**step for step in range(11))
MOST_MODELS = 3
AGREEMENT = 0.75
TO_CONTROL = "ModelSwitch to control"


def run(source: Source, *, n_replays: int = 500, seed: int = 0) -> pd.DataFrame:
    """Evaluate at budgets 1, 2, 4, ... up to the number of recorded samples.

    Returns
    -------
    DataFrame
        source, synthetic, the columns of `mssim.Evaluation.to_frame`, and band_low, band_high (limits of the
        simultaneous band over budgets). The strategies are those of `alone` and `together`.
    """
    several = together(source)
    taking_part = list(dict.fromkeys(model for strategy in several.values() for model in strategy.models))
    wanted = [
        (alone(source), source.within(BUDGETS, source.models[:MOST_MODELS])),
        (several, [budget for budget in BUDGETS[1:] if budget <= 2 * source.most(taking_part)]),
    ]
    return curves(source, wanted, n_replays=n_replays, seed=seed)


def alone(source: Source) -> dict[str, Strategy]:
    """Return Self-Consistency of each model."""
    return {model: SelfConsistency(model) for model in source.models[:MOST_MODELS]}


def together(source: Source) -> dict[str, Strategy]:
    """Return ModelSwitch and the mix of the two strongest models, and ModelSwitch from one of them to its control."""
    first, second = two_models(source)
    found: dict[str, Strategy] = {
        "ModelSwitch": ModelSwitch([first, second], agreement=AGREEMENT),
        "mix": Mixture([first, second]),
    }
    for control, of in source.controls.items():
        if of in (first, second) and control not in (first, second):
            found[TO_CONTROL] = ModelSwitch([of, control], agreement=AGREEMENT)
            break
    return found
