"""Columns shared by the tables of all analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.sources import Source
from mssim import Evaluation, Strategy, evaluate

__all__ = ["curves", "of_source", "versus", "with_bands"]


def of_source(source: Source, frame: pd.DataFrame) -> pd.DataFrame:
    """Insert the columns `source` (its name) and `synthetic` (whether no language model was queried) in front."""
    synthetic = bool(source.pool.info.get("synthetic"))
    return pd.concat(
        [pd.DataFrame({"source": source.name, "synthetic": synthetic}, frame.index), frame], axis="columns"
    )


def curves(
    source: Source, wanted: Sequence[tuple[Mapping[str, Strategy | str], Sequence[int]]], **options: object
) -> pd.DataFrame:
    """Evaluate groups of strategies, each at its own budgets, in one table; groups without budgets are skipped."""
    frames = [
        with_bands(evaluate(source.pool, dict(strategies), budgets, **options))
        for strategies, budgets in wanted
        if len(budgets)
    ]
    return of_source(source, pd.concat(frames, ignore_index=True))


def with_bands(evaluation: Evaluation) -> pd.DataFrame:
    """Return the table of an evaluation with band_low and band_high, its simultaneous band over budgets."""
    whole = evaluation.to_frame(band="simultaneous")
    return evaluation.to_frame().assign(band_low=whole["low"], band_high=whole["high"])


def versus(evaluation: Evaluation, frame: pd.DataFrame, controls: Sequence[str]) -> pd.DataFrame:
    """Add the paired comparison of every strategy with the best of some controls at the same budget.

    The control is the one with the highest accuracy on these questions, so its accuracy is biased upwards. Rows of the
    controls are not compared.
    """
    names = ["control", "difference", "difference_low", "difference_high", "p_value"]
    at = frame.set_index(["budget", "strategy"])["accuracy"]
    rows = {}
    for row in frame[~frame["strategy"].isin(controls)].itertuples():
        control = at[row.budget][list(controls)].idxmax()
        found = evaluation.compare(row.strategy, control, budget=row.budget)
        rows[row.Index] = (control, found.difference, found.low, found.high, found.p_value)
    return frame.join(pd.DataFrame.from_dict(rows, orient="index", columns=names))
