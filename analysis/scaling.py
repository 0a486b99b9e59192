"""Scaling: how does accuracy grow up to hundreds of samples, for Self-Consistency and for ModelSwitch of two?"""

from __future__ import annotations

import pandas as pd

from analysis.sources import Source
from analysis.tables import curves
from mssim import Mixture, ModelSwitch, SelfConsistency

__all__ = ["run"]

IN_FILE = (
    "replay_sd",
    "agreed",
    "cost",
    "n_questions",
    "band_low",
    "band_high",
)  # columns that are only in the CSV file
BUDGETS = tuple(2**step for step in range(11))
STRICT = "ModelSwitch, > 85 %"


def run(source: Source, *, n_replays: int = 500, seed: int = 0) -> pd.DataFrame:
    """Evaluate at budgets 1, 2, 4, ... up to the number of recorded samples.

    ModelSwitch of the two strongest models stops at unanimity, as in the article, or where more than 85 % agree, as in
    the released code for 512 samples. The mix of both models never stops.

    Returns
    -------
    DataFrame
        source, synthetic, the columns of `mssim.Evaluation.to_frame`, and band_low, band_high (limits of the
        simultaneous band over budgets).
    """
    models = source.models[:2]
    alone = {model: SelfConsistency(model) for model in models}
    together = {
        "ModelSwitch": ModelSwitch(models),
        STRICT: ModelSwitch(models, agreement=0.85, strict=True),
        "mix": Mixture(models),
    }
    wanted = [(alone, source.within(BUDGETS, models))]
    if len(models) > 1:
        wanted.append((together, source.within(BUDGETS[1:], models, shared=True)))
    return curves(source, wanted, n_replays=n_replays, seed=seed)
