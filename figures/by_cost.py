"""Accuracy over samples and over tokens, of every model and of models together."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import by_cost
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "Accuracy over samples and over tokens"
READING = (
    "Left, a sample of each model costs the same; right, it costs its tokens, with a share of the input tokens of its "
    "request. Where the order of the curves differs between left and right, the cheaper model is ahead by tokens. A "
    "control is the same model with another setting: what ModelSwitch from a model to its control gains is not due to "
    "a second model. The mix spends the same samples without stopping. Only the first model and ModelSwitch have bands."
)
TOGETHER = {  # labels of strategies of several models, and the number of their look
    "ModelSwitch": (f"ModelSwitch, agrees at {100 * by_cost.AGREEMENT:.0f} %", 2),
    "mix": ("mix", 4),
    by_cost.TO_CONTROL: ("ModelSwitch to a control", 5),
}
ALONE = (0, 1, 3)  # numbers of the looks of single models
AXES = {"samples_used": "samples used per question", "tokens": "tokens per question"}


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name: none, because they have no tokens."""
    return {}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1 and "output_tokens" in source.pool.numbers


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw two panels per source: over samples used and over tokens."""
    figure, axes = style.panels(2 * len(sources), height=1.7, extra=0.5)
    drawn: set[str] = set()
    looks = style.looks(6)
    shown = [source.models[: by_cost.MOST_MODELS] for source in sources]
    all_alike = len({frozenset(models) for models in shown}) == 1  # one legend is enough
    of_models: list[Line2D] = []
    for i, (source, places) in enumerate(zip(sources, style.places(shown), strict=True)):
        frame = tables(by_cost.run, source)
        own = dict(zip(shown[i], [looks[ALONE[place]] for place in places], strict=True))
        for ax, (x, label) in zip(axes[2 * i : 2 * i + 2], AXES.items(), strict=True):
            lines = _curves(ax, frame, own, x)
            style.named(ax, source.title, label, first=x == "samples_used")
            ax.set_xscale("log", base=2)
            style.powers(ax, frame[x].min(), frame[x].max())
        if all_alike:
            of_models = of_models or lines
        else:
            style.legend(axes[2 * i], lines, loc="best", fontsize=5.5)
        drawn |= set(frame["strategy"])
    keys = [style.key(label, looks[number]) for name, (label, number) in TOGETHER.items() if name in drawn]
    style.legend_below(figure, [*of_models, *keys, style.band_key()])
    return figure


def _curves(ax: Axes, frame: pd.DataFrame, models: Mapping[str, style.Look], x: str) -> list[Line2D]:
    """Draw the curves of a panel, given the looks of its models; return those of the models, for their legend."""
    looks = style.looks(6)
    for i, (name, look) in enumerate(models.items()):
        (style.line if i else style.band)(ax, frame[frame["strategy"] == name], x, look, style.short(name))
    lines = list(ax.get_lines())
    for name, (_, number) in TOGETHER.items():
        curve = frame[frame["strategy"] == name]
        (style.band if name == "ModelSwitch" else style.line)(ax, curve, x, looks[number])
    return lines
