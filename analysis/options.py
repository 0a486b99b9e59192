"""What the command lines of `analysis` and `figures` share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mssim.errors import MssimError

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.sources import Source

__all__ = ["MinSamples", "Models", "Pools", "chosen_sources", "make_folder", "plain_errors"]

Pools = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Pool folder, or a .parquet, .csv or .jsonl table; repeat it."),
]
Models = Annotated[
    str | None,
    typer.Option("--models", help="Models of the pool, strongest first: A,B,C [default: all, by accuracy]"),
]
MinSamples = Annotated[
    int, typer.Option("--min-samples", help="Keep questions with at least this many samples of every model.")
]


def chosen_sources(
    pools: list[str] | None, models: str | None, where: list[str] | None, min_samples: int
) -> list[Source] | None:
    """The pools that the user names; None if none."""
    from analysis.sources import named
    from mssim.cli.options import parse_where
    from mssim.cli.output import pool_warnings

    if not pools:
        if models or where:
            raise MssimError("--models and --where choose from a pool that you name; add --pool PATH")
        return None
    order = tuple(model.strip() for model in models.split(",")) if models else None
    with pool_warnings():
        return [named(path, order, where=parse_where(where or []), min_samples=min_samples) for path in pools]


def make_folder(path: Path) -> Path:
    """Make a folder for results, unless it is there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MssimError(f"--out {path}: no folder for results ({error.strerror}); choose another") from error
    return path


def plain_errors(app: typer.Typer, name: str) -> None:
    """Run a command line; bad input ends with one line and exit code 2."""
    try:
        app(prog_name=f"python -m {name}")
    except MssimError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
