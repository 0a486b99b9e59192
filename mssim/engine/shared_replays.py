"""Replays that several plans share, or a plan and its control."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mssim.engine.blocks import Block, SharedOutcome
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks
from mssim.engine.stage_rules import rules_of
from mssim.kernels import stages
from mssim.kernels.bundles import NO_CONTROL, TWIN, Bundle, Layout, bundle_of, layout_of
from mssim.kernels.tally import Recorded, Replays
from mssim.rules.plan import Plan

__all__ = ["AllTasks", "SharedTask"]

_Row = tuple[str, str, int | None]  # what the samples of a stage depend on: model, order and limit of tokens


@dataclass(frozen=True)
class SharedTask:
    """Task of a block of questions and replays of plans that share their draws."""

    recorded: Recorded  # one row per model
    bundle: Bundle
    layout: Layout
    replays: Replays
    counts_stops: bool  # whether samples used and agreement are replayed, too

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        return int(self.recorded.codes.nbytes + sum(array.nbytes for array in (*self.bundle, *self.layout)))

    def run(self) -> SharedOutcome:
        """Run the replays and return sums over them."""
        found = stages.staged(self.recorded, self.bundle, self.replays, layout=self.layout)
        right = np.moveaxis(found.hits, 1, 2).astype(float)
        stopped = np.moveaxis(found.stopped, 1, 3).astype(float)
        control = np.stack([np.moveaxis(each, 1, 2) for each in (found.control_hits, found.both)]).astype(float)
        return SharedOutcome(
            right,
            stopped if self.counts_stops else stopped[:0],
            control if self.bundle.control.any() else control[:0],
        )


class AllTasks:
    """Tasks of blocks of replays, those of `ReplayTasks` and those of plans that share replays.

    Parameters
    ----------
    tasks : ReplayTasks
        Tasks of plans that share no replays.
    plans : sequence of Plan, or mapping of int to Plan
        All plans, by index.
    controls : collection of int
        Plans that have a control.
    counts_stops : bool
        Whether samples used and agreement of plans that share replays have no closed form.
    """

    def __init__(
        self,
        tasks: ReplayTasks,
        plans: Sequence[Plan] | Mapping[int, Plan],
        controls: Collection[int],
        *,
        counts_stops: bool,
    ) -> None:
        self._tasks, self._plans, self._controls, self._counts_stops = tasks, plans, controls, counts_stops
        self._made: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[list[_Row], Bundle, Layout]] = {}

    def task(self, block: Block, *, count: bool) -> ReplayTask | SharedTask:
        """Return the task of a block; `count` says whether it counts what draws spend."""
        if len(block.plans) == 1 and block.plans[0] not in self._controls:
            return self._tasks.task(self._plans[block.plans[0]], block, count=count)
        key = block.plans, block.budgets
        if key not in self._made:
            self._made[key] = self._make(block)
        rows, bundle, layout = self._made[key]
        models, orders, limits = zip(*rows, strict=True)
        recorded = self._tasks.recorded(models, orders, limits, block)
        return SharedTask(recorded, bundle, layout, self._tasks.replays(block), self._counts_stops)

    def _make(self, block: Block) -> tuple[list[_Row], Bundle, Layout]:
        parts = [self._plans[i].at(block.budgets) for i in block.plans]
        rows = list(dict.fromkeys(row for part in parts for row in _rows(part)))
        place = {row: i for i, row in enumerate(rows)}
        control = np.full((len(parts), len(block.budgets)), NO_CONTROL)
        control[[i in self._controls for i in block.plans]] = TWIN
        places = [[place[row] for row in _rows(part)] for part in parts]
        bundle = bundle_of([rules_of(part) for part in parts], places, control)
        return rows, bundle, layout_of(bundle)


def _rows(plan: Plan) -> list[_Row]:
    limits = plan.max_tokens or (None,) * len(plan.models)
    return list(zip(plan.models, plan.orders or plan.models, limits, strict=True))
