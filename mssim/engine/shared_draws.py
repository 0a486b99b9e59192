"""Models that are prefixes of one recorded run, such as the rounds of a debate, and are drawn together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.errors import BudgetError, PoolError, StrategyError
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Plan

__all__ = [
    "Groups",
    "check_amounts",
    "check_groups",
    "check_linked",
    "ordered",
    "paid_amounts",
    "prefixes",
    "with_orders",
]

Groups = Sequence[Sequence[str]]  # models, each in the order of its runs

_Number = TypeVar("_Number", np.int32, np.float64)
_ROUNDING = 1e-9


def with_orders(plan: Plan, groups: Groups) -> Plan:
    """Return a plan in which the models of each group have the random order of its first model.

    Examples
    --------
    >>> from mssim import Mixture
    >>> (plan,) = Mixture(["round 1", "round 2", "other"]).plans(np.array([3]))
    >>> with_orders(plan, [("round 1", "round 2")]).orders
    ('round 1', 'round 1', 'other')
    """
    first = {model: group[0] for group in groups for model in group}
    if not any(model in first for model in plan.models):
        return plan
    return plan._replace(orders=tuple(first.get(model, model) for model in plan.models))


def check_groups(pool: Pool, groups: Groups) -> None:
    """Raise unless models that share draws have equal numbers of samples."""
    for group in groups:
        rows = [pool.model_index(model) for model in group]
        lengths = pool.lengths[rows]
        different = np.argwhere(lengths != lengths[0])
        if len(different):
            m, q = different[0]
            raise PoolError(
                f"shares_draws: question {pool.question_ids[q]!r} has {lengths[0, q]} samples of model {group[0]!r}, "
                f"but {lengths[m, q]} of {group[m]!r}. Sample i of each must belong to the same run: record the rest, "
                "or select other questions."
            )


def check_linked(name: str, plan: Plan, budgets: NDArray[np.int64], groups: Groups) -> None:
    """Raise if a plan cannot draw the models of a group together."""
    if not plan.is_linked:
        return
    place = {model: i for group in groups for i, model in enumerate(group)}
    for i, before in enumerate(prefixes(plan)):
        if before is None:
            continue
        model, earlier = plan.models[i], plan.models[before]
        if plan.models.count(model) > 1 or plan.models.count(earlier) > 1:
            raise StrategyError(
                f"{name}: {earlier!r} and {model!r} share draws, and one of them has several turns. Name each model "
                "once."
            )
        if place[model] < place[earlier]:
            raise StrategyError(
                f"{name}: {model!r} comes after {earlier!r}, but before it in a run. Name models that share draws in "
                "the order of shares_draws=...."
            )
        more = plan.sizes[i] > plan.sizes[before]
        if more.any():
            b = int(more.argmax())
            raise BudgetError(
                f"{name}: budget {budgets[b]} draws {plan.sizes[i, b]} samples of {model!r}, but only "
                f"{plan.sizes[before, b]} of {earlier!r}, which begin them. Draw at least as many of earlier models."
            )


def ordered(models: Sequence[str], groups: Groups) -> list[str]:
    """Return models in another order, in which those of each group follow its order.

    Examples
    --------
    >>> ordered(["round 2", "other", "round 1"], [("round 1", "round 2")])
    ['round 1', 'other', 'round 2']
    """
    found = list(models)
    for group in groups:
        places = [i for i, model in enumerate(found) if model in group]
        for i, model in zip(places, [model for model in group if model in found], strict=True):
            found[i] = model
    return found


def prefixes(plan: Plan, joined: Sequence[bool] | NDArray[np.bool_] | None = None) -> list[int | None]:
    """Return for every stage the last earlier stage whose draws are the beginnings of its own, or None.

    `joined` are stages that run at the same time as the stage before; then only stages of earlier rounds count.

    Examples
    --------
    >>> from mssim import Mixture
    >>> (plan,) = Mixture(["round 1", "other", "round 2", "round 3"]).plans(np.array([4]))
    >>> plan = with_orders(plan, [("round 1", "round 2", "round 3")])
    >>> prefixes(plan)
    [None, None, 0, 2]
    >>> prefixes(plan, [False, True, True, True])
    [None, None, None, None]
    """
    orders = plan.orders or plan.models
    found: list[int | None] = []
    start = 0  # of the round
    for i, order in enumerate(orders):
        start = start if joined is not None and joined[i] else i
        earlier = [j for j in range(start) if orders[j] == order and plan.models[j] != plan.models[i]]
        found.append(earlier[-1] if earlier else None)
    return found


def paid_amounts(amounts: NDArray[_Number], before: Sequence[int | None]) -> NDArray[_Number]:
    """Return what the samples of each stage spend beyond those of the stage that they continue.

    Parameters
    ----------
    amounts : ndarray, shape (n_stages, ...)
        What the samples of the model of each stage spend, which for a part of a run is the whole run up to there.
    before : sequence of int or None
        Stages that stages continue, as `prefixes` returns them.

    Examples
    --------
    Two runs of a debate, whose rounds take 100 and 120 tokens more:

    >>> paid_amounts(np.array([[100.0, 110.0], [220.0, 230.0]]), [None, 0]).tolist()
    [[100.0, 110.0], [120.0, 120.0]]
    """
    paid = amounts.copy()
    for i, j in enumerate(before):
        if j is not None:
            paid[i] = np.maximum(amounts[i] - amounts[j], 0)
    return paid


def check_amounts(pool: Pool, amounts: Amounts, plans: Iterable[Plan]) -> None:
    """Raise if a sample spends less than the beginning of the same run."""
    checked = set()
    for plan in plans:
        limits = plan.max_tokens or (None,) * len(plan.models)
        stages = list(zip(plan.models, limits, strict=True))
        for i, j in enumerate(prefixes(plan)):
            if j is not None and (stages[j], stages[i]) not in checked:
                checked.add((stages[j], stages[i]))
                _check_pair(pool, amounts, stages[j], stages[i])


def _check_pair(pool: Pool, amounts: Amounts, earlier: tuple[str, int | None], later: tuple[str, int | None]) -> None:
    recorded = pool.recorded_of(pool.model_index(later[0]))
    for quantity in QUANTITIES:
        if not amounts.is_recorded(quantity, [earlier[0], later[0]]):
            continue
        part, whole = amounts.of(quantity, *earlier), amounts.of(quantity, *later)
        less = np.argwhere(recorded & (whole < part * (1 - _ROUNDING)))
        if len(less):
            q, i = less[0]
            raise PoolError(
                f"shares_draws: sample {i} of question {pool.question_ids[q]!r} has {quantity} {whole[q, i]:g} for "
                f"model {later[0]!r}, less than the {part[q, i]:g} for {earlier[0]!r}, a part of the same run. Record "
                "with each model what the whole run has spent up to there."
            )
