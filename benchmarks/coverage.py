"""Coverage.

This section draws data sets from known laws (benchmarks/laws.py) and counts how often the intervals of the package
contain the true value and how often its tests reject a true hypothesis. Numbers are percentages of data sets, and
widths are in percentage points. n is the number of questions or, with clusters, of clusters.

- "80 %", "95 %" and "99 %": lowest coverage over the laws at this level. "worst" is the law at 95 %.
- "width": mean width at 95 % over the laws. "t covers" and "t width" are those of Student's t, for comparison.
- Tests are at 5 %. The sign-flip test assumes symmetric differences; it is shown for comparison.
- "Cells beyond a limit" lists every cell with a lower coverage than 78.5, 94 or 98.3 % (92 % for the gain of tuning) or
  a larger size than 6 %. "allowed" includes three Monte Carlo errors. It is empty where the method states an assumption
  that the law does not satisfy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd

from benchmarks import laws
from benchmarks.covered import COUNT, Cell, Row
from benchmarks.measuring import interleaved
from benchmarks.tuned import CANDIDATES, tuning
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval, ratio_interval

LEAST = {80: 78.5, 95: 94.0, 99: 98.3}  # coverage that is required, by level
LEAST_GAIN = 92.0  # the variance of cross-validation has no unbiased estimator
LARGEST = 6.0  # size that is allowed
MOST_MS = 2.0
LARGE = 300
N_SETS, N_LARGE, N_TUNED = 4000, 2000, 1000  # data sets of a cell; of 300 questions or more, and of tuning


def cells(smoke: bool) -> Iterator[Cell]:
    """Yield all cells, the longest first."""
    if smoke:
        yield from (Cell("tuning", CANDIDATES[0], 20), Cell("ratios", laws.EASINESS[0], 20, "K = 4"))
        yield from (Cell("means", laws.MEANS[0], 20), Cell("differences", laws.DIFFERENCES[0], 20))
        yield Cell("clusters", laws.CLUSTERED[0], 3, "lognormal")
        yield Cell("clustered differences", laws.CLUSTERED_DIFFERENCES[0], 5, "lognormal")
        return
    yield from (Cell("tuning", law, n) for n in (500, 200, 50) for law in CANDIDATES)
    for n in (1000, 300, 100, 50, 20):
        yield from (Cell("means", law, n) for law in laws.MEANS)
        yield from (Cell("differences", law, n) for law in laws.DIFFERENCES)
    for n in (40, 20, 13, 12, 10, 5, 3):
        for sizes in ("equal", "lognormal", "half in one"):
            yield from (Cell("clusters", law, n, sizes) for law in laws.CLUSTERED)
    for n in (30, 20, 10, 5):
        yield from (Cell("clustered differences", law, n, "lognormal") for law in laws.CLUSTERED_DIFFERENCES)
    for k in (4, 8):
        yield from (Cell("ratios", law, n, f"K = {k}") for law in laws.EASINESS for n in (300, 60))


def counted(cell: Cell, smoke: bool) -> list[Row]:
    n_sets = N_TUNED if cell.table == "tuning" else N_LARGE if cell.n >= LARGE else N_SETS
    return COUNT[cell.table](cell, 20 if smoke else n_sets)


def everything(smoke: bool) -> pd.DataFrame:
    """Return one row per cell, interval or test, and level."""
    if smoke:
        rows = [counted(cell, smoke) for cell in cells(smoke)]
    else:
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
            rows = list(workers.map(partial(counted, smoke=smoke), cells(smoke)))
    frame = pd.DataFrame([row for part in rows for row in part])
    by_table = frame["table"].map(list(COUNT).index)
    return (
        frame.assign(order=by_table)
        .sort_values(["order", "of", "detail", "n"], kind="stable", ignore_index=True)
        .drop(columns="order")
    )


def lowest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the lowest coverages over the laws, one row per table, interval and n."""
    rows = []
    intervals = frame[frame["covers"].notna()]
    for (table, what, detail, n), part in intervals.groupby(["table", "of", "detail", "n"], sort=False):
        by_level = part.groupby("level")["covers"].min()
        usual = part[part["level"] == 95]
        name = table if what == "interval" else f"{table}: {what.removesuffix(' interval')}"
        rows.append(
            {"of": name + (f", {detail}" if detail else ""), "n": n}
            | {f"{level} %": by_level.get(level, np.nan) for level in LEAST}
            | {"worst": usual.loc[usual["covers"].idxmin(), "law"], "width": usual["width"].mean()}
            | {"t covers": usual["t covers"].min(), "t width": usual["t width"].mean()}
        )
    return pd.DataFrame(rows)


def by_law(frame: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return a table with one row per law and one column per n."""
    given = frame[frame[value].notna() & (frame["level"] == 95)].sort_values("n", kind="stable")
    wide = given.pivot_table(index=["of", "detail", "law"], columns="n", values=value, sort=False)
    wide.columns = [f"n = {n}" for n in wide.columns]
    flat = wide.reset_index()
    return flat.drop(columns=[name for name in ("of", "detail") if len(set(flat[name])) == 1])


def beyond(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that miss a limit, with the share of errors and the share that is allowed."""
    is_test = frame["rejects"].notna()
    limit = 100 - frame["level"].map(LEAST).where(frame["of"] != "gain", LEAST_GAIN)
    limit = limit.where(~is_test, LARGEST)
    errors = frame["rejects"].where(is_test, 100 - frame["covers"])
    allowed = (limit + 3 * np.sqrt(limit * (100 - limit) / frame["sets"])).where(frame["assumed"])
    names = frame[["table", "of", "law", "detail", "n", "level"]].astype(str).agg(", ".join, axis=1)
    found = pd.DataFrame({"cell": names.str.replace(", , ", ", "), "errors": errors, "allowed": allowed})
    return found[errors > limit].sort_values("errors", ascending=False, ignore_index=True)


def times(smoke: bool) -> pd.DataFrame:
    """Return the processor time of one interval of 1,000 questions, the best of several rounds."""
    rng, n = np.random.default_rng(1), 1000
    mixed, binary = laws.MEANS[4].draw(rng, n), laws.MEANS[-2].draw(rng, n)
    many, few = np.repeat(np.arange(100), 10), np.repeat(np.arange(10), 100)
    difference = laws.DIFFERENCES[0].draw(rng, n)
    found = tuning(CANDIDATES[0].draw(rng, n), 3)
    calls: dict[str, Callable[[], object]] = {"table of tuning, one limit": found.to_frame}
    for name, labels in (("", None), (", 100 clusters", many), (", 10 clusters", few)):
        calls[f"mean{name}"] = partial(mean_interval, mixed, clusters=labels)
        calls[f"mean of 0 and 1{name}"] = partial(mean_interval, binary, clusters=labels)
        calls[f"ratio{name}"] = partial(ratio_interval, mixed * binary, mixed, clusters=labels)
        calls[f"difference with p-value{name}"] = partial(mean_difference, difference, clusters=labels)
    timed = interleaved({name: lambda _, call=call: call() for name, call in calls.items()}, 2 if smoke else 30)
    frame = pd.DataFrame([{"interval": name, "ms": 1e3 * one.seconds} for name, one in timed.items()])
    return frame.assign(allowed=[np.nan] + [MOST_MS] * (len(frame) - 1))


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    frame = everything(smoke)
    tables = {"Lowest coverage": lowest(frame)}
    for name, part in frame.groupby("table", sort=False):
        tables[f"Coverage of 95 % intervals by law: {name}"] = by_law(part, "covers")
        for test, column in (("", "rejects"), (" by sign flips", "sign flips")):
            if part[column].notna().any():
                tables[f"Rejections of true hypotheses{test}: {name}"] = by_law(part, column)
    return tables | {"Cells beyond a limit": beyond(frame), "Time of one interval of 1,000 questions": times(smoke)}
