"""Draw the closed form as a line and replays as points around it: python examples/exact_and_replayed.py [FILE.png]."""

from __future__ import annotations

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from mssim import Pool, evaluate, load_pool
from mssim.plots import COLOURS, STYLE

STRATEGIES = {"Self-Consistency": "sc:gemma", "ModelSwitch": "ms:gemma+smol,vote=plurality"}
BUDGETS = range(1, 33)
BUDGET = 16
FEW, MANY = 20, 2000


def replayed(pool: Pool, n_replays: list[int], budgets: range | list[int]) -> pd.DataFrame:
    """Accuracy and Monte Carlo error of replays with other seeds each."""
    frames = [
        evaluate(pool, STRATEGIES, budgets, method="monte_carlo", n_replays=n, seed=n).to_frame().assign(n_replays=n)
        for n in n_replays
    ]
    return pd.concat(frames, ignore_index=True)


def draw_curves(ax: Axes, exact: pd.DataFrame, points: pd.DataFrame) -> None:
    """Accuracy against budget; points of few replays are pale and to the left, those of many dark and to the right."""
    for (name, curve), colour in zip(exact.groupby("strategy", sort=False), COLOURS, strict=False):
        ax.plot(curve["budget"], 100 * curve["accuracy"], color=colour, linewidth=1.4, label=f"{name}, exact")
        for n, shift, alpha in ((FEW, -0.12, 0.45), (MANY, 0.12, 1.0)):
            some = points[(points["strategy"] == name) & (points["n_replays"] == n) & points["budget"].isin(SHOWN)]
            style = {"color": colour, "alpha": alpha, "marker": MARKERS[name], "label": f"{name}, {n} replays"}
            draw_points(ax, some["budget"] + shift * (some["budget"] > 0), some, **style)
    ax.set_xlabel("budget (samples per question)")
    ax.set_ylabel("accuracy (%)")
    ax.legend(fontsize="x-small", handlelength=2.5)


def draw_convergence(ax: Axes, exact: pd.DataFrame, points: pd.DataFrame) -> None:
    """Accuracy at one budget against the number of replays."""
    for i, (name, colour) in enumerate(zip(STRATEGIES, COLOURS, strict=False)):
        at = exact[(exact["strategy"] == name) & (exact["budget"] == BUDGET)]
        ax.axhline(100 * at["accuracy"].item(), color=colour, linewidth=1.4)
        some = points[points["strategy"] == name]
        draw_points(ax, some["n_replays"] * (0.93, 1.07)[i], some, color=colour, marker=MARKERS[name])
        ax.annotate(
            name, (1, 100 * at["accuracy"].item()), (-2, 7), ("axes fraction", "data"), "offset points", ha="right"
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel(f"replays (budget {BUDGET})")
    ax.set_ylabel("accuracy (%)")


def draw_points(ax: Axes, x: pd.Series, points: pd.DataFrame, **style: object) -> None:
    """Means of replays with their 95 % Monte Carlo intervals."""
    error = 196 * points["mc_error"]
    ax.errorbar(x, 100 * points["accuracy"], error, linestyle="none", markersize=3.5, capsize=2, linewidth=1, **style)


SHOWN = (1, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32)
MARKERS = dict(zip(STRATEGIES, "os", strict=True))


def main(path: str = "exact.png") -> None:
    """Evaluate and draw."""
    pool = load_pool("recorded/llm-products")
    exact = evaluate(pool, STRATEGIES, BUDGETS, method="exact").to_frame()
    few_and_many = replayed(pool, [FEW, MANY], BUDGETS)
    at_budget = replayed(pool, [10, 30, 100, 300, 1000, 3000, 10_000], [BUDGET])
    with mpl.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
        draw_curves(left, exact, few_and_many)
        draw_convergence(right, exact, at_budget)
        figure.suptitle(
            f"{pool.info['title'].capitalize()}: lines exact, points replays with 95 % Monte Carlo intervals",
            fontsize="medium",
        )
        figure.savefig(path, dpi=150)
    frames = pd.concat([few_and_many, at_budget]).merge(exact, on=["strategy", "budget"], suffixes=("", "_exact"))
    off = (frames["accuracy"] - frames["accuracy_exact"]).abs() / frames["mc_error"]
    covered = off.lt(1.96).mean()
    print(f"{covered:.0%} of {len(frames)} intervals cover the line, the furthest is {off.max():.1f} errors away")


if __name__ == "__main__":
    main(*sys.argv[1:2])
