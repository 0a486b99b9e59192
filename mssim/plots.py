"""Plots of results in a common style, legible for colour-blind readers and in greyscale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mssim._drawing import (
    AXES,
    COLOURS,
    DASHES,
    MARKERS,
    STYLE,
    axis_label,
    name_lines,
    pool_title,
    scale_x,
    set_title,
    short_name,
    styled,
    title_of,
)
from mssim._fonts import families
from mssim._length_plot import plot_length_limits
from mssim._validation import choose_from, shown
from mssim.errors import MssimError
from mssim.results.quantities import check_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from mssim.pools.pool import Pool
    from mssim.results.evaluation import Evaluation
    from mssim.results.planning import Plan
    from mssim.tuning._tune import Tuning

__all__ = [
    "COLOURS",
    "STYLE",
    "plot_curves",
    "plot_extrapolation",
    "plot_frontier",
    "plot_length_limits",
    "plot_panels",
    "plot_plan",
]

_BAND_TITLES = {"pointwise": "band: {:.0%} interval {}", "simultaneous": "{:.0%} simultaneous band {}"}
_ABOUT = {"questions": "over questions", "these": "on these questions"}  # by scope


def plot_curves(
    evaluation: Evaluation,
    x: str = "samples_used",
    *,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    band: str = "pointwise",
    scope: str = "questions",
    ax: Axes | None = None,
) -> Axes:
    """Plot accuracy against spend, with one line and confidence band per strategy.

    Parameters
    ----------
    evaluation : Evaluation
        Results to plot. The plot shows ``evaluation.to_frame`` with the options below.
    x : {"samples_used", "budget", "tokens", "cost", "latency"}, default "samples_used"
        Quantity on the x-axis. Points of a strategy are connected in the order of its budgets.
    confidence_level, clusters, band, scope
        As in `Evaluation.to_frame`.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    MssimError
        If an option is invalid, or the quantity is unknown for a strategy.

    See Also
    --------
    plot_panels : The same curves against several quantities, side by side.

    Notes
    -----
    Strategies share their questions, so overlapping bands do not imply that a difference is insignificant. Use
    `Evaluation.compare` for paired comparisons. Use ``band="simultaneous"`` for statements about a whole curve, for
    example that it is above 0.7 from budget 8 on.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> from mssim.plots import plot_curves
    >>> evaluation = evaluate(load_pool("recorded/llm-products"), "sc:gemma", [1, 2, 4])
    >>> plot_curves(evaluation).get_ylabel()
    'accuracy (%)'
    """
    import matplotlib.pyplot as plt

    _check_axis(evaluation, x)
    frame = evaluation.to_frame(confidence_level=confidence_level, clusters=clusters, band=band, scope=scope)
    names, title = [short_name(name) for name in evaluation.strategies], title_of(evaluation)
    fonts = families([*names, title])
    with styled(fonts):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        lines = _draw_curves(ax, frame, x, evaluation)
        ax.set_ylabel("accuracy (%)")
        name_lines(ax, lines, names, _BAND_TITLES[band].format(confidence_level, _ABOUT[scope]))
        set_title(ax, title, fonts)
    return ax


def plot_panels(
    evaluation: Evaluation,
    x: Sequence[str] = ("samples_used", "tokens"),
    *,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    band: str = "pointwise",
    scope: str = "questions",
) -> NDArray[Any]:
    """Plot accuracy against several quantities in panels side by side, which share the y-axis and one legend.

    Parameters
    ----------
    evaluation : Evaluation
        Results to plot.
    x : sequence of str, default ("samples_used", "tokens")
        Quantity on the x-axis of each panel, as in `plot_curves`.
    confidence_level, clusters, band, scope
        As in `Evaluation.to_frame`.

    Returns
    -------
    ndarray of Axes
        The axes of a new figure, one per quantity.

    Raises
    ------
    MssimError
        If an option is invalid, or a quantity is unknown for a strategy.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> from mssim.plots import plot_panels
    >>> evaluation = evaluate(load_pool("recorded/llm-products"), "sc:gemma", [1, 2, 4])
    >>> [ax.get_xlabel() for ax in plot_panels(evaluation, ["budget", "samples_used"])]
    ['budget (samples per question)', 'samples used per question (mean)']
    """
    import matplotlib.pyplot as plt

    if not isinstance(x, list | tuple) or not x:
        raise MssimError(f"x={shown(x)} is not a list of quantities. Use e.g. ['samples_used', 'tokens'].")
    for one in x:
        _check_axis(evaluation, one)
    frame = evaluation.to_frame(confidence_level=confidence_level, clusters=clusters, band=band, scope=scope)
    names, title = [short_name(name) for name in evaluation.strategies], title_of(evaluation)
    fonts = families([*names, title])
    with styled(fonts):
        size = (1.4 + 3.4 * len(x), 4.2 + 0.17 * len(names))
        figure, axes = plt.subplots(1, len(x), figsize=size, sharey=True, squeeze=False, layout="constrained")
        for ax, one in zip(axes[0], x, strict=True):
            lines = _draw_curves(ax, frame, one, evaluation)
        axes[0, 0].set_ylabel("accuracy (%)")
        heading = _BAND_TITLES[band].format(confidence_level, _ABOUT[scope])
        name_lines(figure, lines, names, heading, loc="outside lower center")
        set_title(axes[0, 0], title, fonts)
    return np.asarray(axes[0])


def _check_axis(evaluation: Evaluation, x: str) -> None:
    """Raise if a quantity does not exist or is unknown."""
    if not isinstance(x, str) or x not in AXES:
        raise MssimError(f"x={shown(x)} is not valid. {choose_from(str(x), AXES)}.")
    check_known(evaluation, x, "x")


def _draw_curves(ax: Axes, frame: pd.DataFrame, x: str, evaluation: Evaluation) -> list[Line2D]:
    """Draw the curves of all strategies over one quantity, and return their lines."""
    lines = [
        _draw_curve(ax, frame[frame["strategy"] == strategy], x, number, strategy)
        for number, strategy in enumerate(evaluation.strategies)
    ]
    scale_x(ax, frame[x].to_numpy())
    ax.set_xlabel(axis_label(x, evaluation.provenance))
    return lines


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
    >>> pool = load_pool("recorded/llm-products")
    >>> tuning = tune(pool, ["sc:gemma", "ms:gemma+smol,vote=plurality"], [2, 4, 8], limits=[4, 8])
    >>> plot_frontier(tuning).get_xlabel()
    'samples used per question (mean)'
    """
    import matplotlib.pyplot as plt

    candidates, frontier = tuning.candidates(), tuning.frontier()
    frame = tuning.to_frame(confidence_level=confidence_level)
    title = title_of(tuning)
    fonts = families([title])
    with styled(fonts):
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
        scale_x(ax, candidates["spend"].to_numpy())
        low, high = ax.get_ylim()
        dots: dict[str, Any] = {"color": "#999999", "alpha": 0.4, "markersize": 2.5, "markeredgewidth": 0, "zorder": 1}
        accuracy = 100 * candidates["in_sample"]
        ax.plot(candidates["spend"], accuracy, "o", label="candidates, in-sample", rasterized=True, **dots)
        ax.set_ylim(low - 0.4 * (high - low), high)
        ax.set_xlabel(axis_label(tuning.provenance["spend"], tuning.provenance))
        ax.set_ylabel("accuracy (%)")
        ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        set_title(ax, title, fonts)
    return ax


def plot_extrapolation(frame: pd.DataFrame, pool: Pool, *, ax: Axes | None = None) -> Axes:
    """Plot pass@k or maj@k against k: solid where recorded, dashed where extrapolated.

    Parameters
    ----------
    frame : DataFrame
        Table of `mssim.theory.extrapolate`, or several of them, one below the other.
    pool : Pool
        Pool of the table, for the title.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes. Each model and quantity has a line with its confidence band; the dashed part begins at the last
        recorded budget of the table.

    Raises
    ------
    MssimError
        If the table has no rows.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.plots import plot_extrapolation
    >>> from mssim.theory import extrapolate
    >>> pool = load_pool("recorded/llm-products")
    >>> ax = plot_extrapolation(extrapolate(pool, "gemma", [16, 64, 1024, 2048]), pool)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['gemma, pass@k', 'extrapolated (more than 256 samples)']
    """
    import matplotlib.pyplot as plt

    if not len(frame):
        raise MssimError("frame: no rows to draw. Pass a table of mssim.theory.extrapolate.")
    groups = frame.groupby(["model", "quantity"], sort=False)
    series = {", ".join(map(short_name, map(str, names))): rows for names, rows in groups}
    title = pool_title(pool.info, len(pool.questions))
    fonts = families([*series, title])
    with styled(fonts):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        lines = [
            _draw_extrapolated(ax, rows.sort_values("budget"), number) for number, rows in enumerate(series.values())
        ]
        names = list(series)
        if (frame["method"] == "extrapolated").any():
            lines += ax.plot([], [], color="#555555", linestyle="--", linewidth=1.4)
            names.append(f"extrapolated (more than {frame['n_samples'].min()} samples)")
        scale_x(ax, frame["budget"].to_numpy())
        ax.set_xlabel("k (samples per question)")
        ax.set_ylabel("accuracy (%)")
        name_lines(ax, lines, names, "band: interval over questions")
        set_title(ax, title, fonts)
    return ax


def _draw_extrapolated(ax: Axes, rows: pd.DataFrame, number: int) -> Line2D:
    """Draw one curve, its extrapolated part dashed and paler, and return its first part."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    recorded = rows[rows["method"] == "exact"]
    further = rows.iloc[max(len(recorded) - 1, 0) :]
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.4}
    drawn = ax.plot(recorded["budget"], 100 * recorded["accuracy"], **look)
    ax.plot(further["budget"], 100 * further["accuracy"], linestyle="--", markerfacecolor="white", zorder=1.9, **look)
    for part, alpha in ((recorded, 0.15), (further, 0.07)):
        ax.fill_between(part["budget"], 100 * part["low"], 100 * part["high"], color=colour, alpha=alpha, linewidth=0)
    return drawn[0]


def plot_plan(plan: Plan, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Plot the questions that a measurement needs against the runs of each strategy per question.

    Parameters
    ----------
    plan : Plan
        Plan to plot. Lines and bands show ``plan.to_frame()`` (runs, questions, questions_low and questions_high), the
        dashed line ``plan.affordable()`` and the star the best split of the money.
    title : str, optional
        Title of the axes.
    ax : Axes, optional
        Axes to draw on. By default a new figure is created.

    Returns
    -------
    Axes
        The axes.

    Examples
    --------
    >>> from mssim.plots import plot_plan
    >>> from mssim.results.planning import Variances, plan
    >>> plot_plan(plan(Variances(0.09, 0.2, 0.2), [0.03, 0.05])).get_ylabel()
    'questions'
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    frame, names = plan.to_frame(), [] if title is None else [title]
    needed, affordable = frame[~frame["best"]], plan.affordable()
    fonts = families(names)
    with styled(fonts):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        for number, difference in enumerate(needed["difference"].unique()):
            curve = needed[needed["difference"] == difference]
            _draw_needed(ax, curve, number, f"needed for {100 * difference:.3g} points")
        if len(affordable):
            line: dict[str, Any] = {"color": "#555555", "linestyle": (0, (2, 2)), "linewidth": 1.2}
            ax.plot(affordable["runs"], affordable["questions"], label=f"affordable with {plan.money:g}", **line)
        if plan.best is not None:
            label = f"best split: {100 * plan.best.difference:.3g} points"
            star: dict[str, Any] = {"color": "#000000", "markersize": 10, "linestyle": "none", "zorder": 5}
            ax.plot([plan.best.runs], [plan.best.questions], "*", label=label, **star)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
        scale_x(ax, frame["runs"].to_numpy())
        ax.set_xlabel("runs of each strategy per question")
        ax.set_ylabel("questions")
        band = f", band: {plan.confidence_level:.0%} interval" if needed["questions_low"].notna().any() else ""
        ax.legend(fontsize="small", title=f"power {plan.power:g}{band}", title_fontsize="small")
        set_title(ax, title or "", fonts)
    return ax


def _draw_needed(ax: Axes, curve: pd.DataFrame, number: int, label: str) -> None:
    colour = COLOURS[number % len(COLOURS)]
    style: dict[str, Any] = {
        "linestyle": DASHES[number // 2 % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 4.5,
        "linewidth": 1.4,
    }
    ax.plot(curve["runs"], curve["questions"], color=colour, label=label, **style)
    if curve["questions_low"].notna().all():
        low, high = (curve[name].astype(float) for name in ("questions_low", "questions_high"))
        ax.fill_between(curve["runs"], low, high, color=colour, alpha=0.12, linewidth=0)


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
    line = {"linestyle": DASHES[number // 2 % len(DASHES)], "marker": MARKERS[number % len(MARKERS)]}
    drawn = ax.plot(curve[x], 100 * curve["accuracy"], color=colour, label=label, markersize=4.5, linewidth=1.4, **line)
    low, high = 100 * curve["low"], 100 * curve["high"]
    if len(curve) > 1:
        ax.fill_between(curve[x], low, high, color=colour, alpha=0.12, linewidth=0)
    else:  # a band of one point would not be visible
        ax.vlines(curve[x], low, high, color=colour, linewidth=1)
    return drawn[0]
