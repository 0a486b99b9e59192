"""Another commit of this repository, and times measured with it in a process of its own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent


@contextmanager
def checked_out(commit: str | None) -> Iterator[Path | None]:
    """Yield a temporary folder with the library at a commit and these benchmarks; None without a commit."""
    if commit is None:
        yield None
        return
    archive = _git(commit, "archive", "--format=tar", _hash_of(commit), "mssim")
    with TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
        shutil.copytree(ROOT / "benchmarks", Path(folder) / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)


def _hash_of(commit: str) -> str:
    return _git(commit, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").decode().strip()


def _git(commit: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
    except OSError as error:
        raise SystemExit(f"--against: git cannot run: {error}. Install git.") from None
    if done.returncode:
        raise SystemExit(f"--against: {commit!r} is not a commit of this repository. Use e.g. HEAD~1 or a hash.")
    return done.stdout


class Timer:
    """Process that measures the tasks of `timed` with the library in a folder.

    Attributes
    ----------
    best : dict of str to float
        Best processor time of each task so far, in seconds.
    """

    def __init__(self, tree: Path, name: str, smoke: bool) -> None:
        self._tree, self._name, self._options = tree, name, ["--smoke"] if smoke else []
        self.best: dict[str, float] = {}

    def __enter__(self) -> Timer:
        """Start the process, which first compiles the kernels of all tasks."""
        cache = {} if self._tree == ROOT else {"NUMBA_CACHE_DIR": str(self._tree / "numba")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.timed", *self._options],
            cwd=self._tree,
            env=os.environ | {"PYTHONPATH": str(self._tree)} | cache,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def finish(self) -> list[str]:
        """Wait until all tasks have run once, and return their names."""
        names: list[str] = self._answer()
        self.best = dict.fromkeys(names, np.inf)
        return names

    def run(self, task: str) -> None:
        """Run a task once."""
        print(task, file=self._process.stdin, flush=True)
        self.best[task] = min(self.best[task], self._answer())

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"benchmarks.timed failed with {self._name}")
        return json.loads(line)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
