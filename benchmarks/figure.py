"""Figure docs/images/speed.png: time per draw by engine, and growth of time with the size of the work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from mssim.plots import COLOURS, STYLE

TIMES = "\N{MULTIPLICATION SIGN}"
ENGINES = ("mssim Monte Carlo", "NumPy", "plain Python", "scorio")
MARKERS, DASHES = "P^vDso", ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), "-", (0, (5, 1.5)))
ORDER = (1, 3, 6, 2, 0, 4)  # of the colours: neighbouring lines differ in lightness
GAP = 0.34  # doublings between labels


def draw(engines: Mapping[str, pd.DataFrame], growth: Mapping[str, pd.DataFrame], path: Path, smoke: bool) -> None:
    """Draw the tables of the sections engines and growth."""
    with mpl.rc_context(STYLE | {"font.size": 8}):
        figure = Figure(figsize=(7.6, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
        draw_engines(left, engines["Engines"])
        draw_growth(right, growth["Growth"], growth["Exponents"])
        note = "SYNTHETIC POOLS, one core, after compilation"
        figure.suptitle(note + (" - SMOKE MODE, means nothing" if smoke else ""), fontsize="medium", x=0.01, ha="left")
        figure.savefig(path, dpi=200)


def curves(frame: pd.DataFrame) -> list[str]:
    """Return the names of the tasks with whole curves of Self-Consistency and of ModelSwitch."""
    names = frame["task"].unique()
    starts = ("Self-Consistency, budgets 1..", "ModelSwitch, budgets 2..")
    return [next(name for name in names if name.startswith(start)) for start in starts]


def draw_engines(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw one dot per task and engine, and the floor of each task as a line."""
    place, ticks = 0.0, []
    for number, task in enumerate(curves(frame)):
        part = frame[frame["task"] == task].set_index("engine")["ns/draw"]
        shown = part.loc[[name for name in ENGINES if name in part.index]]
        floor = part[part.index.str.startswith("floor")].min()
        ax.text(0.0, place, task.replace("..", " to "), transform=ax.get_yaxis_transform(), weight="bold", va="center")
        ticks.append((place + 1, "floor: draws alone"))
        ax.text(floor * 1.6, place + 1, digits(floor), va="center", fontsize="small")
        ax.plot(floor, place + 1, "|", color="black", markersize=8, markeredgewidth=2)
        places = [place + 2 + i for i in range(len(shown))]
        ax.plot([floor, floor], [place + 1, places[-1] + 0.4], color="black", linestyle=(0, (4, 1.5)), linewidth=1)
        ax.hlines(places, floor, shown, color="#bbbbbb", linewidth=1, zorder=1)
        ax.plot(shown, places, "os"[number], color=COLOURS[(0, 6)[number]], markersize=6, zorder=3)
        for at, (name, value) in zip(places, shown.items(), strict=True):
            times = f"  ({TIMES} {digits(value / shown[ENGINES[0]])})" if name != ENGINES[0] else ""
            ax.text(value * 1.6, at, digits(value) + times, va="center", fontsize="small")
            ticks.append((at, name))
        place = places[-1] + 1.3
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set_ylim(place - 0.7, -0.6)
    ax.set_xscale("log")
    ax.set_xlim(frame["ns/draw"].min() / 1.5, frame.loc[frame["engine"].isin(ENGINES), "ns/draw"].max() * 20)
    ax.set_xticks([10, 100, 1000, 10_000], ["10", "100", "1,000", "10,000"])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("nanoseconds per draw")
    ax.set_title("What a draw takes", loc="left", fontsize="medium")


def digits(value: float) -> str:
    """Format a number with at least two digits."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def draw_growth(ax: Axes, points: pd.DataFrame, slopes: pd.DataFrame) -> None:
    """Draw the time of Monte Carlo against the size, both relative to the smallest size."""
    replayed = slopes[slopes["engine"] == "Monte Carlo"]
    ends = replayed["ms at last"] / replayed["ms at first"]
    lowest = -math.inf
    for number, row in enumerate(ends.sort_values().index):
        line = replayed.loc[row]
        part = points[(points["engine"] == line["engine"]) & (points["growing"] == line["growing"])]
        first, last = part.iloc[0], part.iloc[-1]
        look = {"color": COLOURS[ORDER[number]], "marker": MARKERS[number], "linestyle": DASHES[number]}
        ax.plot(part["size"] / first["size"], part["ms"] / first["ms"], markersize=4, linewidth=1.4, **look)
        lowest = max(math.log2(ends[row]), lowest + GAP)
        label = f"{line['growing']}: {line['exponent']:.2f}"
        end = last["size"] / first["size"]  # repeated marker, because labels of close lines are moved apart
        ax.plot(1.22 * end, 2**lowest, color=look["color"], marker=look["marker"], markersize=4, clip_on=False)
        ax.text(1.35 * end, 2**lowest, label, va="center")
    for scale, axis in ((ax.set_xscale, ax.xaxis), (ax.set_yscale, ax.yaxis)):
        scale("log", base=2)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{TIMES} {value:g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlim(right=1.1 * (replayed["to"] / replayed["from"]).max())
    ax.set_ylim(top=max(ax.get_ylim()[1], 2 ** (lowest + GAP / 2)))
    ax.set_xlabel("size, over the smallest")
    ax.set_ylabel("time, over that of the smallest")
    ax.set_title("How the time of evaluate grows: exponents", loc="left", fontsize="medium")
