"""Evaluation with a checkpoint of finished blocks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

from mssim.engine.blocks import Outcome, SharedOutcome
from mssim.engine.checkpoint import Checkpoint, FilePath
from mssim.engine.header import header_of
from mssim.engine.read_by_workers import run_work
from mssim.engine.scheduler import Progress
from mssim.engine.totals import Totals
from mssim.engine.work import Work

__all__ = ["run_into"]


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
    """Compute the blocks with these numbers that a checkpoint does not have; add all blocks to `totals`."""
    with Checkpoint(path, header_of(work)) as file:
        if shard:
            file.note_shard(*shard)
        if totals:
            for number, block, data in file.blocks():
                with file.clear_errors():
                    if block != work.blocks[number]:
                        raise ValueError(f"block {number} covers other work")
                totals.add(block, file.outcome_of(block, work.plans, data))
        held = file.held
        missing = [number for number in numbers if number not in held]

        def take(number: int, outcome: Outcome | SharedOutcome) -> None:
            block = work.blocks[number]
            if file.add(number, block, outcome) and totals:
                totals.add(block, outcome)

        run_work(
            work,
            missing,
            take,
            executor,
            progress=progress,
            done=len(numbers) - len(missing),
            pause=file.commit_in_time,
        )
