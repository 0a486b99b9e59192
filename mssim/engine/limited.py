"""Limits of output tokens: a longer sample becomes no answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mssim._validation import counted, shown
from mssim.engine.blocks import picked
from mssim.errors import PoolError, StrategyError
from mssim.pools.cut_offs import recorded_cut_offs
from mssim.pools.pool import Pool
from mssim.rules.plan import Ints, Plan

__all__ = ["RARE", "Limits", "check_limits", "codes_of", "cut_tokens", "limit_warnings", "limits_by_model"]

Limits = Sequence[int | None] | None  # [stage], most output tokens of a sample; None: no limit

_COLUMN = "output_tokens"
RARE = 0.001  # a smaller share of samples that were cut off does not matter


def codes_of(pool: Pool, models: Sequence[str], limits: Limits, questions: slice | Ints) -> NDArray[np.int16]:
    """Return the codes of answers of some questions, [stage, question, sample], with one stage per name of a model.

    Samples with more output tokens than the limit of their stage have no answer, code -1.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": "m", "sample_index": [0, 1, 2], "answer": ["7", "7", "8"], "truth": "7",
    ...     "output_tokens": [100, 513, 512],
    ... }))
    >>> codes_of(pool, ["m"], [512], slice(0, 1)).tolist()
    [[[0, -1, 1]]]
    """
    rows = [pool.model_index(model) for model in models]
    codes = picked(pool.codes, rows, questions)
    for stage, limit in enumerate(limits or ()):
        if limit is not None:
            codes[stage][pool.numbers[_COLUMN][rows[stage], questions] > limit] = -1
    return codes


def cut_tokens(tokens: NDArray[np.float64], limits: Limits) -> NDArray[np.float64]:
    """Return output tokens [stage, question, sample] of samples that are cut off at limits.

    Examples
    --------
    >>> cut_tokens(np.array([[[100.0, 513.0]], [[100.0, 513.0]]]), [512, None]).tolist()
    [[[100.0, 512.0]], [[100.0, 513.0]]]
    """
    if limits is None:
        return tokens
    most = np.array([np.inf if limit is None else limit for limit in limits])
    return np.asarray(np.minimum(tokens, most[:, None, None]))


def limits_by_model(plans: Iterable[Plan]) -> dict[str, set[int | None]]:
    """Return the limits of every model of some plans, None where it has no limit."""
    found: dict[str, set[int | None]] = {}
    for plan in plans:
        for model, limit in zip(plan.models, plan.max_tokens or [None] * len(plan.models), strict=True):
            found.setdefault(model, set()).add(limit)
    return found


def check_limits(pool: Pool, name: str, plan: Plan) -> None:
    """Raise if limits of a plan are invalid, or samples that they could cut off have no recorded output tokens."""
    limits = plan.max_tokens
    if limits is None:
        return
    valid = isinstance(limits, tuple) and all(limit is None or (type(limit) is int and limit > 0) for limit in limits)
    if not valid or len(limits) != len(plan.models):
        raise StrategyError(
            f"{name}: max_tokens of its plan is {shown(limits)}. Return a tuple with a positive integer or None for "
            f"each of the {counted(len(plan.models), 'stage')}, or None."
        )
    for model in [model for model, limit in zip(plan.models, limits, strict=True) if limit is not None]:
        recorded = pool.recorded_of(pool.model_index(model))
        tokens = pool.numbers[_COLUMN][pool.model_index(model)] if _COLUMN in pool.numbers else None
        lacking = np.argwhere(recorded if tokens is None else recorded & ~np.isfinite(tokens))
        if len(lacking):
            question, sample = pool.question_ids[lacking[0][0]], lacking[0][1]
            raise PoolError(
                f"{name}: max_tokens requires output_tokens of every sample, but {len(lacking)} of {recorded.sum()} "
                f"samples of model {model!r} have none, first sample {sample} of question {question!r}. Record the "
                "column output_tokens for all samples, or remove the limit."
            )


def limit_warnings(pool: Pool, plans: Iterable[Plan]) -> list[str]:
    """Return one warning per model whose limits are above what its recording allows, or have no effect."""
    found = []
    for model, limits in limits_by_model(plans).items():
        given = sorted(limit for limit in limits if limit is not None)
        if given:
            found += _warnings_of(pool, model, given)
    return found


def _warnings_of(pool: Pool, model: str, limits: list[int]) -> list[str]:
    m = pool.model_index(model)
    recorded, tokens = pool.recorded_of(m), pool.numbers[_COLUMN][m]
    cut, guessed = recorded_cut_offs(pool, model)
    share = float(cut.sum() / recorded.sum())
    if share >= RARE and tokens[cut].min() < limits[-1]:
        low, high = int(tokens[cut].min()), int(tokens[cut].max())
        beyond = [limit for limit in limits if limit > low]
        at = f"{high} tokens" if low == high else f"{low} to {high} tokens"
        if guessed:
            what = f"have exactly {at}, the largest number, so the recording probably cut them off"
        else:
            what = f"were cut off by the recording, at {at}"
        what = f"{_percent(share)} of the samples of model {model!r} {what}"
        return [f"{_written(beyond)}: {what}. A longer limit cannot be simulated beyond that. Use at most {low}."]
    longest = int(tokens[recorded].max())
    without = [limit for limit in limits if limit >= longest]
    if not without:
        return []
    what = f"no effect on model {model!r}, whose longest sample has {longest} tokens"
    return [f"{_written(without)}: {what}. Use a lower limit, or remove it."]


def _written(limits: list[int]) -> str:
    return f"max_tokens={limits[0] if len(limits) == 1 else limits}"


def _percent(share: float) -> str:
    """Return a share in percent, with two significant digits below 10 %."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
