"""Checks that look at one row of a long table alone; each reads a column and says in which row it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.pools.arrow import Codes, Names, encode, narrow, text_codes
from mssim.pools.reading import KEYS
from mssim.pools.row_blocks import Origin

NUMBERS = ("score", "confidence", "cost", "latency", "input_tokens", "output_tokens")
REQUIRED = ("question_id", "model", "sample_index", "answer")
PER_SAMPLE = (*NUMBERS, "text", "finish_reason")
_VOTING = ("score", "confidence")  # numbers that can weigh a vote: every sample with an answer needs them

Name = Callable[[int], str]  # of a row, for messages


def require_columns(names: Sequence[str]) -> None:
    """Refuse a table that lacks a column which every pool needs."""
    if "text" in names and "answer" not in names:
        raise PoolError("these samples are texts that were not graded yet; run `mssim grade POOL --rule RULE` first")
    for name in REQUIRED:
        if name not in names:
            raise PoolError(f"column {name!r} is missing; rename the column that holds it: {choose_from(name, names)}")
    if "correct" not in names and "truth" not in names:
        raise PoolError(f"columns 'correct' and 'truth' are both missing; one is needed, the table has {names}")


def question_ids_of(questions: pa.Table) -> list[str]:
    """Ids that a table of questions lists, each once."""
    if "question_id" not in questions.column_names:
        raise PoolError("questions.parquet does not fit: it has no column question_id")
    names = [str(name) for name in questions["question_id"].to_pylist()]
    if len(set(names)) < len(names):
        raise PoolError("questions.parquet does not fit: it repeats a question_id")
    return names


def with_text_keys(table: pa.Table) -> pa.Table:
    """Read bytes in the key columns as text, and refuse lists and the like."""
    for name in [name for name in KEYS if name in table.column_names]:
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind):
            raise PoolError(f"column {name!r} holds {kind}; write its values as text or numbers")
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            try:
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
            except pa.ArrowInvalid as error:
                raise PoolError(f"column {name!r} holds bytes that are not UTF-8 text ({error})") from error
    return table


def names_of(table: pa.Table, column: str, names: Names, origin: Origin) -> Codes:
    """Codes of models or questions; none may be missing."""
    codes = names.codes(table[column])
    if codes.min() < 0:
        raise PoolError(f"{origin.name(int(np.argmax(codes < 0)))}: {column} is empty; every sample needs one")
    return codes


def sample_indices(table: pa.Table, origin: Origin) -> Codes:
    """Whole numbers from 0, of which huge ones (ids of samples) give no more than an order."""
    try:
        values = table["sample_index"]
        values = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
        index = values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise PoolError(f"sample_index must hold whole numbers from 0 ({error})") from error
    numbers = index.fill_null(-1).to_numpy()
    if numbers.min() < 0:
        row = int(np.argmax(numbers < 0))
        raise PoolError(
            f"{origin.name(row)}: sample_index is {table['sample_index'][row].as_py()}; "
            "number the samples of a question and model from 0"
        )
    return narrow(numbers, int(numbers.max()))


def right_of(table: pa.Table, answer: Codes, texts: pa.Array, name: Name) -> NDArray[np.bool_]:
    """Whether each row is right, from the column, else by comparing with truth; `texts` are those of the answers."""
    if "correct" not in table.column_names:
        truth, truths = text_codes(table["truth"])
        if truth.min() < 0:
            row = int(np.argmax(truth < 0))
            raise PoolError(f"{name(row)}: truth is empty and there is no column 'correct'; give one of them")
        same = pa.compute.index_in(truths, value_set=texts).fill_null(-2).to_numpy(zero_copy_only=False)
        return np.asarray(answer == same[truth])
    codes, values = encode(table["correct"])
    readings = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}
    read = np.array([readings.get(str(value).strip().lower(), -1) for value in values] + [-1], np.int8)[codes]
    unclear = (read < 0) & ((answer >= 0) | (codes >= 0))
    if unclear.any():
        row = int(np.argmax(unclear))
        raise PoolError(f"{name(row)}: correct is {table['correct'][row].as_py()!r}; give true or false")
    contradiction = (read == 1) & (answer < 0)
    if contradiction.any():
        row = int(np.argmax(contradiction))
        raise PoolError(f"{name(row)} is correct but has no answer; give the answer or set correct to false")
    return np.asarray(read == 1)


def numbers_of(table: pa.Table, column: str, answer: Codes, name: Name) -> NDArray[np.float64]:
    """Finite numbers, NaN where none was recorded; what votes are weighed by is there for every answer."""
    try:
        values = table[column].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PoolError(f"column {column!r} must hold numbers ({error})") from error
    empty = values.is_null().to_numpy()
    numbers = values.fill_null(np.nan).to_numpy()
    bad = ~np.isfinite(numbers) & ~empty
    if column in _VOTING:
        bad |= empty & (answer >= 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise PoolError(f"{name(row)}: {column} is {values[row].as_py()}; give a finite number or drop the column")
    return np.asarray(numbers)
