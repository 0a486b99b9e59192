"""Conversion of validated rows to the arrays of a pool: ordered samples and answer classes per question.

Questions are processed in ranges, which bounds the size of temporary arrays for large pools.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.pools import reading
from mssim.pools.arrow import Codes, in_order, narrow, plain
from mssim.pools.plain_types import to_frame
from mssim.pools.reading import KEYS
from mssim.pools.row_checks import PER_SAMPLE, question_ids_of
from mssim.pools.rows import Rows

__all__ = ["assemble"]

MOST_CLASSES = 2**15 - 2


def assemble(rows: Rows, questions: pa.Table | None = None) -> dict[str, Any]:
    """Convert rows to the fields of a `Pool`.

    Parameters
    ----------
    rows : Rows
        Result of `gather`.
    questions : pyarrow.Table, optional
        Table with one row per question. By default, the columns that are constant within every question describe the
        questions.

    Returns
    -------
    dict
        The fields of `PoolArrays` except `info`.

    Raises
    ------
    PoolError
        If samples are duplicated, or one answer to a question is both right and wrong.
    """
    order = _order(rows)
    shape = (len(rows.models), len(rows.question_ids))
    samples = _Samples(rows, order, _lengths(rows, shape))
    full_shape = (*shape, int(samples.lengths.max()))
    codes, classes = np.full(full_shape, -1, np.int16), _Classes(rows)
    gaps = False
    for part in samples.parts():
        codes.reshape(-1)[part.cells] = classes.of(part)
        gaps = gaps or not np.array_equal(rows.index[part.rows], part.places)
    numbers = {}
    for name in list(rows.numbers):
        numbers[name], values = np.full(full_shape, np.nan), np.concatenate(rows.numbers.pop(name))
        for part in samples.parts():
            numbers[name].reshape(-1)[part.cells] = values[part.rows]
    return {
        "models": tuple(rows.models),
        "questions": _described(rows, questions),
        "codes": codes,
        "lengths": samples.lengths,
        **classes.fields(),
        "numbers": numbers,
        "extra": _extra(rows, order, gaps),
    }


# Order ----------------------------------------------------------------------------------------------------------------


def _order(rows: Rows) -> Codes | None:
    """Return the row order by model, question and sample, or None if the rows are already in that order."""
    n, step = rows.model.size, reading.BLOCK_ROWS
    keys = (rows.model, rows.question, rows.index)
    if all(_rising(*(key[i : i + step + 1] for key in keys)) for i in range(0, n, step)):
        return None
    order = []
    for model in range(len(rows.models)):
        mine = np.nonzero(rows.model == model)[0]
        question, index = rows.question[mine], rows.index[mine]
        if not _rising(question, index):
            by = np.lexsort((index, question))
            mine, question, index = mine[by], question[by], index[by]
            repeated = (question[1:] == question[:-1]) & (index[1:] == index[:-1])
            if repeated.any():
                first = int(np.argmax(repeated))
                twins = mine[(question == question[first]) & (index == index[first])]
                raise PoolError(_duplicate_message(rows, twins))
        order.append(narrow(mine, n))
    return np.concatenate(order)


def _rising(*keys: Codes) -> bool:
    """Return whether the rows are in strictly increasing lexicographic order of the keys."""
    rising = np.zeros(keys[0].size - 1, dtype=bool)
    for key in reversed(keys):
        rising = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & rising)
    return bool(rising.all())


def _duplicate_message(rows: Rows, twins: Codes) -> str:
    """Return the error message for a duplicate sample; it names a column that distinguishes the rows, if any."""
    given = rows.extra.take(pa.array(twins)) if rows.extra.num_columns else rows.extra
    candidates = [
        name
        for name in given.column_names
        if name not in (*KEYS, *PER_SAMPLE)
        and not pa.types.is_nested(given.schema.field(name).type)
        and len(given[name].unique()) == len(twins)
    ]
    # A setting of the run has few values over the whole table; a property of the sample has many.
    candidates.sort(key=lambda name: len(rows.extra[name].unique()))
    remedy = "Drop the duplicate rows or renumber the samples."
    if candidates:
        name = candidates[0]
        values = [str(value) for value in rows.extra[name].unique().to_pylist()]
        remedy = (
            f"Column {name!r} distinguishes them: select one value with where={{{name!r}: ...}} "
            f"({', '.join(values[:8])})."
        )
    return f"sample_index: {len(twins)} rows hold the same sample, the second is {rows.name(int(twins[1]))}. {remedy}"


def _lengths(rows: Rows, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Count the samples of each model and question."""
    lengths, step = np.zeros(shape[0] * shape[1], np.int64), reading.BLOCK_ROWS
    for i in range(0, rows.model.size, step):
        group = rows.model[i : i + step].astype(np.int64) * shape[1] + rows.question[i : i + step]
        lengths += np.bincount(group, minlength=lengths.size)
    return lengths.reshape(shape).astype(np.int32)


@dataclass(frozen=True)
class _Part:
    """The samples of a range of questions, ordered by model, question and sample."""

    n_questions: int
    rows: Codes
    question: Codes  # relative to the first question of the part
    places: Codes  # positions among the samples of the same model and question
    cells: Codes  # positions in flattened arrays [model, question, sample]


@dataclass(frozen=True)
class _Samples:
    """All samples, in pool order."""

    rows: Rows
    order: Codes | None
    lengths: NDArray[np.int32]

    def parts(self) -> Iterator[_Part]:
        n_models, n_questions = self.lengths.shape
        starts = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        width = int(self.lengths.max())
        before = np.cumsum(self.lengths.sum(axis=0)) - self.lengths.sum(axis=0)
        _, edges = np.unique(before // reading.BLOCK_ROWS, return_index=True)
        for first, last in pairwise([*edges.tolist(), n_questions]):
            groups = np.arange(n_models)[:, None] * n_questions + np.arange(first, last)
            lengths = self.lengths[:, first:last].ravel()
            group = np.repeat(groups.ravel(), lengths)
            spans = [np.arange(starts[row[0]], starts[row[-1] + 1]) for row in groups]
            rows = np.concatenate(spans)
            places = rows - starts[group]
            question = np.repeat(np.tile(np.arange(last - first), n_models), lengths)
            cells = group * width + places
            yield _Part(last - first, rows if self.order is None else self.order[rows], question, places, cells)


# Classes --------------------------------------------------------------------------------------------------------------


class _Classes:
    """Builder of the answer classes of each question."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        ranks, self._labels = in_order(rows.answers)
        self._ranks = np.append(ranks, -1)
        self._counts: list[Codes] = [np.zeros(1, np.int64)]
        self._correct: list[NDArray[np.bool_]] = []
        self._label: list[Codes] = []

    def of(self, part: _Part) -> Codes:
        """Return the class of each sample within its question, in the order of the labels; -1 = no answer."""
        answer, n_labels = self._ranks[self._rows.answer[part.rows]], max(len(self._labels), 1)
        voting = np.nonzero(answer >= 0)[0]
        correct, question = self._rows.right[part.rows[voting]], part.question[voting]
        flat, pairs = pd.factorize(question * n_labels + answer[voting], sort=True)
        right, total = np.bincount(flat[correct], minlength=pairs.size), np.bincount(flat, minlength=pairs.size)
        mixed = np.nonzero((right > 0) & (right < total))[0]
        if mixed.size:
            members = part.rows[voting[flat == mixed[0]]]
            raise PoolError(_mixed_message(self._rows, members, self._labels[int(pairs[mixed[0]]) % n_labels].as_py()))
        counts = np.bincount(pairs // n_labels, minlength=part.n_questions)
        if counts.max() > MOST_CLASSES:
            name = self._rows.question_ids[sum(map(len, self._counts)) - 1 + int(counts.argmax())]
            raise PoolError(
                f"answer: question {name!r} has more than {MOST_CLASSES} distinct answers. Use a grading rule that "
                "merges equivalent answers."
            )
        self._counts.append(counts)
        self._correct.append(right > 0)
        self._label.append(narrow(pairs % n_labels, n_labels))
        codes = np.full(answer.size, -1, np.int16)
        codes[voting] = flat - (np.cumsum(counts) - counts)[question]
        return codes

    def fields(self) -> dict[str, Any]:
        """Return the class fields of a pool."""
        return {
            "class_offsets": np.cumsum(np.concatenate(self._counts)),
            "class_correct": np.concatenate(self._correct),
            "class_labels": self._labels.take(pa.array(np.concatenate(self._label))),
        }


def _mixed_message(rows: Rows, members: Codes, label: str) -> str:
    right = rows.right[members]
    yes, no = int(members[right][0]), int(members[~right][0])
    return (
        f"answer: {label!r} is correct in {rows.name(yes)} and wrong in {rows.name(no)}. Grade the samples again, or "
        "use distinct labels for distinct answers; surrounding white space does not distinguish them."
    )


# Columns --------------------------------------------------------------------------------------------------------------


def _described(rows: Rows, questions: pa.Table | None) -> pd.DataFrame:
    if questions is not None:
        described = to_frame(questions)
        described["question_id"] = question_ids_of(questions)
    else:
        described = to_frame(rows.questions)
        described.insert(0, "question_id", rows.question_ids)
    plainly: pd.DataFrame = described.apply(plain)
    return plainly


def _extra(rows: Rows, order: Codes | None, gaps: bool) -> pa.Table:
    """Return the columns per sample, in pool order."""
    columns = {name: rows.extra[name] for name in rows.extra.column_names}
    if gaps:  # positions no longer equal the recorded indices, so keep those as a column
        columns["sample_index"] = pa.chunked_array([pa.array(rows.index.astype(np.int64))])
    extra = pa.table(columns)
    return extra if order is None or not columns else extra.take(pa.array(order))
