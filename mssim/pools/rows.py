"""Conversion of the blocks of a long table to arrays with one entry per row.

Each block is validated and reduced to a few integers per row (codes of model, question and answer, sample index and
correctness), then released.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.pools.arrow import Codes, Names, Texts, text_codes
from mssim.pools.column_roles import Columns
from mssim.pools.conditions import Conditions, Where
from mssim.pools.row_blocks import Origin, RowBlock
from mssim.pools.row_checks import (
    GROUPS,
    NUMBERS,
    PER_SAMPLE,
    REQUIRED,
    groups_of,
    names_of,
    numbers_of,
    question_ids_of,
    require_columns,
    right_of,
    sample_indices,
    with_text_keys,
)

__all__ = ["Rows", "gather"]


@dataclass(frozen=True)
class Rows:
    """The rows of all blocks, in the order of the files."""

    models: list[str]
    question_ids: list[str]
    answers: pa.Array
    model: Codes
    question: Codes
    index: Codes
    answer: Codes  # -1 = no answer
    right: NDArray[np.bool_]
    numbers: dict[str, list[NDArray[np.float64]]]  # one array per block
    questions: pa.Table  # columns that describe questions
    extra: pa.Table
    origins: list[Origin]

    def name(self, row: int) -> str:
        """Return row number, file, question, model and sample index of a row."""
        starts = np.cumsum([0, *(origin.n_rows for origin in self.origins)])
        block = bisect_right(starts.tolist(), row) - 1
        where = self.origins[block].name(row - int(starts[block]))
        return _named(where, self.question_ids[self.question[row]], self.models[self.model[row]], int(self.index[row]))


def _named(where: str, question: str, model: str, index: int) -> str:
    return f"{where} (question {question!r}, model {model!r}, sample_index {index})"


def gather(blocks: Iterable[RowBlock], where: Where | None, questions: pa.Table | None) -> Rows:
    """Collect and validate the rows of all blocks that satisfy the conditions.

    Parameters
    ----------
    blocks : iterable of RowBlock
        Blocks of a long table.
    where : mapping or sequence of (column, operator, value), optional
        Conditions on rows.
    questions : pyarrow.Table, optional
        Table with one row per question, in the order of the pool. By default, the columns that are constant within
        every question describe the questions.

    Returns
    -------
    Rows
        The validated rows.
    """
    gathering = _Gathering(questions)
    conditions = Conditions(where)
    for block in blocks:
        gathering.require_columns(block)
        chosen = block.choose(conditions.mask(block.table)) if conditions else block
        if chosen.table.num_rows:
            gathering.add(chosen)
    conditions.require_use()
    return gathering.rows()


class _Gathering:
    """Accumulator of the rows of blocks."""

    def __init__(self, questions: pa.Table | None) -> None:
        known = None if questions is None else question_ids_of(questions)
        self.known = known
        self.models, self.questions, self.answers = Names(), Names(known or ()), Texts()
        self.columns = Columns(None if questions is None else questions.column_names, PER_SAMPLE)
        self.parts: dict[str, list[Any]] = {name: [] for name in ("model", "question", "index", "answer", "right")}
        self.numbers: dict[str, list[NDArray[np.float64]]] = {}
        self.origins: list[Origin] = []
        self.names: list[str] | None = None
        self.first_file = ""

    def require_columns(self, block: RowBlock) -> None:
        """Raise if a block lacks required columns, or has other columns than the first block."""
        names = block.table.column_names
        if self.names is None:
            require_columns(names, block.origin.path)
            self.names, self.first_file = names, block.origin.file
        for one in sorted(set(names) ^ set(self.names)):
            having, lacking = self.first_file, block.origin.file
            if one in names:
                having, lacking = lacking, having
            raise PoolError(
                f"column {one!r}: present in {having} but missing in {lacking}. Write the same columns to all files."
            )

    def add(self, block: RowBlock) -> None:
        """Validate the rows of a block and store their codes and values."""
        table = with_text_keys(block.table)
        model = names_of(table, "model", self.models, block.origin)
        question = names_of(table, "question_id", self.questions, block.origin)
        self._require_known()
        index = sample_indices(table, block.origin)
        answer, texts = text_codes(table["answer"])
        self.answers.add(texts)

        def name(row: int) -> str:
            ids, models = self.questions.to_list(), self.models.to_list()
            return _named(block.origin.name(row), ids[question[row]], models[model[row]], int(index[row]))

        right = right_of(table, answer, texts, name)
        for number in [n for n in NUMBERS if n in table.column_names]:
            self.numbers.setdefault(number, []).append(numbers_of(table, number, answer, name))
        given = {"model": model, "question": question, "index": index, "answer": answer, "right": right}
        for key, values in given.items():
            self.parts[key].append(values)
        if GROUPS in table.column_names:
            place = table.column_names.index(GROUPS)
            table = table.set_column(place, GROUPS, groups_of(table, answer, name))
        others = [n for n in table.column_names if n not in (*REQUIRED, *NUMBERS, "correct")]
        self.columns.add(table.select(others), question)
        self.origins.append(block.origin)

    def _require_known(self) -> None:
        if self.known is not None and len(self.questions) > len(self.known):
            unknown = self.questions.to_list()[len(self.known)]
            raise PoolError(
                f"questions.parquet: question {unknown!r} of samples.parquet is missing. Restore the file, or recreate "
                "the pool from its source."
            )

    def rows(self) -> Rows:
        """Concatenate the blocks."""
        if not self.origins:
            raise PoolError(
                "the pool is empty: the table has no rows, or none satisfy the conditions. Check the table and where."
            )
        questions, extra = self.columns.split()
        answer, answers = self.answers.joined(self.parts.pop("answer"))
        whole = {key: np.concatenate(self.parts.pop(key)) for key in list(self.parts)}
        return Rows(
            models=self.models.to_list(),
            question_ids=self.questions.to_list(),
            answers=answers,
            answer=answer,
            numbers=self.numbers,
            questions=questions,
            extra=extra,
            origins=self.origins,
            **whole,
        )
