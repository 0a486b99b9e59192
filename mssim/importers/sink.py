"""Where readers put what they read: rows go to disk in pieces, so that texts are never all in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from mssim.errors import PoolError

__all__ = ["COLUMNS", "Sink"]

COLUMNS: dict[str, pa.DataType] = {  # of samples, all but text optional
    "question_id": pa.string(), "model": pa.string(), "sample_index": pa.int64(),
    "text": pa.string(), "answer": pa.string(), "correct": pa.bool_(),
    "score": pa.float64(), "confidence": pa.float64(), "mean_logprob": pa.float64(),
    "input_tokens": pa.int64(), "output_tokens": pa.int64(), "cost": pa.float64(), "latency": pa.float64(),
    "request_input_tokens": pa.int64(), "request_output_tokens": pa.int64(), "request_samples": pa.int64(),
    "finish_reason": pa.string(), "served_model": pa.string(), "fingerprint": pa.string(), "request_id": pa.string(),
    "prompt": pa.string(), "system_prompt": pa.string(), "temperature": pa.float64(), "top_p": pa.float64(),
    "top_k": pa.int64(), "max_tokens": pa.int64(), "reasoning_effort": pa.string(),
}  # fmt: skip

_MOST_ROWS, _MOST_TEXT = 2**14, 2**22  # held before they are written


class Sink:
    """Samples and questions of an import, in the order in which readers add them.

    Parameters
    ----------
    folder : Path
        Empty; pieces of the long table are written to it.

    Attributes
    ----------
    questions : dict of str to dict
        What describes each question, by question_id.
    failed : Counter
        Samples that were asked for and not had, by reason.
    notes : list of str
        What else a reader of results should know.
    info : dict
        What readers found for pool.json: title, dataset, settings, ...
    pieces : list of Path
    votes : bool
        Whether equal answers may be counted together; if not, every sample is an answer of its own.
    verdicts : bool
        Whether `correct` is what the files say, and worth keeping beside what grading finds; else readers compared.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.questions: dict[str, dict[str, Any]] = {}
        self.failed: Counter[str] = Counter()
        self.notes: list[str] = []
        self.info: dict[str, Any] = {}
        self.pieces: list[Path] = []
        self.votes = self.verdicts = True
        self._rows: list[dict[str, Any]] = []
        self._size = 0
        self._next: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(
        self,
        question_id: str,
        model: str,
        samples: Iterable[Mapping[str, Any]],
        *,
        question: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Add samples of one model for one question.

        Parameters
        ----------
        question_id, model : str
        samples : iterable of mapping
            Each with `text`, `answer` or `correct`, and other `COLUMNS`; an answer that is None is no answer. Numbered
            in the order in which they come, after those added before, unless they have a `sample_index`.
        question : mapping, optional
            question, truth, choices, ...: what is not known yet of the question is added.
        settings : mapping, optional
            Columns that all of these samples share, such as temperature.
        """
        self.describe(question_id, question or {})
        for sample in samples:
            row = {"question_id": question_id, "model": model, **(settings or {}), **sample}
            if row.get("sample_index") is None:
                row["sample_index"] = self._next[question_id, model]
            self._next[question_id, model] = int(row["sample_index"]) + 1
            self._rows.append(row)
            self._size += len(row.get("text") or "")
            if len(self._rows) >= _MOST_ROWS or self._size >= _MOST_TEXT:
                self._write_rows()

    def describe(self, question_id: str, question: Mapping[str, Any]) -> None:
        """Say what is known of a question; two different truths are refused.

        What is neither text, number nor truth value is kept as text, but for choices, a list of text.
        """
        known = self.questions.setdefault(question_id, {})
        for name, given in question.items():
            if given is None or name == "question_id":
                continue
            value = given if name == "choices" or isinstance(given, str | int | float) else str(given)
            if name == "truth" and known.get("truth", value) != value:
                raise PoolError(
                    f"question {question_id!r} has two truths, {known['truth']!r:.80} and {value!r:.80}: "
                    "these files are not about the same questions; import them apart"
                )
            known.setdefault(name, value)

    def add_table(self, table: pa.Table) -> None:
        """Add a long table as it is, with the columns question_id and model."""
        self._write_rows()
        self._write(table)

    def fail(self, reason: str, number: int = 1) -> None:
        """Count samples that were asked for and not had."""
        self.failed[reason] += number

    def note(self, text: str) -> None:
        """Keep something that a reader of results should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def close(self) -> None:
        """Write what is still held."""
        self._write_rows()

    def _write_rows(self) -> None:
        if not self._rows:
            return
        names = [name for name in COLUMNS if any(row.get(name) is not None for row in self._rows)]
        if "answer" not in names and any("answer" in row for row in self._rows):
            names.append("answer")  # known to be none, which is not the same as not known
        schema = pa.schema([(name, COLUMNS[name]) for name in names])
        try:
            table = pa.Table.from_pylist(self._rows, schema)
        except (pa.ArrowException, OverflowError) as error:
            raise PoolError(f"a sample holds what its column cannot ({str(error).splitlines()[0]})") from error
        self._rows, self._size = [], 0
        self._write(table)

    def _write(self, table: pa.Table) -> None:
        path = self.folder / f"piece-{len(self.pieces):05}.parquet"
        pa.parquet.write_table(table, path, compression="zstd")
        self.pieces.append(path)
