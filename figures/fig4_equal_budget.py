"""Figure 4: ModelSwitch of two models and Self-Consistency of each, against samples used."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import equal_budget, published, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "ModelSwitch against Self-Consistency"
READING = (
    "A star to the left of a circle at the same height reaches the same accuracy with fewer samples. A star above the "
    "circles reaches an accuracy that more samples of one model do not reach. The bands overlap because all strategies "
    "share their questions; `python -m analysis equal_budget` prints the paired differences."
)
DATASETS = ("GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro")


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {
        "-closed": [simulated.pair(dataset, "closed") for dataset in DATASETS],
        "-open": [simulated.pair(dataset, "open") for dataset in DATASETS],
    }


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one panel per source."""
    figure, axes = style.panels(len(sources), height=1.5, extra=0.5)
    looks = style.looks(3)
    references: dict[str, Line2D] = {}
    placed = style.places([source.models[:2] for source in sources])
    for i, (ax, source, places) in enumerate(zip(axes, sources, placed, strict=True)):
        frame = tables(equal_budget.run, source)
        own = [looks[place] for place in [*places, 2]]
        for name, look in zip([*source.models[:2], "ModelSwitch"], own, strict=True):
            style.band(ax, frame[frame["strategy"] == name], "samples_used", look, style.short(name))
        if source.dataset:
            references |= {line.get_label(): line for line in _published(ax, source, own)}
        style.named(ax, source.title, "samples used per question", first=i % 2 == 0)
        style.budgets(ax, frame["samples_used"].max())
        style.legend(ax, ax.get_lines()[:2], loc="best", fontsize=5.5)
    switch = style.key("ModelSwitch", looks[2])
    style.legend_below(figure, [switch, style.band_key(), *style.published_key(sources), *references.values()])
    return figure


def _published(ax: Axes, source: Source, looks: list[style.Look]) -> list[Line2D]:
    number = "fig4" if source.pair == "closed" else "fig4-open"
    given = published.points(figure=number, dataset=source.dataset, strategy=["SC", "ModelSwitch"])
    for models, look in zip([*source.models[:2], "+".join(source.models[:2])], looks, strict=True):
        style.hollow(ax, given[given["models"] == models], "samples_used", look)
    return style.reference(ax, published.points(figure=number, dataset=source.dataset, strategy="single"))
