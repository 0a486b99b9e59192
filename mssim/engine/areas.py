"""Areas of questions that a worker reads at once, each with the blocks that need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, indices
from mssim.pools.source_files import SourceFiles

__all__ = ["UNUSED", "Area", "areas_of", "moved", "questions_of", "rows_read"]

Ints = NDArray[np.int64]

_ROWS = 2**20  # of an area, which take about a quarter of a second to read
_MOST_ROWS = 2**22  # about 0.6 GB while they are read
_MOST_READ = 8  # rows read for one row used
UNUSED = 1 / 8  # time to read a row of another question, relative to one that is used


class Area(NamedTuple):
    """Some questions, and the blocks that need no others."""

    questions: Ints  # increasing indices of questions of the pool
    numbers: tuple[int, ...]  # of blocks


def areas_of(
    blocks: Sequence[Block], numbers: Sequence[int], source: SourceFiles, lengths: NDArray[np.int32], width: int = 0
) -> list[Area] | None:
    """Divide blocks into areas of about a million rows, or more if fewer would mean to read row groups too often.

    Parameters
    ----------
    blocks : sequence of Block
        All blocks.
    numbers : sequence of int
        Numbers of the blocks to divide, which are in increasing order within an area.
    source : SourceFiles
        Files of the pool.
    lengths : ndarray of int32, shape (n_models, n_questions)
        Recorded samples.
    width : int, default 0
        Length of the sample axis of the arrays, whose entries count as rows, recorded or not.

    Returns
    -------
    list of Area, or None
        The areas; None if the order of the rows in the files has little to do with that of the questions.
    """
    rows, size = lengths.sum(axis=0, dtype=np.int64), _ROWS
    while True:
        areas = _divided(blocks, numbers, np.maximum(rows, len(lengths) * width), size)
        if rows_read(source, areas) <= _MOST_READ * sum(int(rows[area.questions].sum()) for area in areas):
            return areas
        size *= 2
        if size > _MOST_ROWS:
            return None


def rows_read(source: SourceFiles, areas: Sequence[Area]) -> int:
    """Return the number of rows of all row groups that are read if each area is read once."""
    return sum(int(source.rows[source.holding(area.questions)].sum()) for area in areas)


def _divided(blocks: Sequence[Block], numbers: Sequence[int], rows: Ints, size: int) -> list[Area]:
    areas: list[Area] = []
    mine, held, total = list[int](), np.zeros(rows.size, dtype=bool), 0
    for number in sorted(numbers, key=lambda number: int(questions_of(blocks[number])[0])):
        asked = questions_of(blocks[number])
        more = int(rows[asked[~held[asked]]].sum())
        if mine and more and total + more > size:
            areas.append(Area(np.nonzero(held)[0], tuple(sorted(mine))))
            mine, held, total, more = [], np.zeros(rows.size, dtype=bool), 0, int(rows[asked].sum())
        mine.append(number)
        held[asked] = True
        total += more
    return [*areas, Area(np.nonzero(held)[0], tuple(sorted(mine)))] if mine else areas


def questions_of(block: Block) -> Ints:
    """Return the indices of the questions of a block."""
    return np.asarray(block.questions, dtype=np.int64)


def moved(block: Block, questions: Ints) -> Block:
    """Return a block with the places of its questions among those of an area, instead of those in the pool."""
    return block._replace(questions=indices(np.searchsorted(questions, questions_of(block))))
