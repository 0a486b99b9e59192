"""`mssim live --protocol`: runs of a protocol of several agents, and how they are printed."""

from __future__ import annotations

import json as to_json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mssim._validation import counted
from mssim.cli.formats import json_rows
from mssim.cli.language import as_options
from mssim.cli.output import print_frame, print_tables, printable
from mssim.cli.record import spent
from mssim.cli.recording_progress import answered, live_line, reporting
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mssim.live import ProtocolRun
    from mssim.live.protocols import Protocol
    from mssim.recorder import Plan

__all__ = ["OF_RUNS", "check_kind", "play", "print_how_to_resume", "show_runs"]

OF_RUNS = ("totals", "ends", "runs", "models")  # names of tables
_SHOWN = 10  # rows of the table of runs, and warnings
_OF_STRATEGY = ("strategy", "budget", "use_recorded", "seed", "predict")
_OF_PROTOCOL = ("runs", "prompts", "called")


def check_kind(given: Mapping[str, Any]) -> None:
    """Raise unless the options, by their names, are those of a strategy or those of a protocol.

    Examples
    --------
    >>> check_kind({"strategy": "sc:a", "budget": 4, "runs": 8})
    Traceback (most recent call last):
    ...
    mssim.errors.MssimError: --runs: only for --protocol. Remove it, or name a protocol, e.g. --protocol debate:a+b.
    """
    if given.get("protocol") is None:
        for name in _OF_PROTOCOL:
            if given.get(name) is not None:
                raise MssimError(
                    f"--{name}: only for --protocol. Remove it, or name a protocol, e.g. --protocol debate:a+b."
                )
        if given.get("strategy") is None or given.get("budget") is None:
            raise MssimError(
                "--strategy, --budget: both are required without --protocol. Add e.g. --strategy sc:MODEL --budget 16."
            )
        return
    for name in _OF_STRATEGY:
        if given.get(name):
            option = name.replace("_", "-")
            instead = " Seeds of samples are derived from --sample-seed." if name == "seed" else ""
            raise MssimError(f"--{option}: not used with --protocol. Remove it.{instead}")
    if given.get("runs") is None:
        raise MssimError("--runs: required with --protocol. Add the number of runs per question, e.g. --runs 8.")


def play(
    questions: Path, plan: Plan, protocol: str, runs: int, out: Path, *, told: set[str], **options: Any
) -> ProtocolRun:
    """Run a protocol, with progress on stderr. Warnings that were printed are added to `told`."""
    from mssim.live import run_protocol
    from mssim.live.protocols import parse_protocol

    asked = parse_protocol(protocol)
    print(f"mssim: {_calls(asked)}", file=sys.stderr)
    with reporting(told, lambda p: live_line(p, "runs", "calls"), answered) as report:
        return run_protocol(questions, plan, asked, runs, out, report=report, **options)


def _calls(protocol: Protocol) -> str:
    least, most = protocol.calls()
    return f"{counted(most, 'call') if least == most else f'{least} to {most} calls'} per run"


def show_runs(result: ProtocolRun, form: str = "table", *, table: str | None = None, told: Collection[str]) -> None:
    """Print a result; raise `typer.Exit` if runs are unfinished. `told` are warnings that were printed."""
    if form == "table" and table is None:
        _print_summary(result)
    elif form == "json" and table is None:
        _print_json(result)
    else:
        print_tables(dict(zip(OF_RUNS, _tables(result), strict=True)), form, name=table)
    warnings = [warning for warning in result.warnings if warning not in told]
    for warning in warnings[:_SHOWN]:
        print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
    if len(warnings) > _SHOWN:
        print(f"mssim: warning: {len(warnings) - _SHOWN} more warnings are in --json", file=sys.stderr)
    for model, reason, samples in result.reasons.head(_SHOWN).itertuples(index=False):
        print(printable(f"mssim: {counted(samples, 'call')} of {model} failed: {reason}"), file=sys.stderr)
    for note in result.notes:
        print(f"mssim: {printable(as_options(note))}", file=sys.stderr)
    if not result.complete:
        print_how_to_resume(result.unfinished, "run", failed=len(result.reasons) > 0)
        raise typer.Exit(1)


def print_how_to_resume(number: int, what: str, *, failed: bool) -> None:
    """Say how many of something are unfinished, and how to go on; `failed` is whether some were given up."""
    are = f"{counted(number, what)} {'is' if number == 1 else 'are'} unfinished"
    again = " with --retry-failed" if failed else ""
    print(f"mssim: {are}. Rerun the same command{again} to resume.", file=sys.stderr)


def _tables(result: ProtocolRun) -> list[pd.DataFrame]:
    import pandas as pd

    return [pd.DataFrame([result.totals()]), result.ends(), result.to_frame(), result.spent]


def _print_summary(result: ProtocolRun) -> None:
    totals, *_ = _tables(result)
    print_frame(totals)
    for ended, runs, calls in result.ends().itertuples(index=False):
        print(printable(f"{counted(runs, 'run')} ended by {ended}, with {calls:.1f} calls each"))
    frame = result.to_frame().drop(columns=["text", "input_tokens"])
    print_frame(frame.head(_SHOWN))
    if len(frame) > _SHOWN:
        print(f"{len(frame) - _SHOWN} more runs are in --table runs")
    for row in result.spent.to_dict("records"):
        print(printable(spent(row)))


def _print_json(result: ProtocolRun) -> None:
    totals, *others = (json_rows(frame) for frame in _tables(result))
    report = {
        "totals": totals[0],
        **dict(zip(OF_RUNS[1:], others, strict=True)),
        "warnings": [as_options(warning) for warning in result.warnings],
        "notes": [as_options(note) for note in result.notes],
    }
    print(to_json.dumps(report, indent=1))
