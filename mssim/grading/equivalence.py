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
from numpy.typing import NDArray

from mssim.errors import MssimError
from mssim.grading import math_verify_worker
from mssim.grading.latex import normal_form
from mssim.grading.math_verify_worker import RELATIVE_TOLERANCE

__all__ = ["Judge", "equal_answers"]

_SECONDS = 5.0  # time limit of a request to math-verify
_PATIENCE = 2  # comparisons without a verdict after which a text counts as different from all others
_LONGEST = 1000
_DEEPEST = 60
_NOISE = 1e-12  # a value that may be a zero with rounding errors

Complex = NDArray[np.complex128]


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
    classes are never joined, and a lenient verdict affects one answer only. Two numbers are equal if their relative
    difference is at most 1e-6, and two exact numbers only if they are identical.
    """
    order = sorted(set(answers) - {truth}, key=lambda text: (len(text), text))
    found: dict[str, str] = {}
    exact: dict[Fraction, str] = {}  # representatives that are exact numbers
    values = _Values()
    for text in order if truth is None else [truth, *order]:
        form = normal_form(text)
        number = form if isinstance(form, Fraction) else None
        head = None if number is None else exact.get(number)
        if head is None:
            value = _as_complex(number) if number is not None else judge.value(text)
            plain = number is not None or judge.is_number(text)
            head = next((h for h in values.near(text, value, plain, number) if judge.equal(h, text)), None)
            if head is None:
                values.add(text, value, plain, number)
                if number is not None:
                    exact[number] = text
        found[text] = head or text
    return found


class _Values:
    """Values of the representatives, by which most pairs are told apart.

    A value is plain if it is that of a number, and not a sum over a set or that of a function at some point.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._values = np.empty(0, complex)
        self._plain, self._exact, self._percent = np.empty((3, 0), bool)

    def add(self, text: str, value: complex, plain: bool, number: Fraction | None) -> None:
        self._texts.append(text)
        self._values = np.append(self._values, value)
        self._plain = np.append(self._plain, plain)
        self._exact = np.append(self._exact, number is not None)
        self._percent = np.append(self._percent, "%" in text)

    def near(self, text: str, value: complex, plain: bool, number: Fraction | None) -> list[str]:
        """Return the representatives that a text may equal, which excludes other exact numbers if it is one."""
        near = self._near(self._values, value, plain)
        if "%" in text:  # 50% may stand for 0.5 and for 50
            near |= self._near(self._values, 100 * value, plain)
        if self._percent.any():
            near |= self._percent & self._near(100 * self._values, value, plain)
        if number is not None:
            near &= ~self._exact
        return [self._texts[place] for place in np.nonzero(near)[0]]

    def _near(self, values: Complex, value: complex, plain: bool) -> NDArray[np.bool_]:
        if not np.isfinite(value):
            return np.ones(values.size, bool)
        size = np.maximum(np.abs(values), abs(value))
        zero = (np.minimum(np.abs(values), abs(value)) == 0) & (size < _NOISE)
        tolerance = np.where(self._plain & plain, np.where(zero, _NOISE, 0), 1e-5) + RELATIVE_TOLERANCE * size
        return ~(np.abs(values - value) > tolerance)  # true if a value is unknown


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
        value = self._reading(text)[1]
        return complex(*value) if value else complex(np.nan, np.nan)

    def is_number(self, text: str) -> bool:
        """Return whether an expression is a number, as opposed to a set, an equation or a function."""
        return bool(self._reading(text)[2])

    def equal(self, a: str, b: str) -> bool:
        """Return whether math-verify considers the texts equal, in either order."""
        if max(self._failures[a], self._failures[b]) >= _PATIENCE:
            return False
        if not (self._reading(a)[0] and self._reading(b)[0]):
            return False
        verdict = self._known("equal", *sorted((a, b)))
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
            return [False, None, False]
        reading = self._known("value", text, "")
        self.undecided += reading is None
        return reading or [False, None, False]

    def _known(self, kind: str, a: str, b: str) -> Any:
        key = (self.version, kind, a, b)
        row = self._cache.execute("SELECT found FROM asked WHERE (version, kind, a, b) = (?, ?, ?, ?)", key).fetchone()
        if row is None:
            self._process = self._process or _Process()
            found = self._process.ask([a, b] if kind == "equal" else [a])
            if self._process.dead:
                self._process = None
            row = (json.dumps(found),)
            with suppress(sqlite3.OperationalError):
                self._cache.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?, ?)", (*key, *row))
        return json.loads(row[0])


def _as_complex(value: Fraction) -> complex:
    try:
        return complex(value)
    except OverflowError:
        return complex(np.inf if value > 0 else -np.inf)


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
        if self._send(["1"], 60.0) != [True, [1.0, 0.0], True]:
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
