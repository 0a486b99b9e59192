"""What the commands share: options, tables, warnings and progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import choose_from
from mssim.errors import BudgetError, MssimError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
