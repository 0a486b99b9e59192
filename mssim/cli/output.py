"""Output of the commands: tables, figures, warnings and progress bars."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mssim._validation import printable as printable
from mssim.cli.formats import cell, decimals, is_numeric, json_rows, table_text
from mssim.cli.language import as_options
from mssim.errors import PoolWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from mssim.results.evaluation import Evaluation

_OF_SPREAD = re.compile(r"(tokens|cost|latency)_(p[\d.]+|exceeds?)")
_SYNTHETIC = "SYNTHETIC DATA"
_SPEED_OVER = 600  # seconds; blocks of work vary in size, so the remaining time is estimated from many of them


def save_figure(path: Path, draw: Callable[[Any], Any]) -> None:
    """Call `draw` with the module `mssim.plots` and write the current figure atomically to `path`."""
    with quiet_matplotlib():
        os.environ["MPLBACKEND"] = "agg"  # works without a display; an unknown backend would fail on import
        import matplotlib as mpl

        mpl.use("Agg")
        import matplotlib.pyplot as plt

        from mssim import plots
        from mssim._files import whole_file

        try:
            draw(plots)
            with whole_file(path) as part:
                plt.savefig(part, format=path.suffix[1:].lower(), dpi=200)
        finally:
            plt.close("all")


@contextmanager
def quiet_matplotlib() -> Iterator[None]:
    """Hide the log of Matplotlib, which is about its caches; without a home it uses a temporary folder."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def data_title(pool: Mapping[str, Any]) -> str | None:
    """Return the title required above every table of a synthetic pool, else None."""
    return _SYNTHETIC if pool.get("synthetic") else None


def print_frame(frame: pd.DataFrame, form: str = "table", *, title: str | None = None) -> None:
    """Print a frame in a format; everything but a table for a terminal is complete and alone on stdout.

    CSV of synthetic data has a last column that says so, `data`.
    """
    if form != "table":
        marked = form == "csv" and title == _SYNTHETIC  # CSV has no place for a title
        text = table_text(frame.assign(data=title) if marked else frame, form, title)
        print("\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text, end="")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(emoji=False) if sys.stdout.isatty() else Console(emoji=False, width=200)
    heading = None if title is None else escape(printable(title))
    table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, title_style="bold")
    shown = frame.dropna(axis="columns", how="all")
    for name in shown.columns:
        justify: Literal["left", "right"] = "right" if is_numeric(shown[name]) else "left"
        table.add_column(escape(printable(name)), justify=justify, overflow="fold")
    digits = [decimals(name, shown[name]) for name in shown.columns]
    for row in shown.itertuples(index=False):
        table.add_row(*(escape(cell(value, most)) for value, most in zip(row, digits, strict=True)))
    console.print(table)


def print_tables(tables: Mapping[str, pd.DataFrame], form: str, *, name: str | None, title: str | None = None) -> None:
    """Print several tables, or the one of a name, in a format other than "table"; they have captions where several.

    A table that does not exist, such as a comparison of an unfinished run, is not printed.
    """
    if name is not None:
        if name in tables:
            print_frame(tables[name], form, title=title)
    elif form == "json":
        print(json.dumps({name: json_rows(frame) for name, frame in tables.items()}, indent=1))
    else:
        parts = [table_text(tables[one], form, one if title is None else f"{one}, {title}") for one in tables]
        print("\n".join(parts), end="")


@contextmanager
def pool_warnings() -> Iterator[None]:
    """Print each `PoolWarning` as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, PoolWarning):
            print(f"mssim: warning: {printable(as_options(str(warning.message)))}", file=sys.stderr)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def show_evaluation(
    evaluation: Evaluation,
    statistics: Mapping[str, Any],
    columns: Mapping[str, Any],
    *,
    out: Path | None,
    plot: Path | None,
    per: Sequence[str],
    form: str,
    draw: Callable[[Any], Any] | None = None,
) -> None:
    """Write the requested files of an evaluation, then print its table; distributions are a table of their own.

    `draw` draws another plot than curves over `per`, given the module `mssim.plots`.
    """
    frame = evaluation.to_frame(**statistics, **columns)
    if out is not None:
        evaluation.save(out)
    if plot is not None:
        save_figure(plot, draw or (lambda plots: _draw(plots, evaluation, per, statistics)))
    title = data_title(evaluation.provenance["pool"])
    of_spread = [name for name in frame.columns if _OF_SPREAD.fullmatch(name)]
    if form != "table" or not of_spread:
        print_frame(frame, form, title=title)
        return
    print_frame(frame.drop(columns=of_spread), title=title)
    about = "over questions and draws" if title is None else f"over questions and draws, {title}"
    print_frame(frame[["strategy", "budget", *of_spread]], title=about)


def _draw(plots: Any, evaluation: Evaluation, per: Sequence[str], statistics: Mapping[str, Any]) -> None:
    """Draw one plot, or a panel per quantity."""
    if len(per) == 1:
        plots.plot_curves(evaluation, per[0], **statistics)
    else:
        plots.plot_panels(evaluation, per, **statistics)


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a progress callback that draws a bar, or None if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    columns += [TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False)]
    with Progress(
        *columns, console=Console(stderr=True), transient=True, speed_estimate_period=_SPEED_OVER
    ) as progress:
        task = progress.add_task(text, total=None)
        # Rich measures speed from the first update, so blocks restored from a checkpoint do not distort the estimate.
        yield lambda done, total: progress.update(task, completed=done, total=total)
