"""Warnings about right and wrong: models without a right answer, and grades that contradict recorded verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import encode
from mssim.pools.endings import name_of, quoted
from mssim.pools.texts import normal

__all__ = [
    "FEWEST_ANSWERS",
    "as_verdicts",
    "disagreement",
    "none_right",
    "oracle_scores",
    "pool_disagreement",
    "pool_none_right",
    "said_verdict",
    "whole_texts",
]

FEWEST_ANSWERS = 2  # of a model of which none is right; one may be
_LONG = 40  # characters of an answer that is a whole text
_LONG_RESPONSE = 15  # the same if answers are known to be whole responses; numbers and names are shorter
_FEW_EQUAL = 0.1  # share of answers that repeat another
_SAID = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "correct", "right", "pass", "passed"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "incorrect", "wrong", "fail", "failed"), False),
}


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


def oracle_scores(pool: PoolArrays) -> list[str]:
    """Return a remark that names the models whose scores are the verdicts themselves: 1 if right, 0 if wrong."""
    if "score" not in pool.numbers:
        return []
    score, right, recorded = pool.numbers["score"], pool.sample_correct(), pool.recorded
    found = []
    for m, model in enumerate(pool.models):
        said, answered = right[m], recorded[m] & (pool.codes[m] >= 0)
        known = said[answered]
        if known.any() and not known.all() and np.array_equal(score[m][answered], known):
            found.append(name_of(model))
    if not found:
        return []
    shown = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    return [
        f"score of {shown} is 1 for every right sample and 0 for every wrong one. It is the verdict, which no reward "
        "model knows, so best-of-N by score is pass@k."
    ]


def as_verdicts(column: pa.ChunkedArray) -> NDArray[np.int8]:
    """Return verdicts as 1 (right), 0 (wrong) or -1 (unknown)."""
    codes, values = encode(column)
    said = [said_verdict(value) for value in values]
    return np.array([*(-1 if verdict is None else verdict for verdict in said), -1], np.int8)[codes]


def said_verdict(value: object) -> bool | None:
    """Return a verdict as files write it, or None.

    Examples
    --------
    >>> said_verdict("Yes"), said_verdict(0.0), said_verdict("maybe")
    (True, False, None)
    """
    return _SAID.get(str(value).strip().lower())


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
    """Return a warning if the answers of a model are whole texts of which hardly any two are equal.

    The answers of a model with one sample per question are compared with those of the other models. An importer that
    knows that a scorer stores whole responses states it in ``info["answers"]``, and the scorer in ``info["scorer"]``.
    """
    graded = pool.info.get("grader") is not None
    least = _LONG_RESPONSE if pool.info.get("answers") == "whole responses" and not graded else _LONG
    length = pa.compute.utf8_length(pool.class_labels).to_numpy(zero_copy_only=False)
    if pool.info.get("votes") is False or length.max(initial=0) < least:
        return []
    everyone = cache(lambda: np.sum([pool.class_counts(model) for model in pool.models], axis=0))
    models = [name_of(model) for model in pool.models if _hardly_repeats(pool, model, length, least, everyone)]
    if not models:
        return []
    shown = ", ".join(models[:4]) + (f" and {len(models) - 4} more" if len(models) > 4 else "")
    scorer = pool.info.get("scorer")
    by = f" by the scorer {scorer:.80}" if isinstance(scorer, str) and not graded else ""
    rule = "another rule" if graded else "a rule"
    return [
        f"answers of {shown}{by} are whole texts, and hardly any two of a question are equal, so votes are "
        f"meaningless. Grade the texts with {rule} (rule=...), or choose a scorer that extracts answers."
    ]


def _hardly_repeats(
    pool: PoolArrays, model: str, length: NDArray[np.int32], least: int, everyone: Callable[[], NDArray[np.int64]]
) -> bool:
    """Return whether answers of a model are texts of at least this mean length of which few repeat another."""
    counts = pool.class_counts(model)
    used = counts > 0
    if not used.any() or length[used].mean() < least:
        return False
    answered = pool._sums(counts)
    repeats, compared = int(counts.sum() - used.sum()), int(answered[answered > 1].sum())
    if not compared:
        others = everyone() - counts
        repeats, compared = int((used & (others > 0)).sum()), int((answered[pool._sums(others) > 0]).sum())
    return compared > 0 and repeats <= _FEW_EQUAL * compared and not _are_choices(pool, used)


def _are_choices(pool: PoolArrays, used: NDArray[np.bool_]) -> bool:
    """Return whether most of these answers are texts of the choices of their questions."""
    if "choices" not in pool.questions:
        return False
    question = np.searchsorted(pool.class_offsets, np.nonzero(used)[0], side="right") - 1
    labels = pool.class_labels.filter(pa.array(used)).to_pylist()
    choices = [
        {normal(str(one)) for one in given} if isinstance(given, list | np.ndarray) else ()
        for given in pool.questions["choices"]
    ]
    return sum(label in choices[q] for q, label in zip(question.tolist(), labels, strict=True)) * 2 > len(labels)
