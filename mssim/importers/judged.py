"""Samples with an answer and a verdict, where one answer can be judged right in one sample and wrong in another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from mssim._validation import counted
from mssim.importers.fields import Fields
from mssim.importers.sink import Sink
from mssim.pools.texts import normal

__all__ = ["Judged"]


class Judged:
    """Adds judged samples to a sink, such that the pool has the verdict of each sample.

    A pool has one verdict per answer of a question. Tools can have several: a grader can time out, a judge can change
    its mind, and a person can correct a verdict. An answer whose verdict differs from its first one gets a second
    label. A right sample from which no answer was extracted gets the truth as its answer.

    Parameters
    ----------
    sink : Sink
        Destination of the samples.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._next: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._unread: list[tuple[str, str, dict[str, Any]]] = []  # right samples without an answer
        self._kinds: dict[str, bool] | None = None
        self._answered = False
        self._relabelled = 0

    def add(
        self,
        record: Fields,
        question_id: str,
        model: str,
        samples: Iterable[Mapping[str, Any]],
        *,
        question: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Add samples of one model for one question, as `Sink.add` does.

        Parameters
        ----------
        record : Fields
            The object from which the samples were read, named in error messages.
        question_id, model, question, settings
            See `Sink.add`. The truth of the question is the answer of a right sample from which none was extracted.
        samples : iterable of mapping
            Each has `answer` and `correct`, unless the file has no answers or no verdicts at all. A blank answer, or
            None, means that there is none. A sample whose verdict is None was not judged: it is counted as failed,
            unless a rule grades its text.
        """
        truth = (question or {}).get("truth")
        rows: list[dict[str, Any]] = []
        place = (question_id, model)
        given = False
        for sample in samples:
            given = True
            self._same_kinds(record, sample)
            if "correct" in sample and sample["correct"] is None and not (self._sink.graded and sample.get("text")):
                self._sink.fail("not judged")
                continue
            row = {"sample_index": self._next[place], **sample}
            self._next[place] = int(row["sample_index"]) + 1
            answer = normal(row.pop("answer", None) or "")
            if answer:
                self._answered = True
                row["answer"] = self._label(question_id, answer, row.get("correct"))
            elif "answer" in sample and row.get("correct"):
                self._unread.append((question_id, model, {**(settings or {}), **row, "answer": truth}))
                continue
            rows.append(row)
        if rows or not given:
            self._sink.add(question_id, model, rows, question=question, settings=settings)
        else:
            self._sink.describe(question_id, question or {})

    def end(self) -> None:
        """Add right samples without an answer, and warnings that depend on all samples."""
        for question_id, model, row in self._unread:
            answer = normal(row.pop("answer") or "") or "(no answer)"
            if self._answered:
                row["answer"] = self._label(question_id, answer, right=True)
            self._sink.add(question_id, model, [row])
        if self._unread and self._answered:
            self._sink.note(
                f"{counted(len(self._unread), 'sample is', 'samples are')} judged right without an extracted answer. "
                "The truth is taken as the answer."
            )
        if self._relabelled:
            self._sink.note(
                f"{counted(self._relabelled, 'sample has', 'samples have')} an answer that is judged differently in "
                "another sample of the same question. The verdicts are kept, under labels such as '7 (judged wrong)'."
            )

    def _same_kinds(self, record: Fields, sample: Mapping[str, Any]) -> None:
        """Raise if only some samples have answers, or verdicts: the others would count as wrong or as no answer."""
        kinds = {"answers": "answer" in sample, "verdicts": "correct" in sample}
        if self._kinds is None:
            self._kinds = kinds
        if self._kinds != kinds:
            what = next(what for what, given in kinds.items() if given != self._kinds[what])
            record.refuse(f"only some samples have {what}. Import those with and without {what} separately.")

    def _label(self, question_id: str, answer: str, right: bool | None) -> str:
        """Return the answer, or a second label if its verdict differs from that of the same answer before."""
        if right is None or self._verdicts.setdefault((question_id, answer), right) == right:
            return answer
        self._relabelled += 1
        return self._label(question_id, f"{answer} (judged {'right' if right else 'wrong'})", right)
