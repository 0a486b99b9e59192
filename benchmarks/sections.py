"""Sections of the report, each measured in its own process.

A section is a module. Its docstring consists of the title and a description, and its function `measure(smoke)` returns
a frame or a mapping of names to frames. If a frame has a column "allowed" or "at least", it is the largest or smallest
value that the column before it may have.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from inspect import getdoc
from multiprocessing import get_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NAMES = (
    "engines",
    "aggregates",
    "growth",
    "threads",
    "exact",
    "agreement",
    "coverage",
    "predictions",
    "rules",
    "target",
    "costs",
    "waiting",
    "weights",
    "grading",
    "record",
    "imports",
    "large_pool",
    "scale",
)


@dataclass
class Section:
    """Results and failures of a section."""

    name: str
    title: str
    text: str = ""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mb: float = 0.0
    load: float = 0.0  # largest load average of a minute, at the beginning and the end
    failures: list[str] = field(default_factory=list)


def known() -> list[str]:
    return [name for name in NAMES if find_spec(f"benchmarks.{name}")]


def measured(name: str, smoke: bool) -> Section:
    """Measure a section in a new process with its own memory and compiled code."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        try:
            return worker.submit(measure, name, smoke).result()
        except (Exception, SystemExit) as error:  # the other sections are measured anyway
            return Section(name, name, failures=[f"{name}: {error or type(error).__name__}"])


def measure(name: str, smoke: bool) -> Section:
    from benchmarks.measuring import peak_memory

    module = import_module(f"benchmarks.{name}")
    gc.freeze()  # collections before each measurement of memory pass over what modules hold
    title, _, text = (getdoc(module) or name).partition("\n")
    start, load = time.perf_counter(), os.getloadavg()[0]
    found = module.measure(smoke)
    seconds, load = time.perf_counter() - start, max(load, os.getloadavg()[0])
    tables = dict(found) if isinstance(found, Mapping) else {"": found}
    failures = [] if smoke else [f"{name}: {line}" for frame in tables.values() for line in exceeded(frame)]
    return Section(name, title.rstrip("."), text.strip(), tables, seconds, peak_memory(), load, failures)


def exceeded(frame: pd.DataFrame) -> list[str]:
    """Return descriptions of the rows that exceed their limits."""
    found = []
    for limit, sign in (("allowed", 1), ("at least", -1)):
        if limit in frame:
            column = frame.columns[frame.columns.get_loc(limit) - 1]
            over = frame[sign * frame[column] > sign * frame[limit]]
            rows = zip(over.iloc[:, 0], over[column], over[limit], strict=True)
            found += [f"{name}: {column} {value:.3g}, {limit} {bound:.3g}" for name, value, bound in rows]
    return found
