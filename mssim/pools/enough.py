"""Which questions have enough samples, and the remedy that messages name where some have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrays import PoolArrays

__all__ = ["selecting", "selecting_asked", "selecting_usual"]


def selecting(pool: PoolArrays, least: int, models: Sequence[str] | None = None) -> str:
    """Return the selection of the questions with enough samples of some models, and how many it keeps.

    Parameters
    ----------
    pool : PoolArrays
        The pool.
    least : int
        Samples that each of the models must have.
    models : sequence of str, optional
        Models that take part, by default all.

    Returns
    -------
    str
        The call and its outcome; empty if it keeps no question.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": ["q1", "q1", "q2", "q1"], "model": ["a", "a", "a", "b"], "sample_index": [0, 1, 0, 0],
    ...     "answer": "7", "truth": "7",
    ... }))
    >>> selecting(pool, 1)
    'pool.select(min_samples=1), which keeps 1 of 2 questions'
    >>> selecting(pool, 1, ["a"])
    "pool.select(models=['a'], min_samples=1), which keeps 2 of 2 questions"
    """
    names = list(dict.fromkeys(pool.models if models is None else models))
    kept = _least(pool, names) >= least
    if not kept.any():
        return ""
    others = (pool.lengths.min(axis=0) >= least) != kept
    named = f"models={names}, " if others.any() else ""
    size = f"{kept.sum()} of {counted(kept.size, 'question')}"
    return f"pool.select({named}min_samples={least}), which keeps {size}"


def selecting_asked(pool: PoolArrays, asked: Mapping[str, int]) -> str:
    """Return the selection with the least number that leaves every model as many samples as are asked of it."""
    models = [model for model in asked if model in pool.models]
    rows = [pool.models.index(model) for model in models]
    wanted = np.array([asked[model] for model in models])
    least = _least(pool, models)
    lacking = (pool.lengths[rows] < wanted[:, None]).any(axis=0)
    return selecting(pool, min(number for number in wanted.tolist() if not (lacking & (least >= number)).any()), models)


def selecting_usual(pool: PoolArrays) -> str:
    """Return the selection that keeps at least half of the questions, or else those with more than the fewest samples.

    It is empty if no question has more samples of every model than the smallest number.
    """
    least = np.sort(_least(pool, pool.models))
    usual = int(least[(least.size - 1) // 2])
    if usual <= pool.lengths.min():
        more = least[least > pool.lengths.min()]
        usual = int(more[0]) if more.size else 0
    return selecting(pool, usual) if usual else ""


def _least(pool: PoolArrays, models: Sequence[str]) -> NDArray[np.int32]:
    """Return the fewest samples that any of the models has of each question."""
    found: NDArray[np.int32] = pool.lengths[[pool.models.index(model) for model in models]].min(axis=0)
    return found
