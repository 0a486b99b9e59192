"""Warnings about right and wrong: models without a right answer, and grades that contradict recorded verdicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import encode
from mssim.pools.endings import name_of, quoted

__all__ = [
    "FEWEST_ANSWERS",
    "as_verdicts",
    "disagreement",
    "none_right",
    "pool_disagreement",
    "pool_none_right",
    "whole_texts",
]

FEWEST_ANSWERS = 2  # of a model of which none is right; one may be
_LONG = 40  # characters of an answer that is a whole text
_FEW_EQUAL = 0.02  # share of answers that repeat another


def pool_none_right(pool: PoolArrays) -> list[str]:
    """Return a warning that names the models that have answers of which none is right."""
    examples = {}
    for m, model in enumerate(pool.models):
        found = _first_wrong(pool, m)
        if found is None:
            continue
        question, label = found
        truth = pool.questions["truth"].iloc[question] if "truth" in pool.questions else None
        answer = None if pool.info.get("votes") is False else pool.class_labels[label].as_py()
        examples[model] = (pool.question_ids[question], answer, None if truth is None else str(truth))
    return none_right(examples)


def _first_wrong(pool: PoolArrays, m: int) -> tuple[int, int] | None:
    """Return question and class of the first answer of a model if it has several and none is right."""
    first, answers = None, 0
    for part in pool._parts():  # of most models, the first part has a right answer
        codes = pool.codes[m, part]
        answered = (codes >= 0) & (np.arange(codes.shape[1]) < pool.lengths[m, part, None])
        question = np.nonzero(answered)[0] + part.start
        labels = codes[answered] + pool.class_offsets[question]
        if pool.class_correct[labels].any():
            return None
        answers += labels.size
        if first is None and labels.size:
            first = int(question[0]), int(labels[0])
    return first if answers >= FEWEST_ANSWERS else None


def none_right(examples: Mapping[str, tuple[str, str | None, str | None]]) -> list[str]:
    """Return a warning about models without a right answer.

    Parameters
    ----------
    examples : mapping of str to (str, str or None, str or None)
        For each such model, the question, the answer and the truth of one of its samples.
    """
    if not examples:
        return []
    named = [name_of(model) for model in examples]
    shown = ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
    question, answer, truth = next(iter(examples.values()))
    beside = [
        f"{name} {quoted(value)}" for name, value in {"answer": answer, "truth": truth}.items() if value is not None
    ]
    example = f", e.g. question {name_of(question)}: {', '.join(beside)}" if beside else ""
    return [f"no answer of {shown} is right{example}. Check the grading rule and the truths."]


def pool_disagreement(pool: PoolArrays, column: pa.ChunkedArray | None) -> list[str]:
    """Return a warning if grades and the verdicts of the source, kept as correct_in_source, disagree."""
    if column is None:
        return []
    said, right = as_verdicts(column), pool.sample_correct()[pool.recorded]
    differ = np.nonzero((said >= 0) & (said != right))[0]
    if not differ.size:
        return []
    model, question, place = (int(index[differ[0]]) for index in np.nonzero(pool.recorded))
    code = int(pool.codes[model, question, place])
    answer = None if code < 0 else pool.class_labels[int(pool.class_offsets[question]) + code].as_py()
    truth = pool.questions["truth"].iloc[question] if "truth" in pool.questions else None
    grader = pool.info.get("grader")
    return disagreement(
        grader.get("rule") if isinstance(grader, Mapping) else None,
        differ=differ.size,
        compared=int((said >= 0).sum()),
        question=pool.question_ids[question],
        answer=answer,
        truth=None if truth is None else str(truth),
        right=bool(right[differ[0]]),
    )


def as_verdicts(column: pa.ChunkedArray) -> NDArray[np.int8]:
    """Return verdicts as 1 (right), 0 (wrong) or -1 (unknown)."""
    codes, values = encode(column)
    known = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}
    return np.array([*(known.get(str(value).strip().lower(), -1) for value in values), -1], np.int8)[codes]


def disagreement(
    rule: str | None,
    *,
    differ: int,
    compared: int,
    question: str,
    answer: str | None,
    truth: str | None,
    right: bool,
) -> list[str]:
    """Return a warning that a rule and the verdicts of the source disagree, with one sample as an example."""
    if not differ:
        return []
    by = f"the rule {rule}" if rule else "the grades"
    given = "no answer" if answer is None else f"answer {quoted(answer)}"
    beside = "" if truth is None else f", truth {quoted(truth)}"
    verdicts = ("right", "wrong") if right else ("wrong", "right")
    return [
        f"{by} and the verdicts of the file disagree on {differ} of {counted(compared, 'sample')}, e.g. question "
        f"{name_of(question)}: {given}{beside}, {verdicts[0]} by the rule and {verdicts[1]} in the file. The verdicts "
        "of the file are in the column correct_in_source."
    ]


def whole_texts(pool: PoolArrays) -> list[str]:
    """Return a warning if the answers of a model are whole texts of which hardly any two are equal."""
    length = pa.compute.utf8_length(pool.class_labels).to_numpy(zero_copy_only=False)
    if pool.info.get("votes") is False or length.max(initial=0) < _LONG:
        return []
    models = []
    for model in pool.models:
        counts = pool.class_counts(model)
        used, total = counts > 0, int(counts.sum())
        questions = int((pool._sums(used) > 0).sum())
        if total > questions and total - used.sum() <= _FEW_EQUAL * total and length[used].mean() >= _LONG:
            models.append(name_of(model))
    if not models:
        return []
    return [
        f"answers of {', '.join(models)} are whole texts, and hardly any two of a question are equal, so votes are "
        "meaningless. Grade the texts with a rule, or choose a scorer that extracts answers."
    ]
