"""Tables and nested logs with arbitrary names: Parquet, CSV and JSON, one sample or one question per record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import choose_from, counted
from mssim.errors import PoolError
from mssim.importers.choices import Choices
from mssim.importers.column_types import typed
from mssim.importers.columns import SAID, Reading, is_pool_column, joined
from mssim.importers.fields import Fields
from mssim.importers.naming import RECORD, Names, file_names, is_plain, of_model, parse_models, parse_names, taken
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.pool_folders import described_samples, is_pool, questions_of, shared_info
from mssim.importers.proposals import names_of_models, names_of_truth
from mssim.importers.safe_files import Source, expand
from mssim.importers.sample_lists import NUMBERED
from mssim.importers.sink import Sink
from mssim.importers.spool import Spool
from mssim.importers.unused import said_verdicts
from mssim.pools.plain_types import rows_of
from mssim.pools.pool import Pool
from mssim.pools.reading import KEYS, encode, read_table, suffix_of
from mssim.pools.row_checks import NUMBERS
from mssim.pools.texts import as_text, is_missing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_table"]

PATTERNS = tuple(f"*.{name}" for name in ("parquet", "csv", "tsv", "jsonl", "json", "ndjson"))
PATTERNS += tuple(f"{pattern}.{name}" for pattern in PATTERNS[1:] for name in ("gz", "zst"))
TOOL = "any other log or table, and pools"
VOTES = "a field, --map answer=FIELD, or by --rule"
EXAMPLE = "mssim import table answers.csv --map question_id=doc_id,answer=pred --out my-pool"

Codes = NDArray[np.int64]

_JSON = (".json", ".jsonl", ".ndjson")
_KINDS = ".parquet, .csv, .tsv, .json or .jsonl file, also with .gz or .zst, or a pool folder"
_BATCH = 1000  # rows that are converted at once
_FACTS = ("truth", "question", "choices")
_NEEDED = ("question_id", "model")
_ALIKE = ("sample_index", "answer", "text", "correct")  # either all files have such a column or none has
_OF_REQUESTS = ("served_model", "request_id", "request_samples")
# Columns of samples even where they are constant within every question.
_OF_SAMPLES = (*_NEEDED, *_ALIKE, *NUMBERS, "finish_reason", *SAID, "refusal", *_OF_REQUESTS)


def from_table(
    paths: Paths,
    *,
    names: Names | None = None,
    model: str | None = None,
    models: str | Sequence[str] | None = None,
    **common: Unpack[CommonOptions],
) -> Pool:
    r"""Import tables and nested logs, whose columns may be renamed.

    A record is a row of a table or an object of JSON. It holds one sample, or samples of one question as lists of
    shape (samples,).

    Parameters
    ----------
    paths : path or sequence of path
        Files .parquet, .csv, .tsv, .json or .jsonl, also compressed (.gz, .zst); pool folders, whose questions are
        kept; or folders of these. They are joined to one table. The records of a JSON object are its list of
        objects, such as ``records``, or else its members, whose names become the question_id.
    names : str or mapping of str to str, optional
        Field of each column: ``{"question_id": "doc_id", "answer": "pred"}`` or the text
        ``"question_id=doc_id,answer=pred"``. A pool uses the columns question_id, model, sample_index, answer, text,
        correct, truth, score, confidence (a mean log-probability), input_tokens, output_tokens, cost (in one
        currency), latency (in seconds) and others. Fields without a new name are kept. A column is read from

        - a field: ``pred``, or a field of objects: ``score.value``, also of each object of a list: ``runs.text``;
        - an item of every list of a list: ``pairs.0``;
        - several fields joined by "/": ``dataset+idx``;
        - the name of the file or of its folders: ``{stem}``, ``{folder}``, ``{parent}``;
        - the number of the record in its file, from 1: ``{record}``, for files that do not name their questions;
        - a column per model, see `models`: ``{model}_response``.
    model : str, optional
        Name of the model, for tables without a column model. By default, several files without one are named after
        the files or their folders.
    models : str or sequence of str, optional
        Models that have columns of their own, such as ``"llama,qwen"``. In `names`, ``{model}`` stands for each.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, a column is missing, a value that a pool reads is nested, lists of a record have different
        lengths, or rows contradict each other. If several rows have the same question_id, model and sample_index, the
        message names a column that distinguishes them. Select one of its values with `where`.

    Notes
    -----
    Without sample_index, the rows of each question and model are numbered in the order of the files. If a column of
    that name has another meaning, rename it. Columns that are constant within every question become columns of the
    questions. A score of Booleans is a verdict and becomes correct. Nested fields that no name reads are left out if
    records hold several samples.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_table
    >>> record = {"idx": 3, "gt": "4", "runs": [{"pred": "4"}, {"pred": "5"}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "llama.json"
    ...     _ = path.write_text(json.dumps([record]))
    ...     from_table(path, names="question_id=idx,truth=gt,answer=runs.pred,model={stem}")
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    options = partial(read, names=names, model=model, models=models)
    return to_pool("table", options, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is a pool or has its columns. Other formats may claim it too."""
    columns = source.first.keys()
    return is_pool(source.path) or ("question_id" in columns and not {"answer", "text", "correct"}.isdisjoint(columns))


def read(
    sources: Sequence[Source],
    sink: Sink,
    *,
    names: Names | None = None,
    model: str | None = None,
    models: str | Sequence[str] | None = None,
) -> None:
    """Read all files and add them to the sink as one table."""
    given = parse_names(names)
    own = parse_models(models, given)
    sink.renamed, sink.tell_apart = given, "Give them different ids"
    spool = Spool(sink.folder)
    named = _named_by_files(sources) if model is None else {}
    parts = [_prepared(source, given, model, named.get(str(source)), own, spool, sink) for source in sources]
    if of_files := [repr(part.named) for part in parts if part.named is not None]:
        models_found = f"{', '.join(of_files[:4])}{', ...' if len(of_files) > 4 else ''}"
        sink.remarks.append(f"no column names the model, so the files or their folders do: {models_found}.")
    sink.remarks += _left_out(sources, parts)
    info = shared_info(source.path for source in sources)
    sink.votes = info.pop("votes", True)
    sink.info |= info
    if len(sources) > 1:
        sink.tell_apart = "Import them separately"
    _require_alike(sources, parts)
    table = joined([part.table for part in parts])
    if not table.num_rows:
        return
    sink.files = _labels(sources, parts)
    question = _ranks(table["question_id"])
    if "sample_index" not in table.column_names:
        order = pd.DataFrame({"question": question, "model": _ranks(table["model"])})
        table = table.append_column("sample_index", pa.array(order.groupby(["question", "model"]).cumcount()))
    for source in sources:
        for row in questions_of(source.path):
            sink.describe(row.pop("question_id"), row)
    choices = None
    if {"choices", "answer"} <= {*table.column_names} and not _is_constant(table["choices"], question):
        choices = Choices(sink)
        table = _in_one_order(table, choices)
    for piece in spool.pieces(_take_constant(_take_facts(table, question, sink), question, sink)):
        sink.add_table(piece)
    if choices is not None:
        choices.close()


class _Part(NamedTuple):
    """The samples of a file, without their texts, which wait on disk."""

    table: pa.Table
    names: set[str]  # of all columns
    named: str | None  # the model, if only the name of the file says it
    left_out: tuple[str, ...]  # nested fields


def _prepared(
    source: Source,
    names: Mapping[str, str],
    model: str | None,
    named: str | None,
    models: Sequence[str],
    spool: Spool,
    sink: Sink,
) -> _Part:
    """Read a file, rename its columns and convert known columns to their types."""
    if model is None and not models and "model" not in names and isinstance(source.outer.get("model"), str):
        names = {**names, "model": "model"}  # the file says it beside the list of its records
    left_out: dict[str, None] = {}
    kept: list[pa.Table] = []
    every: dict[str, None] = {}
    for table in _tables(source, names, models, left_out, sink):
        every |= dict.fromkeys(table.column_names)
        texts = {name: typed(source, name, table[name]) for name in spool.NAMES if name in table.column_names}
        if not kept and "text" in texts:
            _note_written_lists("text", texts["text"], source, sink)
        kept.append(spool.put(table, texts))
    table = _with_verdict(joined(kept, left_out), source, sink)
    if "answer" in table.column_names:
        _note_written_lists("answer", table["answer"], source, sink)
    every = dict.fromkeys(name for name in [*table.column_names, *every] if name not in left_out)
    if not every and not left_out:
        source.refuse("holds no records. Export it again, or omit it.")
    if model is not None and "model" in every:
        source.refuse(
            "already has a column 'model'. Omit model=..., or rename it with names={'model_before': 'model'}."
        )
    named = named if model is None and "model" not in every else None
    if model is not None or named is not None:
        if model is not None and (unread := names_of_models(table, names)) is not None:
            sink.note(
                f"{source.name}: column {unread!r} has several values and may name the models, but all samples are "
                f"those of {model!r}. If it does, use names={{'model': {unread!r}}} instead of model=."
            )
        table = table.append_column("model", pa.repeat(named if model is None else model, table.num_rows))
        every["model"] = None
    for wanted in (("question_id",), ("model",), ("answer", "text", "correct"), ("correct", "truth")):
        if not every.keys() & set(wanted):
            _refuse_missing(source, wanted, every)
    for name, column in described_samples(source.path, table["question_id"]).items():
        if name not in table.column_names:
            table = table.append_column(name, column)
    typed_columns = {name: typed(source, name, table[name]) for name in table.column_names}
    return _Part(pa.table(typed_columns), {*every}, named, tuple(left_out))


def _tables(
    source: Source, names: Mapping[str, str], models: Sequence[str], left_out: dict[str, None], sink: Sink
) -> Iterator[pa.Table]:
    """Read a file as tables with one row per sample, and note which nested fields are left out."""
    suffix = suffix_of(source.path)
    if suffix not in (*_JSON, ".parquet", ".csv", ".tsv"):
        source.refuse(f"unknown file format {suffix!r}. A table is a {_KINDS}.")
    records: Iterable[Fields] = source.records() if suffix in _JSON else ()
    if suffix not in _JSON:
        own = [of_model(names, model) for model in models] or [dict(names)]
        table = read_table(source.path, text=[old for each in own for new, old in each.items() if new in KEYS])
        if not models and is_plain(names, table.column_names) and not _holds_samples(table, names):
            yield _renamed(table, names, source)
            return
        records = _rows(table, source)
    reading = Reading(source, names, models, sink.joined)
    yield from reading.tables(records)
    left_out |= reading.left_out
    for note in reading.lists.notes(source.name, numbered=names.get("question_id") == RECORD):
        sink.note(note)
    if reading.lists.found:
        sink.tell_apart = f"Number the records with {NUMBERED}"


def _holds_samples(table: pa.Table, names: Mapping[str, str]) -> bool:
    """Return whether a column that a pool reads is nested, so that its lists may be samples."""
    called = {old: new for new, old in names.items()}
    return any(
        pa.types.is_nested(field.type) and is_pool_column(called.get(field.name, field.name)) for field in table.schema
    )


def _rows(table: pa.Table, source: Source) -> Iterator[Fields]:
    number = 0
    for batch in table.to_batches(_BATCH):
        for row in rows_of(pa.Table.from_batches([batch])):
            number += 1
            values = {name: None if is_missing(value) else value for name, value in row.items()}
            yield Fields(values, f"{source}, row {number}")


def _renamed(table: pa.Table, names: Mapping[str, str], source: Source) -> pa.Table:
    for new in names:
        if new in table.column_names and new not in names.values():
            source.refuse(taken(new))
    called = {old: new for new, old in names.items()}
    return table.rename_columns([called.get(name, name) for name in table.column_names])


def _with_verdict(table: pa.Table, source: Source, sink: Sink) -> pa.Table:
    """Read a score that is true or false as the verdict, which it is in files of several tools."""
    if "score" not in table.column_names or "correct" in table.column_names:
        return table
    if not pa.types.is_boolean(table["score"].type):
        return table
    sink.remarks.append(f"{source.name}: score is true or false, so it is read as correct, not as a number for votes.")
    return table.rename_columns(["correct" if name == "score" else name for name in table.column_names])


def _note_written_lists(name: str, column: pa.ChunkedArray, source: Source, sink: Sink) -> None:
    """Warn of values most of which are lists written as text, as pandas writes columns of lists to CSV files."""
    values = encode(column[:_BATCH])[1]
    texts = [as_text(value).strip() for value in values if not is_missing(value)]
    written = [text for text in texts if text[:1] + text[-1:] == "[]" or text[:2] + text[-1:] == "{'}"]
    if 2 * len(written) > len(texts):
        are = f"every {name} is" if len(written) == len(texts) else f"most values of {name} are"
        kind = "a list" if written[0].startswith("[") else "an object"
        sink.note(
            f"{source.name}: {are} {kind} written as text, such as {written[0]!r:.60}, and counts once. "
            "If its items are samples, store them in JSON or Parquet."
        )


def _named_by_files(sources: Sequence[Source]) -> dict[str, str]:
    """Return the model of each of several files if nothing else says it: the name of the file, or of its folder."""
    for place in ("{stem}", "{folder}"):
        found = {str(source): file_names(source)[place] for source in sources}
        if 1 < len(sources) == len(set(found.values())):
            return found
    return {}


def _left_out(sources: Sequence[Source], parts: Sequence[_Part]) -> list[str]:
    """Return remarks on nested fields that are left out, one for all files that have the same."""
    files: dict[tuple[str, ...], list[str]] = {}
    for source, part in zip(sources, parts, strict=True):
        files.setdefault(part.left_out, []).append(source.name)
    remarks = []
    for fields, (first, *others) in files.items():
        if fields:
            named = f"{first} and {counted(len(others), 'other file')}" if others else first
            told = ", ".join(map(repr, fields[:5]))
            remarks.append(f"{named}: the nested fields {told} are left out. To keep a part of one, map it.")
    return remarks


def _labels(sources: Sequence[Source], parts: Sequence[_Part]) -> dict[str, pa.Array]:
    """Return the name of the folder and of the file that each row is from, if there are several."""
    rows = np.repeat(np.arange(len(parts)), [part.table.num_rows for part in parts])
    found = {place: [file_names(source)[place] for source in sources] for place in ("{folder}", "{stem}")}
    return {place: pa.array(names).take(pa.array(rows)) for place, names in found.items() if len({*names}) > 1}


def _refuse_missing(source: Source, wanted: Sequence[str], names: Iterable[str]) -> NoReturn:
    remedy = f"Map the column that holds it with names={{'{wanted[0]}': 'COLUMN'}}"
    if wanted == ("model",):
        remedy += ", or set model=..., or models=... if each model has columns of its own"
    if wanted == ("correct", "truth") and "answer" in names and (other := names_of_truth(source.first)):
        remedy = f"If 'answer' is the truth, use names={other!r}. Else {remedy[0].lower()}{remedy[1:]}"
    source.refuse(f"has no column {' or '.join(map(repr, wanted))}. {remedy}. {choose_from(wanted[0], names)}.")


def _require_alike(sources: Sequence[Source], parts: Sequence[_Part]) -> None:
    """Raise if only some files have a column that determines answers or verdicts."""
    for name in _ALIKE:
        having = [source for source, part in zip(sources, parts, strict=True) if name in part.names]
        lacking = [source for source in sources if source not in having]
        if having and lacking:
            raise PoolError(
                f"{having[0]} has a column {name!r}, but {lacking[0]} does not. Import the files separately."
            )


def _ranks(column: pa.ChunkedArray) -> Codes:
    """Number the values of a column in the order in which they appear."""
    return np.asarray(pd.factorize(encode(column)[0])[0], np.int64)


def _is_constant(column: pa.ChunkedArray, group: Codes) -> bool:
    codes, first = encode(column)[0], np.unique(group, return_index=True)[1]
    return bool(np.array_equal(codes, codes[first][group]))


def _take_facts(table: pa.Table, question: Codes, sink: Sink) -> pa.Table:
    """Move truths, texts and choices to the questions. Those that differ stay, since `where` may select one of them."""
    for name in [name for name in _FACTS if name in table.column_names]:
        codes = encode(table[name])[0]
        known = np.flatnonzero(codes >= 0)
        first = known[np.unique(question[known], return_index=True)[1]]
        if len(np.unique(question[known] * (codes.max(initial=0) + 1) + codes[known])) > len(first):
            continue
        for row in table.select(["question_id", name]).take(pa.array(first)).to_pylist():
            sink.describe(row["question_id"], {name: _as_list(row[name]) if name == "choices" else row[name]})
        table = table.drop_columns(name)
    return table


def _in_one_order(table: pa.Table, choices: Choices) -> pa.Table:
    """Translate letters of choices that were shuffled, so that they name the same choice in all rows of a question."""
    given = [_as_list(value) for value in table["choices"].to_pylist()]
    lists = [[as_text(one) for one in value] if isinstance(value, list) else None for value in given]
    place = table.column_names.index("choices")
    return choices.table(table.set_column(place, "choices", pa.array(lists, pa.list_(pa.string()))))


def _as_list(choices: Any) -> Any:
    """Return choices as a list if they are written as JSON."""
    try:
        found = json.loads(choices) if isinstance(choices, str) else choices
    except (ValueError, RecursionError):
        return choices
    return found if isinstance(found, list) else choices


def _take_constant(table: pa.Table, question: Codes, sink: Sink) -> pa.Table:
    """Move columns that are constant within every question to the questions."""
    said = said_verdicts({name: table[name] for name in table.column_names}) or ("",)
    others = [name for name in table.column_names if name not in (*_OF_SAMPLES, *_FACTS, said[0])]
    constant = [name for name in others if _is_constant(table[name], question)]
    first = pa.array(np.unique(question, return_index=True)[1])
    for row in table.select(["question_id", *constant]).take(first).to_pylist():
        sink.describe(row.pop("question_id"), row)
    return table.drop_columns(constant)
