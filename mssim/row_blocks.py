"""Long tables as blocks of rows that know where they stood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mssim.tables import cut, read_blocks

__all__ = ["Origin", "RowBlock", "blocks_of", "read_files"]


@dataclass(frozen=True)
class Origin:
    """Where the rows of a block stood."""

    file: str  # empty if there is only one
    rows: range | NDArray[np.int64]  # in the file, from 1

    def name(self, row: int) -> str:
        """Say which row of which file it is, given its place in the block."""
        return f"row {self.rows[row]}" + (f" of {self.file}" if self.file else "")


@dataclass(frozen=True)
class RowBlock:
    """Some rows of a long table."""

    table: pa.Table
    origin: Origin


def read_files(paths: Sequence[Path], *, without: Sequence[str] = ()) -> Iterator[RowBlock]:
    """Read files that are one table together, block by block."""
    for path in paths:
        yield from blocks_of(read_blocks(path, without=without), path.name if len(paths) > 1 else "")


def blocks_of(tables: Iterable[pa.Table], file: str = "") -> Iterator[RowBlock]:
    """Tables that follow one another, as blocks."""
    start = 1
    for table in tables:
        for piece in cut(table):
            yield RowBlock(piece, Origin(file, range(start, start + piece.num_rows)))
            start += piece.num_rows
