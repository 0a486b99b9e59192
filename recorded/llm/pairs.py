"""Comparison of ModelSwitch of every ordered pair of models with both of its models alone, for data cards."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

import mssim
from mssim import Pool

__all__ = ["BUDGET", "best_pair", "shown", "switching", "verdict"]

BUDGET = 16


def switching(pool: Pool, n_replays: int = 10_000) -> pd.DataFrame:
    """Compare ModelSwitch of every ordered pair with both of its models alone, at the same budget.

    Returns
    -------
    DataFrame
        One row per pair, sorted by the smaller of its two differences, in descending order. The columns are first,
        second, accuracy, samples_used, and over_first and over_second, the differences of accuracy paired over
        questions, with their intervals (low, high). All intervals hold together with 95 % confidence (Bonferroni).
    """
    ordered = list(permutations(pool.models, 2))
    alone = {name: f"sc:{name}" for name in pool.models}
    switched = {pair: f"ms:{pair[0]}+{pair[1]}" for pair in ordered}
    result = mssim.evaluate(pool, [*alone.values(), *switched.values()], budgets=[BUDGET], n_replays=n_replays)
    frame = result.to_frame().set_index("strategy")
    level = 1 - 0.05 / (2 * len(ordered))
    rows = []
    for pair, name in switched.items():
        row: dict[str, Any] = {"first": pair[0], "second": pair[1], **frame.loc[name, ["accuracy", "samples_used"]]}
        for place, model in zip(("first", "second"), pair, strict=True):
            found = result.compare(name, alone[model], budget=BUDGET, confidence_level=level)
            row |= {f"over_{place}": found.difference, f"low_{place}": found.low, f"high_{place}": found.high}
        rows.append(row)
    least = [min(row["over_first"], row["over_second"]) for row in rows]
    return pd.DataFrame(rows).iloc[np.argsort(least, kind="stable")[::-1]].reset_index(drop=True)


def best_pair(pairs: pd.DataFrame) -> pd.Series:
    """Return the first pair that beats both of its models or, if there is none, the first pair."""
    won = _won(pairs)
    return (pairs if won.empty else won).iloc[0]


def verdict(pairs: pd.DataFrame) -> str:
    """Return a sentence that states whether a pair beats both of its models."""
    won, best = _won(pairs), best_pair(pairs)
    over = "; ".join(
        f"{100 * best[f'over_{place}']:+.1f} points over Self-Consistency of `{best[place]}`, interval "
        f"{100 * best[f'low_{place}']:+.1f} to {100 * best[f'high_{place}']:+.1f}"
        for place in ("first", "second")
    )
    pair = f"`{best['first']}`, then `{best['second']}`"
    if won.empty:
        found = f"**No pair beats both of its models alone by a significant margin.** The nearest is {pair}: {over}."
    else:
        found = (
            f"**{len(won)} of {len(pairs)} ordered pairs beat both of their models alone.** The best is {pair}: "
            f"{over}. It used {best['samples_used']:.1f} of {BUDGET} samples."
        )
    alone = {row["first"]: row["accuracy"] - row["over_first"] for _, row in pairs.iterrows()}
    strongest, top = max(alone, key=alone.__getitem__), pairs.loc[pairs["accuracy"].idxmax()]
    return (
        f"{found} Of the single models, `{strongest}` is the best with {alone[strongest]:.1%}; of the pairs, "
        f"`{top['first']}`, then `{top['second']}`, with {top['accuracy']:.1%}."
    )


def shown(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the table of pairs as it is shown, in percentage points."""

    def interval(row: Any, place: str) -> str:
        return (
            f"{100 * row[f'over_{place}']:+.1f} ({100 * row[f'low_{place}']:+.1f} to {100 * row[f'high_{place}']:+.1f})"
        )

    return pd.DataFrame(
        {
            "first, second": [f"`{row['first']}`, `{row['second']}`" for _, row in pairs.iterrows()],
            "accuracy": [f"{value:.1%}" for value in pairs["accuracy"]],
            "samples used": [f"{value:.1f}" for value in pairs["samples_used"]],
            "points over first": [interval(row, "first") for _, row in pairs.iterrows()],
            "points over second": [interval(row, "second") for _, row in pairs.iterrows()],
        }
    )


def _won(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[(pairs["low_first"] > 0) & (pairs["low_second"] > 0)]
