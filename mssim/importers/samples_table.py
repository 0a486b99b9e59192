"""Conversion of the contents of a sink to a table of samples and a table of questions."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.grading.sample_files import write
from mssim.importers.conflicts import IDENTIFYING, named
from mssim.importers.renaming import renamed
from mssim.importers.sink import Sink
from mssim.importers.unused import contradicted, of_several_sets, said_verdicts
from mssim.importers.verdicts import equal_as_numbers, judge, mixed, rounded_off
from mssim.pools.arrow import Names, table_from_frame
from mssim.pools.conditions import Where, matches
from mssim.pools.quality import LONG_TEXT, SampleFacts

__all__ = ["Written", "write_long_table"]

_VOTING = ("score", "confidence")  # votes need these of every sample with an answer
_ROWS = 2**16  # rows that are copied at once
_TEXT = "text"
_COPIED = (_TEXT, "reasoning")  # can be larger than memory, so they are copied in pieces


class Written(NamedTuple):
    """Summary of a long table that was written.

    Attributes
    ----------
    questions : Table
        One row per question that has a sample.
    long_texts : int
        Number of texts with at least 40 characters.
    identical_texts : int
        Number of long texts that repeat another text of the same model and question.
    warnings : list of str
        Warnings about empty texts and about requests whose texts are equal.
    rare : list of str
        Remarks about rare samples that were cut off or have an empty text.
    reasoning : list of str
        Remarks about recorded reasoning.
    dropped : dict of str to int
        Number of questions that were left out because of a conflict, by column.
    """

    questions: pa.Table
    long_texts: int
    identical_texts: int
    warnings: list[str]
    rare: list[str]
    reasoning: list[str]
    dropped: dict[str, int]


def write_long_table(
    sink: Sink,
    path: Path,
    *,
    where: Where | None = None,
    graded: bool = False,
    texts: bool = True,
    drop_conflicts: bool = False,
    rename: Mapping[str, str] | None = None,
) -> Written:
    """Write the samples that satisfy all conditions to one file.

    Parameters
    ----------
    sink : Sink
        Samples and questions that the reader added. Samples that are not judged are counted as failed.
    path : Path
        Parquet file to write.
    where : optional
        Conditions on columns of samples or of questions, as in `load_pool`.
    graded : bool, default False
        Whether the texts are graded afterwards. If not, either every sample needs an answer or no sample has one.
    texts : bool, default True
        Whether texts and reasoning are written.
    drop_conflicts : bool, default False
        Whether questions are left out that have two truths, texts or lists of choices, or an answer that is both right
        and wrong. By default, they are refused.
    rename : mapping of str to str, optional
        New names of models, and their names in the files, which conditions use.

    Returns
    -------
    Written
        The questions and the number of long and identical texts.
    """
    if not sink.pieces:
        raise _without_samples(sink)
    data = _joined(sink.pieces)
    thin = data.to_table(columns=[name for name in data.schema.names if name not in _COPIED])
    questions = _questions(sink, thin)
    chosen = _Chosen(thin, _mask(thin, questions, where))
    if rename:
        chosen.columns["model"] = renamed(chosen.columns["model"], thin["model"], rename)
    if set(IDENTIFYING) & set(chosen.columns):
        questions = _with_identities(chosen, questions, sink)
    dropped = _identify(chosen, sink, drop=drop_conflicts)
    if sink.renamed is not None:
        sink.notes += of_several_sets(chosen.columns, sink.renamed)
    if not sink.answers:
        chosen.columns.pop("answer", None)
    if not graded:
        dropped |= _judge(chosen, questions, sink, drop=drop_conflicts, has_texts=_TEXT in data.schema.names)
    if not chosen.mask.any():
        raise _without_samples(sink)
    columns, mask = chosen.columns, chosen.mask
    _part_of_votes(columns, _answered(data, columns, mask, graded=graded), sink)
    if graded:
        _require_gradable(data, questions, columns)
        said = columns.pop("correct", None)
        if said is None and sink.renamed is not None and (found := said_verdicts(columns)):
            said = pa.chunked_array([pa.array(found[1] == 1, mask=found[1] < 0)])
        if said is not None and sink.verdicts:  # keep the verdicts of the files beside the grades
            columns["correct_in_source"] = said
    else:
        _answers(columns, sink, has_texts=_TEXT in data.schema.names)
    seen = _Seen()
    write(path, _pieces(data, mask, pa.table(columns), seen, texts=texts))
    asked = set(chosen.question_ids())
    lacking = [name for name in sink.without_samples if name not in asked]
    if lacking:
        are = "is" if len(lacking) == 1 else "are"
        sink.note(f"{counted(len(lacking), 'question')} without samples {are} not in the pool: {named(lacking)}.")
    kept = questions.filter(pa.array([name in asked for name in questions["question_id"].to_pylist()]))
    facts, models = seen.facts, seen.models.to_list()
    told = facts.of_texts(models, rare=False), facts.rare(models), facts.endings.reasoning(models)
    return Written(kept, len(seen.hashes), seen.repeated(), *told, dropped)


def _without_samples(sink: Sink) -> PoolError:
    failed = ", ".join(f"{number} failed: {reason}" for reason, number in sink.failed.items())
    return PoolError("The files contain no samples" + (f" ({failed})" if failed else "") + ".")


class _Chosen:
    """The rows to write: a mask of all rows, and the columns of the chosen rows without texts."""

    def __init__(self, samples: pa.Table, mask: NDArray[np.bool_]) -> None:
        self.mask = mask
        self.columns: dict[str, pa.ChunkedArray] = {
            name: samples[name].filter(pa.array(mask)) for name in samples.column_names
        }

    def question_ids(self) -> list[str]:
        """Return the questions of the chosen rows."""
        names: list[str] = pa.compute.unique(self.columns["question_id"]).to_pylist()
        return names

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Keep some of the chosen rows."""
        if rows.all():
            return
        self.mask = self.mask.copy()
        self.mask[np.nonzero(self.mask)[0][~rows]] = False
        self.columns = {name: column.filter(pa.array(rows)) for name, column in self.columns.items()}

    def drop(self, question_ids: Sequence[str]) -> None:
        """Drop all rows of some questions, but not of all."""
        within = pa.compute.is_in(self.columns["question_id"], value_set=pa.array(question_ids, pa.string()))
        if pa.compute.all(within).as_py():
            raise PoolError(
                "drop_conflicts: every question has a conflict. Omit drop_conflicts=True to see the conflicts and how "
                "to distinguish the questions."
            )
        self.keep(~within.to_numpy())


def _with_identities(chosen: _Chosen, questions: pa.Table, sink: Sink) -> pa.Table:
    """Describe questions by the truths, texts and choices that stand beside their chosen samples."""
    names = [name for name in IDENTIFYING if name in chosen.columns]
    table = pa.table(chosen.columns)
    sink.describe_table(table.select(["question_id", *names]))
    if sink.renamed is not None and sink.conflicts.of(chosen.question_ids()):
        for name, labels in sink.files.items():
            table = table.append_column(name, labels.filter(pa.array(chosen.mask)))
        column, old = sink.telling_column(table), sink.renamed
        if column:
            both = f"{old.get(column, column)}+{old.get('question_id', 'question_id')}"
            names_of = f"question_id={both}" if column in sink.files else {"question_id": both}
            sink.tell_apart = f"Distinguish them with names={names_of!r}"
    for name in names:
        del chosen.columns[name]
    return _questions(sink, questions)


def _identify(chosen: _Chosen, sink: Sink, *, drop: bool) -> dict[str, int]:
    """Refuse or drop questions that have two truths, texts or lists of choices. Return the number dropped."""
    found = sink.conflicts.of(chosen.question_ids())
    if not found:
        return {}
    if not drop:
        raise PoolError(sink.conflicts.message(found, sink.tell_apart))
    chosen.drop(found)
    sink.note(sink.conflicts.note(found))
    return sink.conflicts.counts(found)


def _judge(chosen: _Chosen, questions: pa.Table, sink: Sink, *, drop: bool, has_texts: bool) -> dict[str, int]:
    """Add verdicts. Leave out samples without one, and refuse or drop questions in which one answer has two."""
    columns = chosen.columns
    if "answer" not in columns and has_texts and not _any_valid(columns.get("correct")):
        columns.pop("correct", None)  # texts to be graded, none of which is judged
    if "answer" not in columns and "correct" not in columns:
        return {}
    judged = judge(columns, questions)
    if "correct" not in columns:
        sink.notes += contradicted(columns, judged.verdicts) if sink.renamed is not None else []
        field = "" if sink.renamed is None else sink.renamed.get("answer", "answer")
        sink.notes += equal_as_numbers(columns, questions, judged.verdicts == 1, has_texts=has_texts, field=field)
        sink.notes += rounded_off(columns, questions, judged.verdicts == 1)
    lacking = int(np.count_nonzero(judged.verdicts < 0))
    if lacking:
        sink.fail("not judged", lacking)
    if judged.compared:
        without = counted(judged.compared, "answer has", "answers have")
        sink.note(
            f"{without} no verdict in the files. Such answers are compared with equal answers to the question that "
            "have one, or else with the truth."
        )
    columns["correct"] = pa.chunked_array([pa.array(judged.verdicts == 1)])
    chosen.keep(judged.verdicts >= 0)
    return _one_verdict(chosen, sink, drop=drop, has_texts=has_texts) if "answer" in columns else {}


def _any_valid(column: pa.ChunkedArray | None) -> bool:
    return column is not None and column.null_count < len(column)


def _one_verdict(chosen: _Chosen, sink: Sink, *, drop: bool, has_texts: bool) -> dict[str, int]:
    """Refuse or drop questions in which one answer is both right and wrong. Return the number dropped."""
    found = mixed(chosen.columns)
    number = len(found.question_ids)
    if not number:
        return {}
    if not drop:
        remedy = "Grade the texts with a rule" if has_texts else "Give answers that differ different names"
        raise PoolError(found.message(sink.remedy_of_verdicts or remedy))
    chosen.drop(found.question_ids)
    having = counted(number, "question has", "questions have")
    sink.note(
        f"{having} an answer that is both right and wrong and {'is' if number == 1 else 'are'} left out: "
        f"{named(found.question_ids)}."
    )
    return {"answer": number}


def _require_gradable(data: pyarrow.dataset.Dataset, questions: pa.Table, columns: Mapping[str, Any]) -> None:
    """Raise if there is no text to grade or no truth to compare with."""
    if _TEXT not in data.schema.names:
        answered = "answer" in columns or "correct" in columns
        remedy = "Remove the rule to use the answers of the files." if answered else "Import files with texts."
        raise PoolError(f"rule: the files contain no texts to grade. {remedy}")
    if "truth" not in questions.column_names:
        remedy = "Remove the rule to use the verdicts of the files." if "correct" in columns else ""
        raise PoolError(
            f"rule: the files contain no truth to compare with. {remedy or 'Add a truth to each question.'}"
        )


def _joined(pieces: Sequence[Path]) -> pyarrow.dataset.Dataset:
    """Return all pieces as one dataset with the union of their columns."""
    parts = [pyarrow.dataset.dataset(path) for path in pieces]
    try:
        schema = pa.unify_schemas([part.schema for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        raise PoolError(
            f"The type of a column differs between files ({str(error).splitlines()[0]}). Import the files separately."
        ) from error
    return pyarrow.dataset.dataset([str(path) for path in pieces], schema=schema)


def _questions(sink: Sink, samples: pa.Table) -> pa.Table:
    """Return one row per question, in order of first appearance."""
    for question_id in pa.compute.unique(samples["question_id"]).to_pylist():
        sink.questions.setdefault(question_id, {})
    return table_from_frame(pd.DataFrame(sink.described(), dtype=object))


def _mask(samples: pa.Table, questions: pa.Table, where: Where | None) -> NDArray[np.bool_]:
    if where is None:
        return np.ones(samples.num_rows, dtype=bool)
    of_questions = [name for name in questions.column_names if name not in samples.column_names]
    place = pa.compute.index_in(samples["question_id"], questions["question_id"].combine_chunks())
    joined = {name: questions[name].take(place) for name in of_questions}
    mask = matches(pa.table({**{name: samples[name] for name in samples.column_names}, **joined}), where)
    if not mask.any():
        raise PoolError("where: the conditions exclude all samples. Remove or relax one of them.")
    return mask


def _answered(
    data: pyarrow.dataset.Dataset, columns: dict[str, pa.ChunkedArray], mask: NDArray[np.bool_], *, graded: bool
) -> pa.ChunkedArray:
    """Return which samples have an answer or, if they are graded later, a text."""
    if "answer" in columns and not graded:
        return columns["answer"].is_valid()
    if _TEXT not in data.schema.names:
        return columns["model"].is_valid()
    said = [_is_said(texts) for texts in _copied(data, _TEXT)]
    return pa.chunked_array(said, pa.bool_()).filter(pa.array(mask))


def _is_said(texts: pa.Array) -> pa.Array:
    plain = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts.cast(pa.string())
    said = pa.compute.not_equal(pa.compute.utf8_trim_whitespace(plain), "")
    return pa.compute.fill_null(said, False)


def _part_of_votes(columns: dict[str, pa.ChunkedArray], answered: pa.ChunkedArray, sink: Sink) -> None:
    """Note that votes need a score or confidence which some samples with an answer lack. Such a score is renamed."""
    for name in [name for name in _VOTING if name in columns]:
        lacking = pa.compute.and_(answered, columns[name].is_null())
        models = pa.compute.unique(columns["model"].filter(lacking)).to_pylist()
        if not models:
            continue
        note = f"some samples of {', '.join(map(repr, models[:4]))} have no {name}, which votes need of all samples."
        if name == "score":  # a pool refuses a missing score
            columns["score_of_some"] = columns.pop(name)
            note += " The column is renamed to score_of_some. To keep score, exclude these models with where."
        sink.note(note)


def _answers(columns: dict[str, pa.ChunkedArray], sink: Sink, *, has_texts: bool) -> None:
    """Give each sample a distinct answer if the files have verdicts but no answers.

    Models share these names, since a question can have at most about 32,000 answers.
    """
    if "answer" in columns:
        return
    if "correct" not in columns:
        if has_texts:
            raise PoolError(
                "The files contain texts but no answers. Extract the answers with a rule (rule=...), such as number, "
                f"boxed or regex=PATTERN{sink.remedy}."
            )
        raise PoolError("The files contain neither answers nor texts nor verdicts. Import files with one of them.")
    index = columns["sample_index"].cast(pa.string())
    right = pa.compute.if_else(columns["correct"], "right", "wrong")
    columns["answer"] = pa.compute.binary_join_element_wise(index, right, " ")
    sink.votes = False


class _Seen:
    """Facts about texts, and hashes of long texts, each combined with its question and model."""

    def __init__(self) -> None:
        self.hashes = array("q")
        self.facts, self.models, self._questions = SampleFacts(), Names(), Names()

    def add(self, piece: pa.Table) -> None:
        columns = {name: piece[name] for name in SampleFacts.COLUMNS if name in piece.column_names}
        answered = piece["answer"].is_valid() if "answer" in piece.column_names else pa.repeat(False, piece.num_rows)
        model, question = self.models.codes(piece["model"]), self._questions.codes(piece["question_id"])
        self.facts.add(model, question, columns, np.asarray(answered.to_numpy(zero_copy_only=False), bool))
        if _TEXT not in columns:
            return
        names = ("question_id", "model", _TEXT)
        for question_id, name, text in zip(*(piece[name].to_pylist() for name in names), strict=True):
            if isinstance(text, str) and len(text) >= LONG_TEXT:
                self.hashes.append(hash((question_id, name, text)))

    def repeated(self) -> int:
        return len(self.hashes) - int(np.unique(np.asarray(self.hashes)).size)


def _copied(data: pyarrow.dataset.Dataset, name: str) -> Iterator[pa.Array]:
    """Iterate over a column piece by piece. A dataset scan would read far ahead and use much memory."""
    kind = data.schema.field(name).type
    for path in data.files:
        with pa.parquet.ParquetFile(path, pre_buffer=False) as piece:
            if name not in piece.schema_arrow.names:
                for first in range(0, piece.metadata.num_rows, _ROWS):
                    yield pa.nulls(min(_ROWS, piece.metadata.num_rows - first), kind)
                continue
            for batch in piece.iter_batches(_ROWS, columns=[name]):
                yield batch.column(0).cast(kind)


def _pieces(
    data: pyarrow.dataset.Dataset, mask: NDArray[np.bool_], columns: pa.Table, seen: _Seen, *, texts: bool
) -> Iterator[pa.Table]:
    """Iterate over the rows of `columns` with their texts."""
    names = [name for name in _COPIED if name in data.schema.names]
    if not names:
        yield columns
        return
    read = done = 0
    for given in zip(*(_copied(data, name) for name in names), strict=True):
        chosen = pa.array(mask[read : read + len(given[0])])
        read += len(chosen)
        kept = [values.filter(chosen) for values in given]
        if len(kept[0]):
            piece = columns.slice(done, len(kept[0]))
            done += len(kept[0])
            whole = piece
            for name, values in zip(names, kept, strict=True):
                whole = whole.append_column(name, values)
            seen.add(whole)
            yield whole if texts else piece
