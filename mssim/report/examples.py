"""Examples of recorded texts, within a limit of size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mssim.pools.pool import Pool

__all__ = ["example_texts"]

_LONGEST = 1500  # letters of a text
_MOST = 1_200_000  # letters of all texts
_AROUND = 60  # letters that the page needs beside each text


def example_texts(pool: Pool, order: NDArray[np.int64]) -> tuple[list[list[dict[str, Any]]], str]:
    """Return a right and a wrong text of each model for each question, and a note about what is missing.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    order : ndarray of int64, shape (n_questions,)
        Questions in the order in which they get texts while there is room.

    Returns
    -------
    examples : list of list of dict, one list per question
        model (position), right (whether the answer is right; None if there is no answer), text, and more (letters that
        were cut off).
    note : str
        A sentence if not all questions have texts.

    Examples
    --------
    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/llm-products").select(models=["gemma"])
    >>> example_texts(pool, np.arange(159))[0][1][0]
    {'model': 0, 'right': True, 'text': ' 48', 'more': 0}
    """
    n = len(pool.questions)
    examples: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    if "text" not in pool.extra.column_names or pa.types.is_nested(pool.extra["text"].type):
        return examples, " No texts were recorded."
    right, answered = pool.sample_correct(), pool.codes >= 0
    recorded = pool.recorded
    kinds = {True: right, False: answered & ~right & recorded, None: ~answered & recorded}
    starts = np.concatenate([[0], np.cumsum(pool.lengths.ravel(), dtype=np.int64)])[:-1].reshape(pool.lengths.shape)
    firsts = {kind: (np.asarray(mask.any(axis=2)), np.asarray(mask.argmax(axis=2))) for kind, mask in kinds.items()}
    texts, room, shown = pool.extra["text"], _MOST, 0
    for q in order:
        taken = [
            (m, kind, int(starts[m, q] + at[m, q]))
            for m in range(len(pool.models))
            for kind, (found, at) in firsts.items()
            if found[m, q]
        ]
        for (m, kind, _), text in zip(taken, texts.take(pa.array([row for *_, row in taken])).to_pylist(), strict=True):
            written = "" if text is None else str(text)
            examples[q].append(
                {"model": m, "right": kind, "text": written[:_LONGEST], "more": max(0, len(written) - _LONGEST)}
            )
            room -= min(len(written), _LONGEST) + _AROUND
        shown += 1
        if room <= 0:
            break
    if shown == n:
        return examples, ""
    return examples, f" To keep the page small, texts are shown for the {shown} questions with the largest differences."
