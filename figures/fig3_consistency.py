"""Figure 3: consistency and accuracy of each model."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import consistency, simulated
from analysis.running import Tables
from analysis.sources import Source
from figures import style
from mssim.plots import COLOURS

TITLE = "Consistency and accuracy"
READING = (
    "Each dot is a question. Questions to the left have higher agreement, and higher dots have higher accuracy. r is "
    'computed on the same samples; "split" takes entropy and accuracy from different halves of them, which removes the '
    "mechanical part of the correlation. Models without a published accuracy on a data set are omitted."
)
COLUMNS = 2


def groups() -> dict[str, list[Source]]:
    """Return the simulated sources by suffix of the file name."""
    return {"": simulated.paper("consistency")}


def suits(source: Source) -> bool:
    """Return whether a pool has the data that the figure requires."""
    return source.most(source.models) > 3


def draw(tables: Tables, sources: list[Source]) -> Figure:
    """Draw one panel per model and source."""
    shown = [(source, model) for source in sources for model in source.models[: consistency.MOST_MODELS]]
    figure, axes = style.panels(len(shown), columns=COLUMNS, height=1.25, extra=0.3, sharey=True)
    for i, (ax, (source, model)) in enumerate(zip(axes, shown, strict=True)):
        points, correlations = tables(consistency.points, source), tables(consistency.run, source)
        _panel(ax, points[points["model"] == model])
        found = _correlation(correlations[correlations["model"] == model])
        style.named(ax, f"{source.title}\n{style.short(model, 90)}\n{found}", "entropy (bits)", first=i % COLUMNS == 0)
        ax.title.set_fontsize(6)
    return figure


def _panel(ax: Axes, points: pd.DataFrame) -> None:
    dots = {"markersize": 1.6, "alpha": 0.35, "markeredgewidth": 0}
    ax.plot(points["entropy"], 100 * points["accuracy"], "o", color=COLOURS[0], rasterized=True, **dots)
    ax.set_xlim(-0.15, max(2.0, points["entropy"].max()) + 0.15)
    ax.set_ylim(-4, 104)


def _correlation(found: pd.DataFrame) -> str:
    """Return r on the same samples and on split halves, each with its interval, as two lines of text."""
    r = found[found["statistic"] == "pearson"].set_index("version")
    lines = {"r": r.loc["same samples"], "split": r.loc["split half"]}
    numbers = {name: [_short(row[column]) for column in ("r", "low", "high")] for name, row in lines.items()}
    return "\n".join(f"{name} {r} [{low}, {high}]" for name, (r, low, high) in numbers.items())


def _short(r: float) -> str:
    return f"{r:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}")
