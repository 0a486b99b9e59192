"""Destination of readers. Rows are written to disk in pieces, so memory use is bounded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.importers.conflicts import IDENTIFYING, Conflicts, form
from mssim.pools.arrow import codes_of, encode, encode_text, is_missing
from mssim.pools.row_checks import GROUPS
from mssim.pools.texts import as_text, listed

__all__ = ["COLUMNS", "Sink"]

COLUMNS: dict[str, pa.DataType] = {  # columns of samples
    "question_id": pa.string(), "model": pa.string(), "sample_index": pa.int64(),
    "text": pa.string(), "reasoning": pa.string(), "refusal": pa.string(), "tool_calls": pa.string(),
    "answer": pa.string(), "correct": pa.bool_(), "correct_in_source": pa.bool_(),
    "score": pa.float64(), "confidence": pa.float64(), "mean_logprob": pa.float64(),
    "input_tokens": pa.int64(), "output_tokens": pa.int64(), "cost": pa.float64(), "latency": pa.float64(),
    "request_input_tokens": pa.int64(), "request_output_tokens": pa.int64(), "request_samples": pa.int64(),
    "finish_reason": pa.string(), "served_model": pa.string(), "fingerprint": pa.string(), "request_id": pa.string(),
    "prompt": pa.string(), "system_prompt": pa.string(), "temperature": pa.float64(), "top_p": pa.float64(),
    "top_k": pa.int64(), "max_tokens": pa.int64(), "reasoning_effort": pa.string(),
}  # fmt: skip

_WRITTEN = {**COLUMNS, GROUPS: pa.list_(pa.float64())}
_MOST_ROWS, _MOST_TEXT = 2**14, 2**22  # rows and characters in memory before a piece is written
_LONGEST_NAME = 100  # characters of a name that may distinguish questions


class Sink:
    """Samples and questions of an import, in the order in which readers add them.

    Parameters
    ----------
    folder : Path
        An empty folder, to which pieces of the long table are written.

    Attributes
    ----------
    questions : dict of str to dict
        Columns of each question, by question_id.
    failed : Counter
        Number of requested samples that were not obtained, by reason.
    notes : list of str
        Warnings of the reader.
    remarks : list of str
        Remarks of the reader, which are not warnings.
    info : dict
        Entries for pool.json, such as title, dataset and settings.
    pieces : list of Path
        Parquet files that were written.
    votes : bool
        Whether equal answers vote together. If not, every sample has a distinct answer.
    answers : bool
        Whether answers of the samples are used. If not, samples are only right or wrong.
    graded : bool
        Whether the texts are graded by a rule, so that samples need no verdict.
    remedy : str
        What else than a rule extracts answers from the texts, such as a filter that the files name.
    shuffled : int
        Number of questions whose choices were shuffled, so that their letters were translated to texts.
    verdicts : bool
        Whether `correct` is a verdict of the files, which is kept beside the grades, or was computed by the reader.
    separate : list of str
        Columns of questions whose values the tool reports separately.
    conflicts : Conflicts
        Questions with two truths, texts or lists of choices.
    tell_apart : str
        How different questions with one id are distinguished in this format, without a period at the end.
    renamed : mapping of str to str or None
        Old names of the columns of a table, by their new names. They are used to name a question_id of two columns.
    joined : dict of str to list of str
        Parts of ids that a table joins from several fields, if a part contains the mark between them.
    files : dict of str to column
        Names of the file of each row of a table, such as {folder}, which may distinguish questions.
    without_samples : dict of str to None
        Questions that were added without samples, such as with an empty list.
    remedy_of_verdicts : str
        What to do if a verdict depends on more than the answer, without a period at the end. "" = grade the texts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.questions: dict[str, dict[str, Any]] = {}
        self.failed: Counter[str] = Counter()
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.info: dict[str, Any] = {}
        self.pieces: list[Path] = []
        self.votes = self.verdicts = self.answers = True
        self.graded = False
        self.remedy = ""
        self.shuffled = 0
        self.separate: list[str] = []
        self.conflicts = Conflicts()
        self.tell_apart = "Import them separately"
        self.renamed: Mapping[str, str] | None = None
        self.joined: dict[str, list[str]] = {}
        self.files: dict[str, pa.Array] = {}
        self.remedy_of_verdicts = ""
        self.without_samples: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []
        self._size = self._failures = 0
        self._identities: dict[tuple[str, str], str] = {}
        self._prompts: dict[str, str] = {}
        self._next: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(
        self,
        question_id: str,
        model: str,
        samples: Iterable[Mapping[str, Any]],
        *,
        question: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        prompt: str | None = None,
    ) -> None:
        """Add samples of one model for one question.

        Parameters
        ----------
        question_id, model : str
            Names of the question and of the model.
        samples : iterable of mapping
            Each has `text`, `answer` or `correct`, and other `COLUMNS`. The answer None means that there is no answer.
            Samples without a `sample_index` are numbered consecutively, after those added before.
        question : mapping, optional
            Columns of the question, such as question, truth and choices. Values that are already known are kept.
        settings : mapping, optional
            Columns that all of these samples share, such as temperature.
        prompt : str, optional
            Request to the model. It is the text of the question if no other is known. Prompts to one question may
            differ, for instance in their examples.
        """
        self.describe(question_id, question or {})
        if prompt is not None and "question" not in self.questions[question_id]:
            self._prompts.setdefault(question_id, prompt)
        added = False
        for sample in samples:
            added = True
            row = {"question_id": question_id, "model": model, **(settings or {}), **sample}
            if row.get("sample_index") is None:
                row["sample_index"] = self._next[question_id, model]
            self._next[question_id, model] = int(row["sample_index"]) + 1
            self._rows.append(row)
            self._size += sum(len(row.get(name) or ()) for name in ("text", "reasoning", GROUPS))
            if len(self._rows) >= _MOST_ROWS or self._size >= _MOST_TEXT:
                self._write_rows()
        failures = self.failed.total()
        if not added and failures == self._failures:  # otherwise its samples have failed, which is reported
            self.without_samples[question_id] = None
        self._failures = failures

    def describe(self, question_id: str, question: Mapping[str, Any]) -> None:
        """Add columns of a question. Values that were added before are kept.

        Values that are not text, numbers or Booleans are stored as text. Choices remain a list of text. Another truth,
        text or list of choices than before is recorded in `conflicts`, which the import refuses or leaves out.
        """
        known = self.questions.setdefault(question_id, {})
        given = {
            name: value if name == "choices" or isinstance(value, str | int | float) else str(value)
            for name, value in question.items()
            if not is_missing(value) and name != "question_id"
        }
        for name in IDENTIFYING:
            if name in known and name in given:
                self.conflicts.compare(question_id, name, known[name], given[name])
        for name, value in given.items():
            known.setdefault(name, value)

    def describe_table(self, table: pa.Table) -> None:
        """Add columns of questions from a table, as `describe` does for each row.

        Parameters
        ----------
        table : Table
            Has a column question_id and further columns of questions, in which null values are not known. A question
            may have any number of rows. Of each column, its first value is kept. Other values of truth, question and
            choices are recorded in `conflicts`.
        """
        ids, names = encode_text(table["question_id"])
        for code in dict.fromkeys(ids.tolist()):
            if code >= 0:
                self.describe(names[code], {})
        others = [name for name in table.column_names if name not in ("question_id", *IDENTIFYING)]
        for name in [*(name for name in IDENTIFYING if name in table.column_names), *others]:
            codes = codes_of(table[name])
            known = np.nonzero((codes >= 0) & (ids >= 0))[0]
            of = ids[known].astype(np.int64)
            pairs = of * (int(codes.max(initial=0)) + 1) + codes[known] if name in IDENTIFYING else of
            rows = known[np.sort(np.unique(pairs, return_index=True)[1])]
            for row, value in zip(rows.tolist(), table[name].take(pa.array(rows)).to_pylist(), strict=True):
                self.describe(names[ids[row]], {name: value})

    def telling_column(self, table: pa.Table) -> str | None:
        """Return the column of a long table that distinguishes the questions with conflicts, or None.

        Parameters
        ----------
        table : Table
            Has a column question_id, those of truth, question and choices that exist, and others. Columns of samples
            are not considered, nor are others that describe samples instead of questions: long texts, Booleans and
            numbers with decimals, copies of answers or truths, and what differs between all samples or between the
            files of all models. Of several columns that distinguish the questions, the one with the fewest values is
            returned, such as the name of a data set.
        """
        ids = table["question_id"]
        found = self.conflicts.of(pa.compute.unique(ids).to_pylist())
        rows = table.filter(pa.compute.is_in(ids, value_set=pa.array(found, pa.string())))
        others = [str(name) for name in table.column_names if name not in COLUMNS and name not in IDENTIFYING]
        names = [name for name in others if not _is_of_samples(rows, name, of_files=name in self.files)]
        telling = {name: codes_of(rows[name]) for name in names}
        numbers = {name: np.unique(codes).size for name, codes in telling.items() if (codes >= 0).all()}
        ids_of_rows = codes_of(rows["question_id"]).astype(np.int64)
        values = [_forms(rows, name) for name in IDENTIFYING if name in table.column_names]
        for name in sorted((name for name, number in numbers.items() if number > 1), key=lambda name: numbers[name]):
            groups = ids_of_rows * numbers[name] + np.unique(telling[name], return_inverse=True)[1]
            if all(_at_most_one(groups, codes) for codes in values):
                return name
        return None

    def identify(self, question_id: str, what: str, value: str) -> None:
        """Record a conflict if a question had another value before, such as a hash of its document."""
        known = self._identities.setdefault((question_id, what), value)
        self.conflicts.compare(question_id, what, known, value)

    def described(self) -> list[dict[str, Any]]:
        """Return the columns of all questions. Where no text is known, it is the prompt."""
        for question_id, prompt in self._prompts.items():
            self.questions.setdefault(question_id, {}).setdefault("question", prompt)
        return [{"question_id": question_id, **known} for question_id, known in self.questions.items()]

    def add_table(self, table: pa.Table) -> None:
        """Add a long table, which has the columns question_id and model, without changes.

        It may have the columns truth, question and choices, one of which can differ within a question. Those of the
        imported samples describe the questions, and values that differ are recorded in `conflicts`.
        """
        self._write_rows()
        self._write(table)

    def fail(self, reason: str, number: int = 1) -> None:
        """Count requested samples that were not obtained."""
        self.failed[reason] += number

    def note(self, text: str) -> None:
        """Add a warning, unless it was added before."""
        if text not in self.notes:
            self.notes.append(text)

    def apart(self, column: str) -> None:
        """Say that the tool reports the values of a column of questions separately, such as tasks or subsets.

        If the pool has several of them, the import names them in a remark.
        """
        if column not in self.separate:
            self.separate.append(column)

    def close(self) -> None:
        """Write the remaining rows."""
        self._write_rows()

    def _write_rows(self) -> None:
        if not self._rows:
            return
        keys = set().union(*self._rows)
        names = [name for name in _WRITTEN if name in keys and any(row.get(name) is not None for row in self._rows)]
        if "answer" not in names and any("answer" in row for row in self._rows):
            names.append("answer")  # all None: no answers, as opposed to answers that are not known
        schema = pa.schema([(name, _WRITTEN[name]) for name in names])
        try:
            table = pa.Table.from_pylist(self._rows, schema)
        except (pa.ArrowException, OverflowError) as error:
            raise PoolError(
                f"A value of a sample does not fit the type of its column ({str(error).splitlines()[0]}). Correct it."
            ) from error
        self._rows, self._size = [], 0
        self._write(table)

    def _write(self, table: pa.Table) -> None:
        path = self.folder / f"piece-{len(self.pieces):05}.parquet"
        pa.parquet.write_table(table, path, compression="zstd")
        self.pieces.append(path)


def _is_of_samples(table: pa.Table, name: str, *, of_files: bool) -> bool:
    """Return whether a column describes samples, so that it would give every sample its own question.

    Names of files that each have one model would give every model its own questions.
    """
    column = table[name]
    if pa.types.is_boolean(column.type) or pa.types.is_floating(column.type):
        return True
    texts = [as_text(value) for value in listed(column)]
    if any(len(text) > _LONGEST_NAME for text in texts):
        return True
    for other in [other for other in ("answer", "truth") if other in table.column_names]:
        if 2 * sum(map(eq, texts, map(as_text, listed(table[other])))) > len(texts):
            return True
    if "model" not in table.column_names or np.unique(codes_of(table["model"])).size == 1:
        return False
    models: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for question_id, text, model in zip(table["question_id"].to_pylist(), texts, listed(table["model"]), strict=True):
        models[question_id, text].append(model)
    shared = sum(len({*found} if of_files else found) > 1 for found in models.values())
    return 2 * shared <= len(models)


def _forms(table: pa.Table, name: str) -> NDArray[np.integer[Any]]:
    """Return a code per value of an identifying column, -1 where it is not known."""
    codes, values = encode(table[name])
    known: dict[Any, int] = {}
    places = [known.setdefault(form(name, value), len(known)) for value in values]
    return np.array([*places, -1])[codes]


def _at_most_one(groups: NDArray[np.int64], codes: NDArray[np.integer[Any]]) -> bool:
    """Return whether the known values of each group are equal."""
    known = codes >= 0
    pairs = np.unique(np.stack([groups[known], codes[known]]), axis=1)
    return bool(np.unique(pairs[0]).size == pairs.shape[1])
