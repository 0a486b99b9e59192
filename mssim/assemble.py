"""From a long table to the arrays of a pool: every check that recorded samples must pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mssim.errors import PoolError, choose_from
from mssim.tables import KEYS, encode, encode_text, plain

NUMBERS = ("score", "confidence", "cost", "latency", "input_tokens", "output_tokens")
_VOTING = ("score", "confidence")  # numbers that can weigh a vote: every sample with an answer needs them
_PER_SAMPLE = (*NUMBERS, "text", "finish_reason")
_REQUIRED = ("question_id", "model", "sample_index", "answer")
_MOST_CLASSES = 2**15 - 2

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """The rows of a table in pool order: models first, then questions, then samples."""

    table: pa.Table
    numbers: Codes  # where each row stood in the file, from 1, for messages
    model: Codes
    question: Codes
    models: list[str]
    question_ids: list[str]

    def name(self, row: int) -> str:
        index = self.table["sample_index"][row].as_py()
        return (
            f"row {self.numbers[row]} (question {self.question_ids[self.question[row]]!r}, "
            f"model {self.models[self.model[row]]!r}, sample_index {index})"
        )


def assemble(table: pa.Table, row_numbers: Codes, questions: pa.Table | None = None) -> dict[str, Any]:
    """Check the rows of a long table and turn them into the fields of a `Pool`.

    Parameters
    ----------
    table : pyarrow.Table
        One row per sample.
    row_numbers : ndarray of int64, shape (n_rows,)
        Where each row stands in its file, from 1.
    questions : pyarrow.Table, optional
        One row per question; without it, columns of the table that are constant within every question describe them.
    """
    _require_columns(table)
    table = _with_text_keys(table)
    rows = _in_order(table, row_numbers, _question_ids(questions))
    shape = (len(rows.models), len(rows.question_ids))
    group = rows.model * shape[1] + rows.question
    lengths = np.bincount(group, minlength=shape[0] * shape[1])
    place = np.arange(group.size) - (np.cumsum(lengths) - lengths)[group]
    cells = (rows.model, rows.question, place)
    full_shape = (*shape, int(lengths.max()))

    answer, labels = encode_text(rows.table["answer"])
    correct = _correct(rows, answer, labels)
    classes = _classes(rows, answer, labels, correct)
    codes = np.full(full_shape, -1, np.int16)
    codes[cells] = classes.pop("codes")
    numbers = {}
    for name in [n for n in NUMBERS if n in rows.table.column_names]:
        numbers[name] = np.full(full_shape, np.nan)
        numbers[name][cells] = _numbers(rows, name, answer)
    described, extra = _split_columns(rows, questions)
    return {
        "models": tuple(rows.models),
        "questions": described,
        "codes": codes,
        "lengths": lengths.reshape(shape).astype(np.int32),
        **classes,
        "numbers": numbers,
        "extra": extra,
    }


def _require_columns(table: pa.Table) -> None:
    if table.num_rows == 0:
        raise PoolError("the pool is empty: no row is there, or none fulfils the conditions; give one row per sample")
    names = table.column_names
    if "text" in names and "answer" not in names:
        raise PoolError("these samples are texts that were not graded yet; run `mssim grade POOL --rule RULE` first")
    for name in _REQUIRED:
        if name not in names:
            raise PoolError(f"column {name!r} is missing; rename the column that holds it: {choose_from(name, names)}")
    if "correct" not in names and "truth" not in names:
        raise PoolError(f"columns 'correct' and 'truth' are both missing; one is needed, the table has {names}")


def _with_text_keys(table: pa.Table) -> pa.Table:
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


def _in_order(table: pa.Table, row_numbers: Codes, known: list[str] | None) -> _Rows:
    model, models = _names(table, "model", row_numbers)
    question, question_ids = _names(table, "question_id", row_numbers)
    if known is not None:
        question, question_ids = _known_order(question, question_ids, known)
    index = _sample_index(table, row_numbers)
    key = (model * len(question_ids) + question) * (int(index.max()) + 1) + index
    if np.any(key[1:] <= key[:-1]):
        order = np.argsort(key, kind="stable")
        key, model, question, row_numbers = key[order], model[order], question[order], row_numbers[order]
        table = table.take(pa.array(order))
    rows = _Rows(table, row_numbers, model, question, models, question_ids)
    repeated = np.nonzero(key[1:] == key[:-1])[0]
    if repeated.size:
        raise PoolError(_duplicate_message(rows, int(repeated[0])))
    return rows


def _names(table: pa.Table, column: str, row_numbers: Codes) -> tuple[Codes, list[str]]:
    """Codes and names in order of first appearance."""
    codes, labels = encode_text(table[column])
    if (codes < 0).any():
        raise PoolError(f"row {row_numbers[np.argmax(codes < 0)]}: {column} is empty; every sample needs one")
    used = pd.unique(codes)
    rank = np.zeros(len(labels), np.int64)
    rank[used] = np.arange(used.size)
    return rank[codes], [labels[code] for code in used]


def _question_ids(questions: pa.Table | None) -> list[str] | None:
    if questions is None:
        return None
    if "question_id" not in questions.column_names:
        raise PoolError("questions.parquet does not fit: it has no column question_id")
    return [str(name) for name in questions["question_id"].to_pylist()]


def _known_order(question: Codes, question_ids: list[str], known: list[str]) -> tuple[Codes, list[str]]:
    place = {name: i for i, name in enumerate(known)}
    unknown = [name for name in question_ids if name not in place]
    if unknown or len(place) < len(known):
        reason = f"question {unknown[0]!r} of samples.parquet is not in it" if unknown else "it repeats a question_id"
        raise PoolError(f"questions.parquet does not fit: {reason}")
    return np.array([place[name] for name in question_ids])[question], known


def _sample_index(table: pa.Table, row_numbers: Codes) -> Codes:
    try:
        values = table["sample_index"]
        values = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
        index = values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise PoolError(f"sample_index must hold whole numbers from 0 ({error})") from error
    numbers = index.fill_null(-1).to_numpy()
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise PoolError(
            f"row {row_numbers[row]}: sample_index is {table['sample_index'][row].as_py()}; "
            "number the samples of a question and model from 0"
        )
    if numbers.max() > 2**31:  # huge ids: only their order matters
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    return np.asarray(numbers)


def _duplicate_message(rows: _Rows, row: int) -> str:
    """Say which sample is there twice and which column tells the two apart."""
    same = np.nonzero((rows.model == rows.model[row]) & (rows.question == rows.question[row]))[0]
    index = rows.table["sample_index"].take(pa.array(same)).to_pylist()
    twins = [int(r) for r, i in zip(same, index, strict=True) if i == rows.table["sample_index"][row].as_py()]
    given = rows.table.take(pa.array(twins))
    candidates = [
        name
        for name in given.column_names
        if name not in (*KEYS, *_PER_SAMPLE, "sample_index", "correct")
        and not pa.types.is_nested(given.schema.field(name).type)
        and len(given[name].unique()) == len(twins)
    ]
    # A setting of the run has few values over the whole table; a property of the sample has many.
    candidates.sort(key=lambda name: len(rows.table[name].unique()))
    remedy = "drop the repeated rows or number the samples anew"
    if candidates:
        name = candidates[0]
        values = [str(value) for value in rows.table[name].unique().to_pylist()]
        remedy = (
            f"column {name!r} separates them: choose one value with where={{{name!r}: ...}} ({', '.join(values[:8])})"
        )
    return f"{len(twins)} rows for one sample, the second is {rows.name(twins[1])}; {remedy}"


def _correct(rows: _Rows, answer: Codes, labels: list[str]) -> NDArray[np.bool_]:
    """Whether each row is right, from the column, else by comparing with truth."""
    if "correct" not in rows.table.column_names:
        truth, truths = encode_text(rows.table["truth"])
        if (truth < 0).any():
            row = int(np.argmax(truth < 0))
            raise PoolError(f"{rows.name(row)}: truth is empty and there is no column 'correct'; give one of them")
        place = {label: code for code, label in enumerate(labels)}
        return np.asarray(answer == np.array([place.get(text, -2) for text in truths])[truth])
    codes, values = encode(rows.table["correct"])
    readings = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}
    read = np.array([readings.get(str(value).strip().lower(), -1) for value in values] + [-1])[codes]
    unclear = (read < 0) & ((answer >= 0) | (codes >= 0))
    if unclear.any():
        row = int(np.argmax(unclear))
        raise PoolError(f"{rows.name(row)}: correct is {rows.table['correct'][row].as_py()!r}; give true or false")
    contradiction = (read == 1) & (answer < 0)
    if contradiction.any():
        row = int(np.argmax(contradiction))
        raise PoolError(f"{rows.name(row)} is correct but has no answer; give the answer or set correct to false")
    return np.asarray(read == 1)


def _classes(rows: _Rows, answer: Codes, labels: list[str], correct: NDArray[np.bool_]) -> dict[str, Any]:
    """Number the answers of each question; one that is both right and wrong is refused."""
    n_questions = len(rows.question_ids)
    voting = np.nonzero(answer >= 0)[0]
    pair = rows.question[voting] * len(labels) + answer[voting]
    flat, pairs = pd.factorize(pair, sort=True)
    right = np.bincount(flat, weights=correct[voting], minlength=pairs.size)
    total = np.bincount(flat, minlength=pairs.size)
    mixed = np.nonzero((right > 0) & (right < total))[0]
    if mixed.size:
        raise PoolError(_mixed_message(rows, voting[flat == mixed[0]], labels[pairs[mixed[0]] % len(labels)], correct))
    offsets = (
        np.searchsorted(pairs, np.arange(n_questions + 1) * len(labels)) if pairs.size else np.zeros(n_questions + 1)
    )
    offsets = offsets.astype(np.int64)
    if np.diff(offsets).max() > _MOST_CLASSES:
        question = rows.question_ids[int(np.diff(offsets).argmax())]
        raise PoolError(f"question {question!r} has more than {_MOST_CLASSES} different answers; grade them into fewer")
    codes = np.full(answer.size, -1, np.int64)
    codes[voting] = flat - offsets[rows.question[voting]]
    return {
        "codes": codes,
        "class_offsets": offsets,
        "class_correct": right > 0,
        "class_labels": pa.array(labels, pa.string()).take(pa.array(pairs % max(len(labels), 1))),
    }


def _mixed_message(rows: _Rows, members: Codes, label: str, correct: NDArray[np.bool_]) -> str:
    yes, no = int(members[correct[members]][0]), int(members[~correct[members]][0])
    return (
        f"answer {label!r} is right in {rows.name(yes)} and wrong in {rows.name(no)}; "
        "one answer to a question is right or wrong: grade again, or give different answers different names"
    )


def _numbers(rows: _Rows, name: str, answer: Codes) -> NDArray[np.float64]:
    try:
        values = rows.table[name].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PoolError(f"column {name!r} must hold numbers ({error})") from error
    empty = values.is_null().to_numpy()
    numbers = values.fill_null(np.nan).to_numpy()
    bad = ~np.isfinite(numbers) & ~empty
    if name in _VOTING:
        bad |= empty & (answer >= 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise PoolError(f"{rows.name(row)}: {name} is {values[row].as_py()}; give a finite number or drop the column")
    return np.asarray(numbers)


def _split_columns(rows: _Rows, questions: pa.Table | None) -> tuple[pd.DataFrame, pa.Table]:
    """Columns that describe questions, and those that describe samples."""
    others = [n for n in rows.table.column_names if n not in (*_REQUIRED, *NUMBERS, "correct")]
    _, first = np.unique(rows.question, return_index=True)
    if questions is not None:
        constant = [name for name in others if name in questions.column_names]
        described = questions.to_pandas()
    else:
        constant = [n for n in others if n not in _PER_SAMPLE and _is_constant(rows.table[n], rows.question, first)]
        described = rows.table.select(constant).take(pa.array(first)).to_pandas()
        described.insert(0, "question_id", rows.question_ids)
    extra = rows.table.select([name for name in others if name not in constant])
    dense = np.concatenate([[0], np.cumsum(np.diff(rows.model * len(rows.question_ids) + rows.question) != 0)])
    index = rows.table["sample_index"].cast(pa.int64()).to_numpy()
    place = np.arange(index.size) - np.nonzero(np.diff(dense, prepend=-1))[0][dense]
    if not np.array_equal(index, place):  # gaps: the numbers themselves are recorded facts
        extra = extra.append_column("sample_index", pa.array(index))
    described["question_id"] = described["question_id"].astype(str)
    return described.apply(plain), extra


def _is_constant(column: pa.ChunkedArray, question: Codes, first: Codes) -> bool:
    codes = encode(column)[0]
    return bool(np.array_equal(codes, codes[first][question]))
