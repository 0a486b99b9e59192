"""Results of runs of a protocol: per run and in total."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Played", "ProtocolRun"]

_NUMBERS = ("calls", "input_tokens", "output_tokens", "cost", "latency")


@dataclass(frozen=True)
class Played:
    """One finished run of a protocol on one question.

    Attributes
    ----------
    question_id : str
        The question.
    run : int
        Number of the run, from 0.
    text : str
        Text from which the answer is extracted.
    ended : str
        Why the run ended.
    calls : int
        Number of calls.
    finish_reason : str, optional
        Reason why the call with the text ended.
    input_tokens, output_tokens : int, optional
        Tokens of all calls; None if a server does not report them.
    cost : float, optional
        Cost of all calls in the currency of the prices; None without prices.
    latency : float
        Seconds: the sum over rounds of the longest call.

    Examples
    --------
    >>> from mssim.live import Played
    >>> Played("q1", 0, "It is 7.", "rounds", 6, "stop", 300, 60, None, 2.5).calls
    6
    """

    question_id: str
    run: int
    text: str
    ended: str
    calls: int
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    latency: float


@dataclass(frozen=True)
class ProtocolRun:
    """Result of `run_protocol`.

    Attributes
    ----------
    protocol : str
        The protocol as text.
    name : str
        Name of the model in the pool.
    out : Path
        Folder of the pool.
    questions, runs : int
        Numbers of questions, and of runs per question that were asked for.
    table : DataFrame
        The finished runs, see `to_frame`.
    spent : DataFrame
        What all calls in the folder have used, with those of unfinished runs and refused requests. The columns are
        model, requests, refused, input_tokens, output_tokens, cost and latency (mean of a request).
    reasons : DataFrame
        Reasons why calls were given up, with the columns model, reason and samples.
    notes : tuple of str
        Reasons why runs are unfinished.
    warnings : tuple of str
        What was noticed about the calls, such as replies that were cut off.
    currency : str
        Currency of the cost, empty without prices.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from mssim.live import run_protocol
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),), 10, 4)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     result = run_protocol(
    ...         questions, plan, "debate:parrot", 2, out, rule="number", sampler=lambda server: Parrot()
    ...     )
    >>> result.to_frame()[["question_id", "run", "answer", "correct", "calls", "tokens", "ended"]]
      question_id  run answer  correct  calls  tokens   ended
    0           q    0      2     True      6    84.0  rounds
    1           q    1      2     True      6    84.0  rounds
    >>> result.accuracy, result.complete
    (1.0, True)
    """

    protocol: str
    name: str
    out: Path
    questions: int
    runs: int
    table: pd.DataFrame
    spent: pd.DataFrame
    reasons: pd.DataFrame
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    currency: str = ""

    @property
    def unfinished(self) -> int:
        """Number of runs that were asked for and are not finished."""
        return self.questions * self.runs - int((self.table["run"] < self.runs).sum())

    @property
    def complete(self) -> bool:
        """Whether all runs are finished."""
        return self.unfinished == 0

    @property
    def accuracy(self) -> float:
        """Share of right answers, as the mean over questions that have finished runs and a truth; NaN without any."""
        shares = self.table["correct"].astype(float).groupby(self.table["question_id"]).mean()
        return float(shares.mean()) if len(shares) else math.nan

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per finished run.

        Returns
        -------
        DataFrame
            The columns question_id, run, answer, correct (None without a truth), calls, tokens, input_tokens,
            output_tokens, cost, latency, ended and text.
        """
        return self.table

    def totals(self) -> dict[str, Any]:
        """Return means over the finished runs, and how many there are.

        Returns
        -------
        dict
            The entries protocol, questions, runs, unfinished, accuracy, calls, tokens, output_tokens, cost and latency,
            with NaN for what is unknown.
        """
        means = {
            name: float(self.table[name].mean()) for name in ("calls", "tokens", "output_tokens", "cost", "latency")
        }
        asked = {"protocol": self.protocol, "questions": self.questions, "runs": self.runs}
        return {**asked, "unfinished": self.unfinished, "accuracy": self.accuracy, **means}

    def ends(self) -> pd.DataFrame:
        """Return how many runs ended for which reason.

        Returns
        -------
        DataFrame
            The columns ended, runs and calls (mean).
        """
        groups = self.table.groupby("ended")["calls"].agg(["size", "mean"]).reset_index()
        return groups.set_axis(["ended", "runs", "calls"], axis=1)


def table_of(played: list[Played], graded: pd.DataFrame) -> pd.DataFrame:
    """Return the table of finished runs, with answers and verdicts of the graded pool.

    Examples
    --------
    >>> graded = pd.DataFrame({"question_id": ["q1"], "sample_index": [0], "answer": ["7"], "correct": [True]})
    >>> run = Played("q1", 0, "It is 7.", "rounds", 6, "stop", 300, 60, None, 2.5)
    >>> table_of([run], graded)[["answer", "correct", "tokens"]]
      answer  correct  tokens
    0      7     True   360.0
    """
    names = ["question_id", "run", *_NUMBERS, "ended", "text"]
    table = pd.DataFrame([[getattr(one, name) for name in names] for one in played], columns=names)
    numbers = ["input_tokens", "output_tokens", "cost", "latency"]
    table[numbers] = table[numbers].astype(float)
    table["tokens"] = table["input_tokens"] + table["output_tokens"]
    verdicts = graded.rename(columns={"sample_index": "run"})[["question_id", "run", "answer", "correct"]]
    table = table.merge(verdicts, how="left", on=["question_id", "run"])
    return table[["question_id", "run", "answer", "correct", "calls", "tokens", *_NUMBERS[1:], "ended", "text"]]


def spent_by(rows: Sequence[Mapping[str, Any]], model_of: Callable[[str], str]) -> pd.DataFrame:
    """Return requests, tokens, cost and mean latency by model, from those of its calls.

    Examples
    --------
    >>> rows = [{"model": f"a as round {i}", "requests": 2, "refused": 0, "input_tokens": 5, "output_tokens": 1,
    ...          "cost": None, "latency": float(i)} for i in (1, 2)]
    >>> spent_by(rows, lambda name: name.partition(" as ")[0])[["model", "requests", "input_tokens", "latency"]]
      model  requests  input_tokens  latency
    0     a         4            10      1.5
    """
    names = ["model", "requests", "refused", "input_tokens", "output_tokens", "cost", "latency"]
    frame = pd.DataFrame([{**row, "model": model_of(row["model"])} for row in rows], columns=names)
    frame["latency"] = frame["latency"].astype(float) * frame["requests"]
    frame["cost"] = frame["cost"].astype(float)
    sums = frame.groupby("model", sort=False).sum(min_count=1).reset_index()
    sums["latency"] /= np.maximum(sums["requests"], 1)
    counts = ["requests", "refused", "input_tokens", "output_tokens"]
    sums[counts] = sums[counts].fillna(0).astype("int64")
    return sums
