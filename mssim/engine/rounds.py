"""Rounds and batches of draws, which say how latencies add up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.rules.plan import Plan
from mssim.rules.stops import WindowStop

__all__ = ["batch_starts", "joined_stages"]

Flags = NDArray[np.bool_]


def batch_starts(plan: Plan, parallel: int | None) -> Flags:
    """Return the draws of each stage with which a batch begins.

    Draws of a batch run at the same time, and batches one after the other. A rule that decides after every draw draws
    one at a time. Draws between two looks of a stop rule are a round, and so is a window without looks, and the warm-up
    of `DeepConf`. A round begins a batch.

    Parameters
    ----------
    plan : Plan
        Plan of a strategy.
    parallel : int or None
        Most draws of a batch. None: all draws of a round.

    Returns
    -------
    ndarray of bool, shape (n_stages, n_draws)
        As many draws as the largest stage has.

    Examples
    --------
    >>> from mssim import SelfConsistency, WindowStop
    >>> (plan,) = SelfConsistency("m", stop=WindowStop(3)).plans(np.array([7]))
    >>> batch_starts(plan, None).astype(int)
    array([[1, 0, 0, 1, 0, 0, 1]])
    >>> batch_starts(plan, 2).astype(int)
    array([[1, 0, 1, 1, 0, 1, 1]])
    """
    draws = np.arange(int(plan.sizes.max()))
    if plan.online is not None:
        after = draws - plan.online.warmup
        together = np.where(after < 0, draws, after) % (parallel or max(draws.size, 1)) == 0
        starts = together | ((after >= 0) & (plan.online.consensus is not None))
    elif _decides_after_every_draw(plan):
        starts = np.ones(draws.size, dtype=bool)
    else:
        starts = _within_rounds(plan, draws) % (parallel or max(draws.size, 1)) == 0
    return np.tile(starts, (len(plan.models), 1))


def _within_rounds(plan: Plan, draws: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each draw in its round, from 0."""
    if plan.looks is not None:
        begins = np.array([0, *plan.looks])
        return np.asarray(draws - begins[np.searchsorted(begins, draws, side="right") - 1])
    return draws % plan.stop.window if isinstance(plan.stop, WindowStop) else draws


def joined_stages(plan: Plan, parallel: int | None) -> Flags:
    """Return the stages that run at the same time as the stage before, because that one cannot stop.

    A batch of at most `parallel` draws has draws of one model, so with `parallel` no stage does.

    Returns
    -------
    ndarray of bool, shape (n_stages, n_budgets)

    Examples
    --------
    >>> from mssim import Mixture, ModelSwitch
    >>> (plan,) = Mixture(["a", "b"]).plans(np.array([4]))
    >>> joined_stages(plan, None).T
    array([[False,  True]])
    >>> (plan,) = ModelSwitch(["a", "b"]).plans(np.array([4]))
    >>> joined_stages(plan, None).T
    array([[False, False]])
    """
    joins = np.zeros(plan.sizes.shape, dtype=bool)
    if parallel is None and not _decides_after_every_draw(plan):
        joins[1:] = plan.need[:-1] > plan.sizes[:-1]
    return joins


def _decides_after_every_draw(plan: Plan) -> bool:
    other = plan.stop is not None and plan.looks is None and not isinstance(plan.stop, WindowStop)
    return other or plan.is_joint or plan.accepts is not None
