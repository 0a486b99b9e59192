"""What the commands share: options, tables, warnings and progress."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.errors import BudgetError, MssimError, PoolWarning, choose_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from mssim.evaluation import Evaluation

Json = Annotated[bool, typer.Option("--json", help="Print a JSON list of objects and nothing else.")]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Rows to take: COLUMN=VALUE, also !=, <, <=, >, >=. Repeat it; several = on one column mean any of them.",
    ),
]
Confidence = Annotated[float, typer.Option("--confidence-level", help="Of the intervals over questions.")]
Clusters = Annotated[
    str | None,
    typer.Option("--clusters", help="Question column that marks dependent questions [default: cluster, if present]"),
]

_SPEED_OVER = 600  # seconds: blocks of work differ, so what is left is estimated from many of them
_X = ("samples_used", "budget", "cost")
_OPERATORS = ("!=", "<=", ">=", "=", "<", ">")


def parse_where(given: Sequence[str]) -> list[tuple[str, str, Any]]:
    """Read COLUMN=VALUE and the like."""
    equal: dict[str, list[str]] = {}
    others: list[tuple[str, str, Any]] = []
    for text in given:
        found = [(text.find(op), -len(op), op) for op in _OPERATORS if op in text]
        if not found or min(found)[0] == 0:
            raise MssimError(f"--where {text!r}; write COLUMN=VALUE, or !=, <, <=, >, >= for =")
        operator = min(found)[2]
        column, value = (part.strip() for part in text.split(operator, 1))
        if operator == "=":
            equal.setdefault(column, []).append(value)
        else:
            others.append((column, operator, value))
    return [(column, "in", values) for column, values in equal.items()] + others


def parse_budgets(given: str) -> list[int]:
    """Read 2,4,8 or 1-16 or a mixture."""
    budgets: list[int] = []
    for part in given.split(","):
        low, dash, high = part.strip().partition("-")
        try:
            first = int(low)
            last = int(high) if dash else first
        except ValueError:
            raise BudgetError(f"--budgets {given!r}; write whole numbers from 1, e.g. 2,4,8 or 1-16") from None
        if first < 1 or last < first or last > 100_000:
            raise BudgetError(f"--budgets {given!r}: {part.strip()!r}; write whole numbers from 1, e.g. 2,4,8 or 1-16")
        budgets += range(first, last + 1)
    return budgets


def parse_prices(given: list[str] | None) -> dict[str, float] | None:
    """Read MODEL=PRICE, repeated."""
    if not given:
        return None
    prices = {}
    for text in given:
        model, _, price = text.rpartition("=")
        try:
            prices[model] = float(price)
        except ValueError:
            raise MssimError(f"--price {text!r}; write MODEL=PRICE, the price of one sample") from None
    return prices


def check_output(path: Path, option: str, *, figure: bool = False) -> None:
    """Refuse a file that could not be written, before the work and not after it."""
    if figure and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise MssimError(f"{option} {path}: end the name in .png, .svg or .pdf")
    if path.is_dir():
        raise MssimError(f"{option} {path} is a folder; give the name of a file")
    if not path.absolute().parent.is_dir():
        raise MssimError(f"{option} {path}: the folder {path.absolute().parent} does not exist; create it first")


def check_x(x: str) -> str:
    """Refuse what a plot of curves cannot have on its x-axis."""
    if x not in _X:
        raise MssimError(f"x={x!r}; {choose_from(str(x), _X)}")
    return x


def save_figure(path: Path, draw: Callable[[Any], Any]) -> None:
    """Write what `draw` draws, given the module `mssim.plots`; the file appears whole or not at all."""
    import matplotlib as mpl

    mpl.use("Agg")  # no screen is needed to write a file
    import matplotlib.pyplot as plt

    from mssim import plots
    from mssim.files import whole_file

    try:
        draw(plots)
        with whole_file(path) as part:
            plt.savefig(part, format=path.suffix[1:].lower(), dpi=200)
    finally:
        plt.close("all")


def data_title(pool: Mapping[str, Any]) -> str | None:
    """What must stand above every table made from this pool."""
    return "SYNTHETIC DATA" if pool.get("synthetic") else None


def printable(text: object) -> str:
    """Text for a terminal, on one line: characters that are not printed are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def print_frame(frame: pd.DataFrame, *, as_json: bool, title: str | None = None) -> None:
    """Print a frame as a table, or as JSON with null for missing numbers."""
    if as_json:
        print(json.dumps(json.loads(frame.to_json(orient="records", double_precision=15)), indent=1))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(emoji=False) if sys.stdout.isatty() else Console(emoji=False, width=200)
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, title_style="bold")
    shown = frame.dropna(axis="columns", how="all")
    for name in shown.columns:
        numeric = shown[name].dtype.kind in "ifu"
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in shown.itertuples(index=False):
        table.add_row(*(_cell(name, value) for name, value in zip(shown.columns, row, strict=True)))
    console.print(table)


_DIGITS = {"samples_used": 2, "samples_median": 1, "distinct_answers": 2, "cost": 6, "mc_error": 5, "replay_sd": 5}


def _cell(name: str, value: Any) -> str:
    from rich.markup import escape

    if isinstance(value, float):
        return "" if value != value else f"{value:.{_DIGITS.get(name, 4)}f}"
    return escape(printable(value))


@contextmanager
def pool_warnings() -> Iterator[None]:
    """Print each warning about a pool as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, PoolWarning):
            print(f"mssim: warning: {printable(warning.message)}", file=sys.stderr)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def show_evaluation(
    evaluation: Evaluation, statistics: Mapping[str, Any], *, out: Path | None, plot: Path | None, x: str, as_json: bool
) -> None:
    """Print the table of an evaluation, after writing its files."""
    frame = evaluation.to_frame(**statistics)
    if out is not None:
        evaluation.save(out)
    if plot is not None:
        save_figure(plot, lambda plots: plots.plot_curves(evaluation, x, **statistics))
    print_frame(frame, as_json=as_json, title=data_title(evaluation.provenance["pool"]))


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a progress callback that draws a bar on a terminal, and None elsewhere."""
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
        # Rich takes the first update as where it began: what was done before this run is not taken for speed.
        yield lambda done, total: progress.update(task, completed=done, total=total)
