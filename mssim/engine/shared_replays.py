"""Replays that several plans share, or a plan and its control."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mssim.engine.blocks import Block, Outcome
from mssim.engine.monte_carlo import ReplayTask, ReplayTasks
from mssim.engine.stage_rules import rules_of, stage_outcome
from mssim.kernels import stages
from mssim.kernels.bundles import NO_CONTROL, TWIN, Bundle, bundle_of
from mssim.kernels.tally import Recorded, Replays
from mssim.rules.plan import Plan

__all__ = ["SharedTask", "replay_task"]


@dataclass(frozen=True)
class SharedTask:
    """Task of a block of questions and replays of plans that share their draws."""

    plans: tuple[Plan, ...]  # at the budgets of the block
    recorded: Recorded  # one row per model
    bundle: Bundle
    replays: Replays

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        return self.recorded.codes.nbytes + self.bundle.sizes.nbytes + self.bundle.need.nbytes

    def run(self) -> tuple[Outcome, ...]:
        """Run the replays and return sums over them."""
        found = stages.staged(self.recorded, self.bundle, self.replays)
        return tuple(self._outcome(plan, number, found) for number, plan in enumerate(self.plans))

    def _outcome(self, plan: Plan, number: int, found: stages.Replayed) -> Outcome:
        outcome = stage_outcome(plan, self.replays.n, found.hits[number], found.stopped[number, :, : len(plan.models)])
        if not self.bundle.control[number].any():
            return outcome
        control = np.stack([found.control_hits[number].T, found.both[number].T]).astype(float)
        return outcome._replace(control=control)


def replay_task(
    tasks: ReplayTasks, plans: Sequence[Plan], block: Block, *, controls: Collection[int], count: bool
) -> ReplayTask | SharedTask:
    """Return the task of a block of replays.

    Parameters
    ----------
    tasks : ReplayTasks
        Tasks of plans that share no replays.
    plans : sequence of Plan
        All plans.
    block : Block
    controls : collection of int
        Plans that have a control.
    count : bool
        Whether to count what the draws spend.
    """
    if len(block.plans) == 1 and block.plans[0] not in controls:
        return tasks.task(plans[block.plans[0]], block, count=count)
    parts = tuple(plans[i].at(block.budgets) for i in block.plans)
    rows = {key: None for part in parts for key in _keys(part)}
    models, orders, limits = zip(*rows, strict=True)
    recorded = tasks.recorded(models, orders, limits, block)
    number_of = {key: row for row, key in enumerate(rows)}
    control = np.full((len(parts), len(block.budgets)), NO_CONTROL)
    control[[i in controls for i in block.plans]] = TWIN
    places = [[number_of[key] for key in _keys(part)] for part in parts]
    bundle = bundle_of([rules_of(part) for part in parts], places, control)
    return SharedTask(parts, recorded, bundle, tasks.replays(block))


def _keys(plan: Plan) -> list[tuple[str, str, int | None]]:
    """Return what the samples of every stage depend on: model, order and limit of tokens."""
    limits = plan.max_tokens or (None,) * len(plan.models)
    return list(zip(plan.models, plan.orders or plan.models, limits, strict=True))
