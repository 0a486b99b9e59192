"""The sections of the report, each measured in a process of its own.

A section is a module whose docstring begins with the title and goes on with what is measured, and whose
`measure(smoke)` returns a frame, or several by name. Where a frame has a column "allowed", the column before it must
not exceed that.
"""

from __future__ import annotations

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

NAMES = ("engines", "growth", "threads", "exact", "agreement", "rules", "waiting", "record", "imports", "large_pool")


@dataclass
class Section:
    """What a section found, and what is wrong with it."""

    name: str
    title: str
    text: str = ""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def known() -> list[str]:
    return [name for name in NAMES if find_spec(f"benchmarks.{name}")]


def measured(name: str, smoke: bool) -> Section:
    """Measure a section in a new process, so that memory and compiled code are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        try:
            return worker.submit(measure, name, smoke).result()
        except (Exception, SystemExit) as error:  # the other sections are worth measuring all the same
            return Section(name, name, failures=[f"{name}: {error or type(error).__name__}"])


def measure(name: str, smoke: bool) -> Section:
    from benchmarks.measuring import peak_memory

    module = import_module(f"benchmarks.{name}")
    title, _, text = (getdoc(module) or name).partition("\n")
    start = time.perf_counter()
    found = module.measure(smoke)
    seconds = time.perf_counter() - start
    tables = dict(found) if isinstance(found, Mapping) else {"": found}
    failures = [] if smoke else [f"{name}: {line}" for frame in tables.values() for line in exceeded(frame)]
    return Section(name, title.rstrip("."), text.strip(), tables, seconds, peak_memory(), failures)


def exceeded(frame: pd.DataFrame) -> list[str]:
    """Rows that take more than is allowed."""
    if "allowed" not in frame:
        return []
    column = frame.columns[frame.columns.get_loc("allowed") - 1]
    over = frame[frame[column] > frame["allowed"]]
    return [f"{row.iloc[0]}: {column} {row[column]:.3g}, allowed {row['allowed']:.3g}" for _, row in over.iterrows()]
