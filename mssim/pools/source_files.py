"""Parquet files from which a pool was loaded, so that other processes can read parts of it themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

__all__ = ["SourceFiles", "keep_source", "source_files", "source_of"]

_sources: WeakKeyDictionary[Any, SourceFiles] = WeakKeyDictionary()  # by pool


@dataclass(frozen=True)
class SourceFiles:
    """Files of a pool, and which questions their row groups have.

    Questions are numbered in the order in which they were loaded, which a selection of questions keeps.
    """

    paths: tuple[str, ...]
    groups: NDArray[np.int64]  # [group, 2], number of the file, and of the row group in it
    spans: NDArray[np.int64]  # [group, 2], first and last question of the row group
    rows: NDArray[np.int64]  # [group], its rows
    questions: NDArray[np.int64]  # [question of the pool]

    def select(self, questions: NDArray[np.int_]) -> SourceFiles:
        """Return the files for some of the questions of the pool, given by their indices."""
        return replace(self, questions=self.questions[questions])

    def holding(self, questions: NDArray[np.int_]) -> NDArray[np.int64]:
        """Return the row groups that can have rows of some questions of the pool."""
        wanted = np.sort(self.questions[questions])
        before = np.searchsorted(wanted, self.spans[:, 0], side="left")
        return np.nonzero(np.searchsorted(wanted, self.spans[:, 1], side="right") > before)[0]

    def by_file(self, groups: NDArray[np.int64]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return the paths of row groups with their numbers in each file."""
        files = np.unique(self.groups[groups, 0]).tolist()
        numbers = [self.groups[groups[self.groups[groups, 0] == file], 1].tolist() for file in files]
        return tuple((self.paths[file], tuple(mine)) for file, mine in zip(files, numbers, strict=True))


def source_files(files: Sequence[Path], question: NDArray[np.signedinteger[Any]]) -> SourceFiles | None:
    """Return the files whose rows have these questions, or None if they are not Parquet or differ by now."""
    if not files or any(path.suffix.lower() != ".parquet" for path in files):
        return None
    try:
        every = [pyarrow.parquet.read_metadata(path) for path in files]
    except (OSError, pa.ArrowException):
        return None
    sizes = [(i, g, data.row_group(g).num_rows) for i, data in enumerate(every) for g in range(data.num_row_groups)]
    kept = np.array([size for size in sizes if size[2]], np.int64).reshape(-1, 3)
    ends = kept[:, 2].cumsum()
    if not len(kept) or ends[-1] != question.size:
        return None
    starts = ends - kept[:, 2]
    spans = np.column_stack([np.minimum.reduceat(question, starts), np.maximum.reduceat(question, starts)])
    paths = tuple(str(path.absolute()) for path in files)
    known = np.arange(int(question.max()) + 1, dtype=np.int64)
    return SourceFiles(paths, kept[:, :2], spans.astype(np.int64), kept[:, 2], known)


def keep_source(pool: Any, source: SourceFiles | None) -> None:
    """Keep the files of a pool; a pool that is made from it by other means than `Pool.select` has none."""
    if source is not None:
        _sources[pool] = source


def source_of(pool: Any) -> SourceFiles | None:
    """Return the files of a pool whose samples are those of the files, or None if it has none."""
    return _sources.get(pool)
