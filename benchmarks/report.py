"""Report in Markdown: the machine, and the tables of all sections."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sections import Section
from mssim._version import __version__

PACKAGES = ("numpy", "numba", "scipy", "pandas", "pyarrow", "scorio", "AdaptiveConsistency")


def processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def memory() -> str:
    with suppress(OSError, ValueError, AttributeError):
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    return "unknown"


def found_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """Return the commit that is measured, and whether it was changed."""
    describe = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= with changes"]
    with suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, check=True, text=True)
        return done.stdout.strip()
    return "unknown"


def header(smoke: bool) -> str:
    """Return title, date, machine and versions."""
    command = "python -m benchmarks" + (" --smoke" if smoke else "")
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    versions = [f"mssim {__version__}", *(f"{name} {found_version(name)}" for name in PACKAGES)]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `{command}`. All pools are SYNTHETIC except those in recorded/. Every section ran in its own",
            "process. Numbers are the best of several rounds, because other load on the machine only increases them.",
            *(["**Smoke mode: the sizes are too small for meaningful numbers.**"] if smoke else []),
            "",
            f"All figures were measured on {today} with mssim {__version__}, commit {commit()}. Other versions may be",
            "faster or slower.",
            "",
            f"- date: {today}",
            f"- machine: {processor()}, {platform.machine()}, {os.cpu_count()} cores, {memory()} of memory",
            f"- load average over the last 15 minutes: {os.getloadavg()[2]:.1f}, this run included. Each section",
            "  states the load average over a minute, the larger of those at its beginning and its end.",
            f"- Python {platform.python_version()} on {platform.system()}; {', '.join(versions)}",
        ]
    )


def cell(value: object) -> str:
    """Format a value with three digits, or as an integer from 100."""
    if value is None or (isinstance(value, Real) and np.isnan(value)):
        return ""
    if isinstance(value, Integral):
        return f"{value:,}"
    if isinstance(value, Real):
        if abs(value) >= 99.95:
            return f"{value:,.0f}"
        return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(frame: pd.DataFrame) -> str:
    """Format a frame; numbers are right-aligned, and repeated values of the first column are left out."""
    columns = {}
    for place, name in enumerate(frame.columns):
        values = frame[name]
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64").astype(object).where(values.notna(), None)
        columns[name] = [cell(value) for value in values]
        if place == 0:
            given = columns[name]
            columns[name] = ["" if i and text == given[i - 1] else text for i, text in enumerate(given)]
    rules = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else "---" for name in frame.columns]
    rows = [[cell(name) for name in frame.columns], rules, *zip(*columns.values(), strict=True)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def section(found: Section) -> str:
    """Format one section."""
    parts = [f"## {found.title}", found.text]
    for name, frame in found.tables.items():
        parts += [f"### {name}" if name and name != found.title else "", table(frame)]
    parts += [f"**Failed:** {line}" for line in found.failures]
    if found.tables:
        used = f"took {found.seconds:.0f} s and at most {found.peak_mb:.0f} MB"
        parts.append(f"`{found.name}` {used}, at a load average of up to {found.load:.1f}.")
    return "\n\n".join(part for part in parts if part)


def report(sections: Sequence[Section], smoke: bool) -> str:
    return "\n\n".join([header(smoke), *map(section, sections)]) + "\n"
