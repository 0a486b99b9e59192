"""The questions of a recording, and the prompts that templates make of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.pools.reading import read_table

__all__ = [
    "check_questions",
    "read_questions",
]

_REQUIRED = ("question_id", "question", "truth")
_OF_SAMPLES = (  # what a pool says of each sample
    "model", "sample_index", "answer", "correct", "text", "extracted", "finish_reason", "score", "confidence",
    "mean_logprob", "input_tokens", "output_tokens", "cost", "latency", "request_input_tokens",
    "request_output_tokens", "request_samples", "served_model", "fingerprint", "request_id", "time",
)  # fmt: skip

# Reading --------------------------------------------------------------------------------------------------------------


def read_questions(path: str | os.PathLike[str]) -> pa.Table:
    """Read the questions to ask, one per row.

    Parameters
    ----------
    path : path
        A JSONL, CSV or Parquet file with question_id, question and truth; optional choices (a list of text, in CSV a
        JSON list such as ``["yes", "no"]``), cluster and further columns, which a template may use.

    Returns
    -------
    pyarrow.Table
        In the order of the file. question_id, question and truth are text as written, choices a list of text; a further
        column of a CSV file is text too where a number or a date would not read as it is written (007, 7.50).

    Raises
    ------
    MssimError
        If the file is damaged, empty or not UTF-8, a column is missing or belongs to samples, or a row has an empty or
        repeated question_id, no question, no truth, or choices that are no list of text; the message names the row.
    """
    path = Path(path)
    if not path.is_file() or path.suffix.lower() not in (".jsonl", ".csv", ".parquet"):
        problem = "is no .jsonl, .csv or .parquet file" if path.is_file() else "is no file"
        raise MssimError(f"{path} {problem}; give the questions as one, with {', '.join(_REQUIRED)}")
    table = _read(path)
    try:
        return check_questions(table)
    except MssimError as error:
        raise MssimError(f"{path}: {error}") from error


def check_questions(table: pa.Table) -> pa.Table:
    """Check questions that did not come from a file, and return them as `read_questions` does."""
    _check_columns(table)
    for name in _REQUIRED:
        table = _replaced(table, name, pa.array(_filled(table, name), pa.string()))
    _check_repeated(table["question_id"].to_pylist())
    if "choices" in table.column_names:
        table = _replaced(table, "choices", pa.array(_choices(table["choices"]), pa.list_(pa.string())))
    return table


def _read(path: Path) -> pa.Table:
    try:
        table = read_table(path)
        return _as_written(path, table) if path.suffix.lower() == ".csv" else table
    except UnicodeEncodeError:
        raise MssimError(
            f"{path}, line {_surrogate_line(path)}: half of a surrogate pair (\\ud800 to \\udfff alone) is no text; "
            "write the whole character or take it out"
        ) from None


def _as_written(path: Path, table: pa.Table) -> pa.Table:
    """Take the cells of a CSV file as text wherever their type would change how they read."""
    text = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(table.column_names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    options = pa.csv.ParseOptions(newlines_in_values=True)
    try:
        written = pa.csv.read_csv(path, parse_options=options, convert_options=text)
    except pa.ArrowException as error:  # bytes that are not UTF-8: where types are guessed, they pass as bytes
        raise MssimError(f"{path}: cannot be read ({str(error).splitlines()[0]}); save it as UTF-8") from error
    for name in table.column_names:
        values = [None if _missing(value) else _text(value) for value in table[name].to_pylist()]
        if values != written[name].to_pylist():
            table = _replaced(table, name, written[name])
    return table


def _surrogate_line(path: Path) -> int:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            try:
                json.dumps(json.loads(line or "0"), ensure_ascii=False).encode()
            except UnicodeEncodeError:
                return number
            except ValueError:  # a blank line
                continue
    raise AssertionError("no line has half of a surrogate pair")


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _check_columns(table: pa.Table) -> None:
    names = table.column_names
    if table.num_rows == 0:
        raise MssimError("there is no question; give one per row")
    for name in _REQUIRED:
        if name not in names:
            raise MssimError(f"column {name!r} is missing; rename the column that holds it: {choose_from(name, names)}")
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind):
            raise MssimError(f"column {name!r} holds {kind}; write its values as text or numbers")
    for name in names:
        if name in _OF_SAMPLES:
            raise MssimError(f"column {name!r} describes samples in a pool, not questions; rename it or take it out")


def _filled(table: pa.Table, name: str) -> list[str]:
    """Values of a column as text; one that is missing or blank is refused."""
    column = table[name]
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        try:
            column = column.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise MssimError(f"column {name!r} holds bytes that are not UTF-8 text ({error})") from error
    values = ["" if _missing(value) else _text(value) for value in column.to_pylist()]
    for row, value in enumerate(values, 1):
        if not value.strip():
            raise MssimError(f"row {row}: {name} is empty; every question needs one")
    return values


def _check_repeated(question_ids: list[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(question_ids, 1):
        if first.setdefault(name, row) != row:
            raise MssimError(
                f"row {row}: question_id {name!r} is that of row {first[name]} too; give every question its own"
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
        raise MssimError(f'row {row}: choices={given!r:.100}; give every row a list of text, e.g. ["yes", "no"]')
    texts = ["" if _missing(one) else _text(one) for one in value]
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise MssimError(f"row {row}: choice {number} is empty; fill it in or take it out")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise MssimError(f"row {row}: choices={given!r:.100}: half of a surrogate pair is no text") from None
    return texts


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _text(value: Any) -> str:
    """Write a value for a reader: text as it is, whole numbers without .0, the rest as JSON where JSON has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


# Templates ------------------------------------------------------------------------------------------------------------
