"""Accuracy over the number of output tokens at which samples are cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mssim._validation import is_number, shown, whole_number
from mssim.engine.budgets import Asked, Strategies, read_asked
from mssim.engine.evaluate import evaluate
from mssim.engine.limited import RARE
from mssim.errors import MssimError, StrategyError
from mssim.pools.cut_offs import recorded_cut_offs
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.rules.base import Strategy

__all__ = ["AtLimit", "at_limits", "length_limits", "limit_table", "read_limits"]


class AtLimit(NamedTuple):
    """A strategy at one limit of output tokens."""

    strategy: str  # its name without the limit
    max_tokens: int
    asked: Asked  # the strategy with the limit, and its budgets


def length_limits(
    pool: Pool,
    strategy: Strategies,
    max_tokens: int | Sequence[int],
    budgets: ArrayLike | None = None,
    *,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Estimate accuracy and cost of strategies whose samples are cut off at different numbers of output tokens.

    A sample with more output tokens than the limit becomes no answer and has as many tokens as the limit. One pool
    recorded with a high limit thus gives the whole curve. All limits see the same draws.

    Parameters
    ----------
    pool : Pool
        Recorded samples with output_tokens.
    strategy : strategy, or sequence of them, or mapping of name to strategy
        As in `evaluate`, without `max_tokens`.
    max_tokens : int or sequence of int
        Limits of the output tokens of a sample, from 1.
    budgets : int or sequence of int, optional
        As in `evaluate`.
    confidence_level, clusters
        As in `Evaluation.to_frame`.
    **settings
        Further settings of `evaluate`, e.g. ``prices`` or ``n_replays``.

    Returns
    -------
    DataFrame
        One row per strategy, limit and budget: strategy; max_tokens; budget; accuracy, low, high (mean over questions
        and its confidence interval); samples_used; tokens, cost (means; NaN where unknown); cut_off (share of the
        recorded samples of its models that the limit cuts off); recorded_cut_off (share that the recording itself cut
        off); recorded_limit (fewest tokens at which it did, NaN if it did not); beyond (whether the limit is above
        that, so that the row shows the limit of the recording); n_questions.

    Raises
    ------
    StrategyError
        If a strategy has a limit already.
    PoolError
        If a sample has no output_tokens.
    MssimError
        If a limit or a setting of `evaluate` is invalid.

    Warns
    -----
    PoolWarning
        As `evaluate`, if limits are above what the recording allows or have no effect.

    Notes
    -----
    The curve assumes that a model writes the same text until it is cut off. It does not say how a model that is told
    of its limit would answer. Finish reasons say which samples the recording cut off. Without them, samples of the
    largest length count as cut off if they are at least five and at least 1 %.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import length_limits
    >>> frame = length_limits(load_pool("recorded/llm-products"), "sc:gemma", [1, 2, 3, 4], [1, 8])
    >>> curve = frame[frame["budget"] == 8]
    >>> curve[["max_tokens", "accuracy", "tokens", "cut_off", "beyond"]].round(3)
       max_tokens  accuracy  tokens  cut_off  beyond
    1           1     0.001  63.751    0.996   False
    3           2     0.045  71.718    0.954   False
    5           3     0.529  79.346    0.248   False
    7           4     0.564  81.330    0.019   False
    """
    every = at_limits(strategy, max_tokens, pool)
    for name, one in every.items():
        if isinstance(one, Asked):
            raise StrategyError(
                f"{name}: the strategy has max_tokens already. Remove it, and use max_tokens=[256, 1024]."
            )
    found = evaluate(pool, strategies_of(every), budgets, **settings)
    return limit_table(pool, found, every, confidence_level=confidence_level, clusters=clusters)


def at_limits(strategies: Strategies, max_tokens: int | Sequence[int], pool: Pool) -> dict[str, AtLimit | Asked]:
    """Return every strategy at every limit, by its name in results; those with a limit of their own as they are.

    Examples
    --------
    >>> from mssim import load_pool
    >>> list(at_limits(["sc:gemma", "sc:smol-cool,max_tokens=2"], [3, 4], load_pool("recorded/llm-products")))
    ['sc:gemma,max_tokens=3', 'sc:gemma,max_tokens=4', 'sc:smol-cool,max_tokens=2']
    """
    limits = read_limits(max_tokens)
    found: dict[str, AtLimit | Asked] = {}
    for name, one in read_asked(strategies, pool).items():
        if one.strategy.max_tokens is not None:
            found[name] = one
            continue
        for limit in limits:
            # Every strategy is a dataclass with this field.
            strategy = cast("Strategy", replace(cast("Any", one.strategy), max_tokens=limit))
            found[f"{name},max_tokens={limit}"] = AtLimit(name, limit, one._replace(strategy=strategy))
    return found


def strategies_of(every: Mapping[str, AtLimit | Asked]) -> Any:
    """Return strategies as `evaluate` takes them."""
    return {name: one.asked if isinstance(one, AtLimit) else one for name, one in every.items()}


def read_limits(max_tokens: Any) -> list[int]:
    """Return limits as sorted unique integers.

    Examples
    --------
    >>> read_limits([1024, 256, 256])
    [256, 1024]
    """
    given = [max_tokens] if is_number(max_tokens) else max_tokens
    try:
        limits = {whole_number("max_tokens", limit, 1, 2**31) for limit in given}
    except (MssimError, TypeError):
        limits = set()
    if not limits or isinstance(given, str | Mapping):
        raise MssimError(
            f"max_tokens={shown(max_tokens)} is not valid. Use positive integers, the output tokens at which samples "
            "are cut off, e.g. max_tokens=[256, 1024]."
        )
    return sorted(limits)


def limit_table(
    pool: Pool, evaluation: Evaluation, every: Mapping[str, AtLimit | Asked], **statistics: Any
) -> pd.DataFrame:
    """Return the table of `length_limits`, given the evaluation of `at_limits`.

    `statistics` are arguments of `Evaluation.to_frame`.
    """
    frame = evaluation.to_frame(**statistics)
    frame = frame[[isinstance(every[name], AtLimit) for name in frame["strategy"]]]
    limits: list[Any] = [every[name] for name in frame["strategy"]]
    cut: dict[tuple[tuple[str, ...], int], dict[str, Any]] = {}
    for one in limits:
        key = tuple(one.asked.strategy.models), one.max_tokens
        if key not in cut:
            cut[key] = _cut_off(pool, *key)
    facts = pd.DataFrame([cut[tuple(one.asked.strategy.models), one.max_tokens] for one in limits], index=frame.index)
    columns = ["budget", "accuracy", "low", "high", "samples_used", "tokens", "cost"]
    table = pd.concat([frame[columns], facts, frame["n_questions"]], axis=1)
    table.insert(0, "strategy", [one.strategy for one in limits])
    table.insert(1, "max_tokens", [one.max_tokens for one in limits])
    return table.reset_index(drop=True)


def _cut_off(pool: Pool, models: Sequence[str], limit: int) -> dict[str, Any]:
    """Return what the limit and the recording cut off of the samples of some models."""
    total, longer, cut, lowest = 0, 0, 0, np.nan
    for model in dict.fromkeys(models):
        m = pool.model_index(model)
        recorded, tokens, mask = (
            pool.recorded_of(m),
            pool.numbers["output_tokens"][m],
            recorded_cut_offs(pool, model).mask,
        )
        total += int(recorded.sum())
        longer += int((recorded & (tokens > limit)).sum())
        cut += int(mask.sum())
        if mask.sum() >= RARE * recorded.sum() and mask.any():
            lowest = float(np.nanmin([lowest, tokens[mask].min()]))
    return {
        "cut_off": longer / total,
        "recorded_cut_off": cut / total,
        "recorded_limit": lowest,
        "beyond": bool(limit > lowest),
    }
