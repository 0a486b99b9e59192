"""From what a sink was given to one table of samples and one of questions."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.grading.sample_files import write
from mssim.importers.sink import Sink
from mssim.pools.arrow import table_from_frame
from mssim.pools.conditions import Where, matches
from mssim.pools.quality import LONG_TEXT
from mssim.pools.reading import encode_text

__all__ = ["Written", "write_long_table"]

_VOTING = ("score", "confidence")  # a pool needs them of every sample with an answer, or of none
_COPIED = "text"  # the column that can be large: copied piece by piece, never all in memory


class Written(NamedTuple):
    """What there is of a long table after it was written.

    questions: one row per question that has a sample. long_texts, identical_texts: how many texts are not short, and
    how many of those repeat one of the same model and question.
    """

    questions: pa.Table
    long_texts: int
    identical_texts: int


def write_long_table(
    sink: Sink, path: Path, *, where: Where | None = None, graded: bool = False, texts: bool = True
) -> Written:
    """Write the samples that fulfil all conditions as one file.

    Parameters
    ----------
    sink : Sink
    path : Path
    where
        As in `load_pool`; conditions on columns of samples or of questions.
    graded : bool, default False
        Whether the texts are graded afterwards; else every sample needs an answer, or none has one.
    texts : bool, default True
        Whether texts are written.
    """
    if not sink.pieces:
        failed = ", ".join(f"{number} failed: {reason}" for reason, number in sink.failed.items())
        raise PoolError("no sample is in these files" + (f" ({failed})" if failed else ""))
    data = _joined(sink.pieces)
    thin = data.to_table(columns=[name for name in data.schema.names if name != _COPIED])
    questions = _questions(sink, thin)
    mask = _mask(thin, questions, where)
    thin = thin.filter(pa.array(mask))
    columns = {name: thin[name] for name in thin.column_names}
    _part_of_votes(columns, _answered(data, columns, mask, graded=graded), sink)
    if graded and _COPIED not in data.schema.names:
        raise PoolError("a rule grades texts, and these files have none; leave it out")
    if graded and "truth" not in questions.column_names:
        raise PoolError("a rule compares with the truth, and these files do not say it; leave the rule out")
    if graded:
        said = columns.pop("correct", None)
        if said is not None and sink.verdicts:  # what the files say stays beside what grading finds
            columns["correct_in_source"] = said
    else:
        _answers(columns, sink, has_texts=_COPIED in data.schema.names)
        _correct(columns, questions)
    seen = _Texts()
    write(path, _pieces(data, mask, pa.table(columns), seen, texts=texts))
    asked = set(pa.compute.unique(columns["question_id"]).to_pylist())
    kept = questions.filter(pa.array([name in asked for name in questions["question_id"].to_pylist()]))
    return Written(kept, len(seen.hashes), seen.repeated())


def _joined(pieces: Sequence[Path]) -> pyarrow.dataset.Dataset:
    """All pieces as one table with the columns of all."""
    parts = [pyarrow.dataset.dataset(path) for path in pieces]
    try:
        schema = pa.unify_schemas([part.schema for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        raise PoolError(
            f"a column has values of another kind in another file ({str(error).splitlines()[0]}); import them apart"
        ) from error
    return pyarrow.dataset.dataset([str(path) for path in pieces], schema=schema)


def _questions(sink: Sink, samples: pa.Table) -> pa.Table:
    """One row per question, in the order of first appearance."""
    for question_id in pa.compute.unique(samples["question_id"]).to_pylist():
        sink.questions.setdefault(question_id, {})
    rows = [{"question_id": question_id, **known} for question_id, known in sink.questions.items()]
    return table_from_frame(pd.DataFrame(rows, dtype=object))


def _mask(samples: pa.Table, questions: pa.Table, where: Where | None) -> NDArray[np.bool_]:
    if where is None:
        return np.ones(samples.num_rows, dtype=bool)
    of_questions = [name for name in questions.column_names if name not in samples.column_names]
    place = pa.compute.index_in(samples["question_id"], questions["question_id"].combine_chunks())
    joined = {name: questions[name].take(place) for name in of_questions}
    mask = matches(pa.table({**{name: samples[name] for name in samples.column_names}, **joined}), where)
    if not mask.any():
        raise PoolError("no sample is left; the conditions exclude all of them")
    return mask


def _answered(
    data: pyarrow.dataset.Dataset, columns: dict[str, pa.ChunkedArray], mask: NDArray[np.bool_], *, graded: bool
) -> pa.ChunkedArray:
    """Which samples have an answer; before they are graded, those that have a text."""
    if "answer" in columns and not graded:
        return columns["answer"].is_valid()
    if _COPIED not in data.schema.names:
        return columns["model"].is_valid()
    said = [_is_said(texts) for texts in _copied(data)]
    return pa.chunked_array(said, pa.bool_()).filter(pa.array(mask))


def _is_said(texts: pa.Array) -> pa.Array:
    plain = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts.cast(pa.string())
    said = pa.compute.not_equal(pa.compute.utf8_trim_whitespace(plain), "")
    return pa.compute.fill_null(said, False)


def _part_of_votes(columns: dict[str, pa.ChunkedArray], answered: pa.ChunkedArray, sink: Sink) -> None:
    """Give another name to a number for votes that some samples with an answer lack."""
    for name in [name for name in _VOTING if name in columns]:
        lacking = pa.compute.and_(answered, columns[name].is_null())
        models = pa.compute.unique(columns["model"].filter(lacking)).to_pylist()
        if models:
            columns[f"{name}_of_some"] = columns.pop(name)
            sink.note(
                f"samples of {', '.join(map(repr, models[:4]))} have no {name}, which votes need of all: it is kept as "
                f"{name}_of_some; leave those models out with where, model!=..., to have it as {name}"
            )


def _answers(columns: dict[str, pa.ChunkedArray], sink: Sink, *, has_texts: bool) -> None:
    """Where samples are known to be right or wrong but have no answer, make every one of a model an answer of its own.

    The models are not in the answers' names: a question has room for some 32,000 answers.
    """
    if "answer" in columns:
        return
    if "correct" not in columns:
        remedy = "say how to find them with a rule, such as number, boxed or regex=PATTERN" if has_texts else ""
        raise PoolError(f"these files give no answers; {remedy or 'there is nothing to vote on or to grade'}")
    index = columns["sample_index"].cast(pa.string())
    right = pa.compute.if_else(columns["correct"], "right", "wrong")
    names = pa.compute.binary_join_element_wise(index, right, " ")
    columns["answer"] = pa.compute.if_else(columns["correct"].is_valid(), names, pa.scalar(None, pa.string()))
    sink.votes = False


def _correct(columns: dict[str, pa.ChunkedArray], questions: pa.Table) -> None:
    """Where nobody says what is right, it is the answer that is the truth."""
    if "correct" in columns:
        return
    if "truth" not in questions.column_names:
        raise PoolError("these files say neither what is right nor the truth; give the questions with their truth")
    truth = questions["truth"].take(
        pa.compute.index_in(columns["question_id"], questions["question_id"].combine_chunks())
    )
    missing = pa.compute.and_(columns["answer"].is_valid(), truth.is_null())
    if pa.compute.any(missing).as_py():
        question = columns["question_id"].filter(missing)[0].as_py()
        raise PoolError(f"question {question!r} has no truth, and nothing says whether its answers are right")
    answer, answers = encode_text(columns["answer"])
    right, truths = encode_text(truth)
    place = {text: code for code, text in enumerate(truths)}
    translated = np.array([place.get(text, -2) for text in answers] + [-1])[answer]
    columns["correct"] = pa.chunked_array([pa.array((translated == right) & (answer >= 0))])


class _Texts:
    """Remembers long texts by their hashes, each with its question and model."""

    def __init__(self) -> None:
        self.hashes = array("q")

    def add(self, piece: pa.Table) -> None:
        names = ("question_id", "model", _COPIED)
        for question, model, text in zip(*(piece[name].to_pylist() for name in names), strict=True):
            if isinstance(text, str) and len(text) >= LONG_TEXT:
                self.hashes.append(hash((question, model, text)))

    def repeated(self) -> int:
        return len(self.hashes) - int(np.unique(np.asarray(self.hashes)).size)


def _copied(data: pyarrow.dataset.Dataset) -> Iterator[pa.Array]:
    """The texts, one piece after the other; a scan of all of them would read far ahead."""
    kind = data.schema.field(_COPIED).type
    for path in data.files:
        with pa.parquet.ParquetFile(path, pre_buffer=False) as piece:
            if _COPIED not in piece.schema_arrow.names:
                yield pa.nulls(piece.metadata.num_rows, kind)
                continue
            for batch in piece.iter_batches(columns=[_COPIED]):
                yield batch.column(0).cast(kind)


def _pieces(
    data: pyarrow.dataset.Dataset, mask: NDArray[np.bool_], columns: pa.Table, seen: _Texts, *, texts: bool
) -> Iterator[pa.Table]:
    """The rows of `columns`, with their texts."""
    if _COPIED not in data.schema.names:
        yield columns
        return
    read = done = 0
    for given in _copied(data):
        kept = given.filter(pa.array(mask[read : read + len(given)]))
        read += len(given)
        if len(kept):
            piece = columns.slice(done, len(kept))
            done += len(kept)
            whole = piece.append_column(_COPIED, kept)
            seen.add(whole)
            yield whole if texts else piece
