"""Questions of a recording."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from mssim._files import usable_path
from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.pools.delimiters import delimiter_of
from mssim.pools.plain_types import plain_types
from mssim.pools.reading import read_table
from mssim.pools.texts import as_text, is_missing, listed, normal

__all__ = [
    "check_questions",
    "read_questions",
]

_REQUIRED = ("question_id", "question", "truth")
_OF_SAMPLES = (  # columns of samples in a pool
    "model", "sample_index", "answer", "correct", "text", "extracted", "finish_reason", "score", "confidence",
    "mean_logprob", "input_tokens", "output_tokens", "cost", "latency", "request_input_tokens",
    "request_output_tokens", "request_samples", "served_model", "fingerprint", "request_id", "time",
)  # fmt: skip

# Reading --------------------------------------------------------------------------------------------------------------


def read_questions(path: str | os.PathLike[str], *, truths: bool = True) -> pa.Table:
    r"""Read questions from a file with one question per row.

    Parameters
    ----------
    path : path
        JSONL, CSV or Parquet file with the columns question_id, question and truth. The columns choices (a list of
        text, in CSV a JSON list such as ``["yes", "no"]``), cluster and any others are optional. Templates may use all
        columns.
    truths : bool, default True
        Whether every question needs a truth. Otherwise the column may be missing or have missing values.

    Returns
    -------
    pyarrow.Table
        Questions in the order of the file. The columns question_id, question and truth are text as written, and choices
        is a list of text. Other columns of a CSV file are text if conversion to numbers or dates would change their
        spelling, as for 007 and 7.50.

    Raises
    ------
    MssimError
        If the file is damaged, empty or not UTF-8, if a column is missing or belongs to samples, or if a row has an
        empty or repeated question_id, no question, no truth, or invalid choices. The message names the row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.recorder import read_questions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "questions.csv"
    ...     _ = path.write_text("question_id,question,truth\nq1,2 + 2?,4\n")
    ...     read_questions(path).to_pylist()
    [{'question_id': 'q1', 'question': '2 + 2?', 'truth': '4'}]
    """
    path = usable_path(path)
    if not path.is_file() or path.suffix.lower() not in (".jsonl", ".csv", ".parquet"):
        if path.is_file():
            raise MssimError(f"{path}: the suffix {path.suffix!r} is not supported. Use .jsonl, .csv or .parquet.")
        raise MssimError(f"{path}: is not a file. Name a JSONL, CSV or Parquet file with {', '.join(_REQUIRED)}.")
    table = _read(path)
    try:
        return check_questions(table, truths=truths)
    except MssimError as error:
        raise MssimError(f"{path}: {error}") from error


def check_questions(table: pa.Table, *, truths: bool = True) -> pa.Table:
    """Check a table of questions and convert it as `read_questions` does.

    Parameters
    ----------
    table : pyarrow.Table
        Questions with the columns question_id, question and truth.
    truths : bool, default True
        As in `read_questions`.

    Returns
    -------
    pyarrow.Table
        The questions. question_id, question and truth are text, and choices is a list of text.

    Raises
    ------
    MssimError
        If a column is missing or a row is invalid.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mssim.questions import check_questions
    >>> check_questions(pa.table({"question_id": [1], "question": ["2 + 2?"], "truth": [4]})).to_pylist()
    [{'question_id': '1', 'question': '2 + 2?', 'truth': '4'}]
    """
    table = plain_types(table)
    if not truths and "truth" not in table.column_names:
        table = table.append_column("truth", pa.nulls(table.num_rows, pa.string()))
    _check_columns(table)
    for name in _REQUIRED:
        needed = truths or name != "truth"
        table = _replaced(table, name, pa.array(_filled(table, name, needed=needed), pa.string()))
    _check_repeated(table["question_id"].to_pylist())
    if "choices" in table.column_names:
        table = _replaced(table, "choices", pa.array(_choices(table["choices"]), pa.list_(pa.string())))
    return table


def _read(path: Path) -> pa.Table:
    table = read_table(path, exact=True)  # prompts are made of it
    return _as_written(path, table) if path.suffix.lower() == ".csv" else table


def _as_written(path: Path, table: pa.Table) -> pa.Table:
    """Replace columns of a CSV file by text if conversion would change their spelling."""
    text = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(table.column_names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    options = pa.csv.ParseOptions(newlines_in_values=True, delimiter=delimiter_of(path))
    try:
        written = pa.csv.read_csv(path, parse_options=options, convert_options=text)
    except pa.ArrowException as error:  # type inference reads bytes that are not UTF-8 as binary
        raise MssimError(f"{path}: cannot be read ({str(error).splitlines()[0]}). Save it as UTF-8.") from error
    for name in table.column_names:
        values = [None if is_missing(value) else as_text(value) for value in listed(table[name])]
        if values != written[name].to_pylist():
            table = _replaced(table, name, written[name])
    return table


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _check_columns(table: pa.Table) -> None:
    names = table.column_names
    if table.num_rows == 0:
        raise MssimError("the table is empty. Add one question per row.")
    for name in _REQUIRED:
        if name not in names:
            raise MssimError(
                f"column {name!r} is missing. Rename one of the columns to {name!r}. {choose_from(name, names)}."
            )
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind):
            raise MssimError(f"column {name!r} has type {kind}. Convert its values to text or numbers.")
    for name in names:
        if name in _OF_SAMPLES:
            raise MssimError(f"column {name!r} is reserved for samples. Rename or remove it.")


def _filled(table: pa.Table, name: str, *, needed: bool = True) -> list[str | None]:
    """Return the values of a column as text. Raise if one is missing or blank and needed."""
    column = table[name]
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        try:
            column = column.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise MssimError(f"column {name!r} contains bytes that are not UTF-8 ({error}). Convert them.") from error
    values = ["" if is_missing(value) else as_text(value) for value in listed(column)]
    for row, value in enumerate(values, 1):
        if needed and not value.strip():
            raise MssimError(f"row {row}: {name} is empty. Every question needs one.")
    return [value if value.strip() else None for value in values]


def _check_repeated(question_ids: list[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(question_ids, 1):
        before = first.setdefault(normal(name), row)
        if before != row:
            spelled = "" if name == question_ids[before - 1] else f", spelled {question_ids[before - 1]!r}"
            raise MssimError(
                f"row {row}: question_id {name!r} also appears in row {before}{spelled}. Give each question its own."
            )


def _choices(column: pa.ChunkedArray) -> list[list[str]]:
    return [_choice_list(row, value) for row, value in enumerate(column.to_pylist(), 1)]


def _choice_list(row: int, given: Any) -> list[str]:
    value = given
    if isinstance(given, str):
        try:
            value = json.loads(given)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list) or not value or any(isinstance(one, list | dict) for one in value):
        raise MssimError(f'row {row}: choices={given!r:.100} is not a list of text, such as ["yes", "no"]. Correct it.')
    texts = ["" if is_missing(one) else as_text(one) for one in value]
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise MssimError(f"row {row}: choice {number} is empty. Add its text, or remove it.")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise MssimError(f"row {row}: choices={given!r:.100} contains a lone surrogate. Remove it.") from None
    return texts
