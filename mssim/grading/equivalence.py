"""Equality of mathematical answers, as determined by math-verify, for many and untrusted texts.

Every text is parsed once and compared with one answer of each class. Texts with different values are not compared.
Results are cached on disk. math-verify runs in a separate process, see `math_verify_worker`. A process that exceeds
the time limit is killed, and the texts of that comparison count as different.
"""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mssim.errors import MssimError
from mssim.grading import math_verify_worker
from mssim.grading.latex import normal_form

__all__ = ["Judge", "equal_answers"]

_SECONDS = 5.0  # time limit of a request to math-verify
_PATIENCE = 2  # comparisons without a verdict after which a text counts as different from all others
_LONGEST = 1000
_DEEPEST = 60


def equal_answers(answers: Iterable[str], truth: str | None, judge: Judge) -> dict[str, str]:
    """Group the answers to one question.

    Parameters
    ----------
    answers : iterable of str
        Answers in any order.
    truth : str, optional
        The truth, which represents its class.
    judge : Judge
        Client of math-verify.

    Returns
    -------
    dict of str to str
        The representative of the class of each answer.

    Notes
    -----
    The truth comes first, followed by the answers from shortest to longest. Each joins the first class whose
    representative it equals, or starts a new class. Equality of math-verify is not transitive (1/2 = 50%, 50% = 50), so
    classes are never joined, and a lenient verdict affects one answer only.
    """
    order = sorted(set(answers) - {truth}, key=lambda text: (len(text), text))
    found: dict[str, str] = {}
    heads: list[str] = []
    values = np.empty(0, complex)
    for text in order if truth is None else [truth, *order]:
        value = judge.value(text)
        scale = 1e-5 + 1e-6 * np.maximum(np.abs(values), abs(value))
        close = ~(np.abs(values - value) > scale)  # true if a value is unknown
        head = next((heads[i] for i in np.nonzero(close)[0] if judge.equal(heads[i], text)), None)
        if head is None:
            heads.append(text)
            values = np.append(values, value)
        found[text] = head or text
    return found


class Judge:
    """Client of math-verify with a cache. As a context manager, it ends the process on exit.

    Parameters
    ----------
    version : str
        Version of math-verify. Cached verdicts of other versions are not used.
    cache : Path, optional
        SQLite file with parsed values and verdicts. A damaged file is replaced.
    """

    def __init__(self, version: str, cache: Path | None = None) -> None:
        self.version = version
        self.undecided = 0
        self._readings: dict[str, list[Any]] = {}
        self._failures: Counter[str] = Counter()
        self._process: _Process | None = None
        self._cache = _open(cache)

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process:
            self._process.kill()
        self.next_question()
        self._cache.close()

    def next_question(self) -> None:
        """Commit results to disk and clear the memory."""
        self._readings.clear()
        self._failures.clear()
        with suppress(sqlite3.OperationalError):  # the disk is full; results are computed again next time
            self._cache.commit()

    def value(self, text: str) -> complex:
        """Return the value of an expression, or NaN if it has none."""
        form = normal_form(text)
        if isinstance(form, Fraction):
            return complex(form)
        _, value = self._reading(text)
        return complex(*value) if value else complex(np.nan, np.nan)

    def equal(self, a: str, b: str) -> bool:
        """Return whether math-verify considers the texts equal, in either order."""
        if max(self._failures[a], self._failures[b]) >= _PATIENCE:
            return False
        if not (self._reading(a)[0] and self._reading(b)[0]):
            return False
        verdict = self._known("verdict", *sorted((a, b)))
        if verdict is None:
            self.undecided += 1
            self._failures.update(text for text in (a, b) if self._reading(text)[1] is None)
        return bool(verdict)

    def _reading(self, text: str) -> list[Any]:
        if text not in self._readings:
            self._readings[text] = self._read(text)
        return self._readings[text]

    def _read(self, text: str) -> list[Any]:
        if len(text) > _LONGEST or _depth(text) > _DEEPEST or "\0" in text:
            return [False, None]
        reading = self._known("reading", text, "")
        self.undecided += reading is None
        return reading or [False, None]

    def _known(self, kind: str, a: str, b: str) -> Any:
        key = (self.version, kind, a, b)
        row = self._cache.execute("SELECT found FROM asked WHERE (version, kind, a, b) = (?, ?, ?, ?)", key).fetchone()
        if row is None:
            self._process = self._process or _Process()
            found = self._process.ask([a, b] if kind == "verdict" else [a])
            if self._process.dead:
                self._process = None
            row = (json.dumps(found),)
            with suppress(sqlite3.OperationalError):
                self._cache.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?, ?)", (*key, *row))
        return json.loads(row[0])


def _depth(text: str) -> int:
    steps = np.array([(c in "{([") - (c in "})]") for c in text], dtype=int)
    return int(np.abs(np.cumsum(steps)).max(initial=0))


class _Process:
    """A math-verify process. It is a plain subprocess, since multiprocessing would rerun the user's script."""

    def __init__(self) -> None:
        self.dead = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", math_verify_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        if self._send(["1"], 60.0) != [True, [1.0, 0.0]]:
            self.kill()
            raise MssimError(
                'math-verify does not start. Reinstall it: python -m pip install --force-reinstall "mssim[grade]"'
            )

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")  # the process ended

    def ask(self, request: list[str]) -> Any:
        """Return the answer, or None after killing the process because of the time limit."""
        return self._send(request, _SECONDS)

    def _send(self, request: list[str], seconds: float) -> Any:
        assert self._process.stdin
        line = ""
        with suppress(OSError, queue.Empty):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=seconds)
        if not line:
            self.kill()
            return None
        return json.loads(line)

    def kill(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self.dead = True
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        with suppress(OSError):  # part of a request may be unsent
            self._process.stdin.close()


# Cache on disk -------------------------------------------------------------------------------------------------------


def _open(path: Path | None) -> sqlite3.Connection:
    """Open the cache, and replace a damaged or foreign file."""
    try:
        return _checked(path)
    except sqlite3.DatabaseError as error:
        if path is None or "locked" in str(error):
            raise MssimError(f"{path}: is in use by another process. Wait until it ends.") from error
        try:
            path.unlink(missing_ok=True)
            return _checked(path)
        except (OSError, sqlite3.DatabaseError) as failure:
            raise MssimError(f"{path}: cannot be written ({failure}). Remove the file.") from failure


def _checked(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=60)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # the cache can be rebuilt
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS asked (version TEXT, kind TEXT, a TEXT, b TEXT, found TEXT, "
            "PRIMARY KEY (version, kind, a, b)) WITHOUT ROWID"
        )
        connection.execute("SELECT version, kind, a, b, found FROM asked LIMIT 1").fetchall()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
