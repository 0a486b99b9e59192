"""Records as columns with one row per sample, converted to Arrow block by block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.fields import Fields
from mssim.importers.naming import RECORD, fields_used, number_in, of_model, reader, taken
from mssim.importers.openai_messages import as_json, thoughts
from mssim.importers.reshape import common_length, fields_of, is_absent, nested, paths_of
from mssim.importers.safe_files import Source
from mssim.importers.sample_lists import SampleLists
from mssim.importers.sink import COLUMNS
from mssim.pools.plain_types import has_empty_struct, plain_types
from mssim.pools.reading import DEEPEST, is_deep
from mssim.pools.texts import as_text, encodable, is_missing, listed
from mssim.pools.verdicts import as_verdicts

__all__ = ["NO_VERDICT", "SAID", "Reading", "is_pool_column", "joined"]

SAID: Mapping[str, Callable[[Any], str | None]] = {"reasoning": thoughts, "tool_calls": as_json}
OF_QUESTIONS = ("question", "truth", "choices", "cluster")
_OF_ROWS = ("question_id", "model", *OF_QUESTIONS)  # the same for all samples of a record
_POOL = {*COLUMNS, *_OF_ROWS}  # columns that a pool reads
_OF_SAMPLES = frozenset(COLUMNS) - {*_OF_ROWS, *SAID}  # lists in these columns are samples
_ROWS, _SIZE = 2**15, 2**23  # samples and characters of texts in a block

_CHATS = ("prompt", "system_prompt")
_CHECKED = ("question_id", "correct")
NO_VERDICT = "It must be true or false, yes or no, or 1 or 0. Convert the values, or read correct from another column."

Values = list[Any]
Lengths = np.ndarray[Any, np.dtype[np.int64]]


class _Block:
    """Records that wait to become a table.

    Parameters
    ----------
    paths : mapping of str to str
        The field that each column is read from, if it has another name.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths
        self.left_out: dict[str, None] = {}  # nested columns that nothing reads
        self.nested: dict[str, None] = {}  # those that are kept as long as every record is one sample
        self.lists = SampleLists()
        self._clear()

    def _clear(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._places: list[str] = []
        self._lengths: list[int] = []
        self._size = self._samples = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_full(self) -> bool:
        return self._samples >= _ROWS or self._size >= _SIZE

    def add(self, row: dict[str, Any], place: str) -> None:
        """Add a record. Lists in columns of samples are its samples."""
        length = -1
        for name, value in row.items():
            if type(value) is list and name in _OF_SAMPLES:
                if length >= 0 and len(value) != length:
                    lists = {n: v for n, v in row.items() if _is_samples(n, v)}
                    common_length(place, {self._paths.get(n, n): lists[n] for n in lists}, self._remedy(lists))
                length = len(value)
        if length >= 0:
            others = {name: len(value) for name, value in row.items() if type(value) is list and name not in _POOL}
            self.lists.add(row, length, others, place)
        self._rows.append(row)
        self._places.append(place)
        self._lengths.append(abs(length))
        self._samples += abs(length)
        if "text" in row:
            texts = row["text"] if isinstance(row["text"], list) else [row["text"]]
            self._size += sum(len(text) for text in texts if isinstance(text, str))

    def _remedy(self, lists: Iterable[str]) -> str:
        """Return what to do about lists of different lengths, some of which no name reads as samples."""
        unread = [name for name in lists if name not in self._paths]
        if not unread:
            return "Correct them."
        renamed = f"names={{{f'{unread[0]}_before'!r}: {unread[0]!r}}}"
        return f"Correct them, or if {unread[0]!r} is not a list of samples, rename it with {renamed}."

    def table(self) -> pa.Table:
        """Return the samples of all waiting records, and forget them."""
        names = dict.fromkeys(chain.from_iterable(self._rows))
        self._empty_without_lists(names)
        lengths = np.array(self._lengths)
        columns: dict[str, pa.Array | pa.ChunkedArray] = {}
        for name in names:
            if name in self.left_out:
                continue
            values = [row.get(name) for row in self._rows]
            if self._is_parallel(name, values):
                columns[name] = self._array(name, self._flat(values))
            else:
                array = self._array(name, values)
                columns[name] = array if array is None or (lengths == 1).all() else _repeated(array, lengths)
            if name in _CHECKED and columns[name] is not None:
                self._check(name, columns[name], lengths)
        table = pa.table({encodable(name): column for name, column in columns.items() if column is not None})
        if not table.num_columns:
            table = pa.table({"": pa.nulls(int(lengths.sum()))}).select([])
        self._clear()
        return plain_types(table)

    def _empty_without_lists(self, names: Iterable[str]) -> None:
        """Count records without any list as empty if all others have lists of samples."""
        values = {name: [row.get(name) for row in self._rows] for name in names if name in _OF_SAMPLES}
        listed = [name for name in values if set(map(type, values[name])) == {list, type(None)}]
        for i in range(len(self._rows) if listed else 0):
            without = self._lengths[i] == 1 and all(values[name][i] is None for name in listed)
            if without and not any(isinstance(column[i], list) for column in values.values()):
                self._lengths[i] = 0
                self.lists.add_empty(self._places[i])

    def _check(self, name: str, array: pa.Array, lengths: Lengths) -> None:
        """Refuse a sample without a question or with an unclear verdict, naming its record."""
        wrong = array.is_null().to_numpy(zero_copy_only=False)
        if name == "correct":
            wrong = (as_verdicts(pa.chunked_array([array])) < 0) & ~wrong
        if wrong.any():
            row = int(np.argmax(wrong))
            place = self._places[int(np.searchsorted(np.cumsum(lengths), row, side="right"))]
            remedy = NO_VERDICT if name == "correct" else "Every sample needs one."
            raise PoolError(f"{place}: {name} is {array[row].as_py()!r:.80}. {remedy}")

    def _is_parallel(self, name: str, values: Values) -> bool:
        """Return whether the lists of a column are the samples of their records."""
        if name in _OF_ROWS or not any(isinstance(value, list) for value in values):
            return False
        if name in _OF_SAMPLES:
            return True
        pairs = zip(values, self._lengths, strict=True)
        return self.lists.found and all(len(v) == length for v, length in pairs if isinstance(v, list))

    def _flat(self, values: Values) -> Values:
        pairs = zip(values, self._lengths, strict=True)
        return list(chain.from_iterable(v if isinstance(v, list) else repeat(v, length) for v, length in pairs))

    def _array(self, name: str, values: Values) -> pa.Array | None:
        """Return values as an Arrow array, or None if they are nested and nothing reads them."""
        try:
            array = pa.array(values, from_pandas=True)
            if not pa.types.is_nested(array.type):
                return array
        except (pa.ArrowException, OverflowError):
            if not any(isinstance(value, dict | list) for value in values):
                return pa.array([None if is_missing(v) else as_text(v) for v in values], pa.string())
            array = None
        except UnicodeEncodeError:
            return self._array(name, [encodable(v) if isinstance(v, str) else _sound(v) for v in values])
        return self._nested(name, values, array)

    def _nested(self, name: str, values: Values, array: pa.Array | None) -> pa.Array | None:
        """Return nested values as a pool stores them. Refuse them if a pool reads single values of this name."""
        if any(map(is_deep, values)):
            place = self._places[next(i for i, row in enumerate(self._rows) if is_deep(row.get(name)))]
            raise PoolError(f"{place}: {name!r} is nested more than {DEEPEST} levels deep. Store plain values only.")
        if name in SAID:
            return pa.array([None if v is None else SAID[name](v) for v in values], pa.string())
        if name == "choices" and all(isinstance(value, list | None) for value in values):
            return pa.array([None if v is None else json.dumps(v, ensure_ascii=False) for v in values], pa.string())
        if name in _POOL:
            row = next(i for i, row in enumerate(self._rows) if _holds_nested(name, row.get(name)))
            raise PoolError(f"{self._places[row]}: {nested(self._paths.get(name, name), self._rows[row][name], name)}")
        if array is None or self.lists.found or has_empty_struct(array.type):
            self.left_out[name] = None
            return None
        self.nested[name] = None
        return array


def _is_samples(name: str, value: Any) -> bool:
    return isinstance(value, list) and name in _OF_SAMPLES


def is_pool_column(name: str) -> bool:
    """Return whether a pool reads single values of this name."""
    return name in _POOL and name not in SAID


def _holds_nested(name: str, value: Any) -> bool:
    inside = value if isinstance(value, list) and name not in _OF_ROWS else []
    return (
        isinstance(value, dict)
        or any(isinstance(item, dict | list) for item in inside)
        or (isinstance(value, list) and name in _OF_ROWS)
    )


def _sound(value: Any) -> Any:
    """Replace lone surrogates in a nested value."""
    return json.loads(encodable(json.dumps(value, ensure_ascii=False))) if isinstance(value, dict | list) else value


def _repeated(array: pa.Array, lengths: Lengths) -> pa.Array:
    """Repeat the values of records for their samples. Texts are stored once."""
    place = pa.array(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths))
    if pa.types.is_string(array.type):
        coded = array.dictionary_encode()
        return pa.DictionaryArray.from_arrays(coded.indices.take(place), coded.dictionary)
    return array.take(place)


class Reading:
    """A file as tables with one row per sample.

    Parameters
    ----------
    source : Source
        The file.
    names : mapping of str to str
        What columns are read from, see `mssim.importers.naming.reader`. Other fields become columns of their names.
    models : sequence of str, optional
        Models that have columns of their own, named with {model} in `names`.
    joined : dict, optional
        Joined values of all files, see `mssim.importers.naming.reader`.
    """

    def __init__(
        self,
        source: Source,
        names: Mapping[str, str],
        models: Sequence[str] = (),
        joined: dict[str, list[str]] | None = None,
    ) -> None:
        each = {model: of_model(names, model) for model in models} or {"": dict(names)}
        self._source, self._names = source, names
        self._readers = {
            model: {new: _Reader(new, old, source, joined) for new, old in own.items()} for model, own in each.items()
        }
        self._used = set().union(*(fields_used(own) for own in each.values()))
        self._block = _Block(names)
        self._first: Mapping[str, Any] = {}
        self._seen: set[str] = set()
        self._others: list[str] = []  # fields of the current record that no name reads

    @property
    def left_out(self) -> dict[str, None]:
        """Nested fields that no name reads and that are not kept."""
        return self._block.left_out | (self._block.nested if self._block.lists.found else {})

    @property
    def lists(self) -> SampleLists:
        """What is known of records whose samples are lists."""
        return self._block.lists

    def tables(self, records: Iterable[Fields]) -> Iterator[pa.Table]:
        """Yield the samples of records, at least one table."""
        keys: Any = None
        numbered = any(RECORD in name for name in self._used)
        for number, given in enumerate(records, 1):
            record = Fields({**given.value, RECORD: number}, given.place) if numbered else given
            if record.value.keys() != keys:  # most files have the same fields in every record
                keys = record.value.keys()
                self._others = [name for name in keys if name not in {*self._used, *self._names, RECORD}]
                self._check(record)
            self._add(record)
            if self._block.is_full:
                yield self._block.table()
        self._require_found()
        yield self._block.table()

    def _add(self, record: Fields) -> None:
        value = record.value
        others = {name: value[name] for name in self._others if name in value}
        for name in [name for name in _CHATS if name in others and fields_of(others[name])]:
            self._block.left_out[name] = None  # messages of a chat are not samples
            del others[name]
        for model, readers in self._readers.items():
            row = {new: read(value) for new, read in readers.items()}
            if model:
                row["model"] = model
            self._block.add(row | others, record.place)

    def _check(self, record: Fields) -> None:
        """Refuse a field of the name of a column that is read from another field."""
        self._first = self._first or record.value
        self._seen |= record.value.keys()
        for new in self._names:
            key = new == "question_id" and self._source.is_keyed
            if new in record and new not in self._used and not key:
                record.refuse(taken(new))

    def _require_found(self) -> None:
        """Refuse names of fields that no record has."""
        for readers in self._readers.values():
            for new, read in readers.items():
                if not self._first or read.found:
                    continue
                fields = fields_used({new: read.text})
                if not self._seen & fields or (self._first.keys() & fields and is_absent(self._first, read.text)):
                    known = choose_from(read.text, (path for path in paths_of(self._first) if path != RECORD))
                    self._source.refuse(f"has no column {read.text!r} to rename to {new!r}. {known}.")


class _Reader:
    """A reader of one column, which knows whether any record had a value."""

    def __init__(self, new: str, text: str, source: Source, joined: dict[str, list[str]] | None) -> None:
        self.text, self.found = text, False
        self._read, self._is_index = (
            reader(text, source, joined if new == "question_id" else None),
            new == "sample_index",
        )

    def __call__(self, record: Mapping[str, Any]) -> Any:
        value = self._read(record)
        if value is None:
            return None
        self.found = self.found or not isinstance(value, list) or any(item is not None for item in value)
        return number_in(value) if self._is_index and isinstance(value, str) else value


def joined(tables: Sequence[pa.Table], left_out: Iterable[str] = ()) -> pa.Table:
    """Join tables whose columns may differ. A column of several types becomes text."""
    names = [
        name for name in dict.fromkeys(chain.from_iterable(t.column_names for t in tables)) if name not in left_out
    ]
    columns = {}
    for name in names:
        parts = [t[name] if name in t.column_names else pa.chunked_array([pa.nulls(t.num_rows)]) for t in tables]
        columns[name] = _of_one_type(parts)
    return pa.table(columns) if columns else tables[0]


def _of_one_type(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    if any(pa.types.is_dictionary(part.type) for part in parts):
        parts = [_coded(part) for part in parts]
    try:
        fields = [pa.schema([("column", part.type)]) for part in parts]
        kind = pa.unify_schemas(fields, promote_options="permissive").field(0).type
        return pa.chunked_array([chunk for part in parts for chunk in part.cast(kind).chunks], kind)
    except pa.ArrowException:
        texts = [pa.array([None if is_missing(v) else as_text(v) for v in listed(part)], pa.string()) for part in parts]
        return pa.chunked_array(texts, pa.string())


def _coded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    return column.dictionary_encode() if pa.types.is_string(column.type) else column
