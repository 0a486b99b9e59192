"""Options and error handling shared by the command lines of `analysis` and `figures`."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mssim.cli.running import run_command
from mssim.errors import MssimError

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.sources import Source

__all__ = ["MinSamples", "Models", "Pools", "chosen_sources", "make_folder", "plain_errors"]

Pools = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Pool folder, or a .parquet, .csv or .jsonl table. Repeatable."),
]
Models = Annotated[
    str | None,
    typer.Option("--models", help="Models of the pool, strongest first, e.g. A,B,C. [default: all, by accuracy]"),
]
MinSamples = Annotated[
    int, typer.Option("--min-samples", help="Keep only questions with at least this many samples of every model.")
]


def chosen_sources(
    pools: list[str] | None, models: str | None, where: list[str] | None, min_samples: int
) -> list[Source] | None:
    """Return the pools that the user names, or None if there are none."""
    from analysis.sources import named
    from mssim.cli.options import parse_where
    from mssim.cli.output import pool_warnings

    if not pools:
        if models or where:
            raise MssimError("--models, --where: these select from a pool, but no --pool is given. Add --pool PATH.")
        return None
    order = tuple(model.strip() for model in models.split(",")) if models else None
    with pool_warnings():
        return [named(path, order, where=parse_where(where or []), min_samples=min_samples) for path in pools]


def make_folder(path: Path) -> Path:
    """Create a folder for results unless it exists."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MssimError(f"--out: {path} cannot be created ({error.strerror}). Choose another folder.") from error
    return path


def plain_errors(app: typer.Typer, name: str) -> None:
    """Run a command line; invalid input prints one line and exits with code 2."""
    sys.exit(run_command(partial(app, prog_name=f"python -m {name}"), name))
