"""Blocks whose workers read their part of the pool from its files, instead of receiving arrays.

A task then has the names of files and questions, plans and settings; see `mssim.engine.read_task`. Rules that need all
questions are sent. So are all blocks if a worker cannot open the files, or if sending is faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mssim.engine.areas import UNUSED, Area, areas_of, moved, rows_read
from mssim.engine.read_task import ReadTask, SkippedTask, Unreadable
from mssim.engine.recipe import WholeAmounts
from mssim.engine.scheduler import Progress, Task, check_executor, run_blocks
from mssim.engine.work import Work
from mssim.pools.part import PartOfFiles, PartShape, cut_out, digest_of
from mssim.pools.pool import Pool
from mssim.pools.source_files import SourceFiles, source_of
from mssim.rules.plan import QUANTITIES, Plan

__all__ = ["Reading", "n_workers", "run_work"]

Take = Callable[[int, Any], None]

# Columns that `Amounts` reads, apart from prices.
_OF_AMOUNTS = (
    *("cost", "latency", "input_tokens", "output_tokens"),
    *("request_input_tokens", "request_output_tokens", "request_samples"),
)
_TOKENS = "output_tokens"  # which limits of tokens read
_LEAST_BYTES = 2**24  # less is sent in no time
_PER_ROW, _PER_DRAW = 4e-7, 1e-8  # seconds of a worker
_PER_TASK, _PER_BYTE = 2.5e-3, 3e-9  # seconds of client and scheduler
_SHARE = 0.1  # of the time of the replays, which reading may take in any case
_BUNDLES, _MOST_BLOCKS = 8, 64  # for every worker, at least; and blocks of a bundle, at most
_MANY = 64  # workers of an executor that does not tell their number


def run_work(
    work: Work,
    numbers: Sequence[int],
    take: Take,
    executor: Executor | None = None,
    *,
    progress: Progress | None = None,
    done: int = 0,
    pause: Callable[[], None] = lambda: None,
) -> None:
    """Run blocks of work as `run_blocks` does, and let workers of other processes read the pool if that pays."""
    check_executor(executor, progress)
    near = executor is None or isinstance(executor, ThreadPoolExecutor)  # its workers have the pool in memory
    reading = None if executor is None or near else Reading.of(work, numbers, n_workers(executor))
    if reading is None:
        run_blocks(numbers, work.task, take, executor, progress=progress, done=done, pause=pause)
        return
    if progress and done:
        progress(done, done + len(numbers))
    outcomes = _Outcomes(reading, take, numbers, progress, done)
    bundles = range(len(reading.bundles))
    run_blocks(bundles, reading.task, outcomes.take, executor, progress=outcomes.tell, pause=pause)
    if outcomes.left:  # workers cannot read the files
        rest = [number for number in numbers if number in outcomes.left]
        run_blocks(rest, work.task, outcomes.take_one, executor, progress=outcomes.tell, pause=pause)


class _Outcomes:
    """Outcomes of bundles, passed on block by block and once each.

    Attributes
    ----------
    left : set of int
        Numbers of the blocks whose outcomes have not been passed on.
    """

    def __init__(
        self, reading: Reading, take: Take, numbers: Sequence[int], progress: Progress | None, done: int
    ) -> None:
        self._reading, self._take, self._progress, self._done = reading, take, progress, done
        self.left = set(numbers)
        self._total = done + len(numbers)

    def take(self, number: int, outcome: Any) -> None:
        """Pass on the outcomes of a bundle."""
        bundle = self._reading.bundles[number]
        if isinstance(outcome, Unreadable):
            self._reading.stop()
            return
        outcomes = [outcome] if bundle.area is None else outcome
        for one, found in zip(bundle.numbers, outcomes, strict=True):
            self.take_one(one, found)

    def take_one(self, number: int, outcome: Any) -> None:
        """Pass on the outcome of a block."""
        if number in self.left:
            self._take(number, outcome)
            self.left.remove(number)

    def tell(self, *_: int) -> None:
        """Report the progress of every block, of which several finish at once."""
        while self._done < self._total - len(self.left):
            self._done += 1
            if self._progress:
                self._progress(self._done, self._total)


@dataclass(frozen=True)
class Bundle:
    """Blocks that one task computes; without an area it is one block, which is sent."""

    numbers: tuple[int, ...]
    area: int | None


class Reading:
    """Bundles of blocks, and their tasks.

    Attributes
    ----------
    bundles : list of Bundle
        Bundles that are read, by areas, and blocks that are sent, because their rules need all questions.
    """

    def __init__(
        self, work: Work, source: SourceFiles, areas: Sequence[Area], sent: Sequence[int], workers: int
    ) -> None:
        self._work, self._source, self._areas = work, source, areas
        self.bundles = [*_bundles(areas, workers), *(Bundle((number,), None) for number in sent)]
        self._can_read = True
        plans = [plan for area in areas for number in area.numbers for plan in _plans(work, number).values()]
        self._columns = _Columns(work.pool, plans, work.amounts is not None)
        self._parts: dict[int, PartOfFiles] = {}
        self._whole = _whole_amounts(work)

    @classmethod
    def of(cls, work: Work, numbers: Sequence[int], workers: int) -> Reading | None:
        """Return how workers read the pool, or None if they cannot, or if it takes longer than to send arrays."""
        source = source_of(work.pool)
        if source is None or work.job.quantiles:  # whether there is a histogram depends on all questions
            return None
        read = [number for number in numbers if _is_read(work, number)]
        size = sum(_bytes_sent(work, number) for number in read)
        if size < _LEAST_BYTES:
            return None
        areas = areas_of(work.blocks, read, source, work.pool.lengths, work.pool.codes.shape[2])
        if areas is None:
            return None
        reading = _rows(areas, source, work, workers) * _PER_ROW / workers
        drawing = sum(_draws(work, number) for number in numbers) * _PER_DRAW / workers
        if drawing + reading > max(drawing * (1 + _SHARE), len(read) * _PER_TASK + size * _PER_BYTE):
            return None
        others = set(read)
        found = cls(work, source, areas, [number for number in numbers if number not in others], workers)
        return found if found._columns.are_numbers else None

    def task(self, number: int) -> Task:
        """Return the task of a bundle."""
        bundle = self.bundles[number]
        if bundle.area is None:
            return self._work.task(bundle.numbers[0])
        if not self._can_read:
            return SkippedTask()
        questions, asked = self._areas[bundle.area].questions, [self._work.asked(n) for n in bundle.numbers]
        plans = {i: plan for n in bundle.numbers for i, plan in _plans(self._work, n).items()}
        return ReadTask(
            self._part(bundle.area),
            self._work.recipe,
            self._whole,
            tuple(one._replace(block=moved(one.block, questions)) for one in asked),
            plans,
            frozenset(self._work.controls) & plans.keys(),
        )

    def stop(self) -> None:
        """Let no worker read any longer, because one cannot."""
        self._can_read = False

    def _part(self, place: int) -> PartOfFiles:
        if place not in self._parts:
            pool, columns, questions = self._work.pool, self._columns, self._areas[place].questions
            info = {"models": {m: {"model_id": served} for m, served in _served(pool).items()}}
            models = tuple(dict.fromkeys(pool.models[pool.model_index(m)] for m in self._work.job.models))
            shape = PartShape(models, tuple(columns.per_sample), pool.codes.shape[2], info)
            part = cut_out(pool, shape, questions, columns.per_sample, columns.described)
            self._parts[place] = PartOfFiles(
                shape,
                self._source.by_file(self._source.holding(questions)),
                tuple(part.question_ids),
                {name: values[questions] for name, values in columns.described.items()},
                digest_of(part),
            )
        return self._parts[place]


class _Columns:
    """Recorded numbers that the tasks of some plans need."""

    def __init__(self, pool: Pool, plans: Sequence[Plan], known: bool) -> None:
        named = {column for plan in plans for column in plan.columns}
        named |= {*_OF_AMOUNTS} if known else set()
        named |= {_TOKENS} if any(plan.max_tokens for plan in plans) else set()
        kinds = {field.name: field.type for field in pool.extra.schema}
        found = sorted(named & ({*pool.numbers} | {*kinds}))
        others = [kinds[name] for name in found if name not in pool.numbers]
        self.are_numbers = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in others)
        self.per_sample = {name: pool.number(name) for name in found} if self.are_numbers else {}
        described = [name for name in pool.questions.columns if name in named and name not in found]
        self.described = {
            name: pd.to_numeric(pool.questions[name]).to_numpy(dtype=float, na_value=np.nan) for name in described
        }


def n_workers(executor: Executor) -> int:
    """Return how many tasks an executor runs at once, or a large number if it does not tell."""
    client = getattr(executor, "_client", None)  # of Dask
    number = getattr(executor, "_max_workers", None) if client is None else sum(client.nthreads().values())
    return number or _MANY


def _bundles(areas: Sequence[Area], workers: int) -> Iterator[Bundle]:
    """Divide the blocks of areas, so that there are enough bundles for all workers."""
    n_blocks = sum(len(area.numbers) for area in areas)
    size = min(_MOST_BLOCKS, max(1, n_blocks // (_BUNDLES * workers)))
    for place, area in enumerate(areas):
        for i in range(0, len(area.numbers), size):
            yield Bundle(area.numbers[i : i + size], place)


def _rows(areas: Sequence[Area], source: SourceFiles, work: Work, workers: int) -> float:
    """Return how many rows workers read if each bundle of an area has another worker, as long as there are any."""
    rows, total = work.pool.lengths.sum(axis=0, dtype=np.int64), 0.0
    n_bundles = Counter(bundle.area for bundle in _bundles(areas, workers))
    for place, area in enumerate(areas):
        used = rows[area.questions].sum()
        total += min(n_bundles[place], workers) * (used + (rows_read(source, [area]) - used) * UNUSED)
    return total


def _plans(work: Work, number: int) -> dict[int, Plan]:
    """Return the plans of a block by index."""
    return {i: work.plans[i] for i in work.blocks[number].plans}


def _draws(work: Work, number: int) -> int:
    """Return the largest number of draws of a block; those of closed forms do not count."""
    block, most = work.blocks[number], Counter[str]()  # by model, because plans share draws
    for plan in _plans(work, number).values():
        for model, size in zip(plan.models, plan.sizes[:, list(block.budgets)].max(axis=1).tolist(), strict=True):
            most[model] = max(most[model], size)
    return most.total() * block.n_replays * len(block.questions)


def _is_read(work: Work, number: int) -> bool:
    """Return whether the task of a block depends on its questions alone, and is large."""
    for plan in _plans(work, number).values():
        if plan.is_joint or plan.online is not None or (plan.stop is not None and plan.stop.learns):
            return False
    return not work.blocks[number].exact or work.amounts is not None


def _bytes_sent(work: Work, number: int) -> int:
    """Return about how many bytes the arrays of a block have that come from the pool."""
    block, plans = work.blocks[number], _plans(work, number).values()
    samples = len({model for plan in plans for model in plan.models}) * len(block.questions)
    of_amounts = 8 * len(QUANTITIES) if block.exact else 4 * len(work.known) * work.asked(number).counts
    columns = max(len(plan.columns) for plan in plans)
    return samples * int(work.pool.codes.shape[2]) * (2 + of_amounts + 8 * columns)


def _whole_amounts(work: Work) -> WholeAmounts | None:
    amounts, job = work.amounts, work.job
    if amounts is None:
        return None
    units = {name: amounts.unit(name, job.models) for name in work.known}
    parts = any(plan.online is not None for plan in job.plans)
    return WholeAmounts(job.prices, job.tokens, parts, amounts.any_inputs, units)


def _served(pool: Pool) -> dict[str, str]:
    """Return the names of models on their servers, by which price tables may list them."""
    models = pool.info.get("models")
    described = models if isinstance(models, dict) else {}
    names = {name: one.get("model_id") for name, one in described.items() if isinstance(one, dict)}
    return {name: served for name, served in names.items() if isinstance(served, str)}
