"""Accuracy over what is spent: curves of strategies, and the frontier of all candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mssim.report.charts import curves_chart, frontier_chart, legend_of
from mssim.report.document import Figure, Section, Text, table_of
from mssim.report.study import Study
from mssim.report.wording import Quantity
from mssim.results.bands import mean_band
from mssim.rules.strategies import SelfConsistency

__all__ = ["curves_frame", "curves_section", "frontier_section"]

_MOST_CURVES = 12
_MOST_DOTS = 600


def curves_section(study: Study) -> Section:
    """Return curves of the single models and of the chosen strategies over each quantity."""
    level = f"{100 * study.confidence_level:g}%"
    text = Text(
        [
            "Every single model, and the strategies that are chosen within some limit; select them in the legend. A "
            f"point is a budget; its place is what is used on average. Bands are simultaneous {level} bands over "
            "questions: each covers its whole curve. Strategies share their questions, so overlapping bands do not "
            "mean that a difference is due to chance; the answer above compares question by question. Chosen "
            "strategies were chosen by these scores, so their curves are slightly too high."
        ]
    )
    return Section("curves", "Accuracy over what is spent", [text, *(_curves(study, one) for one in study.quantities)])


def _curves(study: Study, quantity: Quantity) -> Figure:
    frame = curves_frame(study, quantity.key)
    shown = {
        "series": "strategy",
        "budget": "budget",
        "spend": quantity.axis,
        "accuracy": "accuracy",
        "low": "low",
        "high": "high",
    }
    numbers = frame.assign(spend=_written(frame, quantity)).rename(columns=shown)[list(shown.values())]
    formats = dict.fromkeys(("accuracy", "low", "high"), "{:.1%}") | {quantity.axis: "{:s}"}
    names = list(frame["series"].unique())
    first = names[: 1 + len(study.pool.models)]
    return Figure(
        f"curves-{quantity.key}",
        f"Accuracy over {quantity.axis}",
        curves_chart(frame, quantity.axis, first),
        legend_of(names, first),
        table_of(numbers, "Numbers of this figure", formats),
        quantity.key,
    )


def curves_frame(study: Study, unit: str) -> pd.DataFrame:
    """Return curves as a table: series, budget, spend, accuracy, low, high.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.report.study import make_study
    >>> study = make_study(load_pool("recorded/llm-products"), models=["gemma"], budgets=[1, 4], n_replays=100)
    >>> curves_frame(study, "samples_used")[["series", "budget", "spend", "accuracy"]].round(2)
         series  budget  spend  accuracy
    0  sc:gemma       1    1.0      0.48
    1  sc:gemma       4    4.0      0.54
    """
    tuning, per = study.tunings[unit], study.quantity(unit).per
    names, usable = np.array(tuning.strategies, dtype=object), tuning.usable[:, -1]
    parts = []
    for name in _names(study, unit):
        rows = np.flatnonzero((names == name) & usable)
        low, high = mean_band(
            tuning.accuracy[rows],
            confidence_level=study.confidence_level,
            clusters=study.labels,
            band="simultaneous",
        )
        parts.append(
            pd.DataFrame(
                {
                    "series": study.label(name),
                    "budget": tuning.budgets[rows],
                    "spend": tuning.spend[rows].mean(axis=1) * per,
                    "accuracy": tuning.accuracy[rows].mean(axis=1),
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _names(study: Study, unit: str) -> list[str]:
    """Return the single models, the most accurate first, and the chosen strategies, that of the first limit first."""
    tuning, frame = study.tunings[unit], study.frames[unit]
    candidates = tuning.candidates()
    best = candidates.groupby("strategy", sort=False)["in_sample"].max().sort_values(ascending=False, kind="stable")
    singles = {str(SelfConsistency(model)) for model in study.pool.models} & set(best.index)
    order = [study.shown_first(unit), *range(len(frame) - 1, -1, -1)]
    chosen = list(dict.fromkeys(frame["strategy"].iloc[i] for i in order))
    others = [name for name in chosen if name not in singles]
    ranked = [name for name in best.index if name in singles]
    return list(dict.fromkeys([*others[:1], *ranked, *others[1:]]))[:_MOST_CURVES]


def frontier_section(study: Study) -> Section:
    """Return the frontier of spend and accuracy."""
    text = Text(
        [
            "Each grey dot is a strategy at a budget. The steps are the frontier: nothing that was tried is both "
            "cheaper and more accurate. The frontier is chosen by its own scores and biased upwards; the points with "
            "intervals are the choices within the limits above, scored on held-out questions."
        ]
    )
    return Section("frontier", "The frontier", [text, *(_frontier(study, one) for one in study.quantities)])


def _frontier(study: Study, quantity: Quantity) -> Figure:
    tuning, frame = study.tunings[quantity.key], study.frames[quantity.key]
    every = tuning.candidates().rename(columns={"in_sample": "accuracy"})
    step = max(1, -(-len(every) // _MOST_DOTS))
    frontier = tuning.frontier(confidence_level=study.confidence_level).rename(columns={"in_sample": "accuracy"})
    dots, steps = (
        one.assign(spend=one["spend"] * quantity.per, strategy=[study.label(name) for name in one["strategy"]])[
            ["spend", "accuracy", "strategy", "budget"]
        ]
        for one in (every.iloc[::step], frontier)
    )
    choices = _choices(study, frame, quantity)
    shown = frontier.assign(strategy=steps["strategy"], **{quantity.axis: _written(steps, quantity)})
    columns = ["strategy", "budget", quantity.axis, "accuracy", "held_out", "low", "high"]
    formats = dict.fromkeys(columns[3:], "{:.1%}") | {quantity.axis: "{:s}"}
    return Figure(
        f"frontier-{quantity.key}",
        f"Candidates, their frontier and the choices: accuracy over {quantity.axis}",
        frontier_chart(dots, steps, choices, quantity.axis),
        [
            *(entry | {"dash": ""} for entry in legend_of(list(choices["series"].unique()))),
            {"name": "frontier of all candidates", "colour": "ink", "dash": "", "shape": "circle"},
            {"name": "candidates", "colour": "grey", "dash": "", "shape": "circle"},
        ],
        table_of(shown[columns], "The frontier", formats),
        quantity.key,
    )


def _written(frame: pd.DataFrame, quantity: Quantity) -> list[str]:
    """Return the spends of a chart as texts."""
    return [quantity.number(value / quantity.per) for value in frame["spend"]]


def _choices(study: Study, frame: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """Return the held-out accuracy of the choices and of the best single models; the latter have no interval."""
    limit = [quantity.amount(value) for value in frame["limit"]]
    chosen = pd.DataFrame(
        {
            "series": "choice, held out",
            "spend": frame["held_out_spend"] * quantity.per,
            "accuracy": frame["held_out"],
            "low": frame["low"],
            "high": frame["high"],
            "limit": limit,
            "interval": [
                f"{100 * low:.1f}% to {100 * high:.1f}%" for low, high in zip(frame["low"], frame["high"], strict=True)
            ],
            "strategy": [study.label(name) for name in frame["strategy"]],
        }
    )
    single = pd.DataFrame(
        {
            "series": "best single model, held out",
            "spend": frame["control_spend"] * quantity.per,
            "accuracy": frame["control_held_out"],
            "low": frame["control_held_out"],
            "high": frame["control_held_out"],
            "limit": limit,
            "interval": "none",
            "strategy": [None if pd.isna(name) else study.label(name) for name in frame["control"]],
        }
    )
    return pd.concat([chosen, single[frame["control"].notna()]], ignore_index=True)
