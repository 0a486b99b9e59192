"""Verdicts on samples: from the files or by comparison with the truth, missing ones, and answers with two verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.grading import Rule, parse_rule
from mssim.grading.numbers import whole_number
from mssim.pools.arrow import Codes, as_text, text_codes
from mssim.pools.verdicts import FEWEST_ANSWERS

__all__ = ["Mixed", "Verdicts", "equal_as_numbers", "judge", "mixed", "rounded_off"]

Columns = Mapping[str, pa.ChunkedArray]

_NAMED = 3  # questions that a message describes
_ROUNDING = 1e-9  # of a number, which errors of floating-point numbers are smaller than
_COMPARED = 1000  # answers of a model that are read as numbers


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Verdicts on samples.

    Attributes
    ----------
    verdicts : int array, shape (samples,)
        1 = right, 0 = wrong, -1 = not judged.
    compared : int
        Number of samples with an answer that the files do not judge although they judge others. Their verdict is that
        of an equal answer to the question, or else of a comparison with the truth.
    """

    verdicts: NDArray[np.int8]
    compared: int


def judge(columns: Columns, questions: pa.Table) -> Verdicts:
    """Return the verdict on each sample.

    Parameters
    ----------
    columns : mapping of str to column
        Columns of samples: question_id and answer or correct. A missing answer is wrong, unless no sample has one.
    questions : Table
        One row per question, with its truth if it is known.

    Raises
    ------
    PoolError
        If there are neither verdicts nor truths, or if there are no verdicts and a question has no truth.

    Examples
    --------
    >>> samples = {"question_id": ["q", "q", "r"], "answer": ["7", "8", "9"], "correct": [None, False, None]}
    >>> columns = {name: pa.chunked_array([values]) for name, values in samples.items()}
    >>> judge(columns, pa.table({"question_id": ["q", "r"], "truth": ["7", None]})).verdicts
    array([ 1,  0, -1], dtype=int8)
    """
    if "correct" not in columns:
        return Verdicts(_compared(columns, questions, required=True), 0)
    said = pa.compute.fill_null(columns["correct"].cast(pa.int8()), -1).to_numpy().astype(np.int8)
    if "answer" not in columns or (said >= 0).all():
        return Verdicts(said, 0)
    pairs, answered = _pairs(columns)
    known = np.full(int(pairs.max(initial=-1)) + 2, -1, np.int8)  # the last entry: no answer
    for verdict in (0, 1):
        known[pairs[answered & (said == verdict)]] = verdict
    found = np.where(said >= 0, said, known[pairs])
    found = np.where(found >= 0, found, _compared(columns, questions, required=False))
    found = np.where((said < 0) & ~answered, 0, found).astype(np.int8)
    compared = (said < 0) & answered & (found >= 0) & (said >= 0).any()
    return Verdicts(found, int(np.count_nonzero(compared)))


def _compared(columns: Columns, questions: pa.Table, *, required: bool) -> NDArray[np.int8]:
    """Compare answers with the truth."""
    if "truth" not in questions.column_names:
        if required:
            raise PoolError("The files contain neither verdicts nor truths. Add a column correct or truth.")
        return np.full(len(columns["answer"]), -1, np.int8)
    place = pa.compute.index_in(columns["question_id"], questions["question_id"].combine_chunks())
    answer, answers = text_codes(columns["answer"])
    right, truths = text_codes(questions["truth"])
    right = np.append(right, -1)[place.fill_null(len(right)).to_numpy()]
    missing = (answer >= 0) & (right < 0)
    if required and missing.any():
        question = columns["question_id"][int(missing.argmax())].as_py()
        raise PoolError(
            f"question {question!r} has neither a truth nor verdicts. Add one of them, or exclude it with where."
        )
    codes = {text: code for code, text in enumerate(truths.to_pylist())}
    translated = np.array([*(codes.get(text, -2) for text in answers.to_pylist()), -2])[answer]
    return np.where(missing, -1, translated == right).astype(np.int8)


def equal_as_numbers(
    columns: Columns, questions: pa.Table, right: NDArray[np.bool_], *, has_texts: bool, field: str = ""
) -> list[str]:
    """Return a warning for each model of which answers differ from the truths as text, but equal them as numbers.

    Parameters
    ----------
    columns : mapping of str to column
        The columns question_id, model and answer.
    questions : Table
        One row per question, with its truth.
    right : bool array, shape (samples,)
        Whether the texts of answer and truth are equal.
    has_texts : bool
        Whether the samples have texts that a rule can grade.
    field : str, optional
        The field of a table from which the answers are read, which can be read as the texts instead.
    """
    model, names = text_codes(columns["model"])
    answer, answers = text_codes(columns["answer"])
    truths = dict(zip(*(questions[name].to_pylist() for name in ("question_id", "truth")), strict=True))
    found, rule = [], parse_rule("number")
    wrong = (answer >= 0) & ~right
    for m in np.unique(model[wrong]).tolist():
        own = np.nonzero(wrong & (model == m))[0]
        rows, among = own[:_COMPARED], "the first " if own.size > _COMPARED else ""
        ids = columns["question_id"].take(pa.array(rows)).to_pylist()
        given = [answers[int(code)].as_py() for code in answer[rows]]
        some = bool(right[model == m].any())
        equal = [i for i, name in enumerate(ids) if _same_number(rule, given[i], truths.get(name), whole=some)]
        if equal and (some or rows.size >= FEWEST_ANSWERS):
            first, number = equal[0], len(equal)
            example = f"{given[first]!r:.40} and {as_text(truths[ids[first]])!r:.40} of question {ids[first]!r:.40}"
            called = f"{names[m].as_py()!r:.80}"
            told = f"no answer of {called} equals a truth as text, but {number} of {among}{rows.size} do"
            if some:
                wrong_ones = f"{among}{counted(rows.size, 'wrong answer')} of {called}"
                told = f"{number} of {wrong_ones} {'equals' if number == 1 else 'equal'} the truth"
            naming = f"Read the answers as texts with names={{'text': {field!r}}} instead, and grade"
            remedy = "Grade" if has_texts else naming if field else "Import files with texts, and grade"
            found.append(f"{told} as numbers, e.g. {example}. {remedy} with rule='number'.")
    return found


def rounded_off(columns: Columns, questions: pa.Table, right: NDArray[np.bool_]) -> list[str]:
    """Return a warning if wrong answers differ from the truths by errors of floating-point numbers only.

    Parameters are those of `equal_as_numbers`.

    Examples
    --------
    >>> values = {"question_id": ["q", "q"], "answer": ["0.30000000000000004", "0.31"]}
    >>> columns = {name: pa.chunked_array([column]) for name, column in values.items()}
    >>> rounded_off(columns, pa.table({"question_id": ["q"], "truth": ["0.3"]}), np.zeros(2, bool))
    ["1 wrong answer differs from its truth by rounding only, e.g. '0.30000000000000004' and '0.3' of question
      'q'. Round the answers."]
    """
    answer, answers = text_codes(columns["answer"])
    written = answers.to_pylist()  # long integers that differ are no errors of rounding
    numbers = np.array([*(_float(text) if "." in text else math.nan for text in written), math.nan])[answer]
    truths = dict(zip(*(questions[name].to_pylist() for name in ("question_id", "truth")), strict=True))
    known = {name: _float("" if truth is None else as_text(truth)) for name, truth in truths.items()}
    question, ids = text_codes(columns["question_id"])
    exact = np.array([known.get(name, math.nan) for name in ids.to_pylist()])[question]
    near = np.flatnonzero(~right & (numbers != exact) & (np.abs(numbers - exact) <= _ROUNDING * np.abs(exact)))
    if not near.size:
        return []
    name = ids[int(question[near[0]])].as_py()
    differ = counted(near.size, "wrong answer differs from its truth", "wrong answers differ from their truths")
    one, other = written[int(answer[near[0]])], as_text(truths[name])
    example = f"{one!r:.40} and {other!r:.40} of question {name!r:.40}"
    return [f"{differ} by rounding only, e.g. {example}. Round the answers."]


def _float(text: str) -> float:
    """Return a finite number, or NaN."""
    try:
        return float(text) if math.isfinite(float(text)) else math.nan
    except ValueError:
        return math.nan


def _same_number(rule: Rule, answer: str, truth: object, *, whole: bool) -> bool:
    """Return whether an answer is the number of the truth: as a whole, or as the rule finds it in the answer."""
    if truth is None:
        return False
    one = whole_number(answer) if whole else rule.extract(answer)
    other = whole_number(as_text(truth)) if whole else rule.read_truth(as_text(truth))
    return one is not None and other is not None and rule.key(one) == rule.key(other)


def _pairs(columns: Columns) -> tuple[Codes, NDArray[np.bool_]]:
    """Return a code per pair of question and answer, -1 without an answer, and which samples have an answer."""
    question, answer = text_codes(columns["question_id"])[0].astype(np.int64), text_codes(columns["answer"])[0]
    answered = answer >= 0
    pairs = np.full(answer.size, -1, np.int64)
    pairs[answered] = pd.factorize(question[answered] * (int(answer.max(initial=0)) + 1) + answer[answered])[0]
    return pairs, answered


# Answers with two verdicts --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mixed:
    """Questions in which one answer is right in some samples and wrong in others.

    Attributes
    ----------
    question_ids : list of str
        The questions, in order of appearance.
    told : list of str
        Descriptions of the first three.
    within : bool
        Whether an answer has two verdicts among the samples of one model.
    """

    question_ids: list[str]
    told: list[str]
    within: bool

    def message(self, remedy: str) -> str:
        """Return the message of an error, with a remedy for verdicts that are not about the answer alone."""
        number = len(self.question_ids)
        more = f"; and {number - _NAMED} more" if number > _NAMED else ""
        count = f"{number} questions have an answer that is both right and wrong: " if number > 1 else ""
        leave = f"leave out {'this question' if number == 1 else 'these questions'} with drop_conflicts=True"
        cause = f"The verdicts depend on more than the answers. {remedy}, or {leave}."
        if not self.within:
            cause = (
                "Within each model every answer has one verdict, so the truths differ between the files of the models. "
                f"Import them separately, or {leave}."
            )
        return f"answer: {count}{'; '.join(self.told)}{more}. {cause}"


def mixed(columns: Columns) -> Mixed:
    """Find answers with two verdicts.

    Parameters
    ----------
    columns : mapping of str to column
        The columns question_id, model, answer and correct, without missing verdicts.
    """
    pairs, answered = _pairs(columns)
    rows = np.nonzero(answered)[0]
    right = columns["correct"].to_numpy().astype(bool)[rows]
    rows, right = rows[_differ(pairs[rows], right)], right[_differ(pairs[rows], right)]
    model = text_codes(columns["model"])[0].astype(np.int64)[rows]
    own = pairs[rows] * (int(model.max(initial=0)) + 1) + model
    ids = columns["question_id"].take(pa.array(rows))
    numbers, names = pd.factorize(ids.to_pandas())
    told = []
    for number in range(min(len(names), _NAMED)):
        of = rows[numbers == number]
        one = of[pairs[of] == pairs[of[0]]]
        told.append(_described(columns, one, right[np.isin(rows, one)]))
    return Mixed([str(name) for name in names], told, bool(_differ(own, right).any()))


def _differ(groups: NDArray[np.int64], right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether the group of each row has both verdicts."""
    codes = pd.factorize(groups)[0]
    yes, total = np.bincount(codes[right], minlength=codes.size), np.bincount(codes, minlength=codes.size)
    return np.asarray(((yes > 0) & (yes < total))[codes])


def _described(columns: Columns, rows: NDArray[np.int64], right: NDArray[np.bool_]) -> str:
    first = int(rows[0])
    answer, question = (columns[name][first].as_py() for name in ("answer", "question_id"))
    models = [columns["model"][int(rows[which][0])].as_py() for which in (right, ~right)]
    verdicts = f"right for {models[0]!r:.80} and wrong for {models[1]!r:.80}"
    if models[0] == models[1]:
        verdicts = f"right and wrong for {models[0]!r:.80}"
    return f"{as_text(answer).strip()!r:.80} to question {question!r:.80} is {verdicts}"
