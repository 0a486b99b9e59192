"""Plots of results in a common style, legible for colour-blind readers and in greyscale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mssim._fonts import families
from mssim._validation import choose_from, printable, shown
from mssim.errors import MssimError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from mssim.results.evaluation import Evaluation
    from mssim.tuning._tune import Tuning

__all__ = ["COLOURS", "STYLE", "plot_curves", "plot_frontier"]

# Okabe & Ito's palette without yellow, which is hard to see on white; neighbours differ in lightness.
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
    "text.parse_math": False,  # names of models and pools can contain "$", "_" and "^"
    "text.usetex": False,
}

_ABOUT = {"questions": "over questions", "these": "on these questions"}  # by scope
_LONGEST = 70  # letters of a name

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
    scope: str = "questions",
    ax: Axes | None = None,
) -> Axes:
    """Plot accuracy against spend, with one line and confidence band per strategy.

    Parameters
    ----------
    evaluation : Evaluation
        Results to plot; the plot shows ``evaluation.to_frame(confidence_level=..., clusters=..., scope=...)``.
    x : {"samples_used", "budget", "cost"}, default "samples_used"
        Quantity on the x-axis.
    confidence_level, clusters, scope
        As in `Evaluation.to_frame`.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes.

    Notes
    -----
    Strategies share their questions, so overlapping bands do not imply that a difference is insignificant. Use
    `Evaluation.compare` for paired comparisons.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> from mssim.plots import plot_curves
    >>> evaluation = evaluate(load_pool("recorded/tiny-arithmetic"), "sc:tf-plus", [1, 2, 4])
    >>> plot_curves(evaluation).get_ylabel()
    'accuracy (%)'
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    if not isinstance(x, str) or x not in _AXES:
        raise MssimError(f"x={shown(x)} is not valid. {choose_from(str(x), _AXES)}.")
    frame = evaluation.to_frame(confidence_level=confidence_level, clusters=clusters, scope=scope)
    if frame[x].isna().any():
        raise MssimError("x='cost': the results have no costs. Record a column 'cost' or pass prices= to evaluate.")
    names, title = [_short(name) for name in evaluation.strategies], _title(evaluation)
    fonts = families([*names, title])
    with mpl.rc_context(STYLE | {"font.family": fonts}):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        lines = [
            _draw_curve(ax, frame[frame["strategy"] == strategy], x, number, strategy)
            for number, strategy in enumerate(evaluation.strategies)
        ]
        _scale_x(ax, frame[x].to_numpy())
        ax.set_xlabel(_AXES[x])
        ax.set_ylabel("accuracy (%)")
        legend = ax.legend(
            lines,
            [f"strategy {number}" for number in range(len(lines))],
            fontsize="small",
            handlelength=3,
            title=f"band: {confidence_level:.0%} interval {_ABOUT[scope]}",
            title_fontsize="small",
        )
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_text(name)  # Matplotlib would leave out labels that begin with "_"
        _set_title(ax, title, fonts)
    return ax


def plot_frontier(tuning: Tuning, *, confidence_level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Plot the candidates, their frontier and the held-out accuracy of the choices.

    Parameters
    ----------
    tuning : Tuning
        Results to plot. Dots show ``tuning.candidates()`` and steps ``tuning.frontier()`` (spend and in_sample).
        Points show ``tuning.to_frame(confidence_level=...)`` (held_out_spend and held_out, control_spend and
        control_held_out).
    confidence_level : float, default 0.95
        Level of the error bars.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes.

    Notes
    -----
    The frontier is in-sample and biased upwards; the points with error bars are held-out. The accuracy axis begins
    slightly below the error bars, so much worse candidates are not visible.

    Examples
    --------
    >>> from mssim import load_pool, tune
    >>> from mssim.plots import plot_frontier
    >>> pool = load_pool("recorded/tiny-arithmetic")
    >>> tuning = tune(pool, ["sc:tf-plus", "ms:tf-plus+lstm-times,vote=plurality"], [2, 4, 8], limits=[4, 8])
    >>> plot_frontier(tuning).get_xlabel()
    'samples used per question (mean)'
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    candidates, frontier = tuning.candidates(), tuning.frontier()
    frame = tuning.to_frame(confidence_level=confidence_level)
    title = _title(tuning)
    fonts = families([title])
    with mpl.rc_context(STYLE | {"font.family": fonts}):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        _draw_choices(ax, frame, f"choice, held-out ({confidence_level:.0%} interval)")
        ax.step(
            frontier["spend"],
            100 * frontier["in_sample"],
            where="post",
            color=COLOURS[4],
            linewidth=1.2,
            label="frontier, in-sample",
        )
        _scale_x(ax, candidates["spend"].to_numpy())
        low, high = ax.get_ylim()
        dots: dict[str, Any] = {"color": "#999999", "alpha": 0.4, "markersize": 2.5, "markeredgewidth": 0, "zorder": 1}
        accuracy = 100 * candidates["in_sample"]
        ax.plot(candidates["spend"], accuracy, "o", label="candidates, in-sample", rasterized=True, **dots)
        ax.set_ylim(low - 0.4 * (high - low), high)
        ax.set_xlabel(_AXES[tuning.provenance["spend"]])
        ax.set_ylabel("accuracy (%)")
        ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        _set_title(ax, title, fonts)
    return ax


def _draw_choices(ax: Axes, frame: pd.DataFrame, label: str) -> None:
    """Draw the held-out accuracy of the choice and of the best single model at every limit."""
    held = 100 * frame["held_out"]
    errors = [held - 100 * frame["low"], 100 * frame["high"] - held]
    bars: dict[str, Any] = {"color": COLOURS[0], "markersize": 4.5, "capsize": 2, "linewidth": 1}
    ax.errorbar(frame["held_out_spend"], held, yerr=errors, fmt="o", label=label, zorder=3, **bars)
    known = frame[frame["control_held_out"].notna()]
    if len(known):
        square: dict[str, Any] = {
            "marker": "s",
            "markersize": 5,
            "markerfacecolor": "none",
            "color": COLOURS[6],
            "linestyle": "none",
        }
        accuracy = 100 * known["control_held_out"]
        ax.plot(known["control_spend"], accuracy, label="best single model, held-out", zorder=4, **square)


def _draw_curve(ax: Axes, curve: pd.DataFrame, x: str, number: int, label: str) -> Line2D:
    colour = COLOURS[number % len(COLOURS)]
    line = {"linestyle": _DASHES[number // 2 % len(_DASHES)], "marker": _MARKERS[number % len(_MARKERS)]}
    drawn = ax.plot(curve[x], 100 * curve["accuracy"], color=colour, label=label, markersize=4.5, linewidth=1.4, **line)
    ax.fill_between(curve[x], 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.12, linewidth=0)
    return drawn[0]


def _scale_x(ax: Axes, values: np.ndarray[Any, Any]) -> None:
    """Use a logarithmic x-axis with plain numbers as labels if the values span a wide range."""
    if values.min() <= 0 or values.max() < 12 * values.min():
        return
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _set_title(ax: Axes, title: str, fonts: list[str]) -> None:
    """Set the title as it is written. The axes that a user gives have texts of another style."""
    ax.set_title(title, fontsize="medium", loc="left", fontfamily=fonts, parse_math=False, usetex=False)


def _title(evaluation: Evaluation | Tuning) -> str:
    pool = evaluation.provenance.get("pool", {})
    n = len(evaluation.questions)
    parts = [_short(pool.get("title", "")), f"{n} question{'' if n == 1 else 's'}"]
    title = ", ".join(part for part in parts if part)
    return f"SYNTHETIC DATA: {title}" if pool.get("synthetic") else title


def _short(name: str) -> str:
    """Return a name as one line that is not wider than a figure; the middle of long names is left out."""
    text = printable(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-(_LONGEST // 2) :]}"
