"""Long tables with one row per sample, as Parquet, CSV or JSON Lines, with arbitrary column names."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import MssimError, PoolError
from mssim.importers.formats.openai_messages import as_json, thoughts
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import COLUMNS, Sink
from mssim.pools.arrow import distinct_values
from mssim.pools.folder import current
from mssim.pools.pool import Pool
from mssim.pools.reading import KEYS, encode, encode_text, read_table
from mssim.pools.row_checks import NUMBERS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_table"]

PATTERNS = ("*.parquet", "*.csv", "*.jsonl")
TOOL = "any log or table with a record per sample or per question, and pools"
VOTES = "a field (--map answer=FIELD), or answers by a rule (--rule)"
EXAMPLE = "mssim import table answers.csv --map question_id=doc_id,answer=pred --out my-pool"

Names = str | Mapping[str, str]
Codes = NDArray[np.int64]

_NEEDED = ("question_id", "model")
_ALIKE = ("sample_index", "answer", "text", "correct")  # either all files have such a column or none has
_SAID = {"reasoning": thoughts, "tool_calls": as_json}  # how values that are not text become text
_OF_REQUESTS = ("served_model", "request_id", "request_samples")
# Columns of samples even where they are constant within every question.
_OF_SAMPLES = (*_NEEDED, *_ALIKE, *NUMBERS, "finish_reason", *_SAID, "refusal", *_OF_REQUESTS)
_READINGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def from_table(
    paths: Paths, *, names: Names | None = None, model: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import long tables, whose columns may be renamed.

    Parameters
    ----------
    paths : path or sequence of path
        Files .parquet, .csv or .jsonl, or folders of them. They are concatenated to one table.
    names : str or mapping of str to str, optional
        Columns to rename, by their new names: ``{"question_id": "doc_id", "answer": "pred"}`` or the text
        ``"question_id=doc_id,answer=pred"``. The names that a pool uses are question_id, model, sample_index, answer,
        text, correct, truth, score and others. Other columns are kept.
    model : str, optional
        Name of the model, for tables without a column model.
    **common
        The options rule, where, texts, strict and info, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, a column is missing, or rows contradict each other. If several rows have the same
        question_id, model and sample_index, the message names a column that distinguishes them. Select one of its
        values with `where`.

    Notes
    -----
    Without sample_index, the rows of each question and model are numbered in the order of the files. If a column of
    that name has another meaning, rename it. Columns that are constant within every question become columns of the
    questions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "answers.csv"
    ...     _ = path.write_text("doc_id,pred,truth\nq1,4,4\nq1,5,4\n")
    ...     from_table(path, names="question_id=doc_id,answer=pred", model="llama")
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    options = partial(read, names=names, model=model)
    return to_pool("table", options, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is a pool or has its columns. Other formats may claim it too."""
    columns = source.first.keys()
    pool = current(source.path, "pool.json").is_file()
    return pool or ("question_id" in columns and not {"answer", "text", "correct"}.isdisjoint(columns))


def read(sources: Sequence[Source], sink: Sink, *, names: Names | None = None, model: str | None = None) -> None:
    """Read all files and add them to the sink as one table."""
    given = _parse_names(names)
    tables = [_prepared(source, given, model) for source in sources]
    _require_alike(sources, tables)
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise PoolError(
            f"The type of a column differs between files ({_reason(error)}). Import them separately."
        ) from error
    if not table.num_rows:
        return
    origin = np.repeat(np.arange(len(tables)), [part.num_rows for part in tables])
    question = _ranks(table["question_id"])
    if "sample_index" not in table.column_names:
        order = pd.DataFrame({"question": question, "model": _ranks(table["model"])})
        table = table.append_column("sample_index", pa.array(order.groupby(["question", "model"]).cumcount()))
    table = _take_truths(table, question, origin, sink)
    sink.add_table(_take_constant(table, question, sink))


def _parse_names(names: Names | None) -> dict[str, str]:
    """Return the old names of columns by their new names."""
    pairs = [] if names is None else list(names.items()) if isinstance(names, Mapping) else [("", names)]
    if isinstance(names, str):
        pairs = [(new.strip(), old.strip()) for new, _, old in (part.partition("=") for part in names.split(","))]
    if not all(isinstance(name, str) and name for pair in pairs for name in pair):
        raise MssimError(f"names={names!r:.200} is not of the form NEW=OLD, such as question_id=doc_id,answer=pred.")
    for one in zip(*pairs, strict=True):
        repeated = [name for name in one if one.count(name) > 1]
        if repeated:
            raise MssimError(f"names={names!r:.200}: {repeated[0]!r} appears twice. Rename each column once.")
    return dict(pairs)


def _prepared(source: Source, names: Mapping[str, str], model: str | None) -> pa.Table:
    """Read a file, rename its columns and convert known columns to their types."""
    table = _renamed(read_table(source.path, text=[old for new, old in names.items() if new in KEYS]), names, source)
    if model is not None:
        if "model" in table.column_names:
            source.refuse("already has a column 'model'. Omit the option model, or rename the column.")
        table = table.append_column("model", pa.repeat(model, table.num_rows))
    for wanted in (("question_id",), ("model",), ("answer", "text", "correct"), ("correct", "truth")):
        if not set(wanted).intersection(table.column_names):
            source.refuse(
                f"has no column {' or '.join(map(repr, wanted))}. Map the column that holds it with names= or "
                f"--map {wanted[0]}=COLUMN. {choose_from(wanted[0], table.column_names)}."
            )
    return pa.table({name: _typed(source, name, table[name]) for name in table.column_names})


def _renamed(table: pa.Table, names: Mapping[str, str], source: Source) -> pa.Table:
    columns = table.column_names
    for new, old in names.items():
        if old not in columns:
            source.refuse(f"has no column {old!r} to rename to {new!r}. {choose_from(old, columns)}.")
        if new in columns and new not in names.values():
            source.refuse(f"already has a column {new!r}. Rename that column too, for example with {new}_before={new}.")
    called = {old: new for new, old in names.items()}
    return table.rename_columns([called.get(name, name) for name in columns])


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _require_alike(sources: Sequence[Source], tables: Sequence[pa.Table]) -> None:
    """Raise if only some files have a column that determines answers or verdicts."""
    for name in _ALIKE:
        having = [source for source, table in zip(sources, tables, strict=True) if name in table.column_names]
        lacking = [source for source in sources if source not in having]
        if having and lacking:
            raise PoolError(
                f"{having[0]} has a column {name!r}, but {lacking[0]} does not. Import the files separately."
            )


def _typed(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a column to the type that a pool needs, or to one that can be stored."""
    kind = column.type
    try:
        if isinstance(kind, pa.BaseExtensionType):
            column = column.cast(kind.storage_type)
        elif pa.types.is_string_view(kind):
            column = column.cast(pa.string())
        elif pa.types.is_dictionary(kind) and name not in KEYS:
            column = column.cast(kind.value_type)
        if name in KEYS:
            return _key(source, name, column)
        if name == "correct":
            codes, values = encode(column)
            flags = [_READINGS.get(str(value).strip().lower()) for value in values]
            unclear = np.array([flag is None for flag in flags] + [False])[codes]
            _refuse_first(source, name, column, unclear, "It must be true or false.")
            return _decoded(codes, flags, pa.bool_())
        if name == "sample_index":
            index = column.cast(pa.int64())
            _refuse_first(
                source, name, column, index.fill_null(-1).to_numpy() < 0, "It must be an integer of at least 0."
            )
            return index
        if name in _SAID and pa.types.is_nested(kind):
            return pa.chunked_array([pa.array(map(_SAID[name], column.to_pylist()), pa.string())])
        return _known(name, column) if name in COLUMNS else _storable(column)
    except PoolError:
        raise
    except (pa.ArrowException, ValueError, OverflowError) as error:
        source.refuse(
            f"column {name!r} has type {kind}, not {COLUMNS.get(name, 'a supported type')} ({_reason(error)}). Convert "
            "its values, or rename the column if it has another meaning."
        )


def _refuse_first(source: Source, name: str, column: pa.ChunkedArray, wrong: NDArray[np.bool_], remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        source.refuse(f"row {row + 1}: {name} is {column[row].as_py()!r:.80}. {remedy}")


def _key(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_nested(column.type):
        source.refuse(f"column {name!r} has type {column.type}. Convert its values to text or numbers.")
    texts = _texts(column)
    if name in _NEEDED:
        _refuse_first(source, name, column, texts.is_null().to_numpy(), "Every sample needs one.")
    return texts


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert values to text, such that 7, 7.0 and "7" are equal. Blank values are missing."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
    return _decoded(*encode_text(column), pa.string())


def _decoded(codes: Codes, values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind).take(pa.array(codes, mask=codes < 0))])


def _known(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a known column to its type. A setting may be text instead of a number."""
    given = column.type
    if COLUMNS[name] == pa.string() and not (pa.types.is_large_string(given) or pa.types.is_null(given)):
        return column if pa.types.is_string(given) else _texts(column)
    try:
        return column.cast(COLUMNS[name])
    except pa.ArrowException:
        return (
            column.cast(pa.float64()) if name in NUMBERS else _storable(column)
        )  # means of counts need not be integers


def _storable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as it is, or as text if Parquet has no such type, as for objects without fields."""
    if pa.types.is_temporal(column.type) or pa.types.is_nested(column.type):
        values: Any = column if pa.types.is_nested(column.type) else distinct_values(column)[1]
        values.to_pylist()  # raises for dates that Python does not have
    try:
        pa.parquet.write_table(pa.schema([("column", column.type)]).empty_table(), io.BytesIO())
    except pa.ArrowException:
        return _texts(column)
    return column


def _ranks(column: pa.ChunkedArray) -> Codes:
    """Number the values of a column in the order in which they appear."""
    return np.asarray(pd.factorize(encode(column)[0])[0], np.int64)


def _is_constant(column: pa.ChunkedArray, group: Codes) -> bool:
    codes, first = encode(column)[0], np.unique(group, return_index=True)[1]
    return bool(np.array_equal(codes, codes[first][group]))


def _take_truths(table: pa.Table, question: Codes, origin: Codes, sink: Sink) -> pa.Table:
    """Add the truth of every question. If it varies within a file, compare each row with its own truth."""
    if "truth" not in table.column_names:
        return table
    group = pd.factorize(question * (int(origin.max()) + 1) + origin)[0]
    if _is_constant(table["truth"], group):
        found = table.select(["question_id", "truth"]).take(pa.array(np.unique(group, return_index=True)[1]))
        for row in found.to_pylist():
            sink.describe(row["question_id"], {"truth": row["truth"]})
        return table.drop_columns("truth")
    if "correct" not in table.column_names and "answer" in table.column_names:
        return table.append_column("correct", pa.compute.equal(table["answer"], table["truth"]))
    return table


def _take_constant(table: pa.Table, question: Codes, sink: Sink) -> pa.Table:
    """Move columns that are constant within every question to the questions."""
    others = [name for name in table.column_names if name not in (*_OF_SAMPLES, "truth")]
    constant = [name for name in others if _is_constant(table[name], question)]
    first = pa.array(np.unique(question, return_index=True)[1])
    for row in table.select(["question_id", *constant]).take(first).to_pylist():
        sink.describe(row.pop("question_id"), row)
    return table.drop_columns(constant)
