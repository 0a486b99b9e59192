"""Warnings about the quality of a pool."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import codes_of, encode

__all__ = ["LONG_TEXT", "no_votes", "pool_warnings", "repeated_texts"]

LONG_TEXT = 40  # characters; shorter texts repeat by chance
_SETTINGS = {"temperature", "top_p", "top_k", "prompt", "system_prompt", "max_tokens", "reasoning_effort"}
_MANY_WITHOUT_ANSWER = 0.05


def pool_warnings(pool: PoolArrays) -> list[str]:
    """Return warnings about unequal lengths, missing questions, missing answers, mixed settings and repeated texts."""
    return [*_lengths(pool), *_missing_answers(pool), *_mixed_settings(pool), *_repeated(pool)]


def _lengths(pool: PoolArrays) -> list[str]:
    found = []
    recorded = pool.lengths[pool.lengths > 0]
    if recorded.size and recorded.min() < recorded.max():
        found.append(
            f"samples per question and model range from {recorded.min()} to {recorded.max()}; "
            "the smallest number limits the budgets. Drop questions with few samples with select(min_samples=...)."
        )
    for model, lengths in zip(pool.models, pool.lengths, strict=True):
        missing = int((lengths == 0).sum())
        if missing:
            found.append(
                f"model {model!r} has no samples for {missing} of {lengths.size} questions. "
                "Drop these questions with select(min_samples=1)."
            )
    return found


def _missing_answers(pool: PoolArrays) -> list[str]:
    found = []
    for m, model in enumerate(pool.models):
        unanswered = np.count_nonzero((pool.codes[m] < 0) & pool.recorded_of(m))
        share = unanswered / max(int(pool.lengths[m].sum()), 1)
        if share > _MANY_WITHOUT_ANSWER:
            found.append(
                f"model {model!r} gives no answer in {share:.1%} of its samples. They count as samples used but do not "
                "vote. Check the grading rule and max_tokens."
            )
    return found


def _mixed_settings(pool: PoolArrays) -> list[str]:
    found = []
    sizes = pool.lengths.sum(axis=1, dtype=np.int64)
    for name in sorted(_SETTINGS.intersection(pool.extra.column_names)):
        column, kinds, start = pool.extra[name], 0, 0
        for size in sizes:  # settings may differ between models, but not within one
            kinds, start = kinds + len(pd.unique(codes_of(column.slice(start, size)))), start + size
        if kinds > len(pool.models):
            values = encode(column)[1]
            shown = ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
            found.append(
                f"mixed settings: column {name!r} varies within a model ({shown}). Select one value with where=."
            )
    return found


def _repeated(pool: PoolArrays) -> list[str]:
    if "text" not in pool.extra.column_names:
        return []
    codes, texts = encode(pool.extra["text"])
    long = np.array([isinstance(text, str) and len(text) >= LONG_TEXT for text in texts] + [False])
    kept = long[codes]
    cell = np.repeat(np.arange(pool.lengths.size), pool.lengths.ravel())  # pair of model and question
    group = cell[kept] * max(len(texts), 1) + codes[kept]
    return repeated_texts(int(kept.sum()) - len(pd.unique(group)), int(kept.sum()))


def repeated_texts(repeats: int, long: int) -> list[str]:
    """Return a warning if many texts repeat an earlier one of the same model and question."""
    if repeats <= 0.01 * long:
        return []
    return [
        f"{repeats} of {long} long texts repeat an earlier one of the same model and question. "
        "Check whether a cache or a fixed seed was used; such samples are not independent."
    ]


def no_votes(pool: PoolArrays) -> list[str]:
    """Return a warning if the samples were recorded as right or wrong only, without answers to vote on."""
    if pool.info.get("votes") is not False:
        return []
    return [
        "the samples were recorded as right or wrong, without answers. Each sample is its own answer class, so votes "
        "are meaningless. Use pass_at_k or best-of-N instead."
    ]
