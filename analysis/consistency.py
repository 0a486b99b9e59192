"""Consistency and accuracy: is a model correct where its samples agree?"""

from __future__ import annotations

import pandas as pd

from analysis.sources import Source
from analysis.tables import of_source
from mssim.theory import consistency

__all__ = ["points", "run"]

IN_FILE = ()  # columns that are only in the CSV file
MOST_MODELS = 6
SAMPLES = 16


def run(source: Source, *, seed: int = 0) -> pd.DataFrame:
    """Correlate entropy and accuracy over questions, for each of up to six models.

    On the same samples the correlation is partly mechanical, because both numbers are functions of the same counts.
    "split half" takes entropy and accuracy from different samples. "same half" contains the mechanical part at the same
    number of samples as "split half".

    Returns
    -------
    DataFrame
        source, synthetic, and the columns of `mssim.theory.Consistency.to_frame`.
    """
    return of_source(source, consistency(source.pool, source.models[:MOST_MODELS], seed=seed).to_frame())


def points(source: Source) -> pd.DataFrame:
    """Return the entropy and accuracy of every question, the data of the correlations.

    Returns
    -------
    DataFrame
        source, synthetic, model, question_id, entropy (bits), accuracy (share of correct samples).
    """
    found = consistency(source.pool, source.models[:MOST_MODELS], n_resamples=1, n_splits=1)
    return of_source(source, found.per_question())
