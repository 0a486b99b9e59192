"""What a reader must know of graded samples: how they ended, who served them, and verdicts that a rule contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim.grading.classes import Codes
from mssim.grading.truths import Questions
from mssim.pools.quality import SampleFacts
from mssim.pools.verdicts import FEWEST_ANSWERS, as_verdicts, disagreement, none_right

__all__ = ["KEPT", "Findings"]

_ROWS, _BYTES = 2**14, 2**23  # size of the batches that are held; texts may be long
KEPT = "correct_in_source"  # column of the verdicts of the source

Example = tuple[int, str | None]  # question and answer


class Findings:
    """Findings about the samples of a grading, accumulated over batches.

    Parameters
    ----------
    rule : str
        Name of the rule.
    asked : Questions
        Questions with their truths.
    verdicts : str
        Name of the column with verdicts of the source, which, if it exists, are compared with the grades.
    """

    def __init__(self, rule: str, asked: Questions, verdicts: str) -> None:
        self._rule, self._asked, self._verdicts = rule, asked, verdicts
        self._read = dict.fromkeys((*SampleFacts.COLUMNS, verdicts))
        self._facts = SampleFacts()
        self._held: list[pa.Table] = []  # batches to evaluate
        self._size = np.zeros(2, np.int64)  # their rows and bytes
        self._right: set[int] = set()  # models with a right answer
        self._answers: dict[int, int] = {}  # numbers of answers of the others
        self._wrong: dict[int, Example] = {}  # a wrong answer of each model
        self._compared = self._differ = 0
        self._example: tuple[Example, bool] | None = None  # with the verdict of the rule

    def add(self, batch: pa.RecordBatch, graded: pa.Table, model: Codes, question: Codes) -> None:
        """Add the samples of a batch, as they were read and as they were graded."""
        answered = batch.column("answer") if "answer" in batch.schema.names else pa.nulls(batch.num_rows)
        columns = {name: batch.column(name) for name in self._read if name in batch.schema.names}
        columns |= {"answered": answered.is_valid(), "model code": pa.array(model), "question code": pa.array(question)}
        columns |= {"right": graded["correct"].combine_chunks(), "new answer": graded["answer"].combine_chunks()}
        self._held.append(pa.table(columns))
        self._size += np.array([batch.num_rows, self._held[-1].nbytes])
        if (self._size >= (_ROWS, _BYTES)).any():
            self._take_in()

    def _take_in(self) -> None:
        """Evaluate the batches that are held, which takes less time than one by one."""
        if not self._held:
            return
        table = pa.concat_tables(self._held)
        self._held, self._size = [], np.zeros(2, np.int64)
        model, question = table["model code"].to_numpy(), table["question code"].to_numpy()
        columns = {name: table[name] for name in SampleFacts.COLUMNS if name in table.column_names}
        self._facts.add(model, question, columns, _mask(table["answered"]))
        right, answer = _mask(table["right"]), table["new answer"]
        self._count(model, question, right, answer)
        if self._verdicts in table.column_names:
            self._compare(as_verdicts(table[self._verdicts]), question, right, answer)

    def with_verdicts(self, batch: pa.RecordBatch, graded: pa.Table) -> pa.Table:
        """Return the graded samples with the verdicts of the source beside the grades."""
        if self._verdicts == KEPT or self._verdicts not in batch.schema.names or KEPT in graded.column_names:
            return graded
        return graded.append_column(KEPT, batch.column(self._verdicts))

    def _count(self, model: Codes, question: Codes, right: NDArray[np.bool_], answer: pa.ChunkedArray) -> None:
        self._right |= set(np.unique(model[right]).tolist())
        answered = _mask(answer.is_valid())
        for m in set(np.unique(model[answered]).tolist()) - self._right:
            rows = np.nonzero(answered & (model == m))[0]
            self._answers[m] = self._answers.get(m, 0) + rows.size
            self._wrong.setdefault(m, (int(question[rows[0]]), answer[int(rows[0])].as_py()))

    def _compare(self, said: NDArray[np.int8], question: Codes, right: NDArray[np.bool_], answer: Any) -> None:
        differ = np.nonzero((said >= 0) & (said != right))[0]
        self._compared += int((said >= 0).sum())
        self._differ += differ.size
        if differ.size and self._example is None:
            row = int(differ[0])
            self._example = (int(question[row]), answer[row].as_py()), bool(right[row])

    def warnings(self, models: Sequence[str]) -> list[str]:
        """Return the warnings, given the names of the models in the order of their codes."""
        self._take_in()
        ids = list(self._asked.place)
        wrong = {
            models[m]: (ids[question], answer, self._asked.given[question])
            for m, (question, answer) in sorted(self._wrong.items())
            if m not in self._right and self._answers[m] >= FEWEST_ANSWERS
        }
        found = [*self._facts.warnings(models), *none_right(wrong)]
        if self._example is not None:
            (question, answer), right = self._example
            found += disagreement(
                self._rule,
                differ=self._differ,
                compared=self._compared,
                question=ids[question],
                answer=answer,
                truth=self._asked.given[question],
                right=right,
            )
        return [*found, *self._facts.of_texts(models), *self._facts.endings.reasoning(models)]


def _mask(values: Any) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)
