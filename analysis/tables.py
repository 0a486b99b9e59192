"""What the tables of all analyses have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.sources import Source
from mssim import Evaluation, Strategy, evaluate

__all__ = ["curves", "of_source", "versus"]

_RESAMPLES = 1999


def of_source(source: Source, frame: pd.DataFrame) -> pd.DataFrame:
    """Put the name of the source in front of a table's columns."""
    return pd.concat([pd.Series(source.name, index=frame.index, name="source"), frame], axis="columns")


def curves(
    source: Source, wanted: Sequence[tuple[Mapping[str, Strategy | str], Sequence[int]]], **options: object
) -> pd.DataFrame:
    """Evaluate groups of strategies, each at its own budgets, in one table; a group without any drops out."""
    frames = [
        evaluate(source.pool, dict(strategies), budgets, **options).to_frame()
        for strategies, budgets in wanted
        if len(budgets)
    ]
    return of_source(source, pd.concat(frames, ignore_index=True))


def versus(evaluation: Evaluation, frame: pd.DataFrame, controls: Sequence[str]) -> pd.DataFrame:
    """Add to every row how it compares, question by question, with the best of some strategies at the same budget.

    The control is the one with the highest accuracy on these very questions, which flatters it.
    """
    rows = []
    at = frame.set_index(["budget", "strategy"])["accuracy"]
    for strategy, budget in zip(frame["strategy"], frame["budget"], strict=True):
        control = max(controls, key=lambda name: at[budget, name])
        found = evaluation.compare(strategy, control, budget=int(budget), n_resamples=_RESAMPLES)
        rows.append((control, found.difference, found.low, found.high, found.p_value))
    names = ["control", "difference", "difference_low", "difference_high", "p_value"]
    return pd.concat([frame, pd.DataFrame(rows, columns=names, index=frame.index)], axis="columns")
