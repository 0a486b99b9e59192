"""Assignment of spellings to answer classes, with a name and a verdict for each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim.grading.equivalence import Judge, equal_answers
from mssim.grading.latex import as_latex
from mssim.grading.rules import Rule

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Spellings:
    """Distinct spellings, with one entry per question and spelling, in order of first appearance."""

    question: Codes
    answer: Codes
    count: Codes
    of_row: Codes  # -1 = no answer


def spellings_of(question: Codes, answer: Codes) -> Spellings:
    """Find the distinct spellings of each question. The answer -1 of a sample means no answer."""
    width = int(answer.max(initial=0)) + 1
    pairs = question * width + answer
    of_row = np.full(answer.size, -1, np.int64)
    of_row[answer >= 0], found = pd.factorize(pairs[answer >= 0])
    count = np.bincount(of_row[of_row >= 0], minlength=found.size)
    return Spellings(found // width, found % width, count, of_row)


def merge(
    spellings: Spellings,
    answers: Sequence[str],
    truths: Sequence[str | None],
    rule: Rule,
    judge: Judge | None,
    progress: Callable[[float], None],
) -> tuple[Codes, NDArray[np.bool_]]:
    """Merge spellings to answer classes.

    Parameters
    ----------
    spellings : Spellings
        Distinct spellings of each question.
    answers : sequence of str
        Texts of the answers, by code.
    truths : sequence of str or None
        The truth of each question, in the form of an answer.
    rule : Rule
        Rule that defines equal answers.
    judge : Judge, optional
        Client of math-verify, for rules that need it.
    progress : callable (share)
        Called with the share of questions that are complete.

    Returns
    -------
    label : ndarray of int64, shape (n_spellings,)
        Code of the answer after which the class is named.
    right : ndarray of bool, shape (n_spellings,)
        Whether the class contains the truth.
    """
    label = spellings.answer.copy()
    right = np.zeros(label.size, dtype=bool)
    order = np.argsort(spellings.question, kind="stable")
    starts = np.nonzero(np.diff(spellings.question[order], prepend=-1))[0]
    for done, members in enumerate(np.split(order, starts[1:]), 1):
        if not members.size:  # no sample has an answer
            continue
        truth = truths[spellings.question[members[0]]]
        keys, truth_key = class_keys([answers[code] for code in spellings.answer[members]], truth, rule, judge)
        groups: dict[Any, list[int]] = {}
        for member, key in zip(members.tolist(), keys, strict=True):
            groups.setdefault(key, []).append(member)
        for key, group in groups.items():
            label[group] = spellings.answer[max(group, key=lambda member: spellings.count[member])]
            right[group] = truth is not None and key == truth_key
        if judge:
            judge.next_question()
            progress(done / starts.size)
    return label, right


def class_keys(answers: Sequence[str], truth: str | None, rule: Rule, judge: Judge | None) -> tuple[list[Any], Any]:
    """Return keys of the answers to a question, which are equal within a class, and the key of the truth."""
    keys: list[Any] = [rule.key(answer) for answer in answers]
    truth_key: Any = None if truth is None else rule.key(truth)
    if judge is None:
        return keys, truth_key
    shortest: dict[Any, str] = {}
    for key, answer in zip(keys, answers, strict=True):
        shortest[key] = min(shortest.get(key, answer), answer, key=lambda text: (len(text), text))
    if truth is not None:
        shortest[truth_key] = truth
    spelled = {key: as_latex(answer) for key, answer in shortest.items()}
    truth = None if truth is None else spelled[truth_key]
    head = equal_answers(spelled.values(), truth, judge)
    return [head[spelled[key]] for key in keys], truth
