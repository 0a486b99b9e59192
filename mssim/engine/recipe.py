"""What is needed, besides the pool, to create the task of a block: settings that all blocks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.engine.blocks import Block
from mssim.engine.exact_tasks import ExactTask, UntilTask, exact_task
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks
from mssim.pools.pool import Pool
from mssim.prices import Prices
from mssim.rules.plan import Plan

__all__ = ["Asked", "PartAmounts", "Recipe", "TaskMaker", "WholeAmounts"]


class Asked(NamedTuple):
    """A block, and what of its plan is asked for."""

    block: Block
    plan: Plan
    closed: NDArray[np.bool_]  # [budget], whether the accuracy has a closed form
    counts: bool  # whether replays add up what they spend


@dataclass(frozen=True)
class TaskMaker:
    """Creates the tasks of blocks of a pool, or of a part of it."""

    pool: Pool
    replays: ReplayTasks
    replacement: bool
    amounts: Amounts | None
    parallel: int | None

    def task(self, asked: Asked) -> ExactTask | UntilTask | ReplayTask:
        """Create the task of a block, with all data that it needs."""
        if not asked.block.exact:
            return self.replays.task(asked.plan, asked.block, count=asked.counts)
        return exact_task(
            self.pool,
            asked.plan,
            asked.block,
            asked.closed,
            replacement=self.replacement,
            amounts=self.amounts,
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

    def maker(self, pool: Pool, amounts: Amounts | None) -> TaskMaker:
        """Return what creates the tasks of a pool, or of a part of it. Without amounts they do not count any."""
        replays = ReplayTasks(
            pool,
            self.seed,
            replacement=self.replacement,
            amounts=amounts,
            models=self.models,
            parallel=self.parallel,
            bins=self.bins,
        )
        return TaskMaker(pool, replays, self.replacement, amounts, self.parallel)
