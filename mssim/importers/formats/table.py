"""Long tables: one row per sample, as Parquet, CSV or JSON lines, with columns of any names."""

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
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import COLUMNS, Sink
from mssim.pools.pool import Pool
from mssim.pools.reading import KEYS, encode, encode_text, read_table
from mssim.pools.row_checks import NUMBERS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_table"]

PATTERNS = ("*.parquet", "*.csv", "*.jsonl")

Names = str | Mapping[str, str]
Codes = NDArray[np.int64]

_NEEDED = ("question_id", "model")
_ALIKE = ("sample_index", "answer", "text", "correct")  # all files have them or none does
_OF_SAMPLES = (*_NEEDED, *_ALIKE, *NUMBERS, "finish_reason")  # even where they are constant within every question
_READINGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def from_table(
    paths: Paths, *, names: Names | None = None, model: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    """Import long tables: what `mssim.load_pool` reads, and tables that name their columns in another way.

    Parameters
    ----------
    paths : path or sequence of path
        Files .parquet, .csv or .jsonl, or folders of them; together they are one table.
    names : str or mapping of str to str, optional
        New names of columns, ``{"question_id": "doc_id", "answer": "pred"}`` or "question_id=doc_id,answer=pred". A
        pool knows question_id, model, sample_index, answer, text, correct, truth, score, ...; other columns are kept.
    model : str, optional
        Name of the model, for tables that have no column for it.
    **common
        rule, where, texts, strict, info: see `mssim.importers.Common`.

    Raises
    ------
    PoolError
        If a file is damaged, a column is missing, or rows contradict each other. Two rows with the same question_id,
        model and sample_index are refused, naming the column that separates them: choose one of its values with where.

    Notes
    -----
    Without sample_index, the rows of each question and model are numbered in the order of the files; rename one that
    means something else. Columns that are constant within every question describe the questions.
    """
    options = partial(read, names=names, model=model)
    return to_pool("table", options, expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, names: Names | None = None, model: str | None = None) -> None:
    """Read all files and add them as one table."""
    given = _parse_names(names)
    tables = [_prepared(source, given, model) for source in sources]
    _require_alike(sources, tables)
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        reason = f"a column has values of another kind in another file ({_reason(error)})"
        raise PoolError(f"{reason}; import them apart") from error
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
    """Old names of columns, by the new ones."""
    pairs = [] if names is None else list(names.items()) if isinstance(names, Mapping) else [("", names)]
    if isinstance(names, str):
        pairs = [(new.strip(), old.strip()) for new, _, old in (part.partition("=") for part in names.split(","))]
    if not all(isinstance(name, str) and name for pair in pairs for name in pair):
        raise MssimError(f"names={names!r:.200}; write NEW=OLD, e.g. question_id=doc_id,answer=pred")
    for one in zip(*pairs, strict=True):
        repeated = [name for name in one if one.count(name) > 1]
        if repeated:
            raise MssimError(f"names={names!r:.200}: {repeated[0]!r} is there twice; give each column one name")
    return dict(pairs)


def _prepared(source: Source, names: Mapping[str, str], model: str | None) -> pa.Table:
    """Read a file, give its columns their names and known columns their types."""
    table = _renamed(_read(source, [old for new, old in names.items() if new in KEYS]), names, source)
    if model is not None:
        if "model" in table.column_names:
            source.refuse("there is a column 'model' already; leave the option out, or give the column another name")
        table = table.append_column("model", pa.repeat(model, table.num_rows))
    for wanted in (("question_id",), ("model",), ("answer", "text", "correct"), ("correct", "truth")):
        if not set(wanted).intersection(table.column_names):
            source.refuse(
                f"no column {' or '.join(map(repr, wanted))}; name the one that holds it, with names or "
                f"--map {wanted[0]}=...: {choose_from(wanted[0], table.column_names)}"
            )
    return pa.table({name: _typed(source, name, table[name]) for name in table.column_names})


def _renamed(table: pa.Table, names: Mapping[str, str], source: Source) -> pa.Table:
    columns = table.column_names
    for new, old in names.items():
        if old not in columns:
            source.refuse(f"no column {old!r} to be called {new!r}; {choose_from(old, columns)}")
        if new in columns and new not in names.values():
            source.refuse(f"column {new!r} is there already; give it another name as well, e.g. {new}_before={new}")
    called = {old: new for new, old in names.items()}
    return table.rename_columns([called.get(name, name) for name in columns])


def _read(source: Source, text: Sequence[str]) -> pa.Table:
    """Read a file; these columns of a CSV file stay text as they are written."""
    try:
        return read_table(source.path, text=text)
    except UnicodeEncodeError as error:
        source.refuse(f"cannot be read, half of a surrogate pair is no text ({_reason(error)})")


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _require_alike(sources: Sequence[Source], tables: Sequence[pa.Table]) -> None:
    """Refuse files of which some lack what others have: their samples would count as without it."""
    for name in _ALIKE:
        having = [source for source, table in zip(sources, tables, strict=True) if name in table.column_names]
        lacking = [source for source in sources if source not in having]
        if having and lacking:
            raise PoolError(f"{having[0]} has a column {name!r} and {lacking[0]} has none; import them apart")


def _typed(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column the type that a pool needs, or one that can be stored."""
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
            _refuse_first(source, name, column, unclear, "give true or false")
            return _decoded(codes, flags, pa.bool_())
        if name == "sample_index":
            index = column.cast(pa.int64())
            _refuse_first(source, name, column, index.fill_null(-1).to_numpy() < 0, "number the samples from 0")
            return index
        return _known(name, column) if name in COLUMNS else _storable(column)
    except PoolError:
        raise
    except (pa.ArrowException, ValueError, OverflowError) as error:
        source.refuse(f"column {name!r} holds {kind}, not {COLUMNS.get(name, 'what can be read')} ({_reason(error)})")


def _refuse_first(source: Source, name: str, column: pa.ChunkedArray, wrong: NDArray[np.bool_], remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        source.refuse(f"row {row + 1}: {name} is {column[row].as_py()!r:.80}; {remedy}")


def _key(source: Source, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_nested(column.type):
        source.refuse(f"column {name!r} holds {column.type}; write its values as text or numbers")
    texts = _texts(column)
    if name in _NEEDED:
        _refuse_first(source, name, column, texts.is_null().to_numpy(), "every sample needs one")
    return texts


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write 7, 7.0 and "7" as one text; blank ones are missing."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
    return _decoded(*encode_text(column), pa.string())


def _decoded(codes: Codes, values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind).take(pa.array(codes, mask=codes < 0))])


def _known(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column that importers know, in its type; a setting may be text instead of a number."""
    given = column.type
    if COLUMNS[name] == pa.string() and not (pa.types.is_large_string(given) or pa.types.is_null(given)):
        return column if pa.types.is_string(given) else _texts(column)
    try:
        return column.cast(COLUMNS[name])
    except pa.ArrowException:
        return column.cast(pa.float64()) if name in NUMBERS else _storable(column)  # means of counts are no counts


def _storable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as it is, or as text if Parquet has no such type: objects without fields."""
    if pa.types.is_temporal(column.type) or pa.types.is_nested(column.type):
        encode(column)  # Python does not have all dates: refused here
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
    """Tell the truth of every question; where rows of one file differ in it, each row is judged by its own."""
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
    """Tell what is the same in all rows of every question, and keep the other columns."""
    others = [name for name in table.column_names if name not in (*_OF_SAMPLES, "truth")]
    constant = [name for name in others if _is_constant(table[name], question)]
    first = pa.array(np.unique(question, return_index=True)[1])
    for row in table.select(["question_id", *constant]).take(first).to_pylist():
        sink.describe(row.pop("question_id"), row)
    return table.drop_columns(constant)
