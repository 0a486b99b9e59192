"""Blocks of rows of long tables, with their position in the source files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mssim.pools.arrow import large
from mssim.pools.plain_types import plain_types
from mssim.pools.reading import cut, read_blocks

__all__ = ["Origin", "RowBlock", "blocks_of", "read_files"]


@dataclass(frozen=True)
class Origin:
    """Position of the rows of a block in its source file."""

    file: str  # empty if there is a single file
    first: int  # 1-based row number in the file
    n_rows: int
    chosen: NDArray[np.uint32] | None = None  # offsets of the selected rows; None = consecutive rows
    path: str = ""  # of the file, if the rows are those of one

    def name(self, row: int) -> str:
        """Return the row number and file of a row, given its position in the block."""
        place = row if self.chosen is None else int(self.chosen[row])
        return f"row {self.first + place}" + (f" of {self.file}" if self.file else "")


@dataclass(frozen=True)
class RowBlock:
    """A block of rows of a long table."""

    table: pa.Table
    origin: Origin

    def choose(self, mask: NDArray[np.bool_]) -> RowBlock:
        """Select rows by a mask, keeping track of their origin."""
        chosen = np.nonzero(mask)[0].astype(np.uint32)
        origin = Origin(self.origin.file, self.origin.first, chosen.size, chosen)
        return RowBlock(self.table.filter(pa.array(mask)), origin)


def read_files(paths: Sequence[Path], *, without: Sequence[str] = ()) -> Iterator[RowBlock]:
    """Yield the blocks of files that together form one table."""
    for path in paths:
        yield from blocks_of(read_blocks(path, without=without), path.name if len(paths) > 1 else "", str(path))


def blocks_of(tables: Iterable[pa.Table], file: str = "", path: str = "") -> Iterator[RowBlock]:
    """Yield the blocks of consecutive tables."""
    start = 1
    for table in tables:
        for piece in cut(table):
            yield RowBlock(plain_types(_without_views(piece)), Origin(file, start, piece.num_rows, path=path))
            start += piece.num_rows


def _without_views(table: pa.Table) -> pa.Table:
    """Cast views of text and bytes to plain types, because Arrow cannot join views."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string_view(field.type) or pa.types.is_binary_view(field.type):
            table = table.set_column(place, field.name, large(table.column(place)))
    return table
