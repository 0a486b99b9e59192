"""Common style of the figures: column width, looks that are legible in greyscale, bands and hollow markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import text_to_path

from analysis.sources import Source
from mssim._fonts import families
from mssim._validation import printable
from mssim.plots import COLOURS, STYLE

__all__ = [
    "COLUMN",
    "Look",
    "band",
    "band_key",
    "budgets",
    "doublings",
    "fitted",
    "fonts",
    "hollow",
    "in_style",
    "key",
    "legend",
    "legend_below",
    "line",
    "looks",
    "marks",
    "named",
    "panels",
    "places",
    "powers",
    "published_key",
    "reference",
    "short",
]

COLUMN = 3.3  # inches, the column width of the paper
MOST_DIGITS = 12  # of the ticks of half a column, together

PAPER: dict[Any, Any] = STYLE | {
    "font.size": 7,
    "axes.titlesize": 6.2,
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.3,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "mssim",
}

_REFERENCES: dict[str, Any] = {
    "GPT-4o": (0, (1, 1.5)),
    "Gemini 1.5 Pro": (0, (5, 1.5, 1, 1.5)),
    "Llama-3.1-70B-Instruct": (0, (3, 2)),
}
_SHORT = {
    "GPT-4o mini": "4o mini",
    "Gemini 1.5 Flash": "Flash",
    "Claude 3 Haiku": "Haiku",
    "Gemma-2-9B-it": "Gemma 9B",
    "Llama-3.1-8B-Instruct": "Llama 8B",
    "Qwen2.5-7B-Instruct": "Qwen 7B",
    "Llama-3.1-70B-Instruct": "Llama 70B",
}


Look = dict[str, Any]  # colour, marker and line style of one curve; its hollow markers are published numbers


_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (6, 2)), (0, (2, 1)))
_MARKERS = ("o", "s", "*", "D", "^", "v")
_ORDER = (0, 1, 2, 4, 3, 5)  # of the colours: the first four also differ in lightness


def looks(n: int) -> list[Look]:
    """Return the looks of the first n curves of a panel."""
    return [{"color": COLOURS[_ORDER[i]], "marker": _MARKERS[i], "linestyle": _DASHES[i]} for i in range(n)]


def places(panels: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the place of the look of each model of each panel: a model keeps that of the last panel with it.

    Examples
    --------
    >>> places([["a", "b"], ["b", "a"], ["c", "a"]])
    [[0, 1], [1, 0], [1, 0]]
    """
    known: dict[str, int] = {}
    found = []
    for models in panels:
        kept: dict[str, int] = {}
        for model in models:
            if known.get(model, len(models)) < len(models) and known[model] not in kept.values():
                kept[model] = known[model]
        free = iter(number for number in range(len(models)) if number not in kept.values())
        kept |= {model: next(free) for model in models if model not in kept}
        known |= kept
        found.append([kept[model] for model in models])
    return found


def short(model: str, width: float = 48) -> str:
    """Return the name of a model, shortened to `width` points: first its organisation is cut, then its middle."""
    whole = printable(_SHORT.get(model) or model.rpartition("/")[2] or model)
    shown, kept = whole, len(whole)
    while kept > 2 and _width(shown) > width:
        kept -= 1
        shown = f"{whole[: kept - kept // 2]}…{whole[-(kept // 2) :]}"
    return shown


def panels(
    n: int, *, columns: int = 2, height: float = 1.45, extra: float = 0.45, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of one column's width with n panels, and `extra` inches for a legend below."""
    columns = min(columns, n)
    rows = -(-n // columns)
    figure = Figure(figsize=(COLUMN, rows * height + extra), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.03)
    grid = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for empty in grid[n:]:
        empty.remove()
    return figure, list(grid[:n])


def named(ax: Axes, title: str, x: str, *, first: bool) -> None:
    """Set the title and axis labels of a panel; `first` panels of a row have a label for accuracy."""
    width = 200 if ax.get_subplotspec().get_gridspec().ncols == 1 else 92.5
    ax.set_title("\n".join(fitted(line, width) for line in title.split("\n")), loc="left")
    ax.set_xlabel(x)
    if first:
        ax.set_ylabel("accuracy (%)")


def fitted(text: str, width: float) -> str:
    """Return the text, truncated to `width` points; the words simulated and synthetic are kept."""
    said = [word for word in ("simulated", "synthetic") if word in text.lower()][:1]
    text = printable(text)
    shown, kept = text, len(text)
    while kept and _width(shown) > width:
        kept -= 1
        start = text[:kept].rstrip()
        shown = f"{start}…" + "".join(f" ({word})" for word in said if word not in start.lower())
    return shown


@cache
def _width(text: str) -> float:
    """Return the width of a text in points at the title size."""
    font = FontProperties(size=PAPER["axes.titlesize"])
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def band(ax: Axes, curve: pd.DataFrame, x: str, look: Look, label: str | None = None, **options: Any) -> None:
    """Draw a curve of accuracy with its simultaneous band over questions."""
    line(ax, curve, x, look, label, **options)
    ax.fill_between(
        curve[x], 100 * curve["band_low"], 100 * curve["band_high"], color=look["color"], alpha=0.1, linewidth=0
    )


def line(ax: Axes, curve: pd.DataFrame, x: str, look: Look, label: str | None = None, **options: Any) -> None:
    """Draw a curve of accuracy."""
    size = 5.5 if look["marker"] == "*" else None
    ax.plot(curve[x], 100 * curve["accuracy"], label=label, markersize=size, **look, **options)


def marks(ax: Axes, at: Sequence[float], shown: pd.DataFrame, look: Look) -> None:
    """Draw points with error bars, given their value, lower and upper limit in three columns, as shares."""
    value, low, high = 100 * shown.to_numpy().T
    size = 5.0 if look["marker"] == "*" else None
    options = look | {"linestyle": "none", "markersize": size, "capsize": 1.2, "linewidth": 0.7}
    ax.errorbar(at, value, [value - low, high - value], **options)


def hollow(ax: Axes, points: pd.DataFrame, x: str, look: Look) -> None:
    """Draw published accuracies."""
    size = 6.5 if look["marker"] == "*" else 4.2
    style = {"marker": look["marker"], "color": look["color"], "markerfacecolor": "white", "markeredgewidth": 0.8}
    ax.plot(points[x], 100 * points["accuracy"], linestyle="none", markersize=size, zorder=4, **style)


def reference(ax: Axes, singles: pd.DataFrame) -> list[Line2D]:
    """Draw published one-sample accuracies of large models as grey lines; return them for the legend."""
    return [
        ax.axhline(
            100 * accuracy,
            color="#666666",
            linewidth=0.8,
            linestyle=_REFERENCES[model],
            zorder=1,
            label=f"{short(model)}, 1 sample",
        )
        for model, accuracy in zip(singles["models"], singles["accuracy"], strict=True)
    ]


def key(label: str, look: Look) -> Line2D:
    """Return the legend entry of a curve."""
    return Line2D([], [], label=label, **look)


def band_key() -> Patch:
    """Return the legend entry of bands."""
    return Patch(facecolor="#555555", alpha=0.2, linewidth=0, label="95 % simultaneous band")


def published_key(sources: Sequence[Source]) -> list[Line2D]:
    """Return the legend entry of hollow markers, if any source has published numbers."""
    look: Look = {"marker": "o", "color": "#555555", "markerfacecolor": "white", "linestyle": "none"}
    return [Line2D([], [], label="published", **look)] if any(source.dataset for source in sources) else []


def legend_below(figure: Figure, handles: Sequence[Any], *, columns: int = 2, title: str | None = None) -> None:
    """Draw one legend for all panels below them."""
    _legend(
        figure,
        handles,
        loc="outside lower center",
        ncols=columns,
        handlelength=2.2,
        columnspacing=1.0,
        title=title,
        title_fontsize=6.5,
    )


def legend(ax: Axes, handles: Sequence[Any], **options: Any) -> None:
    """Draw the legend of a panel."""
    _legend(ax, handles, **options)


def _legend(place: Axes | Figure, handles: Sequence[Any], **options: Any) -> None:
    """Draw a legend with the labels as they are written; Matplotlib would leave out those that begin with "_"."""
    drawn = place.legend(handles=list(handles), labels=[f"curve {i}" for i in range(len(handles))], **options)
    for text, handle in zip(drawn.get_texts(), handles, strict=True):
        text.set_text(handle.get_label())


def budgets(ax: Axes, most: float) -> None:
    """Set ticks at the numbers of samples in the paper."""
    ax.set_xticks([tick for tick in (1, 4, 8, 12, 16) if tick <= most + 1])


def doublings(ax: Axes, most: float) -> None:
    """Use a logarithmic x-axis of base 2 with plain numbers as labels."""
    ax.set_xscale("log", base=2)
    ticks = [4**power for power in range(int(np.log2(max(most, 2)) / 2) + 1)]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])


def powers(ax: Axes, least: float, most: float) -> None:
    """Set ticks at powers of 4, or of 16 where their numbers would touch, on a logarithmic axis, with plain numbers."""
    powers = np.arange(np.ceil(np.log2(least) / 2 - 1e-9), np.floor(np.log2(most) / 2 + 1e-9) + 1)
    close = sum(len(str(int(4**power))) for power in powers) > MOST_DIGITS
    ticks = [int(4**power) for power in powers if not close or power % 2 == 0]
    ax.set_xticks(ticks, [str(tick) if tick < 10_000 else f"{tick / 1000:.0f}k" for tick in ticks])
    ax.minorticks_off()


def fonts(texts: Iterable[str]) -> list[str]:
    """Return the font families for the names in figures."""
    with in_style():
        return families(texts)


def in_style(fonts: Sequence[str] | None = None) -> Any:
    """Return the context in which figures are drawn and written."""
    return mpl.rc_context(PAPER if fonts is None else PAPER | {"font.family": list(fonts)})
