"""Differences between the answers of a live run and the pool that it leaves, which is graded as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from mssim._validation import counted
from mssim.grading import Rule
from mssim.grading.report import of_truths
from mssim.grading.truths import Questions
from mssim.live.results import Answer
from mssim.pools.endings import was_cut_off
from mssim.pools.folder import current

__all__ = ["differences", "unmatched_truths", "untold_truths"]

_KEY = ["question_id", "model", "sample_index"]


def untold_truths(truths: Iterable[str | None]) -> list[str]:
    """Say how many questions have no truth.

    Examples
    --------
    >>> untold_truths(["7", None])
    ['1 question has no truth. It counts for no accuracy here, and as wrong in the pool.']
    """
    number = sum(truth is None for truth in truths)
    if not number:
        return []
    has, counts = ("has", "It counts") if number == 1 else ("have", "They count")
    return [f"{counted(number, 'question')} {has} no truth. {counts} for no accuracy here, and as wrong in the pool."]


def unmatched_truths(questions: Questions, rule: Rule) -> list[str]:
    """Return a warning about truths that are known and that no answer can equal under a rule, if there are any.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mssim.grading import parse_rule
    >>> from mssim.grading.truths import read_questions
    >>> rule = parse_rule("date")
    >>> table = pa.table({"question_id": ["q1", "q2", "q3"], "truth": ["12/24/2026", "Paris", None]})
    >>> unmatched_truths(read_questions(table, rule), rule)[0].split(". ")[0]
    "1 of 2 truths are not a date MM/DD/YYYY, such as 'Paris'"
    """
    known = {
        question: (given, truth)
        for question, given, truth in zip(questions.place, questions.given, questions.truths, strict=True)
        if given is not None
    }
    cannot_match = {question: given for question, (given, truth) in known.items() if truth is None}
    return of_truths(cannot_match, len(known), rule.truths, rule.name)


def differences(folder: Path, answers: Sequence[Answer], limited: Collection[str] = ()) -> list[str]:
    """Say for which questions the graded pool has other answer classes than the run.

    Parameters
    ----------
    folder : Path
        Pool folder.
    answers : sequence of Answer
        Answers with their draws.
    limited : collection of str
        Models whose cut-off samples were no answers because of a limit of the strategy.

    Returns
    -------
    list of str
        At most one note for each kind of difference.
    """
    path = current(folder, "samples.parquet")
    draws = [(answer.question_id, draw) for answer in answers for draw in answer.draws]
    if not draws or not path.exists():
        return []
    cut = [draw.model in limited and was_cut_off(draw.finish_reason) for _, draw in draws]
    used = pd.DataFrame(
        {
            "question_id": [question for question, _ in draws],
            "model": [draw.model for _, draw in draws],
            "sample_index": [draw.sample_index for _, draw in draws],
            "code": [draw.code for _, draw in draws],
            "cut": cut,
        }
    )
    graded = pd.read_parquet(path, columns=[*_KEY, "answer"]).astype({"question_id": object, "model": object})
    both = used.merge(graded, on=_KEY, how="left")
    return [*_of_limit(both[both["cut"]]), *_of_classes(both[~both["cut"]])]


def _of_limit(cut: pd.DataFrame) -> list[str]:
    answered = int(cut["answer"].notna().sum())
    if not answered:
        return []
    was, are = ("was", "is") if answered == 1 else ("were", "are")
    return [
        f"{counted(answered, 'sample')} {was} cut off by max_tokens of the strategy and {are} no answer in this run. "
        "The rule finds an answer in what was written, so the pool has it."
    ]


def _of_classes(both: pd.DataFrame) -> list[str]:
    pairs = both[["question_id", "code", "answer"]].drop_duplicates()
    split = pairs.duplicated(["question_id", "code"], keep=False)
    merged = pairs.duplicated(["question_id", "answer"], keep=False)
    other = split | merged | ((pairs["code"] < 0) != pairs["answer"].isna())
    questions = pairs.loc[other, "question_id"].unique()
    if not len(questions):
        return []
    return [
        f"{counted(len(questions), 'question')}, first {questions[0]!r}, {'has' if len(questions) == 1 else 'have'} "
        "other answer classes in the graded pool than in this run, since grading knows all samples of a question and "
        "the run only those before. The answers are those of the run.",
    ]
