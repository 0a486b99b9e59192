"""Samples that the recording itself cut off at a limit of length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import encode
from mssim.pools.endings import was_cut_off
from mssim.pools.quality import sample_columns

__all__ = ["CutOffs", "recorded_cut_offs"]

_MANY, _SHARE = 5, 0.01  # samples with the largest number of tokens that suggest a limit


class CutOffs(NamedTuple):
    """Samples of a model that the recording cut off."""

    mask: NDArray[np.bool_]  # [question, sample]
    guessed: bool  # from numbers of tokens, because no finish reasons were recorded


def recorded_cut_offs(pool: PoolArrays, model: str) -> CutOffs:
    """Return which samples of a model the recording cut off.

    The column `finish_reason` tells. If the model has none, samples with the largest number of output tokens count as
    cut off if they are at least five and at least 1 % of all.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": "m", "sample_index": [0, 1, 2], "answer": ["7", None, "7"], "truth": "7",
    ...     "finish_reason": ["stop", "length", "stop"],
    ... }))
    >>> recorded_cut_offs(pool, "m")
    CutOffs(mask=array([[False,  True, False]]), guessed=False)
    """
    m = pool.model_index(model)
    recorded = pool.recorded_of(m)
    mask = np.zeros_like(recorded)
    column = sample_columns(pool, ["finish_reason"]).get("finish_reason")
    if column is not None:
        start = int(pool.lengths[:m].sum(dtype=np.int64))
        codes, reasons = encode(column.slice(start, int(recorded.sum())))
        if (codes >= 0).any():
            mask[recorded] = np.array([*map(was_cut_off, reasons), False])[codes]
            return CutOffs(mask, False)
    tokens = pool.numbers["output_tokens"][m] if "output_tokens" in pool.numbers else np.full(mask.shape, np.nan)
    known = recorded & np.isfinite(tokens)
    if known.any():
        longest = known & (tokens == tokens[known].max())
        if longest.sum() >= max(_MANY, _SHARE * known.sum()):
            mask = longest
    return CutOffs(mask, bool(mask.any()))
