"""Figure 5 on recorded runs: protocols of several agents beside Self-Consistency and ModelSwitch of the same cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from analysis import protocols, published
from analysis.running import Tables
from analysis.sources import Source, ships
from figures import style
from figures.fig5_debate import PUBLISHED

TITLE = "Protocols of several agents at equal cost"
READING = (
    "Each group has one run of a protocol, and Self-Consistency and ModelSwitch with the largest budget that spends no "
    "more: as many calls (left) or as many tokens, input included (right); the number is in brackets. Where circle or "
    "star are above the square, drawing samples is better than the protocol. White bars are published, for other "
    "models and at about 15 calls; their tokens were not compared."
)
SHOWN = {  # strategies, and the number of their look
    protocols.OWN: 1,
    "Self-Consistency": 0,
    "ModelSwitch": 2,
}
DATASETS = ("GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro")


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name: none, because protocols are not simulated."""
    return {}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return source.protocols is not None and len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw two panels per source and, below those of the pools in recorded/, the published bars."""
    published_too = all(ships(source.name) for source in sources)
    figure, axes = style.panels(2 * (len(sources) + published_too), height=1.7, extra=0.5)
    looks = style.looks(3)
    for i, source in enumerate(sources):
        frame = tables(protocols.run, source)
        pair = axes[2 * i : 2 * i + 2]
        pair[1].sharey(pair[0])
        for ax, unit in zip(pair, protocols.UNITS, strict=True):
            _panel(ax, frame[frame["unit"] == unit], unit, looks)
            style.named(ax, f"{source.title}\nat equal {unit}", "", first=unit == "calls")
    bars = _published(_joined(figure, axes[-2:])) if published_too else []
    keys = [style.key(name, looks[number] | {"linestyle": "none"}) for name, number in SHOWN.items()]
    title = "markers: ours, with interval; white: published" if bars else None
    style.legend_below(figure, [*keys, *bars], columns=3, title=title)
    return figure


def _joined(figure: Figure, pair: Sequence[Axes]) -> Axes:
    """Replace the last two panels by one."""
    grid = pair[0].get_subplotspec().get_gridspec()
    for ax in pair:
        ax.remove()
    return figure.add_subplot(grid[-1, :])


def _panel(ax: Axes, frame: pd.DataFrame, unit: str, looks: list[style.Look]) -> None:
    labels = list(dict.fromkeys(frame["label"]))
    own = frame[frame["strategy"] == protocols.OWN].set_index("label")
    for step, (name, number) in zip((-0.22, 0.0, 0.22), SHOWN.items(), strict=True):
        some = frame[frame["strategy"] == name]
        at = [labels.index(label) + step for label in some["label"]]
        style.marks(ax, at, some[["accuracy", "low", "high"]], looks[number])
    spent = [f"{own.loc[label, unit]:,.0f}" if own[unit].notna()[label] else "?" for label in labels]
    ticks = [f"{style.short(label, 36)} ({number})" for label, number in zip(labels, spent, strict=True)]
    ax.set_xticks(range(len(labels)), ticks, rotation=40, ha="right", rotation_mode="anchor", fontsize=5.8)
    ax.set_xlim(-0.6, len(labels) - 0.4)


def _published(ax: Axes) -> list[BarContainer]:
    """Draw the published bars of all data sets; return them for the legend."""
    given = published.points(figure="fig5", dataset=list(DATASETS)).set_index(["strategy", "dataset"])["accuracy"]
    look = {"facecolor": "white", "edgecolor": "#444444", "linewidth": 0.6}
    width, bars = 0.86 / len(PUBLISHED), []
    for number, (strategy, (label, hatch)) in enumerate(PUBLISHED.items()):
        at = np.arange(len(DATASETS)) + width * (number - (len(PUBLISHED) - 1) / 2)
        values = 100 * given[strategy][list(DATASETS)].to_numpy()
        bars.append(ax.bar(at, values, width, **look, hatch=hatch, label=label))
    ax.set_xticks(range(len(DATASETS)), DATASETS)
    ax.set_ylim(40, 100)
    ax.grid(visible=False, axis="x")
    ax.set_title("published, budget 15 (the axis does not begin at 0)", loc="left")
    ax.set_ylabel("accuracy (%)")
    return bars
