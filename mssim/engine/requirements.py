"""Checks of plans and pools before the work begins: samples, columns and user functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_number, shown
from mssim.engine.limited import check_limits
from mssim.engine.stop_kernels import KERNELS
from mssim.engine.traces import check_online, check_traces
from mssim.errors import BudgetError, MssimError, PoolError, StrategyError
from mssim.kernels.tally import HIGHER
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool
from mssim.rules.agreement import NEVER
from mssim.rules.base import Strategy
from mssim.rules.plan import Plan, Verifier
from mssim.rules.stops import OwnStop, Stop, StopTable
from mssim.rules.votes import Vote

__all__ = [
    "ENOUGH_TO_EXTRAPOLATE",
    "asked_of",
    "check_columns",
    "check_learning",
    "check_own",
    "check_plan",
    "check_questions",
    "check_recorded",
    "check_stop_table",
    "enough_recorded",
]

ENOUGH_TO_EXTRAPOLATE = 16  # samples of every question that theory.extrapolate requires
_MOST_DRAWS = 2**15 - 1
_WIDEST = 600  # range of confidences in temperatures; exp of more overflows
_LEAST_SHARE = 2 * (HIGHER - 1)  # of one vote in all votes; scores within half of that are equal


def enough_recorded(pool: Pool, plan: Plan, replacement: bool) -> NDArray[np.bool_]:
    """Return whether the pool has enough samples for a plan, and its stop rule supports so many, [budget]."""
    enough = np.ones(plan.sizes.shape[1], dtype=bool)
    if plan.stop is not None:
        enough &= plan.sizes.max(axis=0) <= plan.stop.most_draws
    for model in dict.fromkeys(plan.models):
        lengths = pool.lengths[pool.model_index(model)]
        asked = plan.sizes[[other == model for other in plan.models]].sum(axis=0)
        if plan.cap:
            enough &= asked * lengths.size <= np.minimum(lengths, plan.cap).sum() * (lengths.min() > 0)
        else:
            enough &= (np.minimum(asked, 1) if replacement else asked) <= lengths.min()
    return enough


def check_recorded(
    pool: Pool,
    name: str,
    plan: Plan,
    budgets: NDArray[np.int64],
    replacement: bool,
    *,
    plans: Sequence[Plan] = (),
) -> None:
    """Raise if a plan needs more samples of a question than were recorded; a remedy is one for all `plans`."""
    if plan.cap:
        _check_total(pool, name, plan, budgets, plans)
        return
    for model in dict.fromkeys(plan.models):
        turns = [i for i, other in enumerate(plan.models) if other == model]
        sizes = plan.sizes[turns].sum(axis=0)
        asked = int(sizes.max())
        if asked == 0:
            continue
        budget = int(budgets[np.argmax(sizes)])
        if asked > _MOST_DRAWS:
            raise BudgetError(
                f"{name}: budget {budget} needs {asked} samples of one model, but the limit is {_MOST_DRAWS}."
            )
        lengths = pool.lengths[pool.model_index(model)]
        least = 1 if replacement else asked
        if lengths.min() < least:
            question = pool.question_ids[int(lengths.argmin())]
            remedies = ["Lower the budget"]
            if not replacement and lengths.min() > 0:
                remedies.append("draw with replacement=True")
            if _simple(plan) and lengths.min() >= ENOUGH_TO_EXTRAPOLATE:
                remedies.append("extrapolate with theory.extrapolate")
            selecting = selecting_asked(pool, asked_of(plans or (plan,), replacement))
            if selecting:
                remedies.append(f"use {selecting}")
            raise BudgetError(
                f"{name}: budget {budget} needs {asked} samples of model {model!r} for question {question!r}, but "
                f"{lengths.min()} were recorded. {', or '.join(remedies)}."
            )


def asked_of(plans: Sequence[Plan], replacement: bool) -> dict[str, int]:
    """Return the samples of a question that plans need of each model."""
    asked: dict[str, int] = {}
    for plan in plans:
        for model in plan.models:
            sizes = plan.sizes[[other == model for other in plan.models]].sum(axis=0)
            most = min(int(sizes.max()), 1) if replacement or plan.cap else int(sizes.max())
            asked[model] = max(most, asked.get(model, 0))
    return {model: most for model, most in asked.items() if most}


def _simple(plan: Plan) -> bool:
    """Return whether a plan is pass@k or maj@k of one model."""
    vote = plan.vote is None or plan.vote.counts_only
    return len(plan.models) == 1 and plan.stop is None and plan.online is None and vote


def _check_total(pool: Pool, name: str, plan: Plan, budgets: NDArray[np.int64], plans: Sequence[Plan]) -> None:
    """Raise if the questions do not have enough samples for the budget that they share."""
    lengths = np.minimum(pool.lengths[pool.model_index(plan.models[0])], plan.cap)
    if lengths.min() == 0:
        question = pool.question_ids[int(lengths.argmin())]
        selecting = selecting_asked(pool, asked_of(plans or (plan,), False))
        remedy = f"Use {selecting}" if selecting else "Use another model, or record the missing samples"
        raise BudgetError(f"{name}: question {question!r} has no samples of model {plan.models[0]!r}. {remedy}.")
    most = int(plan.sizes.max())
    if most * lengths.size > lengths.sum():
        raise BudgetError(
            f"{name}: budget {budgets[-1]} needs {most * lengths.size} samples for {lengths.size} questions, but only "
            f"{lengths.sum()} can be drawn (at most {plan.cap} per question). Lower the budget, or record more samples."
        )


def check_learning(pool: Pool, name: str, plan: Plan) -> None:
    """Raise if a stop rule learns from other questions, and there are none."""
    if plan.stop is not None and plan.stop.learns and len(pool.questions) < 2:
        raise PoolError(
            f"{name}: stop={plan.stop} learns from other questions, but the pool has only one. Use more questions, or "
            "a rule that does not learn."
        )


def check_questions(pool: Pool, name: str, strategy: Strategy) -> None:
    """Raise if questions lack what a strategy needs to combine the results of its plans."""
    try:
        strategy.check(pool.questions)
    except MssimError as error:
        raise type(error)(f"{name}: {error}") from None


def check_columns(pool: Pool, name: str, plan: Plan) -> None:
    """Raise if samples do not have the numbers that limits, vote, stopping rule and early ends read."""
    check_limits(pool, name, plan)
    if plan.accepts is not None and isinstance(plan.accepts.threshold, tuple):  # other stages accept without a number
        plan = plan._replace(models=plan.models[: len(plan.accepts.threshold)])
    check_traces(pool, name, plan)
    for column in dict.fromkeys(plan.columns):
        needs = plan.vote.needs if plan.vote is not None and plan.vote.column == column else None
        _check_column(pool, name, plan, column, needs or f"column {column!r} (a number for each sample)")


def _check_column(pool: Pool, name: str, plan: Plan, column: str, needs: str) -> None:
    try:
        values = pool.number(column)
    except PoolError as error:
        raise PoolError(
            f"{name} requires {needs}: {error} Record it as a column of samples.parquet, or name another column."
        ) from None
    answered = pool.recorded & (pool.codes >= 0)
    rows = [pool.model_index(model) for model in plan.models]
    for m, model in zip(rows, plan.models, strict=True):
        lacking = np.argwhere(answered[m] & ~np.isfinite(values[m]))
        if lacking.size:
            question, sample = pool.question_ids[lacking[0][0]], lacking[0][1]
            raise PoolError(
                f"{name} requires {needs}, but {len(lacking)} samples of model {model!r} have none, first sample "
                f"{sample} of question {question!r}. Record it for all samples, or select other questions."
            )
    _check_ranges(pool, name, plan, column, values)
    vote, given = plan.vote, values[rows][answered[rows]]
    if vote is not None and vote.ballots == "kept" and vote.column == column and given.size and given.min() < 0:
        raise StrategyError(
            f"{name}: votes weigh their {column}, which must not be negative, but the lowest is {given.min():g}. "
            f"Record e.g. exp({column}) as another column of samples.parquet and name it with column=, or use "
            "vote=borda."
        )
    spread = float(np.ptp(given)) if given.size else 0.0
    if vote is not None and vote.column == column and spread > _WIDEST * (vote.temperature or math.inf):
        raise StrategyError(
            f"{name}: temperature={vote.temperature:g} is too small for {column}, whose range is {spread:g}: only the "
            f"most confident draw would count. Use a higher temperature, or vote=best_of_n,column={column}."
        )


def _check_ranges(pool: Pool, name: str, plan: Plan, column: str, values: NDArray[np.float64]) -> None:
    """Raise if a number of a sample with an answer is out of the range that vote or stop rule read."""
    answered = pool.recorded & (pool.codes >= 0)
    for allowed in (one for read, one in plan.ranges if read == column):
        for model in dict.fromkeys(plan.models):
            row = pool.model_index(model)
            wrong = np.argwhere(answered[row] & ~allowed.holds(values[row]))
            if wrong.size:
                q, sample = wrong[0]
                raise PoolError(
                    f"{name}: sample {sample} of model {model!r} for question {pool.question_ids[q]!r}: "
                    f"{allowed.problem(column, values[row, q, sample])}"
                )


def check_plan(name: str, plan: Plan, budgets: NDArray[np.int64]) -> None:
    """Raise if a plan, which a user's strategy class may have made, violates assumptions of the kernels."""
    shape = (len(plan.models), budgets.size)
    if not plan.models:
        raise StrategyError(f"{name}: its plan has no models. Return a plan with at least one.")
    for what in ("sizes", "need"):
        array = getattr(plan, what)
        if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.shape != shape:
            given = f"{getattr(array, 'dtype', type(array).__name__)} of shape {np.shape(array)}"
            raise StrategyError(
                f"{name}: {what} of its plan is {given}. Return an int64 array [stage, budget] of shape {shape}."
            )
    drawing = plan.sizes > 0
    if plan.sizes.min() < 0 or not drawing[0].all() or (drawing[1:] & ~drawing[:-1]).any():
        raise StrategyError(
            f"{name}: sizes of its plan are {plan.sizes.tolist()}. Return non-negative integers, with zeros only in "
            "the last stages."
        )
    if (plan.stop is not None or plan.is_joint) and len(plan.models) != 1:
        raise StrategyError(
            f"{name}: its plan has {len(plan.models)} models, but stop, cap and ordered support only one."
        )
    if plan.cap and (plan.vote is None or (np.diff(plan.sizes[0]) < 0).any()):
        raise StrategyError(
            f"{name}: its plan has a cap, which requires a vote and sizes that do not decrease with the budget. Return "
            "such a plan."
        )
    if plan.ordered is not None and (plan.vote is None or plan.cap or plan.stop is not None):
        raise StrategyError(
            f"{name}: its plan has ordered, which requires a vote, and no cap or stop rule. Return such a plan."
        )
    if plan.least is not None:
        _check_least(name, plan, plan.least)
    if plan.accepts is not None:
        _check_verifier(name, plan, plan.accepts)
    check_online(name, plan)
    if plan.stop is not None and (plan.vote is None or (plan.need != NEVER).any()):
        raise StrategyError(
            f"{name}: its plan has a stop rule, which requires a vote, and NEVER as the votes that stop (need). Return "
            "such a plan, or remove stop."
        )
    if plan.stop is not None and plan.sizes.max() > plan.stop.most_draws:
        raise BudgetError(
            f"{name}: budget {budgets[int((plan.sizes[0] > plan.stop.most_draws).argmax())]} is too large. "
            f"stop={plan.stop} supports at most {plan.stop.most_draws} samples. Lower the budget."
        )
    if plan.looks is not None and plan.stop is None:
        raise StrategyError(f"{name}: its plan has looks, which require a stop rule. Return such a plan, or no looks.")
    if plan.vote is not None and plan.vote.prior is not None:
        _check_prior(name, plan, plan.vote, budgets)


def _check_least(name: str, plan: Plan, least: NDArray[np.int64]) -> None:
    """Raise if a plan whose answer is right with enough right draws does anything but draw from one model."""
    if len(plan.models) != 1 or plan.vote is not None or plan.stop is not None or (plan.need != NEVER).any():
        raise StrategyError(
            f"{name}: its plan has least, which supports only one model that neither votes nor stops. Return such a "
            "plan, or remove least."
        )
    if not isinstance(least, np.ndarray) or least.dtype != np.int64 or least.shape != plan.sizes.shape[1:]:
        raise StrategyError(
            f"{name}: least of its plan is {shown(least)}. Return an int64 array [budget] of shape "
            f"{plan.sizes.shape[1:]}."
        )


def _check_verifier(name: str, plan: Plan, verifier: Any) -> None:
    """Raise if a plan with a verifier does anything but draw from different models until a sample is accepted."""
    other = plan.vote is not None or plan.stop is not None or plan.is_joint or plan.least is not None
    if other or plan.repeats or (plan.need != NEVER).any():
        raise StrategyError(
            f"{name}: its plan has accepts, which supports only different models that neither vote nor stop otherwise. "
            "Return such a plan, or remove accepts."
        )
    column, limit, _, last = verifier if isinstance(verifier, Verifier) else (None, None, False, False)
    limits = limit if isinstance(limit, tuple) else (limit,)
    fits = not isinstance(limit, tuple) or len(limit) == len(plan.models) - last
    finite = fits and all(is_number(one) and math.isfinite(one) for one in limits)
    of_numbers = isinstance(column, str) and column != "correct" and finite
    if not of_numbers and (column, limit) != ("correct", None):
        raise StrategyError(
            f"{name}: accepts of its plan is {shown(verifier)}. Return Verifier('correct'), or a Verifier with a "
            "column of numbers and a finite threshold, or one for each stage; with last, for all stages but the last."
        )


def _check_prior(name: str, plan: Plan, vote: Vote, budgets: NDArray[np.int64]) -> None:
    """Raise if weights are so unequal that votes of a model would be lost to rounding."""
    assert vote.prior is not None
    if len(vote.prior) != len(plan.models) or isinstance(vote.prior[0], tuple):
        raise StrategyError(f"{name}: prior of its plan is not one weight per stage. Use Vote.ordered(models).")
    weights = vote.weights(len(plan.models))
    if not vote.counts_only or vote.combine != "sum":
        if not weights.all():
            raise StrategyError(
                f"{name}: prior: the weights {shown(vote.prior)} are too different for their ratio to be computed. Use "
                "numbers such as 2/1."
            )
        return
    drawing = np.where(plan.sizes > 0, weights[:, None], np.inf)
    share = drawing.min(axis=0) / (weights @ plan.sizes)
    if (share <= _LEAST_SHARE).any():
        b = int(np.argmax(share <= _LEAST_SHARE))
        ratio = 1 / (_LEAST_SHARE * plan.sizes[:, b].sum()) / 1.06  # two digits are up to 5 % more
        raise StrategyError(
            f"{name}: prior: at budget {budgets[b]} one vote of model {plan.models[int(drawing[:, b].argmin())]!r} is "
            f"{share[b]:.1g} of all votes, less than the rounding of scores. Use weights of which the largest is at "
            f"most {ratio:.2g} times the smallest, or lower the budget."
        )


def check_stop_table(stop: Stop, table: tuple[Any, ...], depth: int, n_questions: int) -> None:
    """Raise if the table of a stopping rule, which a user's class may have made, does not cover `depth` draws."""
    if type(table) not in KERNELS:
        raise StrategyError(
            f"{type(stop).__name__}: no kernel reads its table, which is {shown(table)}. Return a StopTable or None."
        )
    if not isinstance(table, StopTable) or table.window > 0:
        return
    needed = [("by_second", depth // 2 + 1), ("by_draws", depth + 1)]
    needed += [("give_up", depth // 2 + 1)] if table.give_up is not None else []
    for what, n in needed:
        array = getattr(table, what)
        if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.ndim != 1 or array.size < n:
            raise StrategyError(
                f"{type(stop).__name__}: {what} of its table does not cover {depth} draws. Return an int64 array of at "
                f"least {n} numbers."
            )
    if table.by_votes is not None:
        _check_by_votes(stop, table.by_votes, depth)
        _check_kinds(stop, table.kinds, len(table.by_votes), n_questions)


def _check_by_votes(stop: Stop, decided: NDArray[np.bool_], depth: int) -> None:
    least = (1, depth + 1, depth // 2 + 1, depth + 1)
    array = isinstance(decided, np.ndarray) and decided.dtype == np.bool_ and decided.ndim == 4
    if not array or any(n < m for n, m in zip(decided.shape, least, strict=True)):
        raise StrategyError(
            f"{type(stop).__name__}: by_votes of its table does not cover {depth} draws. Return a bool array of shape "
            f"{least} or more."
        )


def _check_kinds(stop: Stop, kinds: NDArray[np.int64] | None, n_kinds: int, n_questions: int) -> None:
    if kinds is None:
        return
    array = isinstance(kinds, np.ndarray) and kinds.dtype == np.int64 and kinds.shape == (n_questions,)
    if not array or not ((kinds >= 0) & (kinds < n_kinds)).all():
        raise StrategyError(
            f"{type(stop).__name__}: kinds of its table must be one integer from 0 to {n_kinds - 1} for each of the "
            f"{n_questions} questions, an int64 array."
        )


def check_own(name: str, plan: Plan) -> None:
    """Call user functions once and check what they return, which compiled kernels cannot do."""
    vote, stop = plan.vote, plan.stop
    if vote is not None and vote.function is not None:
        counts, prior = np.ones((len(plan.models), 3), dtype=np.int64), vote.weights(len(plan.models))
        arguments: tuple[Any, ...] = (counts, prior)
        if vote.columns:
            stages, answers = np.divmod(np.arange(counts.size), 3)
            arguments = (counts, prior, stages, answers, np.ones((len(vote.columns), counts.size)))
        score = np.asarray(_tried(name, vote.function, *arguments))
        if score.shape != (3,) or score.dtype.kind not in "fiu":
            raise StrategyError(
                f"{name}: the function of Vote.own returned {score!r:.100} for votes of shape {counts.shape}. Return "
                "one number per answer class, here an array of shape (3,)."
            )
    if stop is None or stop.learns or stop.table(1) is not None:
        return
    one = (np.array([0]), np.ones((len(stop.columns), 1)))
    if isinstance(stop, OwnStop):
        counts = np.array([1, 0, 0])
        decision = _tried(name, stop.function, counts, *(one if stop.columns else (1,)))
    else:
        decision = _tried(name, stop.stops, *one)
    if np.shape(decision) != () or np.asarray(decision).dtype.kind not in "biu":
        what = "the function of OwnStop" if isinstance(stop, OwnStop) else f"{type(stop).__name__}.stops"
        raise StrategyError(f"{name}: {what} returned {decision!r:.100}. Return True or False.")


def _tried(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise StrategyError(
            f"{name}: {getattr(function, '__name__', function)} raises an error for votes of shape "
            f"{arguments[0].shape}: {type(error).__name__}: {str(error).strip():.300}"
        ) from error
