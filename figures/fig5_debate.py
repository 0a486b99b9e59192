"""Figure 5: ModelSwitch and multi-agent debate at budget 15."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from analysis import equal_budget, published, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style
from mssim.plots import COLOURS

TITLE = "Budget 15: ModelSwitch and multi-agent debate"
READING = (
    "White bars are published; filled bars are computed here, with the interval over questions. Compare the filled "
    "ModelSwitch bar with the filled Self-Consistency bar first: it spends the same budget on the best single model. "
    "Then compare with debate. Two models are simulated where no accuracy of the third was published. The axis does "
    "not begin at 0."
)
PER_ROW = 3
PUBLISHED = {
    "best single": ("best single (1)", ""),
    "MAD": ("MAD", "////"),
    "ChatEval": ("ChatEval", "...."),
    "MOA": ("MOA", "xxxx"),
    "ModelSwitch": ("ModelSwitch", "----"),
}
OURS = {"Self-Consistency": COLOURS[3], "ModelSwitch": COLOURS[0]}


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    given = published.points(figure="fig5", strategy="ModelSwitch").set_index("dataset")["models"]
    return {"": [simulated.team(dataset, given[dataset].split("+")) for dataset in simulated.DATASETS]}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one group of bars per source, three groups per row."""
    rows = [sources[i : i + PER_ROW] for i in range(0, len(sources), PER_ROW)]
    figure, axes = style.panels(len(rows), columns=1, height=1.5, extra=0.5)
    for ax, some in zip(axes, rows, strict=True):
        handles = _bars(ax, some, [tables(equal_budget.three_models, source) for source in some])
    title = "white: published; filled: ours, with interval" if len(handles) > len(OURS) else None
    style.legend_below(figure, handles, columns=3, title=title)
    return figure


def _bars(ax: Axes, sources: Sequence[Source], frames: Sequence[pd.DataFrame]) -> list[BarContainer]:
    """Draw one row of groups; return its bars for the legend."""
    series = [*_published(sources), *_ours(frames)]
    width = 0.86 / max(len(series), 4)
    handles = []
    for number, (values, error, look) in enumerate(series):
        at = np.arange(len(sources)) + width * (number - (len(series) - 1) / 2)
        handles.append(ax.bar(at, values, width, **look))
        if error is not None:
            ax.errorbar(at, values, error, fmt="none", color="black", linewidth=0.7, capsize=1.5)
    models = [f"{frame['n_models'].iloc[0]} models, B = {frame['budget'].max()}" for frame in frames]
    titles = [source.title.replace(" (", "\n(").replace(", ", ",\n").split("\n") for source in sources]
    place = 180 / (len(sources) + 0.2)
    labels = ["\n".join(style.fitted(line, place) for line in [*t, n]) for t, n in zip(titles, models, strict=True)]
    ax.set_xticks(range(len(sources)), labels)
    ax.set_xlim(-0.6, len(sources) - 0.4)
    lowest = min((values if error is None else values - error[0]).min() for values, error, _ in series)
    ax.set_ylim(max(0, 5 * (lowest // 5) - 5), 100)
    ax.set_ylabel("accuracy (%)")
    ax.grid(visible=False, axis="x")
    return handles


_Series = tuple[np.ndarray, np.ndarray | None, dict[str, object]]  # percentages, error bars, look of the bars


def _published(sources: Sequence[Source]) -> list[_Series]:
    datasets = [source.dataset for source in sources]
    teams = published.points(figure="fig5", strategy="ModelSwitch").set_index("dataset")["models"]
    if not all(set(source.models[:3]) <= set(teams.get(source.dataset, "").split("+")) for source in sources):
        return []
    given = published.points(figure="fig5", dataset=datasets).set_index(["strategy", "dataset"])["accuracy"]
    look = {"facecolor": "white", "edgecolor": "#444444", "linewidth": 0.6}
    return [
        (100 * given[strategy][datasets].to_numpy(), None, look | {"hatch": hatch, "label": label})
        for strategy, (label, hatch) in PUBLISHED.items()
    ]


def _ours(frames: Sequence[pd.DataFrame]) -> list[_Series]:
    series: list[_Series] = []
    for strategy, colour in OURS.items():
        found = 100 * pd.concat([frame[frame["strategy"] == strategy] for frame in frames])[["accuracy", "low", "high"]]
        error = abs(found[["low", "high"]].to_numpy().T - found["accuracy"].to_numpy())
        series.append((found["accuracy"].to_numpy(), error, {"color": colour, "label": strategy}))
    return series
