"""Figures in one house style: colour-blind-safe colours, and markers and line styles that survive grey print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mssim.errors import MssimError, choose_from

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mssim.evaluation import Evaluation

__all__ = ["COLOURS", "STYLE", "plot_curves"]

# Okabe & Ito's palette without yellow, which is lost on white; neighbours differ in lightness.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#000000", "#CC79A7", "#D55E00")
_MARKERS = "osD^vPX"
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.dpi": 200,
}

_AXES = {
    "samples_used": "samples used per question (mean)",
    "budget": "budget (samples per question)",
    "cost": "cost per question (mean)",
}


def plot_curves(
    evaluation: Evaluation,
    x: str = "samples_used",
    *,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw accuracy against what it costs, one line per strategy, with its interval over questions as a band.

    The bands are for each strategy alone. Strategies share their questions, so overlapping bands do not mean that a
    difference is noise: ask `Evaluation.compare`.

    Parameters
    ----------
    evaluation : Evaluation
        What is drawn is exactly ``evaluation.to_frame(confidence_level=..., clusters=...)``.
    x : {"samples_used", "budget", "cost"}
    confidence_level, clusters
        As in `Evaluation.to_frame`.
    ax : Axes, optional
        Default: a new figure.

    Returns
    -------
    Axes
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    if x not in _AXES:
        raise MssimError(f"x={x!r}; {choose_from(str(x), _AXES)}")
    frame = evaluation.to_frame(confidence_level=confidence_level, clusters=clusters)
    if frame[x].isna().any():
        raise MssimError("x='cost', but no cost is known; record a column 'cost' or pass prices= to evaluate")
    with mpl.rc_context(STYLE):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        for number, strategy in enumerate(evaluation.strategies):
            _draw_curve(ax, frame[frame["strategy"] == strategy], x, number, strategy)
        _scale_x(ax, frame[x].to_numpy())
        ax.set_xlabel(_AXES[x])
        ax.set_ylabel("accuracy (%)")
        ax.legend(
            fontsize="small",
            handlelength=3,
            title=f"band: {confidence_level:.0%} interval over questions",
            title_fontsize="small",
        )
        ax.set_title(_title(evaluation), fontsize="medium", loc="left")
    return ax


def _draw_curve(ax: Axes, curve: pd.DataFrame, x: str, number: int, label: str) -> None:
    colour = COLOURS[number % len(COLOURS)]
    line = {"linestyle": _DASHES[number // 2 % len(_DASHES)], "marker": _MARKERS[number % len(_MARKERS)]}
    ax.plot(curve[x], 100 * curve["accuracy"], color=colour, label=label, markersize=4.5, linewidth=1.4, **line)
    ax.fill_between(curve[x], 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.12, linewidth=0)


def _scale_x(ax: Axes, values: np.ndarray[Any, Any]) -> None:
    """Use doublings where the curve spans many, with plain numbers as labels."""
    if values.min() <= 0 or values.max() < 12 * values.min():
        return
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _title(evaluation: Evaluation) -> str:
    pool = evaluation.provenance.get("pool", {})
    n = len(evaluation.questions)
    parts = [str(pool.get("title", "")), f"{n} question{'' if n == 1 else 's'}"]
    title = ", ".join(part for part in parts if part)
    return f"SYNTHETIC DATA: {title}" if pool.get("synthetic") else title
