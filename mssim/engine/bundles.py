"""Bundles: plans that are replayed together, because they ask the same models or share their draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.rules.plan import Ints, Plan

__all__ = ["Bundle", "bundles_of", "shares_replays"]


class Bundle(NamedTuple):
    """Plans that are replayed together, with equal budgets."""

    plans: tuple[int, ...]  # indices
    budgets: Ints  # indices of the budgets that are replayed


def shares_replays(plan: Plan) -> bool:
    """Return whether a plan only asks several models and counts votes, so that it can share replays with others."""
    if plan.stop or plan.accepts or plan.is_joint or len(plan.models) == 1 or plan.repeats or plan.is_linked:
        return False
    return plan.vote is None or plan.vote.counts_only


def bundles_of(plans: Sequence[Plan], replayed: Sequence[NDArray[np.bool_]], alone: Sequence[bool]) -> list[Bundle]:
    """Group plans with equal budgets, depths and ties; `replayed` are the budgets at which they need replays.

    Plans that are `alone`, and those that do not share replays, have a bundle of their own. Plans that draw more of a
    model than others have another bundle, because the others would draw as much.

    Examples
    --------
    >>> from mssim import parse_strategy
    >>> texts = ("ms:a+b", "ms:b+a,agreement=0.6", "sc:a,stop=beta", "ms:a+b,vote=plurality")
    >>> plans = [parse_strategy(text).plans(np.array([4, 8]))[0] for text in texts]
    >>> for bundle in bundles_of(plans, [np.array([True, True])] * 3 + [np.array([False, False])], [False] * 4):
    ...     print(bundle.plans, bundle.budgets)
    (0, 1) [0 1]
    (2,) [0 1]
    """
    found: dict[object, tuple[list[int], NDArray[np.bool_]]] = {}
    for i, (plan, mask, single) in enumerate(zip(plans, replayed, alone, strict=True)):
        if not mask.any():
            continue
        key = i if single or not shares_replays(plan) else _key(plan)
        members, every = found.setdefault(key, ([], np.zeros_like(mask)))
        members.append(i)
        every |= mask
    return [Bundle(tuple(members), np.flatnonzero(mask)) for members, mask in found.values()]


def _key(plan: Plan) -> tuple[object, ...]:
    ties = None if plan.vote is None else plan.vote.ties
    return "shared", plan.sizes.sum(axis=0).tobytes(), int(plan.sizes.max()), len(plan.models), ties
