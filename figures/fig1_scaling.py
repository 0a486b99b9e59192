"""Figure 1: accuracy against the number of samples, up to 512."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis import published, scaling, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "Scaling to 512 samples"
READING = (
    "Where the Self-Consistency curves (circles, squares) are flat, more samples of the same model add no accuracy. "
    "The stars show what a second model adds, drawn at the number of samples that ModelSwitch uses."
)


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {"": simulated.paper("scaling")}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one panel per source."""
    figure, axes = style.panels(len(sources), height=1.8, extra=0.3)
    looks = style.looks(3)
    references = []
    for ax, source, places in zip(axes, sources, style.places([of.models[:2] for of in sources]), strict=True):
        frame = tables(scaling.run, source)
        names = [*source.models[:2], scaling.STRICT]
        own = [looks[place] for place in [*places, 2]]
        for name, look in zip(names, own, strict=True):
            style.band(ax, frame[frame["strategy"] == name], "samples_used", look, style.short(name))
        if source.dataset:
            singles = published.points(figure="fig1", dataset=source.dataset, strategy="single")
            references += style.reference(ax, singles)
            given = published.points(figure="fig1", dataset=source.dataset, strategy=["SC", "ModelSwitch"])
            for models, look in zip([*source.models[:2], "+".join(source.models[:2])], own, strict=True):
                style.hollow(ax, given[given["models"] == models], "samples_used", look)
        style.doublings(ax, frame["samples_used"].max())
        style.named(ax, source.title, "samples used per question", first=ax is axes[0])
        style.legend(ax, ax.get_lines()[:2], loc="best")
    switch = style.key("ModelSwitch, agrees at > 85 %", looks[2])
    style.legend_below(figure, [switch, style.band_key(), *style.published_key(sources), *references])
    return figure
