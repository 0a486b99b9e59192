"""Figure 7: best-of-N with a reward model, and voting."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis import published, reward, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style

TITLE = "Choosing by a reward model"
READING = (
    "The two upper curves take the answer with the highest score; the two lower curves take a vote. The gap within a "
    "pair is the contribution of the reward model. Simulated scores are independent between samples, even between "
    "samples of the same wrong answer. This assumption fits best-of-N of one model and overestimates it for two models."
)
STRATEGIES = {
    "SC": None,
    reward.BEST: reward.BEST,
    "ModelSwitch": "ModelSwitch",
    reward.SWITCH_BEST: reward.SWITCH_BEST,
}


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {"": simulated.paper("reward")}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return len(source.models) > 1 and reward.has_scores(source)


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one panel per source."""
    figure, axes = style.panels(len(sources), height=2.1 if len(sources) == 1 else 1.6, extra=0.45)
    looks = style.looks(len(STRATEGIES))
    for i, (ax, source) in enumerate(zip(axes, sources, strict=True)):
        frame = tables(reward.run, source)
        for (name, given), look in zip(STRATEGIES.items(), looks, strict=True):
            style.band(ax, frame[frame["strategy"] == (given or source.models[0])], "samples_used", look, name)
        if source.dataset:
            points = published.points(figure="fig7", dataset=source.dataset)
            for name, look in zip(STRATEGIES, looks, strict=True):
                style.hollow(ax, points[points["strategy"] == name], "samples_used", look)
        style.named(ax, source.title, "samples used per question", first=i % 2 == 0)
        style.budgets(ax, frame["samples_used"].max())
    keys = [style.key(name, look) for name, look in zip(STRATEGIES, looks, strict=True)]
    style.legend_below(figure, [*keys, style.band_key(), *style.published_key(sources)])
    return figure
