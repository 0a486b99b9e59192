"""Warnings about the quality of a pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim.pools import endings, requests
from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import Codes, _dictionary, codes_of, encode
from mssim.pools.endings import Columns, Endings
from mssim.pools.enough import selecting, selecting_usual
from mssim.pools.requests import Requests
from mssim.pools.verdicts import pool_disagreement, pool_none_right, whole_texts

__all__ = [
    "LONG_TEXT",
    "SampleFacts",
    "no_votes",
    "pool_remarks",
    "pool_warnings",
    "repeated_texts",
    "sample_columns",
]

LONG_TEXT = 40  # characters; shorter texts repeat by chance
_SETTINGS = {"temperature", "top_p", "top_k", "prompt", "system_prompt", "max_tokens", "reasoning_effort"}
_MANY_WITHOUT_ANSWER = 0.05
_ROWS = 2**15  # samples whose requests are compared at once


def pool_warnings(pool: PoolArrays) -> list[str]:
    """Return warnings about the samples, answers, settings and texts of a pool."""
    columns = sample_columns(pool, (*SampleFacts.COLUMNS, "correct_in_source"))
    facts = _facts(pool, columns)
    found = [*_lengths(pool), *_missing_answers(pool), *_mixed_settings(pool), *facts.warnings(pool.models, rare=False)]
    found += [*pool_none_right(pool), *pool_disagreement(pool, columns.get("correct_in_source")), *whole_texts(pool)]
    return [*found, *facts.of_texts(pool.models, rare=False), *_repeated(pool)]


def pool_remarks(pool: PoolArrays) -> list[str]:
    """Return remarks that are not warnings: rare samples that were cut off or empty, and recorded reasoning."""
    facts, columns = SampleFacts(), sample_columns(pool, endings.COLUMNS)
    if columns:
        facts.endings.add(_model_of(pool), columns, pool.codes[pool.recorded] >= 0)
    return [*facts.rare(pool.models), *facts.endings.reasoning(pool.models)]


class SampleFacts:
    """What a reader must know of samples besides their answers, accumulated over the blocks of a table.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> facts = SampleFacts()
    >>> none = np.zeros(2, int)
    >>> facts.add(none, none, {"finish_reason": pa.chunked_array([["stop", "length"]])}, np.ones(2, bool))
    >>> facts.warnings(["m"])
    ['1 of 2 samples of m was cut off (finish_reason length).']
    """

    COLUMNS = tuple(dict.fromkeys((*endings.COLUMNS, *requests.COLUMNS)))

    def __init__(self) -> None:
        self.endings, self.requests = Endings(), Requests()

    def add(self, model: Codes, question: Codes, columns: Columns, answered: NDArray[np.bool_]) -> None:
        """Add the samples of a block, with one entry of each argument per sample; see `Endings` and `Requests`."""
        self.endings.add(model, columns, answered)
        self.requests.add(model, question, columns)

    def warnings(self, models: Sequence[str], *, rare: bool | None = None) -> list[str]:
        """Return warnings about samples that were cut off and about several served models."""
        return [*self.endings.cut_off(models, rare=rare), *self.requests.served(models)]

    def of_texts(self, models: Sequence[str], *, rare: bool | None = None) -> list[str]:
        """Return warnings about empty texts and about requests whose texts are equal."""
        return [*self.endings.empty_texts(models, rare=rare), *self.requests.identical(models)]

    def rare(self, models: Sequence[str]) -> list[str]:
        """Return remarks about less than one sample in a thousand of a model that were cut off or have no text."""
        return [*self.endings.cut_off(models, rare=True), *self.endings.empty_texts(models, rare=True)]


def _facts(pool: PoolArrays, columns: Columns) -> SampleFacts:
    facts = SampleFacts()
    if not columns:
        return facts
    facts.endings.add(_model_of(pool), columns, pool.codes[pool.recorded] >= 0)
    ends = np.cumsum(pool.lengths.sum(axis=1, dtype=np.int64))
    served = {name: column for name, column in columns.items() if name == "served_model"}
    facts.requests.add(_model_of(pool), np.zeros(0, int), served)
    texts = {name: column for name, column in columns.items() if name in requests.COLUMNS[:3]}
    for m, end in enumerate(ends.tolist()):
        question = np.repeat(np.arange(pool.lengths.shape[1]), pool.lengths[m])
        for first in range(0, question.size, _ROWS):
            rows = question[first : first + _ROWS]
            start = end - question.size + first
            block = {name: column.slice(start, rows.size) for name, column in texts.items()}
            facts.requests.add(np.full(rows.size, m), rows, block)
            if facts.requests.varied(m):
                break
    return facts


def _model_of(pool: PoolArrays) -> Codes:
    """Return the model of each row of `extra`."""
    return np.repeat(np.arange(len(pool.models), dtype=np.int32), pool.lengths.sum(axis=1, dtype=np.int64))


def sample_columns(pool: PoolArrays, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Return recorded columns per sample. One that is constant within questions may be stored with the questions."""
    found = {name: pool.extra[name] for name in names if name in pool.extra.column_names}
    described = [name for name in names if name in pool.questions and name not in found]
    if described:
        groups = np.tile(np.arange(len(pool.questions)), len(pool.models))
        row = pa.array(np.repeat(groups, pool.lengths.ravel()))
        for name in described:
            values = pa.chunked_array([pa.array(pool.questions[name], from_pandas=True)])
            found[name] = values.take(row)
    return found


def _lengths(pool: PoolArrays) -> list[str]:
    found = []
    recorded = pool.lengths[pool.lengths > 0]
    if recorded.size and recorded.min() < recorded.max():
        selection = selecting_usual(pool)
        remedy = f" Drop questions with few samples with {selection}." if selection else ""
        found.append(
            f"samples per question and model range from {recorded.min()} to {recorded.max()}; "
            f"the smallest number limits the budgets.{remedy}"
        )
    for model, lengths in zip(pool.models, pool.lengths, strict=True):
        missing = int((lengths == 0).sum())
        if missing:
            selection = selecting(pool, 1)
            remedy = f"Drop such questions with {selection}" if selection else "No question has samples of all models"
            found.append(f"model {model!r} has no samples for {missing} of {lengths.size} questions. {remedy}.")
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
    if "text" not in pool.extra.column_names or pa.types.is_nested(pool.extra["text"].type):
        return []
    codes, texts = _dictionary(pool.extra["text"])
    if not pa.types.is_large_string(texts.type):
        return []
    long = np.append(pa.compute.utf8_length(texts).to_numpy(zero_copy_only=False) >= LONG_TEXT, False)
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
        "are meaningless. Use pass@k (the strategy cov) or best-of-N instead."
    ]
