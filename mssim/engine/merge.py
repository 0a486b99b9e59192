"""Merge checkpoints of shards into one evaluation."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterable, Sequence

from mssim._validation import shown
from mssim.engine.blocks import Block
from mssim.engine.checkpoint import Checkpoint, FilePath, differences
from mssim.engine.header import controls_of, job_of, questions_of
from mssim.engine.totals import Totals
from mssim.engine.versions import versions
from mssim.errors import MssimError
from mssim.results.evaluation import Evaluation

__all__ = ["merge"]


def merge(paths: FilePath | Iterable[FilePath]) -> Evaluation:
    """Merge checkpoints of shards into one evaluation, without the pool.

    The result is identical to that of `evaluate` to the last bit. Shards may overlap. A single complete checkpoint is
    also accepted.

    Parameters
    ----------
    paths : path or iterable of paths
        Files written with the same settings by `evaluate_shard`, or by `evaluate` with ``checkpoint=``.

    Returns
    -------
    Evaluation
        The results.

    Raises
    ------
    MssimError
        If blocks are missing, or a file is from another run or version of mssim, in use, damaged or not a checkpoint.

    See Also
    --------
    evaluate_shard : Evaluate one part of the work.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import evaluate, load_pool, merge
    >>> path = tempfile.mkdtemp() + "/run.ckpt"
    >>> result = evaluate(load_pool("recorded/llm-products"), "sc:gemma", [4, 8], checkpoint=path)
    >>> bool((merge(path).accuracy == result.accuracy).all())
    True
    """
    if not isinstance(paths, str | os.PathLike | Iterable):
        raise MssimError(f"paths={shown(paths)} are not paths. Pass the checkpoints of all shards.")
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not files:
        raise MssimError("paths: no files are given. Pass the checkpoints of all shards.")
    merged: _Merged | None = None
    for path in files:
        with Checkpoint(path) as part:
            merged = merged or _Merged(part)
            merged.add(part)
    assert merged is not None
    return merged.evaluation()


class _Merged:
    """Blocks and settings of the files so far."""

    def __init__(self, first: Checkpoint) -> None:
        self._path, self._header = first.path, first.header
        with first.clear_errors():
            self._read()

    def _read(self) -> None:
        settings = self._header.settings
        code, here = settings["versions"]["code of mssim"], versions()["code of mssim"]
        if code != here:
            raise MssimError(
                f"{self._path}: written by another version of mssim (code {code}, here {here}). Run "
                "`mssim merge` with the version that wrote the file."
            )
        self._job = job_of(settings)
        self._questions = questions_of(self._header)
        self._n_blocks = int(settings["blocks"]["number"])
        self._controls = controls_of(settings, self._job)
        self._plans = [*self._job.plans, *(self._job.plans[i] for i in self._controls)]  # a control has equal shapes
        self._totals = Totals(self._plans, len(self._questions))
        self._checksums: dict[int, int] = {}  # of every block
        self._shards: set[tuple[int, int]] = set()

    def add(self, part: Checkpoint) -> None:
        """Add the blocks of a file."""
        differs = differences(self._header.settings, part.header.settings)
        if differs:
            said = "; ".join(f"{name}: {one} and {other}" for name, one, other in differs[:3])
            raise MssimError(
                f"{self._path} and {part.path} are from different runs ({said}). Merge files with the same settings."
            )
        self._shards.update(part.shards())
        for number, block, data in part.blocks():
            with part.clear_errors():
                self._check(number, block)
            checksum = zlib.crc32(data)
            if number not in self._checksums:
                self._totals.add(block, part.outcome_of(block, self._plans, data))
            elif self._checksums[number] != checksum:
                raise MssimError(
                    f"{part.path}: block {number} differs from that of another file, as it can on different types of "
                    "processors. Compute all shards on the same type."
                )
            self._checksums[number] = checksum

    def _check(self, number: int, block: Block) -> None:
        """Raise if a block cannot belong to a run with these settings."""
        inside = 0 <= number < self._n_blocks and all(0 <= plan < len(self._plans) for plan in block.plans)
        inside &= all(0 <= question < len(self._questions) for question in block.questions)
        n_budgets = min(self._plans[plan].sizes.shape[1] for plan in block.plans) if inside else 0
        if not inside or any(not 0 <= budget < n_budgets for budget in block.budgets):
            raise ValueError(f"block {number} belongs to another run")

    def evaluation(self) -> Evaluation:
        """Return the result; raise if blocks are missing."""
        total = self._n_blocks
        if len(self._checksums) < total:
            missing = [number for number in range(total) if number not in self._checksums]
            raise MssimError(
                f"{len(missing)} of {total} blocks are missing{self._whose(missing)}. Run what is missing with the "
                "same settings and files, which resumes it, then merge all files."
            )
        fixed = self._job.n_replays if self._job.mc_error is None else None
        if not self._totals.complete(self._job.closed, fixed):
            raise MssimError(f"{self._path} is damaged: its blocks do not cover all replays. Compute it again.")
        units = [math.nan if unit is None else unit for unit in self._header.settings["units"]]
        return self._job.evaluation(
            self._totals.estimates(self._controls)[: len(self._job.plans)],
            self._questions,
            self._header.provenance,
            histograms=self._totals.histograms,
            units=units,
        )

    def _whose(self, missing: Sequence[int]) -> str:
        """Return a description of the shards with missing blocks, if all files have the same number of shards."""
        if len({n for _, n in self._shards}) != 1:
            return ""
        n = next(iter(self._shards))[1]
        lacking = sorted({number % n + 1 for number in missing})
        given = {i for i, _ in self._shards}
        said = [f"{i}/{n} {'is not finished' if i in given else 'is not among the files'}" for i in lacking]
        more = f" and {len(said) - 8} more" if len(said) > 8 else ""
        return f": shard {', '.join(said[:8])}{more}"
