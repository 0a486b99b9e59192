"""Validation of single columns of a long table; errors name the first invalid row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.pools.arrow import Codes, Names, encode, narrow, text_codes
from mssim.pools.reading import KEYS
from mssim.pools.row_blocks import Origin
from mssim.pools.texts import listed, normal_texts, texts_of_list, wholes

NUMBERS = ("score", "confidence", "cost", "latency", "input_tokens", "output_tokens")
GROUPS = "group_confidence"  # a list of numbers for each sample
REQUIRED = ("question_id", "model", "sample_index", "answer")
PER_SAMPLE = (*NUMBERS, "text", "finish_reason", "reasoning", "refusal", "tool_calls", GROUPS)

Name = Callable[[int], str]  # description of a row, for messages


def require_columns(names: Sequence[str], path: str = "") -> None:
    """Raise if a required column is missing; `path` is the file that lacks it, if there is one."""
    if "text" in names and "answer" not in names:
        raise PoolError(
            "answer: the samples have not been graded yet. Grade them first: mssim.grading.grade(POOL, RULE)."
        )
    for name in REQUIRED:
        if name not in names:
            other = _numbering(path) if name == "sample_index" else "see which names `mssim import` proposes"
            raise PoolError(
                f"column {name!r} is missing. Rename one of the columns to {name!r}, or {other}. "
                f"{choose_from(name, names)}."
            )
    if "correct" not in names and "truth" not in names:
        raise PoolError(
            f"the table has neither a column 'correct' nor a column 'truth' (columns: {', '.join(names)}). Add one of "
            "them, or rename the column that contains it."
        )


def _numbering(path: str) -> str:
    """Return how rows of a file, or of a frame, are numbered."""
    if path:
        return f"number the rows: mssim.importers.from_table({path!r})"
    return "number the rows: frame.groupby(['question_id', 'model']).cumcount()"


def question_ids_of(questions: pa.Table) -> list[str]:
    """Return the ids of a table of questions; raise if they are missing or repeated."""
    if "question_id" not in questions.column_names:
        raise PoolError(
            "questions.parquet: column question_id is missing. Restore the file, or recreate the pool from its source."
        )
    names: list[str] = normal_texts(texts_of_list(listed(questions["question_id"]))).to_pylist()
    if not all(names):
        raise PoolError("questions.parquet: a question_id is empty. Fill in the value or drop the row.")
    if len(set(names)) < len(names):
        raise PoolError("questions.parquet: a question_id is repeated. Write one row per question.")
    return names


def with_text_keys(table: pa.Table) -> pa.Table:
    """Convert bytes and truth values in the key columns to text; raise for nested types."""
    for name in [name for name in KEYS if name in table.column_names]:
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind):
            raise PoolError(f"column {name!r} has the nested type {kind}. Store its values as text or numbers.")
        if pa.types.is_boolean(kind):
            table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            try:
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
            except pa.ArrowInvalid as error:
                raise PoolError(
                    f"column {name!r} contains bytes that are not UTF-8 ({error}). Store its values as UTF-8 text."
                ) from error
    return table


def names_of(table: pa.Table, column: str, names: Names, origin: Origin) -> Codes:
    """Return the codes of models or questions; raise if one is missing."""
    codes = names.codes(table[column])
    if codes.min() < 0:
        raise PoolError(
            f"{origin.name(int(np.argmax(codes < 0)))}: {column} is empty. Fill in the value or drop the row."
        )
    return codes


def sample_indices(table: pa.Table, origin: Origin) -> Codes:
    """Return the non-negative sample indices; large values such as sample ids only define an order."""
    try:
        values = table["sample_index"]
        values = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
        index = values.cast(pa.int64())
    except pa.ArrowException as error:
        raise PoolError(
            f"sample_index: not an integer column ({error}). Number the samples of a question and model from 0."
        ) from error
    numbers = index.fill_null(-1).to_numpy()
    if numbers.min() < 0:
        row = int(np.argmax(numbers < 0))
        raise PoolError(
            f"{origin.name(row)}: sample_index is {_value(table, 'sample_index', row)}. "
            "Number the samples of a question and model from 0."
        )
    return narrow(numbers, int(numbers.max()))


def right_of(table: pa.Table, answer: Codes, texts: pa.Array, name: Name) -> NDArray[np.bool_]:
    """Return whether each row is correct, from `correct` or by comparing answers (`texts`) with `truth`."""
    if "correct" not in table.column_names:
        truth, truths = text_codes(table["truth"])
        if _is_numeric(table["answer"].type) and not _is_numeric(table["truth"].type):
            truths = wholes(truths)  # as answers are written, so that the number 18.0 equals the text "18.0"
        if truth.min() < 0:
            row = int(np.argmax(truth < 0))
            raise PoolError(f"{name(row)}: truth is empty and the table has no column 'correct'. Fill in the truth.")
        same = pa.compute.index_in(truths, value_set=texts).fill_null(-2).to_numpy(zero_copy_only=False)
        return np.asarray(answer == same[truth])
    codes, values = encode(table["correct"])
    readings = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}
    read = np.array([readings.get(str(value).strip().lower(), -1) for value in values] + [-1], np.int8)[codes]
    unclear = (read < 0) & ((answer >= 0) | (codes >= 0))
    if unclear.any():
        row = int(np.argmax(unclear))
        raise PoolError(f"{name(row)}: correct is {_value(table, 'correct', row)!r}. Use true or false.")
    contradiction = (read == 1) & (answer < 0)
    if contradiction.any():
        row = int(np.argmax(contradiction))
        raise PoolError(
            f"{name(row)}: correct is true, but the answer is empty. Add the answer or set correct to false."
        )
    return np.asarray(read == 1)


def _is_numeric(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _value(table: pa.Table, column: str, row: int) -> Any:
    """Return one value, for a message."""
    return listed(table[column].slice(row, 1))[0]


def numbers_of(table: pa.Table, column: str, answer: Codes, name: Name) -> NDArray[np.float64]:
    """Return a numeric column, NaN where missing. Every sample with an answer needs a score."""
    try:
        values = table[column].cast(pa.float64())
    except pa.ArrowException as error:
        raise PoolError(f"column {column!r} is not numeric ({error}). Store numbers or rename the column.") from error
    empty = values.is_null().to_numpy()
    numbers = values.fill_null(np.nan).to_numpy()
    bad = ~np.isfinite(numbers) & ~empty
    if column == "score":
        bad |= empty & (answer >= 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise PoolError(f"{name(row)}: {column} is {values[row].as_py()}. Use a finite number or drop the column.")
    return np.asarray(numbers)


def groups_of(table: pa.Table, answer: Codes, name: Name) -> pa.ChunkedArray:
    """Return the column of group confidences as lists of numbers. Every sample with an answer needs at least one."""
    column = table[GROUPS]
    kind = column.type
    if pa.types.is_null(kind):
        kind = pa.list_(pa.float64())
    if not any(known(kind) for known in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)):
        raise PoolError(
            f"column {GROUPS!r} has the type {kind}, not lists of numbers. Write an array of numbers for each sample, "
            "in Parquet or JSONL: a CSV file has no arrays."
        )
    inner = pa.float32() if pa.types.is_float32(kind.value_type) else pa.float64()
    try:
        column = column.cast(pa.large_list(inner))  # offsets of 64 bits: a pool can have more than 2**31 groups
    except pa.ArrowException as error:
        raise PoolError(
            f"column {GROUPS!r} does not contain lists of numbers ({error}). Correct the values."
        ) from error
    lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy()
    values = pa.compute.list_flatten(column).fill_null(np.nan).to_numpy()
    bad = np.repeat(np.arange(lengths.size), lengths)[~(np.isfinite(values) & (values >= 0))]
    if bad.size:
        raise PoolError(
            f"{name(int(bad[0]))}: {GROUPS} has a value that is not a finite number of at least 0. A confidence is the "
            "negative mean log-probability of the likeliest tokens. Correct the value or drop the column."
        )
    lacking = (lengths == 0) & (answer >= 0)
    if lacking.any():
        raise PoolError(
            f"{name(int(np.argmax(lacking)))}: {GROUPS} is empty, but the sample has an answer. Record at least one "
            "group, the mean confidence of a short trace, or drop the column."
        )
    return column
