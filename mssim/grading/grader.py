"""Grading of a file of recorded texts. Answers are extracted, merged to classes, and written beside the texts."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mssim._files import whole_file
from mssim.errors import PoolError
from mssim.grading.answers import answer_of
from mssim.grading.classes import Codes, Spellings, merge, spellings_of
from mssim.grading.equivalence import Judge
from mssim.grading.findings import KEPT, Findings
from mssim.grading.reasoning import Part, answer_part
from mssim.grading.report import Grading, shown
from mssim.grading.rules import Rule, parse_rule
from mssim.grading.sample_files import KEYS, batches, codes_of, count_rows, name_of, text_of, write
from mssim.grading.truths import Questions, read_questions
from mssim.pools.endings import was_cut_off
from mssim.pools.folder import check_files, current, folder_update, read_info, write_info
from mssim.pools.reading import read_table

__all__ = ["grade", "grade_file"]

Progress = Callable[[int, int], None]

_EXAMPLES = 3  # of each outcome
_READ = ("text", "extracted", "answer", "reasoning", "finish_reason")
_OUTCOMES = ("right", "wrong", "no answer", "merged")

# Entry points ---------------------------------------------------------------------------------------------------------


def grade(
    folder: str | os.PathLike[str], rule: str, *, reasoning: str = "drop", progress: Progress | None = None
) -> Grading:
    """Grade the texts of a pool folder. The files are replaced atomically.

    Parameters
    ----------
    folder : path
        Pool folder with samples.parquet, questions.parquet and pool.json, as written by `mssim record` and `Pool.save`.
    rule : str
        Rule of grading, see `parse_rule`.
    reasoning : str, default "drop"
        Whether reasoning before an answer is dropped or kept ("keep"), see `parse_rule`.
    progress : callable (done, total), optional
        Called during grading. Each sample counts three times: when it is extracted, merged and written.

    Returns
    -------
    Grading
        Report of the grading.

    Raises
    ------
    MssimError
        If the rule is not known or not installed.
    PoolError
        If the folder is damaged or has no texts, or if the function of a rule fails. The message names the sample.

    Notes
    -----
    Verdicts of math-verify are cached in equivalence.sqlite in the folder. This file may be deleted at any time.

    It grades the files of the pool. The folder of a recording has a journal, too, which may have more samples:
    `mssim.recorder.export` with `rule` writes and grades all of them, as the command `mssim grade` does.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import load_pool
    >>> from mssim.grading import grade
    >>> pool = load_pool("recorded/llm-products").select(where=[("sample_index", "<", 8)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pool.save(f"{folder}/pool")
    ...     grade(f"{folder}/pool", "first-number").rule
    'first-number'
    """
    place, chosen = Path(folder), parse_rule(rule, reasoning=reasoning)
    for name in ("pool.json", "samples.parquet", "questions.parquet"):
        if not current(place, name).is_file():
            raise PoolError(f"{place} has no {name}. Name a pool folder that `mssim record` or Pool.save wrote.")
    info = read_info(place)
    check_files(place, info.pop("files", {}))
    with folder_update(place) as part:
        grading = grade_file(
            current(place, "samples.parquet"),
            part / "samples.parquet",
            read_table(current(place, "questions.parquet")),
            chosen,
            cache=place / "equivalence.sqlite",
            progress=progress,
            judged="grader" not in info,
        )
        write_info(part, place, {**info, "grader": grading.describe()})
    return grading


def grade_file(
    samples: Path,
    target: Path,
    questions: pa.Table,
    rule: Rule,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    judged: bool = False,
) -> Grading:
    """Grade the texts of a Parquet file and write them to another file.

    Parameters
    ----------
    samples : Path
        Parquet file with one row per sample and the columns question_id, model, sample_index and text. A missing text
        is replaced by the previous `extracted` or `answer` of the row.
    target : Path
        File to write. It has the same rows and columns, and in addition `answer`, the most frequent spelling of the
        answer class (the first if several are equally frequent, missing if there is no answer), `correct` and, if it
        differs from `answer` in some row, `extracted`.
    questions : pyarrow.Table
        Table with question_id, truth and, for the rule choice, optionally choices, which are lists of text.
    rule : Rule
        Rule of grading, as returned by `parse_rule`.
    cache : Path, optional
        SQLite file for verdicts of math-verify.
    progress : callable (done, total), optional
        Called during grading.
    judged : bool, default False
        Whether the column `correct` has verdicts of the source. They are compared with the grades and kept as
        `correct_in_source`. By default, only verdicts in a column of that name are compared.

    Returns
    -------
    Grading
        Report of the grading.

    Notes
    -----
    A class is correct if it contains the truth. Memory use depends on the number of samples and of distinct answers,
    not on the size of the texts.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> import pyarrow as pa
    >>> from mssim.grading import grade_file, parse_rule
    >>> samples = pd.DataFrame({"question_id": "q", "model": "a", "sample_index": [0, 1], "text": ["It is 7.0.", "8"]})
    >>> questions = pa.table({"question_id": ["q"], "truth": ["7"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder) / "texts.parquet", Path(folder) / "graded.parquet"
    ...     samples.to_parquet(source)
    ...     _ = grade_file(source, target, questions, parse_rule("number"))
    ...     pd.read_parquet(target)[["answer", "correct"]]
      answer  correct
    0    7.0     True
    1      8    False
    """
    asked = read_questions(questions, rule)
    step = _steps(progress, count_rows(samples))
    rows = _extract(samples, asked, step)
    spellings = spellings_of(np.asarray(rows.question, np.int64), np.asarray(rows.answer, np.int64))
    with Judge(rule.versions["math_verify"], cache) if rule.equivalence else nullcontext() as judge:
        label, right = merge(spellings, list(rows.answers), asked.truths, rule, judge, partial(step, 1))
    graded = _Graded(asked, rows, spellings, label, right)
    findings = Findings(rule.name, asked, "correct" if judged else KEPT)
    examples = _write(samples, target, graded, step, findings)
    notes = tuple(findings.warnings(list(rows.models)))
    return replace(_grading(graded, rule, judge.undecided if judge else 0, examples), notes=notes)


Step = Callable[[int, float], None]


def _steps(progress: Progress | None, total: int) -> Step:
    """Return a function that reports the share of samples that are extracted (0), merged (1) or written (2)."""

    def step(number: int, share: float) -> None:
        if progress:
            progress(round((number + share) * total), 3 * total)

    return step


# Extracting ---------------------------------------------------------------------------------------------------------


class _Codes(dict[str, int]):
    """Codes of texts, assigned in order of first access."""

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self)
        return code


@dataclass
class _Rows:
    """Codes with one entry per sample. The answer -1 means no answer. `reasoning` counts its kinds by model."""

    question: array[int] = field(default_factory=lambda: array("i"))
    model: array[int] = field(default_factory=lambda: array("i"))
    answer: array[int] = field(default_factory=lambda: array("i"))
    models: _Codes = field(default_factory=_Codes)
    answers: _Codes = field(default_factory=_Codes)
    reasoning: Counter[tuple[int, str]] = field(default_factory=Counter)
    cut_off: array[int] = field(default_factory=lambda: array("i"))  # rows without reasoning that were cut off


def _extract(path: Path, asked: Questions, step: Step) -> _Rows:
    total, rows = count_rows(path), _Rows()
    for batch in batches(path, (*KEYS, *_READ)):
        questions = codes_of(batch, "question_id", asked.place, len(rows.answer))
        models = codes_of(batch, "model", rows.models, len(rows.answer))
        cut_off = _cut_off(batch)
        rows.model.extend(models)
        rows.question.extend(questions)
        for i, text in enumerate(_texts(batch, asked.rules)):
            rule = asked.rules[questions[i]]
            part = Part(text) if text is None or rule.reasoning == "keep" else answer_part(text)
            answer = None if part.answer is None else answer_of(rule, part.answer, partial(name_of, batch, i))
            rows.reasoning[models[i], part.reasoning] += 1
            if part.reasoning == "none" and cut_off[i]:
                rows.cut_off.append(len(rows.answer))
            rows.answer.append(-1 if answer is None else rows.answers[answer])
        step(0, len(rows.answer) / total)
    for row in rows.cut_off:  # if the prompt starts the reasoning, a text that was cut off in it has no mark at all
        model = rows.model[row]
        if rows.reasoning[model, "unopened"]:
            rows.answer[row] = -1
            rows.reasoning.update({(model, "none"): -1, (model, "unclosed"): 1})
    return rows


def _texts(batch: pa.RecordBatch, rules: Sequence[Rule]) -> list[str | None]:
    """Return the texts to read, which follow the recorded reasoning if it is kept."""
    texts: list[str | None] = text_of(batch).to_pylist()
    if "reasoning" not in batch.schema.names or rules[0].reasoning == "drop":
        return texts
    before = batch.column("reasoning").to_pylist()
    return [text if first is None else f"{first}\n{text or ''}" for first, text in zip(before, texts, strict=True)]


def _cut_off(batch: pa.RecordBatch) -> list[bool]:
    if "finish_reason" not in batch.schema.names:
        return [False] * batch.num_rows
    return [was_cut_off(reason) for reason in batch.column("finish_reason").to_pylist()]


# Writing --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Graded:
    """Result of the first pass. `label` and `right` have one entry per spelling."""

    asked: Questions
    rows: _Rows
    spellings: Spellings
    label: Codes
    right: NDArray[np.bool_]

    def chosen(self) -> dict[int, str]:
        """Return rows to show, chosen evenly over the file, with their outcomes."""
        code = self.spellings.of_row
        no_answer = code < 0
        right = np.append(self.right, False)[code] & ~no_answer
        merged = np.append(self.label != self.spellings.answer, False)[code] & ~no_answer
        kinds = {"merged": merged, "no answer": no_answer, "wrong": ~right & ~no_answer, "right": right}
        chosen: dict[int, str] = {}
        for name, mask in kinds.items():
            mask[list(chosen)] = False
            found = np.nonzero(mask)[0]
            places = np.linspace(0, found.size - 1, min(_EXAMPLES, found.size)).astype(int)
            chosen |= dict.fromkeys(found[places].tolist(), name)
        return chosen


def _write(path: Path, target: Path, graded: _Graded, step: Step, findings: Findings) -> list[dict[str, Any]]:
    """Write the graded file and return its examples."""
    chosen = graded.chosen()
    examples: list[dict[str, Any]] = []

    def tables() -> Iterator[pa.Table]:
        total = graded.spellings.of_row.size
        answers = pa.array(list(graded.rows.answers), pa.string())
        differs = bool((graded.label != graded.spellings.answer).any())
        done = 0
        for batch in batches(path):
            rows = slice(done, done + batch.num_rows)
            table = _graded_table(batch, graded, rows, answers)
            findings.add(batch, table, np.asarray(graded.rows.model[rows]), np.asarray(graded.rows.question[rows]))
            table = findings.with_verdicts(batch, table)
            here = [row for row in range(done, rows.stop) if row in chosen]
            examples.extend(_example(table.slice(row - done, 1), graded, row, chosen[row]) for row in here)
            yield table if differs else table.drop_columns("extracted")
            done = rows.stop
            step(2, done / total)

    with whole_file(target) as part:
        write(part, tables())
    return examples


def _graded_table(batch: pa.RecordBatch, graded: _Graded, rows: slice, answers: pa.Array) -> pa.Table:
    spelling = graded.spellings.of_row[rows]
    no_answer = spelling < 0

    def answer(codes: Codes) -> pa.Array:
        return answers.take(pa.array(np.append(codes, 0)[spelling], mask=no_answer))

    columns = {name: batch.column(name) for name in batch.schema.names}
    columns |= {
        "text": text_of(batch),
        "answer": answer(graded.label),
        "correct": pa.array(np.append(graded.right, False)[spelling] & ~no_answer),
        "extracted": answer(graded.spellings.answer),
    }
    return pa.table(columns)


# The report -----------------------------------------------------------------------------------------------------------


def _example(sample: pa.Table, graded: _Graded, row: int, outcome: str) -> dict[str, Any]:
    given = sample.to_pylist()[0]
    return {
        "outcome": outcome,
        "question_id": shown(str(given["question_id"])),
        "model": shown(str(given["model"])),
        "sample_index": given["sample_index"],
        "text": shown(given["text"], end=True),
        "extracted": shown(given["extracted"]),
        "answer": shown(given["answer"]),
        "truth": shown(graded.asked.given[graded.rows.question[row]]),
    }


def _grading(graded: _Graded, rule: Rule, undecided: int, examples: list[dict[str, Any]]) -> Grading:
    asked, rows, spellings = graded.asked, graded.rows, graded.spellings
    shape = (len(rows.models), len(asked.place))
    cell = np.asarray(rows.model, dtype=np.int64) * shape[1] + np.asarray(rows.question)
    answered = spellings.of_row >= 0
    correct = answered & np.append(graded.right, False)[spellings.of_row]
    width = max(len(rows.answers), 1)
    label = np.append(graded.label, 0)[spellings.of_row][answered]
    seen = np.unique(cell[answered] * width + label) // width
    seen_by_any = np.unique(spellings.question * width + graded.label) // width

    def count(cells: Codes) -> Codes:
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

    return Grading(
        rule=rule.name,
        versions=rule.versions,
        models=tuple(rows.models),
        question_ids=tuple(asked.place),
        samples=count(cell),
        answered=count(cell[answered]),
        right=count(cell[correct]),
        classes=count(seen),
        classes_of_all=np.bincount(seen_by_any, minlength=shape[1]),
        cannot_match={
            question: given
            for question, given, truth in zip(asked.place, asked.given, asked.truths, strict=True)
            if truth is None
        },
        truths=rule.truths,
        undecided=undecided,
        chosen=pd.DataFrame([given for name in _OUTCOMES for given in examples if given["outcome"] == name]),
        reasoning=rule.reasoning,
        dropped=np.array([rows.reasoning[m, "dropped"] + rows.reasoning[m, "unopened"] for m in range(shape[0])]),
        unclosed=np.array([rows.reasoning[m, "unclosed"] for m in range(shape[0])]),
    )
