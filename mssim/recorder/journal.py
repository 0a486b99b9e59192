"""Journal of a recording: a SQLite database in the pool folder, with one row per sample.

The tables are `samples` and `failures`, keyed by (question, model, sample_index, settings); `requests`, one row per
completed or failed request; `cells`, the hash of settings and prompt for each question and model; `models`, the full
settings; `questions`, their rows as JSON; and `run`, the description of the pool in the plan of the last run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mssim.errors import MssimError, RecordError
from mssim.recorder.sampler import Reply

NAME = "journal.sqlite"
_LOCK = "journal.lock"
_VERSION = 2  # version 1 has no columns for reasoning, refusal and tool_calls
_SCHEMA = """
CREATE TABLE models (model TEXT PRIMARY KEY, identity TEXT, server TEXT, samples INTEGER, info TEXT);
CREATE TABLE run (info TEXT);
CREATE TABLE questions (place INTEGER PRIMARY KEY, question TEXT UNIQUE, row TEXT);
CREATE TABLE cells (question TEXT, model TEXT, settings TEXT, PRIMARY KEY (question, model)) WITHOUT ROWID;
CREATE TABLE requests (
    request INTEGER PRIMARY KEY, model TEXT, question TEXT, server TEXT, asked INTEGER, choices INTEGER, error TEXT,
    input_tokens INTEGER, output_tokens INTEGER, cost REAL, latency REAL, served_model TEXT, fingerprint TEXT,
    request_id TEXT, time REAL);
CREATE TABLE samples (
    question TEXT, model TEXT, sample_index INTEGER, settings TEXT, text TEXT NOT NULL, finish_reason TEXT,
    confidence REAL, output_tokens INTEGER, request INTEGER REFERENCES requests,
    reasoning TEXT, refusal TEXT, tool_calls TEXT,
    PRIMARY KEY (question, model, sample_index, settings));
CREATE TABLE failures (
    question TEXT, model TEXT, sample_index INTEGER, settings TEXT, reason TEXT, request INTEGER REFERENCES requests,
    PRIMARY KEY (question, model, sample_index, settings));
"""
BESIDES = ("reasoning", "refusal", "tool_calls")  # what a sample may have besides its text
_FROM_1 = "".join(f"ALTER TABLE samples ADD COLUMN {name} TEXT; " for name in BESIDES)
_OF_SAMPLE = ["sample_index", "text", "finish_reason", "confidence", "output_tokens"]
_OF_REQUEST = ["output_tokens", "input_tokens", "choices", "cost", "latency"]
_OF_REQUEST += ["served_model", "fingerprint", "request_id", "time"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A question for a model. `settings` is the hash of everything that affects the answer."""

    question: str
    model: str
    settings: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one request.

    Attributes
    ----------
    cell : Cell
        Question, model and settings of the request.
    server : str
        Base URL of the server.
    asked : int
        Number of requested samples.
    indices : sequence of int
        Sample indices of the returned choices.
    reply : Reply, optional
        The reply of the server.
    error : str, optional
        Reason why there is no reply or no choice.
    failed : sequence of int
        Sample indices that are given up.
    latency : float
        Duration of the request in seconds.
    time : float
        End of the request, in seconds since 1970 UTC.
    cost : float, optional
        Cost in the currency of the prices.
    """

    cell: Cell
    server: str
    asked: int
    indices: Sequence[int]
    reply: Reply | None
    error: str | None
    failed: Sequence[int]
    latency: float
    time: float
    cost: float | None


class Journal:
    """An open journal, with one writing thread and any number of readers.

    Parameters
    ----------
    folder : Path
        Folder of the recording.
    record : bool, default False
        Whether to open the journal for recording. It is created if it does not exist. Only one process may record.

    Raises
    ------
    RecordError
        If there is no journal in the folder, or if `record` is set and another process records.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.recorder import Journal
    >>> with tempfile.TemporaryDirectory() as folder, Journal(Path(folder), record=True) as journal:
    ...     journal.count()
    0
    """

    def __init__(self, folder: Path, *, record: bool = False) -> None:
        self.path = folder / NAME
        self._lock: sqlite3.Connection | None = None
        if folder.exists() and not folder.is_dir():
            raise RecordError(f"{folder} is not a folder. Name the folder of a recording, or a new folder.")
        with self._clear_errors():
            if record:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(folder / _LOCK)
            elif not self.path.is_file():
                raise RecordError(f"{folder} does not contain {NAME}. Name the folder of a recording.")
            try:
                self._writer = self._connect("rwc") if record else self._connect_to_read()
                self._prepare(record)
                self._reader = self._connect("ro") if record else self._writer
            except BaseException:
                self.close()
                raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?{'immutable=1' if mode == 'immutable' else f'mode={mode}'}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=60)

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect("ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:  # a read-only folder, in which SQLite cannot create its lock
            connection.close()
            if self.path.with_name(f"{NAME}-wal").exists():
                raise
            connection = self._connect("immutable")
        return connection

    def _prepare(self, record: bool) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if record:
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")  # commits survive power failures
        if record and version == 0:
            self._writer.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT")
        elif record and version == 1:
            self._writer.executescript(f"BEGIN IMMEDIATE; {_FROM_1} PRAGMA user_version = {_VERSION}; COMMIT")
        elif version not in (1, _VERSION):
            raise RecordError(
                f"{self.path} has version {version}, but this mssim reads version 1 or {_VERSION}. Use the mssim that "
                "recorded it."
            )
        self._besides = () if version == 1 and not record else BESIDES

    def close(self) -> None:
        """Close the journal and release its lock."""
        for name in ("_reader", "_writer", "_lock"):
            connection = getattr(self, name, None)
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except MssimError:
            raise
        except (sqlite3.OperationalError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RecordError(
                f"{self.path}: cannot be read or written ({reason}). Committed samples are kept. Check permissions and "
                "free space, then rerun the same command to resume."
            ) from error
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise RecordError(
                f"{self.path} is damaged ({error}). Restore it from a copy, or record into another folder."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._clear_errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        with self._clear_errors():
            return self._reader.execute(query, tuple(values)).fetchall()

    # The plan.

    def models(self) -> dict[str, dict[str, Any]]:
        """Return identity, server, samples and further entries of each model, as of the last run."""
        rows = self._read("SELECT model, identity, server, samples, info FROM models ORDER BY rowid")
        with self._clear_errors():
            return {
                model: {"identity": json.loads(identity), "server": server, "samples": samples, **json.loads(info)}
                for model, identity, server, samples, info in rows
            }

    def info(self) -> dict[str, Any]:
        """Return the description of the pool in the plan of the last run."""
        with self._clear_errors():
            return dict(item for (row,) in self._read("SELECT info FROM run") for item in json.loads(row).items())

    def cells(self) -> Iterator[Cell]:
        """Iterate over all cells, by model and then by question, in order of insertion."""
        rows = self._read(
            "SELECT q.question, m.model, c.settings FROM models m CROSS JOIN questions q "
            "JOIN cells c ON c.question = q.question AND c.model = m.model ORDER BY m.rowid, q.place"
        )
        return (Cell(*row) for row in rows)

    def questions(self) -> list[dict[str, Any]]:
        """Return all questions, in order of insertion."""
        with self._clear_errors():
            return [json.loads(row) for (row,) in self._read("SELECT row FROM questions ORDER BY place")]

    def has_samples(self, model: str, question: str | None = None) -> bool:
        """Return whether there are samples of a model, or of a model and a question."""
        condition, values = ("", (model,)) if question is None else (" AND question = ?", (model, question))
        return bool(self._read(f"SELECT EXISTS (SELECT 1 FROM samples WHERE model = ?{condition})", values)[0][0])

    def write_plan(
        self,
        models: Mapping[str, Mapping[str, Any]],
        questions: Iterable[Mapping[str, Any]],
        cells: Iterable[Cell],
        info: Mapping[str, Any],
    ) -> None:
        """Store a plan. Each model has identity, server, samples and further entries."""
        rows = [
            (name, json.dumps(m["identity"]), m["server"], m["samples"], json.dumps(_others(m)))
            for name, m in models.items()
        ]
        with self._transaction() as writer:
            writer.execute("DELETE FROM run")
            writer.execute("INSERT INTO run VALUES (?)", (json.dumps(info),))
            writer.executemany(
                "INSERT INTO models VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET identity = excluded.identity, "
                "server = excluded.server, samples = excluded.samples, info = excluded.info",
                rows,
            )
            _insert_questions(writer, questions, cells)
            writer.execute(  # failures of settings that were replaced
                "DELETE FROM failures AS f WHERE NOT EXISTS (SELECT 1 FROM cells c WHERE c.question = f.question "
                "AND c.model = f.model AND c.settings = f.settings)"
            )

    def add_questions(self, questions: Iterable[Mapping[str, Any]], cells: Iterable[Cell]) -> None:
        """Add questions to the plan."""
        with self._transaction() as writer:
            _insert_questions(writer, questions, cells)

    # The results.

    def store(self, outcomes: Sequence[Outcome]) -> None:
        """Commit the results of several requests in one transaction."""
        with self._transaction() as writer:
            for outcome in outcomes:
                _insert(writer, outcome)

    def missing(self, cell: Cell, start: int, stop: int, *, retry_failed: bool = False) -> list[int]:
        """Return sample indices in [start, stop) that are not recorded and, without `retry_failed`, not given up."""
        done = set()
        for table in ("samples",) if retry_failed else ("samples", "failures"):
            done |= {
                index
                for (index,) in self._read(
                    f"SELECT sample_index FROM {table} WHERE question = ? AND model = ? AND settings = ? "
                    "AND sample_index >= ? AND sample_index < ?",
                    (cell.question, cell.model, cell.settings, start, stop),
                )
            }
        return [index for index in range(start, stop) if index not in done]

    def counts(self, table: str, model: str, samples: int) -> dict[str, int]:
        """Count the first `samples` of each question in the table "samples" or "failures"."""
        query = f"SELECT question, COUNT(*) FROM {table} WHERE model = ? AND sample_index < ? GROUP BY question"
        return dict(self._read(query, (model, samples)))

    def count(self) -> int:
        """Return the number of samples."""
        return int(self._read("SELECT COUNT(*) FROM samples")[0][0])

    def unpriced(self) -> list[tuple[str, int, int, int]]:
        """Return model, input and output tokens of requests without a cost, and the number without tokens."""
        return self._read(
            "SELECT model, IFNULL(SUM(CASE WHEN cost IS NULL THEN input_tokens END), 0), "
            "IFNULL(SUM(CASE WHEN cost IS NULL THEN output_tokens END), 0), "
            "SUM(choices > 0 AND (input_tokens IS NULL OR output_tokens IS NULL)) FROM requests GROUP BY model"
        )

    def spend(self) -> list[dict[str, Any]]:
        """Return requests, tokens, cost and latency of each model, over all runs."""
        names = ("model", "requests", "refused", "input_tokens", "output_tokens", "cost", "latency")
        rows = self._read(
            "SELECT model, COUNT(*), COUNT(error), SUM(input_tokens), SUM(output_tokens), SUM(cost), AVG(latency) "
            "FROM requests GROUP BY model"
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def reasons(self) -> list[tuple[str, str, int]]:
        """Return model, reason and number of the samples that were given up, most frequent first."""
        return self._read("SELECT model, reason, COUNT(*) FROM failures GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2")

    def period(self) -> tuple[float, float] | None:
        """Return the ends of the first and of the last request, in seconds since 1970 UTC."""
        first, last = self._read("SELECT MIN(time), MAX(time) FROM requests")[0]
        return None if first is None else (first, last)

    def samples(self, cell: Cell, start: int = 0, stop: int = 2**62) -> list[dict[str, Any]]:
        """Return the samples of a cell in [start, stop) with the columns of their requests, in order."""
        of_sample = (*_OF_SAMPLE, *self._besides)
        columns = ", ".join([f"s.{name}" for name in of_sample] + [f"r.{name}" for name in _OF_REQUEST])
        rows = self._read(
            f"SELECT {columns} FROM samples s JOIN requests r USING (request) "
            "WHERE s.question = ? AND s.model = ? AND s.settings = ? AND s.sample_index >= ? AND s.sample_index < ? "
            "ORDER BY s.sample_index",
            (cell.question, cell.model, cell.settings, start, stop),
        )
        names = (*of_sample, "request_output_tokens", *_OF_REQUEST[1:])
        return [dict(zip(names, map(_as_text, row), strict=True)) for row in rows]

    def any_sample(self, condition: str) -> bool:
        """Return whether a sample, joined with its request, satisfies an SQL condition."""
        query = f"SELECT EXISTS (SELECT 1 FROM samples s JOIN requests r USING (request) WHERE {condition})"
        return bool(self._read(query)[0][0])

    def besides(self) -> list[str]:
        """Return the columns of `BESIDES` that some sample has."""
        return [name for name in self._besides if self.any_sample(f"s.{name} IS NOT NULL")]

    def query(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL query. Columns that the journal lacks are NULL in the view `all_samples`."""
        lacking = "".join(f", NULL AS {name}" for name in BESIDES if name not in self._besides)
        view = f"WITH all_samples AS (SELECT *{lacking} FROM samples) "
        return [tuple(map(_as_text, row)) for row in self._read(view + query, values)]


def _locked(path: Path) -> sqlite3.Connection:
    # The operating system releases this lock even if the process is killed.
    lock = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise
        raise RecordError(
            f"{path.parent}: another process records into this folder. Wait until it ends, or use another folder."
        ) from None
    return lock


def _insert_questions(
    writer: sqlite3.Connection, questions: Iterable[Mapping[str, Any]], cells: Iterable[Cell]
) -> None:
    writer.executemany(
        "INSERT INTO questions (question, row) VALUES (?, ?) ON CONFLICT (question) DO UPDATE SET row = excluded.row",
        ((q["question_id"], json.dumps(q, default=str)) for q in questions),
    )
    writer.executemany(
        "INSERT INTO cells VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET settings = excluded.settings",
        ((c.question, c.model, c.settings) for c in cells),
    )


def _insert(writer: sqlite3.Connection, outcome: Outcome) -> None:
    cell, reply = outcome.cell, outcome.reply or Reply(())
    error = outcome.error and outcome.error.encode("utf-8", "replace").decode()
    request = writer.execute(
        "INSERT INTO requests (model, question, server, asked, choices, error, input_tokens, output_tokens, cost, "
        "latency, served_model, fingerprint, request_id, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(cell.model, cell.question, outcome.server, outcome.asked, len(reply.choices), error),
            *(reply.input_tokens, reply.output_tokens, outcome.cost, outcome.latency),
            *(_storable(reply.served_model), _storable(reply.fingerprint), _storable(reply.request_id), outcome.time),
        ),
    ).lastrowid
    key = (cell.question, cell.model, cell.settings)
    for index, choice in zip(outcome.indices, reply.choices, strict=False):
        writer.execute(
            "INSERT INTO samples (question, model, settings, sample_index, text, finish_reason, confidence, "
            "output_tokens, request, reasoning, refusal, tool_calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(*key, index, _storable(choice.text), _storable(choice.finish_reason)),
                *(choice.confidence, choice.output_tokens, request),
                *(_storable(choice.reasoning), _storable(choice.refusal), _storable(choice.tool_calls)),
            ),
        )
        writer.execute(
            "DELETE FROM failures WHERE question = ? AND model = ? AND settings = ? AND sample_index = ?", (*key, index)
        )
    writer.executemany(
        "INSERT OR REPLACE INTO failures (question, model, settings, sample_index, reason, request) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        ((*key, index, error, request) for index in outcome.failed),
    )


def _storable(text: str | None) -> str | bytes | None:
    """Encode a text with lone surrogates, which JSON allows but SQLite does not, as bytes."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _as_text(stored: Any) -> Any:
    """Decode a text that was stored as bytes, and return any other value unchanged."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def _others(model: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name not in ("identity", "server", "samples")}
