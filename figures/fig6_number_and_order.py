"""Figure 6: number and order of models that share a budget."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis import number_and_order, published, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "Number and order of models"
BAR = "#b9dcf0"
READING = (
    "The bars show each model alone with one sample, from left to right in the order in which the models join. Where "
    "the line stops rising, an additional model takes samples from better models. In simulated pools all pairs of "
    "models have the coupling of the closed pair, and only the first circle of each line was fitted. The axis does "
    "not begin at 0."
)


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {"": simulated.paper("number_and_order")}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) - len(source.controls) > 2


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw two panels per source, one for each order."""
    shown = [(source, order) for source in sources for order in number_and_order.orders(source)]
    figure, axes = style.panels(len(shown), height=1.6, extra=0.3)
    (look,) = style.looks(1)
    for i, (ax, (source, order)) in enumerate(zip(axes, shown, strict=True)):
        frame = tables(number_and_order.run, source)
        _panel(ax, frame[frame["order"] == order], look)
        if source.dataset:
            _published(ax, source, order, look)
        style.named(ax, f"{source.title}\n{order}", "", first=i % 2 == 0)
    alone = Patch(color=BAR, label="alone, 1 sample")
    switch = style.key("ModelSwitch of the first n", look)
    style.legend_below(figure, [switch, style.band_key(), alone, *style.published_key(sources)])
    return figure


def _published(ax: Axes, source: Source, order: str, look: style.Look) -> None:
    listed = number_and_order.orders(source)[order]
    given = published.points(figure="fig6", dataset=source.dataset).set_index("models")
    numbers = range(1, len(listed) + 1)
    first = ["+".join(listed[:n]) for n in numbers]
    alone = given["strategy"] == "single"
    for some, models, marker in ((~alone, first, look["marker"]), (alone, list(listed), "s")):
        found = given[some].reindex(models).assign(n_models=numbers)  # NaN where an order was not published
        style.hollow(ax, found, "n_models", look | {"marker": marker})


def _panel(ax: Axes, frame: pd.DataFrame, look: style.Look) -> None:
    error = 100 * abs(frame[["alone_low", "alone_high"]].to_numpy().T - frame["alone"].to_numpy())
    ax.bar(frame["n_models"], 100 * frame["alone"], 0.7, color=BAR)
    ax.errorbar(frame["n_models"], 100 * frame["alone"], error, fmt="none", color="#777777", linewidth=0.7)
    style.band(ax, frame, "n_models", look)
    ax.set_xticks(frame["n_models"], [style.short(model, 35) for model in frame["added"]], rotation=40, ha="right")
    ax.set_ylim(max(0, 5 * (100 * frame["alone_low"].min() // 5) - 5))
