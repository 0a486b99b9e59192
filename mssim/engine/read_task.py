"""Tasks whose worker reads the questions of several blocks from the files of the pool.

All blocks of an area of questions share a part of the pool, which a process keeps for its next tasks. The digest of the
part must be that of the arrays in the memory of the client, so that results are equal to the last bit. A worker never
writes, and unpickles nothing from files.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pyarrow as pa

from mssim._validation import counted
from mssim.engine.blocks import Outcome, SharedOutcome
from mssim.engine.recipe import Asked, Recipe, WholeAmounts
from mssim.errors import PoolError
from mssim.pools.part import PartOfFiles, digest_of, read_part
from mssim.pools.pool import Pool
from mssim.rules.plan import Plan

__all__ = ["ReadTask", "SkippedTask", "Unreadable"]

_MOST_HELD = 2**26  # bytes of the parts that a process keeps


@dataclass(frozen=True)
class Unreadable:
    """What a task returns if the worker cannot open a file of the pool."""

    reason: str


@dataclass(frozen=True)
class SkippedTask:
    """Task of a bundle whose blocks are sent later, because workers cannot read."""

    nbytes: int = 1

    def run(self) -> Unreadable:
        """Compute nothing."""
        return Unreadable("")


@dataclass(frozen=True)
class ReadTask:
    """Task of a bundle of blocks, whose worker reads their questions."""

    part: PartOfFiles
    recipe: Recipe
    whole: WholeAmounts | None
    asked: tuple[Asked, ...]  # with the places of questions in the part
    plans: Mapping[int, Plan]  # of the blocks
    controls: frozenset[int]  # plans with a control

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes of what is sent."""
        numbers = sum(values.nbytes for values in self.part.of_questions.values())
        return sum(map(len, self.part.question_ids)) + numbers + sum(plan.sizes.nbytes for plan in self.plans.values())

    def run(self) -> tuple[Outcome | SharedOutcome, ...] | Unreadable:
        """Compute the outcomes of the blocks in order, or return that the files are unreadable here."""
        try:
            for path, _ in self.part.files:
                Path(path).open("rb").close()
        except OSError as error:
            return Unreadable(str(error))
        pool = _parts.get(self.part)
        amounts = None if self.whole is None else self.whole.of(pool)
        maker = self.recipe.maker(pool, amounts, self.plans, self.controls)
        return tuple(maker.task(one).run() for one in self.asked)


class _Parts:
    """Parts that this process has read, the latest last."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Pool] = OrderedDict()  # by digest
        self._lock = Lock()

    def get(self, part: PartOfFiles) -> Pool:
        """Return a part, which one thread reads and others wait for."""
        with self._lock:
            pool = self._held.pop(part.digest, None)
            if pool is None:
                pool = _read(part)
            self._held[part.digest] = pool
            while len(self._held) > 1 and sum(map(_nbytes, self._held.values())) > _MOST_HELD:
                self._held.popitem(last=False)
            return pool


_parts = _Parts()


def _nbytes(pool: Pool) -> int:
    return pool.codes.nbytes + sum(values.nbytes for values in pool.numbers.values())


def _read(part: PartOfFiles) -> Pool:
    try:
        pool = read_part(part)
    except (PoolError, pa.ArrowException, OSError, IndexError) as error:
        raise _changed(part, f" ({error})") from error
    if digest_of(pool) != part.digest:
        raise _changed(part)
    return pool


def _changed(part: PartOfFiles, reason: str = "") -> PoolError:
    path, files = part.files[0][0], counted(len(part.files), "file")
    return PoolError(
        f"executor: on {socket.gethostname()}, {path} does not contain the samples that were loaded from it{reason}. "
        f"The worker read {files} of the pool for {counted(len(part.question_ids), 'question')}. Load the pool again "
        "if its files have changed, and use the same files on all machines."
    )
