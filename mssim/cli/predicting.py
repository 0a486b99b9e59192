"""Option `--predict` of `mssim live`: a run beside what replays of a recording predicted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mssim.cli.formats import json_rows
from mssim.cli.language import as_options, name_by
from mssim.cli.output import print_frame, printable

if TYPE_CHECKING:
    from collections.abc import Collection

    from mssim.live import LiveRun, Prediction
    from mssim.pools.pool import Pool
    from mssim.recorder import Plan

__all__ = ["compared", "prediction_rows", "print_prediction", "read_recording", "warn_before"]


def read_recording(path: str, strategy: str, budget: int) -> Pool:
    """Load the pool of a recording; raise if it cannot predict a strategy, before the run is paid."""
    from mssim.cli.loading import load, models_of
    from mssim.live.replayed_runs import check_enough
    from mssim.rules.parsing import parse_for

    name_by("pool", "predict")
    pool = load(path, models=models_of(strategy))
    check_enough(pool, parse_for(strategy, pool.models), budget)
    return pool


def warn_before(recording: Pool, plan: Plan, rule: str, reasoning: str, told: set[str]) -> None:
    """Print what speaks against a comparison, before the run is paid, and add it to `told`."""
    from mssim.live.repeats import known_before
    from mssim.live.setup import read_rule

    models = [model for model in plan.models if model.name in recording.models]
    for warning in known_before(models, read_rule(rule, reasoning), recording):
        print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
        told.add(warning)


def compared(result: LiveRun, recording: Pool | None, told: Collection[str]) -> Prediction | None:
    """Compare a run with the prediction, and print notes that were not `told` before.

    Returns None if there is no recording, or if questions are unfinished.
    """
    from mssim.live import compare

    if recording is None:
        return None
    if not result.complete:
        print("mssim: some questions are unfinished, so the run is not compared with --predict yet.", file=sys.stderr)
        return None
    found = compare(result, recording)
    for note in found.notes:
        if note not in told:
            print(f"mssim: {printable(as_options(note))}", file=sys.stderr)
    return found


def print_prediction(found: Prediction) -> None:
    """Print the table of a comparison and its joint test."""
    chi, df, p = found.chi_square()
    print_frame(found.to_frame(), title="This run and what replays of the recording predicted")
    if df:
        print(f"All together: chi-square {chi:.2f}, {df} degrees of freedom, p = {p:.2g}")


def prediction_rows(found: Prediction) -> dict[str, Any]:
    """Return a comparison as JSON types."""
    chi, df, p = found.chi_square()
    return {
        "quantities": json_rows(found.to_frame()),
        "chi_square": None if chi == float("inf") else chi,
        "df": df,
        "p_value": p,
        "notes": [as_options(note) for note in found.notes],
    }
