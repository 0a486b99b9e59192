"""Checkpoints: finished blocks of a job in an SQLite file, with all information required to resume or merge them.

The file has three tables. `run` has one row: `settings` (JSON of everything that determines the numbers), `provenance`
(JSON) and the questions as Parquet. `blocks` has one row per finished block: its number, the fields of `Block` as JSON,
and the arrays of its outcomes, concatenated as little-endian float64. `shards` lists the shards of the file. `crc` is
the CRC-32 of the other columns of a row.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mssim._files import usable_path
from mssim.engine.blocks import Block, Outcome, SharedOutcome
from mssim.errors import MssimError
from mssim.rules.plan import QUANTITIES, Plan

__all__ = ["Checkpoint", "FilePath", "Header", "differences"]

FilePath = str | os.PathLike[str]

_APPLICATION = int.from_bytes(b"mssm")
_VERSION = 3
_COMMIT_EVERY = 1.0  # seconds of work that a crash can lose
_SCHEMA = """
CREATE TABLE run (settings TEXT NOT NULL, provenance TEXT NOT NULL, questions BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE shards (i INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (i, n)) WITHOUT ROWID;
CREATE TABLE blocks (number INTEGER PRIMARY KEY, block TEXT NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Header:
    """Facts of a run that are known before its first block.

    Attributes
    ----------
    settings : mapping
        Everything that determines the numbers. Files with equal settings belong to one run.
    provenance : mapping
        As in `Evaluation`.
    questions : bytes
        The questions as Parquet.
    """

    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    questions: bytes


class Checkpoint:
    """Open checkpoint, which no other process can open at the same time.

    Parameters
    ----------
    path : path
        Path of the file.
    header : Header, optional
        Header of the run. The file is opened for writing and created if it does not exist. Without a header, it is
        opened for reading.

    Raises
    ------
    MssimError
        If the file is in use, damaged, not a checkpoint, of another run or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], header: Header | None = None) -> None:
        self.path = usable_path(path, "checkpoint")
        if self.path.is_dir():
            raise MssimError(f"{self.path} is a folder. Use the path of a file.")
        if header is None and not self.path.is_file():
            raise MssimError(
                f"{self.path} does not exist. Use a checkpoint written by evaluate_shard(..., checkpoint=FILE)."
            )
        if not self.path.absolute().parent.is_dir():
            raise MssimError(f"{self.path}: the folder {self.path.absolute().parent} does not exist. Create it first.")
        with self.clear_errors():
            self._file = self._connect("rw" if header is None else "rwc")
            try:
                self._lock(header)
                self.header = self._read_header() if header is None else self._continue(header)
                self._held = {number for (number,) in self._file.execute("SELECT number FROM blocks")}
            except BaseException:
                self._file.close()
                raise
        self._committed = time.monotonic()

    def _connect(self, mode: str) -> sqlite3.Connection:
        # The default journal of SQLite, a second file, also works on network file systems.
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0.2)

    def _lock(self, header: Header | None) -> None:
        """Lock the file until it is closed or this process ends."""
        try:
            if header is not None:
                self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("BEGIN" if header is None else "BEGIN EXCLUSIVE")
            tables = self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise MssimError(
                f"{self.path} is in use by another process. Wait until it ends, or use another file."
            ) from None
        application = self._file.execute("PRAGMA application_id").fetchone()[0]
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if header is not None and not tables:
            for statement in _SCHEMA.split(";"):
                self._file.execute(statement)
            self._file.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._file.execute(f"PRAGMA user_version = {_VERSION}")
            self._write_header(header)
        elif application != _APPLICATION:
            raise MssimError(f"{self.path} is not a checkpoint of mssim and is not overwritten. Use another file.")
        elif version != _VERSION:
            raise MssimError(
                f"{self.path}: unsupported checkpoint version {version}. This mssim reads version {_VERSION}."
            )
        if header is not None:
            self._file.execute("COMMIT")

    # Header ---------------------------------------------------------------------------------------------------------

    def _write_header(self, header: Header) -> None:
        row = (json.dumps(header.settings), json.dumps(header.provenance, default=str), header.questions)
        self._file.execute("INSERT INTO run VALUES (?, ?, ?, ?)", (*row, _crc(*row)))

    def _read_header(self) -> Header:
        found = self._file.execute("SELECT settings, provenance, questions, crc FROM run").fetchall()
        if len(found) != 1:
            raise ValueError(f"{len(found)} headers instead of 1")
        *row, crc = found[0]
        if _crc(*row) != crc:
            raise ValueError("the checksum of the header is wrong")
        settings, provenance, questions = row
        return Header(json.loads(settings), json.loads(provenance), questions)

    def _continue(self, header: Header) -> Header:
        found = self._read_header()
        differs = differences(found.settings, json.loads(json.dumps(header.settings)))
        if differs:
            said = "; ".join(f"{name}: {there} in the file, {here} here" for name, there, here in differs[:3])
            raise MssimError(
                f"{self.path} belongs to another run ({said}). Use the settings of that run to resume it, or another "
                "file to start a new run."
            )
        return header

    # Blocks ---------------------------------------------------------------------------------------------------------

    @property
    def held(self) -> frozenset[int]:
        """Numbers of the finished blocks."""
        return frozenset(self._held)

    def add(self, number: int, block: Block, outcome: Outcome | SharedOutcome) -> bool:
        """Write a finished block, and return whether it is new. `commit_in_time` makes it durable."""
        if number in self._held:
            return False
        text = block.text
        data = b"".join(np.ascontiguousarray(values, dtype="<f8").tobytes() for values in (_lengths(outcome), *outcome))
        with self.clear_errors():
            if not self._file.in_transaction:
                self._file.execute("BEGIN")
            # After an interrupt before the number is noted, the same block is added again.
            row = (number, text, data, _crc(number, text, data))
            self._file.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", row)
        self._held.add(number)
        return True

    def commit_in_time(self) -> None:
        """Commit if the last commit was at least a second ago."""
        if time.monotonic() - self._committed >= _COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Make all added blocks durable."""
        with self.clear_errors():
            if self._file.in_transaction:
                self._file.execute("COMMIT")
        self._committed = time.monotonic()

    def blocks(self) -> Iterator[tuple[int, Block, bytes]]:
        """Yield every finished block: its number, its definition, and its arrays for `outcome_of`."""
        with self.clear_errors():
            for number, text, data, crc in self._file.execute("SELECT number, block, data, crc FROM blocks"):
                if _crc(number, text, data) != crc:
                    raise ValueError(f"the checksum of block {number} is wrong")
                yield number, Block.read(text), data

    def outcome_of(self, block: Block, plans: Sequence[Plan], data: bytes) -> Outcome | SharedOutcome:
        """Return the arrays of a block."""
        with self.clear_errors():
            values = np.frombuffer(data, "<f8").astype(float)
            first, second = (int(n) for n in values[:2])
            shape = (len(block.budgets), len(block.questions))
            n_plans, n_stages = len(block.plans), max(len(plans[i].models) for i in block.plans)
            if second < 0:
                shapes = [shape, (n_stages, *shape), shape, (len(QUANTITIES), *shape), (first, 2)]
            else:
                one = (n_plans, *shape)
                shapes = [one, (first, n_stages, *shape), (second, *one)]
            parts = np.split(values[2:], np.cumsum([math.prod(its) for its in shapes[:-1]]))
            found = [part.reshape(its) for part, its in zip(parts, shapes, strict=True)]
            return Outcome(*found) if second < 0 else SharedOutcome(*found)

    # Shards ---------------------------------------------------------------------------------------------------------

    def note_shard(self, i: int, n: int) -> None:
        """Add a shard to the list of shards of the file."""
        with self.clear_errors():
            self._file.execute("INSERT OR IGNORE INTO shards VALUES (?, ?)", (i, n))

    def shards(self) -> list[tuple[int, int]]:
        """Return the shards of the file."""
        with self.clear_errors():
            return list(self._file.execute("SELECT i, n FROM shards"))

    # Closing and errors ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Commit, and unlock the file."""
        try:
            self.commit()
        finally:
            with suppress(sqlite3.Error):
                self._file.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Convert errors of SQLite and of damaged data to errors that name the file."""
        try:
            yield
        except MssimError:
            raise
        except sqlite3.OperationalError as error:
            if str(error).startswith("no such"):  # table or column
                raise self._damaged(error) from error
            raise MssimError(
                f"{self.path}: cannot be read or written ({error}). Check permissions and free space of its folder, "
                "then repeat the call; finished blocks are kept."
            ) from error
        except (sqlite3.Error, pa.ArrowException, ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> MssimError:
        return MssimError(
            f"{self.path} is damaged or not a checkpoint of mssim ({error}), and is not overwritten. Use another file."
        )


def _lengths(outcome: Outcome | SharedOutcome) -> NDArray[np.float64]:
    """Return the lengths of the arrays that vary; the second is negative for the outcome of one plan."""
    if isinstance(outcome, SharedOutcome):
        return np.array([len(outcome.stopped), len(outcome.control)], dtype=np.float64)
    return np.array([len(outcome.histogram), -1], dtype=np.float64)


def _crc(*parts: str | bytes | int) -> int:
    crc = 0
    for part in parts:
        crc = zlib.crc32(part if isinstance(part, bytes) else str(part).encode(), crc)
    return crc


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return names and values of settings that differ between two runs; blocks only if nothing else differs."""
    found = _differences(one, other)
    return [one_of_them for one_of_them in found if not one_of_them[0].startswith("blocks ")] or found


def _differences(one: Any, other: Any, name: str = "") -> list[tuple[str, str, str]]:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [(name, _short(one), _short(other))]
    keys = [*one, *(key for key in other if key not in one)]
    return [
        found for key in keys for found in _differences(one.get(key), other.get(key), f"{name} {key}" if name else key)
    ]


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]} ... {text[-15:]}"
