"""The command-line interface `mssim`, with one module per command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import typer

from mssim.cli.compare import compare
from mssim.cli.evaluate import evaluate
from mssim.cli.grade import grade
from mssim.cli.importing import import_
from mssim.cli.info import info
from mssim.cli.language import Command
from mssim.cli.live import live
from mssim.cli.merge import merge
from mssim.cli.plan import plan
from mssim.cli.record import record
from mssim.cli.report import report
from mssim.cli.running import run_command
from mssim.cli.serve import serve
from mssim.cli.simulate import simulate
from mssim.cli.theory import theory
from mssim.cli.tune import tune

app = typer.Typer(
    name="mssim",
    help="Replay ModelSwitch, Self-Consistency and voting rules on recorded samples of language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _function in (
    info,
    record,
    live,
    serve,
    import_,
    grade,
    evaluate,
    merge,
    compare,
    tune,
    plan,
    simulate,
    theory,
    report,
):
    _summary = (_function.__doc__ or "").split("\n")[0]  # whole, which Typer would cut off
    app.command(_function.__name__.rstrip("_"), cls=Command, short_help=_summary)(_function)


@cache
def _command() -> Callable[[], Any]:
    """Build the command line; Typer's `app` would do so at every call."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command-line interface; invalid input prints one line and exits with code 2."""
    sys.exit(run_command(_command(), "mssim"))
