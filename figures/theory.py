"""Theory against experiment: the same accuracy computed in four ways."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import published, simulated, theory
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "Theory against experiment"
READING = (
    "Within each group, the markers should agree up to their error bars. One pass over the questions varies as a "
    "published experiment does, the mean of a thousand replays agrees with the exact value, and the infinite pool is "
    "the quantity of the paper's theory. The accuracy axis does not begin at 0."
)
WAYS = (theory.PASS, theory.REPLAYS, theory.EXACT, theory.INFINITE)


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {"": [simulated.pair("MathBench", "closed")]}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw two panels per source, one for each budget."""
    shown = []
    for source in sources:
        frame = tables(theory.run, source)
        shown += [(source, budget, frame[frame["budget"] == budget]) for budget in frame["budget"].unique()]
    figure, axes = style.panels(len(shown), height=1.7, extra=0.45)
    looks = style.looks(len(WAYS))
    for i, (ax, (source, budget, frame)) in enumerate(zip(axes, shown, strict=True)):
        strategies = list(dict.fromkeys(frame["strategy"]))
        for number, (way, look) in enumerate(zip(WAYS, looks, strict=True)):
            _markers(ax, frame[frame["way"] == way], strategies, number, look)
        if source.pair == "closed":
            _published(ax, source, budget, strategies, looks)
        names = ["Model-\nSwitch" if name == "ModelSwitch" else style.short(name, 27) for name in strategies]
        ax.set_xticks(range(len(strategies)), names)
        ax.set_xlim(-0.5, len(strategies) - 0.5)
        style.named(ax, f"{source.title}\nbudget {budget}", "", first=i % 2 == 0)
    keys = [style.key(way, look | {"linestyle": "none"}) for way, look in zip(WAYS, looks, strict=True)]
    style.legend_below(figure, [*keys, *style.published_key(sources)], columns=3)
    return figure


def _place(strategies: list[str], name: str, number: int) -> float:
    return strategies.index(name) + 0.17 * (number - (len(WAYS) - 1) / 2)


def _markers(ax: Axes, frame: pd.DataFrame, strategies: list[str], number: int, look: style.Look) -> None:
    at = [_place(strategies, name, number) for name in frame["strategy"]]
    error = 100 * abs(frame[["low", "high"]].to_numpy().T - frame["accuracy"].to_numpy())
    ax.errorbar(at, 100 * frame["accuracy"], error, **look | {"linestyle": "none"}, capsize=1.5, linewidth=0.8)


def _published(ax: Axes, source: Source, budget: int, strategies: list[str], looks: list[style.Look]) -> None:
    """Draw published experiments as single passes and published theory as infinite pools."""
    given = published.points(figure="theory", dataset=source.dataset, budget=budget)
    names = given["models"].where(given["strategy"] == "SC", given["strategy"])
    for kind, way in (("experiment", theory.PASS), ("theory", theory.INFINITE)):
        number = WAYS.index(way)
        some = given[given["kind"] == kind]
        at = [_place(strategies, name, number) for name in names[some.index]]
        style.hollow(ax, some.assign(at=at), "at", looks[number])
