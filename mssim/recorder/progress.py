"""How far a recording is: while it runs, and from its journal at any time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mssim.recorder.journal import Journal


@dataclass
class Progress:
    """How far a recording is.

    Attributes
    ----------
    wanted, done, failed : int
        Samples that the plan wants, that are there, and that were given up.
    arrived, seconds : int, float
        Samples of this run and how long it has taken.
    in_flight : int
        Requests under way.
    cost : float, optional
        Over all runs, in `currency`.
    trouble : str, optional
        Why the last request failed, if none has succeeded since.
    writing : bool
        Whether nothing is asked any more and the files of the pool are written.
    """

    wanted: int
    done: int
    failed: int
    arrived: int = 0
    seconds: float = 0.0
    in_flight: int = 0
    cost: float | None = None
    currency: str = ""
    trouble: str | None = None
    writing: bool = False

    @property
    def left(self) -> int:
        """Samples that are neither there nor given up."""
        return self.wanted - self.done - self.failed

    @property
    def rate(self) -> float:
        """Samples per second of this run."""
        return self.arrived / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Status:
    """How far a recording is.

    Attributes
    ----------
    models : DataFrame
        One row per model: questions put to it, samples (wanted per question), wanted, recorded, failed and missing
        samples in all; over all runs requests, refused (those that failed), input and output tokens, cost (in the
        currency of the prices, NaN without prices) and mean latency (seconds).
    reasons : DataFrame
        model, reason, samples: why samples were given up.
    missing : int
        Samples that are not there, given up or not; those that `record` was just asked for.
    notes : tuple of str
        Why the run of `record` that returns this ended early, or its pool's files are not up to date.
    """

    models: pd.DataFrame
    reasons: pd.DataFrame
    missing: int
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every sample that was asked for is there."""
        return self.missing == 0

    def to_frame(self) -> pd.DataFrame:
        """Return `models`."""
        return self.models


def status(folder: str | Path) -> Status:
    """Read how far the recording in a folder is; works while another process records.

    Raises
    ------
    RecordError
        If there is no journal, or it is damaged.
    """
    with Journal(Path(folder)) as journal:
        return read_status(journal)


def read_status(journal: Journal) -> Status:
    """Read the status from an open journal."""
    questions: dict[str, int] = {}
    for cell in journal.cells():
        questions[cell.model] = questions.get(cell.model, 0) + 1
    spend = {row["model"]: row for row in journal.spend()}
    rows = []
    for model, known in journal.models().items():
        samples = known["samples"]
        row = {"model": model, "questions": questions.get(model, 0), "samples": samples}
        row["wanted"] = row["questions"] * samples
        row["recorded"] = sum(journal.counts("samples", model, samples).values())
        row["failed"] = sum(journal.counts("failures", model, samples).values())
        row["missing"] = row["wanted"] - row["recorded"] - row["failed"]
        rows.append(row | {name: value for name, value in spend.get(model, {}).items() if name != "model"})
    names = ["model", "questions", "samples", "wanted", "recorded", "failed", "missing", "requests", "refused"]
    names += ["input_tokens", "output_tokens", "cost", "latency"]
    frame = pd.DataFrame(rows, columns=names)
    counts = ["requests", "refused", "input_tokens", "output_tokens"]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    frame[["cost", "latency"]] = frame[["cost", "latency"]].astype(float)
    reasons = pd.DataFrame(journal.reasons(), columns=["model", "reason", "samples"])
    return Status(frame, reasons, int((frame["wanted"] - frame["recorded"]).sum()))
