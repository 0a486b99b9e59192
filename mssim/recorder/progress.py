"""Progress of a recording, while it runs and from its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mssim.errors import RecordError
from mssim.recorder.findings import findings, protocol_of
from mssim.recorder.journal import Journal


@dataclass
class Progress:
    """Progress of a running recording.

    Attributes
    ----------
    wanted, done, failed : int
        Numbers of samples in the plan, of recorded samples, and of samples that were given up.
    arrived : int
        Number of samples recorded by this run.
    seconds : float
        Duration of this run.
    in_flight : int
        Number of pending requests.
    cost : float, optional
        Cost over all runs.
    currency : str
        Currency of the cost, empty without prices.
    trouble : str, optional
        Reason why the last request failed, None if it succeeded.
    writing : bool
        Whether requests are complete and the files of the pool are being written.
    silent_since : float, optional
        Time since which a server does not answer, in seconds since 1970 UTC.
    warnings : list of str
        What this run noticed so far, such as a server that counts too few tokens.

    Examples
    --------
    >>> from mssim.recorder import Progress
    >>> progress = Progress(wanted=100, done=60, failed=1, arrived=20, seconds=4.0)
    >>> progress.left, progress.rate
    (39, 5.0)
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
    silent_since: float | None = None
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add a warning once.

        Parameters
        ----------
        text : str
            One line.
        """
        if text not in self.warnings:
            self.warnings.append(text)

    @property
    def left(self) -> int:
        """Number of samples that are neither recorded nor given up."""
        return self.wanted - self.done - self.failed

    @property
    def rate(self) -> float:
        """Number of samples per second in this run."""
        return self.arrived / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Status:
    """Status of a recording.

    Attributes
    ----------
    models : DataFrame
        One row per model. The columns are model; questions; samples, the planned number per question; wanted,
        recorded, failed and missing, the total numbers of samples; and, over all runs, requests, refused (failed
        requests), input_tokens, output_tokens, cost (in the currency of the prices, NaN without prices) and latency
        (mean, in seconds).
    reasons : DataFrame
        Reasons why samples were given up, with the columns model, reason and samples.
    missing : int
        Number of samples that are not recorded, including those that were given up. If returned by `record`, it refers
        to its plan.
    notes : tuple of str
        Reasons why the run of `record` ended early or did not update the files of the pool.
    noticed : tuple of str
        What the run of `record` noticed, such as a server that counts too few tokens.
    findings : mapping of str to tuple of str
        Warnings about the samples of each model: cut off, empty, repeated, or served by another model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.recorder import Journal, status
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Journal(Path(folder), record=True).close()
    ...     status(folder).complete
    True
    """

    models: pd.DataFrame
    reasons: pd.DataFrame
    missing: int
    notes: tuple[str, ...] = ()
    noticed: tuple[str, ...] = ()
    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings: what the run noticed, and the findings of all models."""
        return tuple(dict.fromkeys([*self.noticed, *(text for texts in self.findings.values() for text in texts)]))

    @property
    def complete(self) -> bool:
        """Whether no sample is missing."""
        return self.missing == 0

    def to_frame(self) -> pd.DataFrame:
        """Return the table of models.

        Returns
        -------
        DataFrame
            The attribute `models`.
        """
        return self.models


def status(folder: str | Path) -> Status:
    """Read the status of a recording. Another process may record at the same time.

    Parameters
    ----------
    folder : path
        Folder of the recording.

    Returns
    -------
    Status
        Numbers of recorded, failed and missing samples, tokens and cost.

    Raises
    ------
    RecordError
        If there is no journal in the folder, if it is damaged, or if it has calls of a protocol.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.recorder import Journal, status
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Journal(Path(folder), record=True).close()
    ...     status(folder).missing
    0
    """
    with Journal(Path(folder)) as journal:
        if (protocol := protocol_of(journal)) is not None:
            raise RecordError(
                f"{folder} has runs of the protocol {protocol}, which have no fixed number of calls. Load the pool to "
                "count the finished runs."
            )
        return read_status(journal)


def read_status(journal: Journal) -> Status:
    """Return the status of an open journal."""
    questions: dict[str, int] = {}
    for cell in journal.cells():
        questions[cell.model] = questions.get(cell.model, 0) + 1
    spend = {row["model"]: row for row in journal.spend()}
    rows, is_live = [], "live" in journal.info()
    for model, known in journal.models().items():
        samples = known["samples"]
        row = {"model": model, "questions": questions.get(model, 0), "samples": samples}
        row["recorded"] = sum(journal.counts("samples", model, samples).values())
        row["failed"] = sum(journal.counts("failures", model, samples).values())
        # A strategy that runs live asks for what it needs, so only what it asked for can be missing.
        row["wanted"] = row["recorded"] + row["failed"] if is_live else row["questions"] * samples
        row["missing"] = row["wanted"] - row["recorded"] - row["failed"]
        rows.append(row | {name: value for name, value in spend.get(model, {}).items() if name != "model"})
    names = ["model", "questions", "samples", "wanted", "recorded", "failed", "missing", "requests", "refused"]
    names += ["input_tokens", "output_tokens", "cost", "latency"]
    frame = pd.DataFrame(rows, columns=names)
    counts = ["requests", "refused", "input_tokens", "output_tokens"]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    frame[["cost", "latency"]] = frame[["cost", "latency"]].astype(float)
    reasons = pd.DataFrame(journal.reasons(), columns=["model", "reason", "samples"])
    found = {model: tuple(texts) for model, texts in findings(journal).items()}
    return Status(frame, reasons, int((frame["wanted"] - frame["recorded"]).sum()), findings=found)
