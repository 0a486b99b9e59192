"""Runs that outlive their process, and runs shared among processes that have nothing but a folder in common."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from numpy.typing import ArrayLike

from mssim.blocks import Totals, Work
from mssim.checkpoints import Checkpoint, differences
from mssim.errors import MssimError, whole_number
from mssim.evaluation import Evaluation
from mssim.job import Strategies, read_job
from mssim.plans import Block, Outcome
from mssim.pool import Pool
from mssim.run import Progress, run_blocks
from mssim.settings import header_of, job_of, questions_of
from mssim.versions import versions

__all__ = ["evaluate_shard", "merge", "run_into"]

FilePath = str | os.PathLike[str]


def evaluate_shard(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike,
    *,
    shard: tuple[int, int],
    checkpoint: FilePath,
    method: str = "auto",
    n_replays: int = 10_000,
    seed: int = 0,
    replacement: bool = False,
    prices: Mapping[str, float] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> int:
    """Do one part of what `evaluate` does, for `merge` to put together with the others; needs no scheduler.

    Parameters
    ----------
    pool, strategies, budgets
        As in `evaluate`, the same for every shard.
    shard : (int, int)
        Which one, from 1, of how many. Every shard has its share of quick and slow work.
    checkpoint : path
        File of this shard; the same call goes on with what is missing in it.
    method, n_replays, seed, replacement, prices, executor, progress
        As in `evaluate`.

    Returns
    -------
    int
        Blocks of the shard, all of which are now in the file.

    Raises
    ------
    MssimError
        Like `evaluate`; or if `shard` is not such a pair.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import evaluate, load_pool, merge
    >>> pool, folder = load_pool("recorded/tiny-arithmetic"), tempfile.mkdtemp()
    >>> for i in (1, 2):
    ...     blocks = evaluate_shard(
    ...         pool, ["sc:tf-plus", "mix:tf-plus+lstm-times"], [4, 8], shard=(i, 2), checkpoint=f"{folder}/{i}.ckpt"
    ...     )
    >>> merged = merge([f"{folder}/1.ckpt", f"{folder}/2.ckpt"])
    >>> whole = evaluate(pool, ["sc:tf-plus", "mix:tf-plus+lstm-times"], [4, 8])
    >>> bool((merged.accuracy == whole.accuracy).all())
    True
    """
    i, n = _read_shard(shard)
    job = read_job(
        strategies,
        budgets,
        method=method,
        n_replays=n_replays,
        seed=seed,
        replacement=replacement,
        prices=prices,
    )
    job.check(pool)
    work = Work(job, pool)
    mine = range(i - 1, len(work.blocks), n)
    run_into(checkpoint, work, mine, shard=(i, n), executor=executor, progress=progress)
    return len(mine)


def run_into(
    path: FilePath,
    work: Work,
    numbers: Sequence[int],
    totals: Totals | None = None,
    *,
    shard: tuple[int, int] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> None:
    """Do blocks by their numbers, except those that a checkpoint has; `totals` adds up those and these."""
    with Checkpoint(path, header_of(work)) as file:
        if shard:
            file.note_shard(*shard)
        if totals:
            for number, block, data in file.blocks():
                with file.clear_errors():
                    if block != work.blocks[number]:
                        raise ValueError(f"block {number} is another one")
                totals.add(block, file.outcome_of(block, len(work.job.plans[block.plan].models), data))
        held = file.held
        missing = [number for number in numbers if number not in held]

        def take(number: int, outcome: Outcome) -> None:
            block = work.blocks[number]
            if file.add(number, block, outcome) and totals:
                totals.add(block, outcome)

        run_blocks(
            missing,
            work.task,
            take,
            executor,
            progress=progress,
            done=len(numbers) - len(missing),
            pause=file.commit_in_time,
        )


def merge(paths: FilePath | Iterable[FilePath]) -> Evaluation:
    """Put together what shards wrote; the pool is not needed.

    The result is that of `evaluate`, to the last bit. Shards may overlap, and one complete checkpoint will do.

    Parameters
    ----------
    paths : path, or several
        Files that `evaluate_shard`, or `evaluate` with ``checkpoint=``, wrote with the same settings.

    Returns
    -------
    Evaluation

    Raises
    ------
    MssimError
        If blocks are missing, files are of different runs, in use, damaged or something else, or this is not the
        version of mssim that wrote them.
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not files:
        raise MssimError("merge: no files given; give those that the shards wrote")
    merged: _Merged | None = None
    for path in files:
        with Checkpoint(path) as part:
            merged = merged or _Merged(part)
            merged.add(part)
    assert merged is not None
    return merged.evaluation()


class _Merged:
    """What the files so far hold."""

    def __init__(self, first: Checkpoint) -> None:
        self._path, self._header = first.path, first.header
        with first.clear_errors():
            self._read()

    def _read(self) -> None:
        settings = self._header.settings
        code, here = settings["versions"]["code of mssim"], versions()["code of mssim"]
        if code != here:
            raise MssimError(
                f"{self._path}: written by another version of mssim (code {code}, here {here}); merge with that one"
            )
        self._job = job_of(settings)
        self._questions = questions_of(self._header)
        self._n_blocks = int(settings["blocks"]["number"])
        self._totals = Totals(self._job.plans, len(self._questions))
        self._checksums: dict[int, int] = {}  # of every block
        self._shards: set[tuple[int, int]] = set()

    def add(self, part: Checkpoint) -> None:
        """Take in the blocks of a file that are not there yet."""
        differs = differences(self._header.settings, part.header.settings)
        if differs:
            said = "; ".join(f"{name}: {one} and {other}" for name, one, other in differs[:3])
            raise MssimError(
                f"{self._path} and {part.path} are of different runs ({said}); merge files made with the same settings"
            )
        self._shards.update(part.shards())
        for number, block, data in part.blocks():
            with part.clear_errors():
                self._check(number, block)
            checksum = zlib.crc32(data)
            if number not in self._checksums:
                self._totals.add(block, part.outcome_of(block, len(self._job.plans[block.plan].models), data))
            elif self._checksums[number] != checksum:
                raise MssimError(
                    f"{part.path}: block {number} is not what another file has; were they computed on processors of "
                    "different kinds? Compute all shards on the same kind"
                )
            self._checksums[number] = checksum

    def _check(self, number: int, block: Block) -> None:
        """Refuse a block that no run of these settings has."""
        n_budgets = self._job.budgets.size
        inside = 0 <= number < self._n_blocks and 0 <= block.plan < len(self._job.plans)
        inside &= 0 <= block.first_question < block.end_question <= len(self._questions)
        if not inside or any(not 0 <= budget < n_budgets for budget in block.budgets):
            raise ValueError(f"block {number} is of another run")

    def evaluation(self) -> Evaluation:
        """Make the result, if nothing is missing."""
        total = self._n_blocks
        if len(self._checksums) < total:
            missing = [number for number in range(total) if number not in self._checksums]
            raise MssimError(
                f"{len(missing)} of {total} blocks are missing{self._whose(missing)}; run what is missing, with the "
                "same settings and files it goes on where it stopped, and merge again"
            )
        if not self._totals.complete(self._job.closed, self._job.n_replays):
            raise MssimError(f"{self._path} is damaged: its blocks are not all of the work; compute it again")
        outcomes = self._totals.outcomes(self._job.n_replays)
        header = self._header
        return self._job.evaluation(outcomes, header.unit_costs, self._questions, header.provenance)

    def _whose(self, missing: Sequence[int]) -> str:
        """Say which shards the missing blocks are of, if all files are of shards of one number."""
        if len({n for _, n in self._shards}) != 1:
            return ""
        n = next(iter(self._shards))[1]
        lacking = sorted({number % n + 1 for number in missing})
        given = {i for i, _ in self._shards}
        said = [f"{i}/{n} {'is not finished' if i in given else 'is not among the files'}" for i in lacking]
        more = f" and {len(said) - 8} more" if len(said) > 8 else ""
        return f": shard {', '.join(said[:8])}{more}"


def _read_shard(shard: Any) -> tuple[int, int]:
    if not isinstance(shard, Sequence) or len(shard) != 2:
        raise MssimError(f"shard={shard!r}; give which one of how many, e.g. (1, 8)")
    n = whole_number("shards", shard[1], 1, 10**6)
    return whole_number(f"shard of {n}", shard[0], 1, n), n
