"""Charts of the page, as Vega-Lite specifications that Altair makes."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from mssim.errors import MssimError

__all__ = [
    "N_COLOURS",
    "altair",
    "bars_of_ends",
    "calibration_chart",
    "curves_chart",
    "differences_chart",
    "entropy_chart",
    "frontier_chart",
    "legend_of",
]

# The page has colours --c0 to --c6, which differ between its light and its dark version.
N_COLOURS = 7
DASHES = ([1, 0], [6, 3], [2, 2], [6, 3, 2, 3])
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right")
MISSING = 'A report needs the package {}, which is not installed. Run `python -m pip install "mssim[report]"`.'
_INK, _GRID, _GREY = "var(--ink)", "var(--grid)", "var(--grey)"
_HEIGHT = 340
_WIDE = 12  # ratio of the largest to the smallest number from which an axis is logarithmic


def altair() -> ModuleType:
    """Return Altair; raise with a remedy if it is not installed."""
    try:
        import altair as module
    except ImportError as error:
        raise MssimError(MISSING.format(error.name)) from error
    return module


def legend_of(names: Sequence[str], selected: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return the entries of a legend: name, numbers of colour and dashes, shape, and whether it is selected at first.

    Examples
    --------
    >>> legend_of(["sc:a", "sc:b"])[1]
    {'name': 'sc:b', 'colour': '1', 'dash': '0', 'shape': 'square', 'selected': 'true'}
    """
    return [
        {
            "name": name,
            "colour": str(i % N_COLOURS),
            "dash": str(i // N_COLOURS % len(DASHES)),
            "shape": SHAPES[i % len(SHAPES)],
            "selected": "true" if selected is None or name in selected else "false",
        }
        for i, name in enumerate(names)
    ]


def _finished(chart: Any) -> dict[str, Any]:
    """Return the specification of a chart, in the style of the page."""
    text = {"labelColor": _INK, "titleColor": _INK, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500}
    styled = chart.configure(
        background="transparent",
        font="system-ui, sans-serif",
        axis={**text, "gridColor": _GRID, "domainColor": _INK, "tickColor": _INK, "labelLimit": 240},
        header={"labelColor": _INK, "titleColor": _INK},
        view={"stroke": None},
    )
    with altair().data_transformers.enable("default", max_rows=None):  # whatever limit or store a user has set
        spec: dict[str, Any] = styled.to_dict(validate=False)
    spec.pop("$schema", None)  # an address, although nothing is read from it
    return spec


def _percent(alt: ModuleType) -> Any:
    return alt.Axis(format=".0%", title="accuracy", tickCount=6)


def _scale(alt: ModuleType, values: Any) -> Any:
    """Return a logarithmic scale for positive values of a wide range."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (
        alt.Scale(type="log", base=2 if low >= 0.5 else 10, nice=False)
        if low > 0 and high >= _WIDE * low
        else alt.Scale(zero=False)
    )


def _series(alt: ModuleType, names: Sequence[str]) -> dict[str, Any]:
    """Return encodings of series by colour, dashes and shape; the page draws the legend."""
    look = legend_of(names)

    def scale(values: Sequence[Any]) -> Any:
        return alt.Scale(domain=list(names), range=values)

    return {
        "color": alt.Color("series:N", legend=None, scale=scale([f"var(--c{one['colour']})" for one in look])),
        "strokeDash": alt.StrokeDash("series:N", legend=None, scale=scale([DASHES[int(one["dash"])] for one in look])),
        "shape": alt.Shape("series:N", legend=None, scale=scale([one["shape"] for one in look])),
    }


def _selected(alt: ModuleType, chart: Any, names: Sequence[str]) -> Any:
    """Return a chart of the series that are selected in the legend, in the parameter `selected`."""
    return chart.add_params(alt.param(name="selected", value=list(names)))


_IS_SELECTED = "indexof(selected, datum.series) >= 0"


def curves_chart(frame: pd.DataFrame, axis: str, selected: Sequence[str] | None = None) -> dict[str, Any]:
    """Chart accuracy over spend, with a line and a band per series.

    Parameters
    ----------
    frame : DataFrame
        Columns: series, spend, accuracy, low, high, and budget as text.
    axis : str
        Title of the horizontal axis.
    selected : sequence of str, optional
        Series that are shown at first, by default all.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "series": ["sc:a"], "spend": [1.0], "accuracy": [0.5], "low": [0.4], "high": [0.6], "budget": ["1"]
    ... })
    >>> curves_chart(frame, "samples")["params"][0]["value"]
    ['sc:a']
    """
    alt, names = altair(), list(frame["series"].unique())
    look = _series(alt, names)
    x = alt.X("spend:Q", title=axis, scale=_scale(alt, frame["spend"]))
    y = alt.Y("accuracy:Q", axis=_percent(alt), scale=alt.Scale(zero=False))
    base = alt.Chart(frame).transform_filter(_IS_SELECTED)
    tooltip = [
        alt.Tooltip("series:N", title="strategy"),
        alt.Tooltip("budget:N", title="budget"),
        alt.Tooltip("spend:Q", title=axis, format=",.4~r"),
        alt.Tooltip("accuracy:Q", format=".1%"),
        alt.Tooltip("low:Q", format=".1%"),
        alt.Tooltip("high:Q", format=".1%"),
    ]
    band = base.mark_area(opacity=0.1).encode(x=x, y=alt.Y("low:Q", title="accuracy"), y2="high:Q", color=look["color"])
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=look["color"], strokeDash=look["strokeDash"])
    point = base.mark_point(filled=True, size=55, opacity=1).encode(
        x=x, y=y, color=look["color"], shape=look["shape"], tooltip=tooltip
    )
    chart = alt.layer(band, line, point).properties(width="container", height=_HEIGHT)
    return _finished(_selected(alt, chart, names if selected is None else selected))


def frontier_chart(
    candidates: pd.DataFrame, frontier: pd.DataFrame, choices: pd.DataFrame, axis: str
) -> dict[str, Any]:
    """Chart candidates as dots, their frontier as steps, and choices with held-out accuracy and interval.

    Parameters
    ----------
    candidates, frontier : DataFrame
        Columns: spend, accuracy, strategy, budget.
    choices : DataFrame
        Columns: series, spend, accuracy, low, high, limit and interval (texts), strategy.
    axis : str
        Title of the horizontal axis.
    """
    alt = altair()
    x = alt.X("spend:Q", title=axis, scale=_scale(alt, candidates["spend"]))
    lowest = float(min(choices["low"].min(), frontier["accuracy"].min()))
    domain = [max(0.0, lowest - 0.05), min(1.0, float(choices["high"].max()) + 0.02)]
    y = alt.Y("accuracy:Q", axis=_percent(alt), scale=alt.Scale(domain=domain, clamp=False, nice=True))
    named = [alt.Tooltip("strategy:N"), alt.Tooltip("budget:Q"), alt.Tooltip("spend:Q", title=axis, format=",.4~r")]
    right = alt.Tooltip("accuracy:Q", format=".1%")
    dots = (
        alt.Chart(candidates)
        .mark_circle(size=16, opacity=0.5, color=_GREY, clip=True)
        .encode(x=x, y=y, tooltip=[*named, right])
    )
    step = (
        alt.Chart(frontier)
        .mark_line(interpolate="step-after", color=_INK, strokeWidth=1.5, point={"color": _INK, "size": 24})
        .encode(x=x, y=y, tooltip=[*named, right])
    )
    look = _series(alt, list(choices["series"].unique()))
    base = alt.Chart(choices)
    bars = base.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("low:Q", title="accuracy"), y2="high:Q", color=look["color"]
    )
    chosen = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x,
        y=y,
        color=look["color"],
        shape=look["shape"],
        tooltip=[
            alt.Tooltip("series:N", title="what"),
            alt.Tooltip("strategy:N"),
            alt.Tooltip("limit:N"),
            right,
            alt.Tooltip("interval:N"),
        ],
    )
    return _finished(alt.layer(dots, step, bars, chosen).properties(width="container", height=_HEIGHT))


def differences_chart(frame: pd.DataFrame) -> dict[str, Any]:
    """Chart differences of accuracy question by question, sorted.

    Parameters
    ----------
    frame : DataFrame
        Columns: rank, end (first and last rank of a bar), difference, result ("wins", "equal", "loses"), question.
    """
    alt = altair()
    results, colours = ["wins", "equal", "loses"], ["var(--c0)", "var(--grey)", "var(--c6)"]
    bars = (
        alt.Chart(frame)
        .mark_rect(cursor="pointer")
        .encode(
            x=alt.X("rank:Q", title="questions, sorted by difference", axis=alt.Axis(tickMinStep=1, grid=False)),
            x2="end:Q",
            y=alt.Y("difference:Q", axis=alt.Axis(format="+.0%", title="difference of accuracy", tickCount=5)),
            y2=alt.datum(0),
            color=alt.Color("result:N", legend=None, scale=alt.Scale(domain=results, range=colours)),
            tooltip=[alt.Tooltip("question:N"), alt.Tooltip("difference:Q", format="+.1%"), alt.Tooltip("result:N")],
        )
    )
    line = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=_INK).encode(y="y:Q")
    return _finished(alt.layer(bars, line).properties(width="container", height=240))


def bars_of_ends(frame: pd.DataFrame) -> dict[str, Any]:
    """Chart where replays end, each part divided into right and wrong ones.

    Parameters
    ----------
    frame : DataFrame
        Columns: end, result ("right" or "wrong"), place (0 or 1, from the left), share, accuracy.
    """
    alt = altair()
    results = ["right", "wrong"]
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", axis=alt.Axis(format=".0%", title="share of questions and draws", tickCount=6)),
            y=alt.Y("end:N", sort=list(frame["end"].unique()), title=None),
            color=alt.Color("result:N", legend=None, scale=alt.Scale(domain=results, range=["var(--c0)", "var(--c1)"])),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("end:N", title="ends"),
                alt.Tooltip("result:N"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("accuracy:Q", title="accuracy of this end", format=".1%"),
            ],
        )
    )
    return _finished(chart.properties(width="container", height=34 * frame["end"].nunique()))


def calibration_chart(frame: pd.DataFrame) -> dict[str, Any]:
    """Chart accuracy against agreement, one line per series, with the diagonal of perfect calibration.

    Parameters
    ----------
    frame : DataFrame
        Columns: series, agreement, accuracy, low, high, coverage.
    """
    alt, names = altair(), list(frame["series"].unique())
    look = _series(alt, names)
    x = alt.X(
        "agreement:Q", axis=alt.Axis(format=".0%", title="agreement", tickCount=6), scale=alt.Scale(domain=[0, 1])
    )
    y = alt.Y("accuracy:Q", axis=_percent(alt), scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(frame).transform_filter(_IS_SELECTED)
    line = base.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=look["color"], strokeDash=look["strokeDash"])
    point = base.mark_point(filled=True, opacity=1).encode(
        x=x,
        y=y,
        color=look["color"],
        shape=look["shape"],
        size=alt.Size("coverage:Q", legend=None, scale=alt.Scale(range=[15, 260])),
        tooltip=[
            alt.Tooltip("series:N", title="model"),
            *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("agreement", "accuracy", "low", "high", "coverage")),
        ],
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"agreement": [0, 1], "accuracy": [0, 1]}))
        .mark_line(color=_GREY, strokeDash=[4, 4])
        .encode(x=x, y=y)
    )
    return _finished(
        _selected(alt, alt.layer(diagonal, line, point).properties(width="container", height=_HEIGHT), names)
    )


def entropy_chart(frame: pd.DataFrame) -> dict[str, Any]:
    """Chart accuracy against the entropy of answers, one dot per question or group of questions.

    Parameters
    ----------
    frame : DataFrame
        Columns: series, entropy, accuracy, questions, question.
    """
    alt, names = altair(), list(frame["series"].unique())
    look = _series(alt, names)
    most = int(frame["questions"].max())
    chart = (
        alt.Chart(frame)
        .transform_filter(_IS_SELECTED)
        .mark_point(filled=True, opacity=0.55)
        .encode(
            x=alt.X("entropy:Q", axis=alt.Axis(title="entropy of the answers (bits)", tickCount=8)),
            y=alt.Y(
                "accuracy:Q",
                axis=alt.Axis(format=".0%", title="accuracy of a sample", tickCount=6),
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=look["color"],
            shape=look["shape"],
            size=alt.Size(
                "questions:Q",
                legend=None,
                scale=alt.Scale(domain=[1, max(most, 2)], range=[26, 26 if most == 1 else 320]),
            ),
            tooltip=[
                alt.Tooltip("series:N", title="model"),
                alt.Tooltip("question:N"),
                alt.Tooltip("entropy:Q", format=".2f"),
                alt.Tooltip("accuracy:Q", format=".1%"),
                alt.Tooltip("questions:Q"),
            ],
        )
    )
    return _finished(_selected(alt, chart.properties(width="container", height=_HEIGHT), names))
