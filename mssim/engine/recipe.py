"""What is needed, besides the pool, to create the task of a block: settings that all blocks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.engine.blocks import Block
from mssim.engine.exact_tasks import exact_task
from mssim.engine.monte_carlo import ReplayTasks
from mssim.engine.scheduler import Task
from mssim.engine.shared_replays import AllTasks
from mssim.pools.pool import Pool
from mssim.prices import Prices
from mssim.rules.plan import Plan

__all__ = ["Asked", "PartAmounts", "Recipe", "TaskMaker", "WholeAmounts"]


class Asked(NamedTuple):
    """A block, and what it computes."""

    block: Block
    closed: NDArray[np.bool_]  # [budget], whether the accuracy of its first plan has a closed form
    counts: bool  # whether replays add up what they spend
    spends: bool  # whether closed forms include what they spend


@dataclass(frozen=True)
class TaskMaker:
    """Creates the tasks of blocks of a pool, or of a part of it."""

    pool: Pool
    replays: AllTasks
    plans: Mapping[int, Plan]
    replacement: bool
    amounts: Amounts | None
    parallel: int | None

    def task(self, asked: Asked) -> Task:
        """Create the task of a block, with all data that it needs."""
        if not asked.block.exact:
            return self.replays.task(asked.block, count=asked.counts)
        return exact_task(
            self.pool,
            self.plans[asked.block.plans[0]],
            asked.block,
            asked.closed,
            replacement=self.replacement,
            amounts=self.amounts if asked.spends else None,
            parallel=self.parallel,
        )


class WholeAmounts(NamedTuple):
    """Settings of `Amounts`, and what it finds out from the whole pool."""

    prices: Prices | Mapping[str, float] | None
    tokens: str
    parts: bool
    any_inputs: bool
    units: Mapping[str, float]  # of the known quantities

    def of(self, pool: Pool) -> PartAmounts:
        """Return the amounts of the samples of a part of the pool."""
        return PartAmounts(pool, self)


class PartAmounts(Amounts):
    """Amounts of the samples of a part of a pool, in the units of the whole."""

    def __init__(self, pool: Pool, whole: WholeAmounts) -> None:
        super().__init__(pool, prices=whole.prices, tokens=whole.tokens, parts=whole.parts)
        self._columns.any_inputs = whole.any_inputs
        self._units = whole.units

    def unit(self, quantity: str, models: Sequence[str]) -> float:  # noqa: ARG002
        """Return the unit of the whole pool."""
        return self._units[quantity]


@dataclass(frozen=True)
class Recipe:
    """Settings of the tasks of an evaluation."""

    seed: int
    replacement: bool
    models: tuple[str, ...]
    parallel: int | None
    bins: bool
    counts_stops: bool  # whether samples used and agreement of shared replays are replayed, too

    def maker(
        self, pool: Pool, amounts: Amounts | None, plans: Mapping[int, Plan], controls: frozenset[int]
    ) -> TaskMaker:
        """Return what creates the tasks of a pool, or of a part of it. Without amounts they do not count any.

        Parameters
        ----------
        pool : Pool
            The pool, or a part of it.
        amounts : Amounts or None
            What its samples spend.
        plans : mapping of int to Plan
            Plans of the blocks, by index.
        controls : frozenset of int
            Indices of the plans that have a control.
        """
        tasks = ReplayTasks(
            pool,
            self.seed,
            replacement=self.replacement,
            amounts=amounts,
            models=self.models,
            parallel=self.parallel,
            bins=self.bins,
        )
        replays = AllTasks(tasks, plans, controls, counts_stops=self.counts_stops)
        return TaskMaker(pool, replays, plans, self.replacement, amounts, self.parallel)
