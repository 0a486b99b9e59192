"""Savings: how many samples does switching save?"""

from __future__ import annotations

import pandas as pd

from analysis.equal_budget import two_models
from analysis.sources import Source
from analysis.tables import of_source
from mssim import ModelSwitch
from mssim.theory import cost

__all__ = ["run"]

IN_FILE = ("strategy", "n_questions")  # columns that are only in the CSV file
BUDGETS = (2, 4, 8, 12, 16, 32)


def run(source: Source) -> pd.DataFrame:
    """Compute exact samples used and savings of ModelSwitch of the two and of the three strongest models.

    For comparison the table has the values expected from mean agreement rates, as if these were independent over
    questions, and the paper's bound B / (n c).

    Returns
    -------
    DataFrame
        source, synthetic, n_models, and the columns of `mssim.theory.cost`.
    """
    two_models(source)
    frames = []
    for n in range(2, min(len(source.models), 3) + 1):
        models = source.models[:n]
        budgets = source.within([budget for budget in BUDGETS if budget >= n], models, shared=True)
        found = cost(source.pool, ModelSwitch(models), budgets)
        found.insert(0, "n_models", n)
        frames.append(found)
    return of_source(source, pd.concat(frames, ignore_index=True))
