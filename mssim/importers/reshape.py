"""Records of any shape as rows with one sample each: dotted names, and lists that hold the samples of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_count, as_flag, as_number, as_text
from mssim.importers.sink import COLUMNS

__all__ = ["common_length", "fields_of", "is_absent", "nested", "paths_of", "samples_of", "value_at"]

_CONVERT: dict[pa.DataType, Callable[[Any, str], Any]] = {
    pa.string(): as_text, pa.bool_(): as_flag, pa.float64(): as_number, pa.int64(): as_count
}  # fmt: skip
_OF_FIELDS: dict[pa.DataType, Callable[[Fields, str], Any]] = {
    pa.string(): lambda r, n: r.text(n), pa.bool_(): lambda r, n: r.flag(n), pa.float64(): lambda r, n: r.number(n),
    pa.int64(): lambda r, n: r.count(n)
}  # fmt: skip
_MOST_NAMES = 8  # fields that a message names
_USUAL = ("answer", "prediction", "text", "content", "value")  # fields that a message proposes first


def value_at(value: Any, path: str) -> Any:
    """Return the value at a dotted path, or None if there is none.

    Parameters
    ----------
    value : object
        A value of JSON.
    path : str
        Names of fields, outermost first, separated by dots. A field whose own name has dots comes first. A name after
        a list of objects reads that field of every object. A number after a list of lists reads that item of every
        list, from 0, and after any other list the item of that list.

    Examples
    --------
    >>> value_at({"score": {"value": {"acc": 1}}}, "score.value.acc")
    1
    >>> value_at({"runs": [{"text": "7"}, {"text": "8"}], "pairs": [["7", 10], ["8", 12]]}, "runs.text")
    ['7', '8']
    >>> value_at({"pairs": [["7", 10], ["8", 12]]}, "pairs.1")
    [10, 12]
    """
    if isinstance(value, dict):
        if path in value:
            return value[path]
        end = path.rfind(".")
        while end > 0:
            if path[:end] in value:
                return value_at(value[path[:end]], path[end + 1 :])
            end = path.rfind(".", 0, end)
        return None
    if not isinstance(value, list):
        return None
    place, _, rest = path.partition(".")
    if place.isdecimal() and not any(isinstance(item, list) for item in value):
        found = value[int(place)] if len(place) < 9 and int(place) < len(value) else None
        return value_at(found, rest) if rest else found
    if place.isdecimal():
        items = [item[int(place)] if isinstance(item, list) and int(place) < len(item) else None for item in value]
        return [value_at(item, rest) for item in items] if rest else items
    holds_objects = not value or any(isinstance(item, dict) for item in value)  # an empty list has no samples
    return [value_at(item, path) for item in value] if holds_objects else None


def is_absent(value: Any, path: str) -> bool:
    """Return whether a value shows that a dotted path is misspelled: there is nothing at it, not even null.

    Examples
    --------
    >>> record = {"score": {"value": None}, "runs": [{"text": "7"}], "usage": None}
    >>> is_absent(record, "score.values"), is_absent(record, "runs.txt"), is_absent(record, "runs.text.raw")
    (True, True, True)
    >>> is_absent(record, "score.value"), is_absent(record, "usage.tokens")
    (False, False)
    """
    if not isinstance(value, dict | list):
        return value is not None
    if isinstance(value, list) and path[:1].isdecimal():  # an item, which lists of other records may have
        return False
    objects = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict) and item]
    if not objects:
        return isinstance(value, list) and any(item is not None and item != {} for item in value)
    if any(path in item for item in objects):
        return False
    ends = [end for end, letter in enumerate(path) if letter == "."]
    inside = [(item[path[:end]], path[end + 1 :]) for item in objects for end in ends if path[:end] in item]
    return all(is_absent(member, rest) for member, rest in inside)


def samples_of(record: Fields, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row per sample of a record whose lists are parallel.

    Parameters
    ----------
    record : Fields
        A record with the samples of one model for one question.
    names : mapping of str to str
        Columns of samples, and the dotted paths of the fields that hold them. Fields that are absent or null are
        skipped. Single values are repeated.

    Returns
    -------
    list of dict
        As many rows as the lists are long, or one row if there is no list. Values have the types of their columns.

    Raises
    ------
    PoolError
        If no field is there, lists have different lengths, or a value is nested or of another type.

    Examples
    --------
    >>> record = Fields({"pred": ["7", "8"], "score": [True, False], "seed": 3}, "line 1")
    >>> samples_of(record, {"answer": "pred", "correct": "score"})
    [{'answer': '7', 'correct': True}, {'answer': '8', 'correct': False}]
    """
    given = {name: (path, value_at(record.value, path)) for name, path in names.items()}
    given = {name: pair for name, pair in given.items() if pair[1] is not None}
    if not given:
        record.refuse(f"has none of {', '.join(map(repr, names.values()))}. {choose_from('', record.value)}.")
    length = common_length(record.place, {path: value for path, value in given.values() if isinstance(value, list)})
    columns = {name: _column(record, name, *pair, length) for name, pair in given.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def common_length(place: str, lists: Mapping[str, Sequence[Any]], remedy: str = "Correct them.") -> int:
    """Return the length of parallel lists, 1 if there is none. Raise if their lengths differ."""
    lengths = {path: len(values) for path, values in lists.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{path!r} has {length}" for path, length in list(lengths.items())[:_MOST_NAMES])
        raise PoolError(f"{place}: lists of samples must be equally long, but {found}. {remedy}")
    return next(iter(lengths.values()), 1)


def _column(record: Fields, name: str, path: str, value: Any, length: int) -> list[Any]:
    """Return a column of samples, with the type that a pool needs."""
    kind, place = COLUMNS[name], f"{record.place}: {path!r}"
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        record.refuse(nested(path, value))
    if isinstance(value, list):
        items = enumerate(value, 1)
        return [None if item is None else _CONVERT[kind](item, f"{place}, item {number}") for number, item in items]
    if path in record.value:  # cells of a CSV file are texts that may be numbers
        return [_OF_FIELDS[kind](record, path)] * length
    return [_CONVERT[kind](value, place)] * length


def nested(path: str, value: Any, name: str = "") -> str:
    """Return what is wrong with a nested value: what it holds, and how a table reads a part of it as column `name`."""
    inside = fields_of(value)
    if inside:
        paths = ", ".join(repr(f"{path}.{field}") for field in inside[:_MOST_NAMES])
        usual = next((field for field in _USUAL if field in inside), inside[0])
        return f"{path!r} holds objects with the fields {paths}.{_mapped(name, f'{path}.{usual}', 'one of them')}"
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        return f"{path!r} holds lists.{_mapped(name, f'{path}.0', 'the first item of each')}"
    if not isinstance(value, list):
        return f"{path!r} holds an empty object. It must be a single value."
    return f"{path!r} holds a list. It must be a single value.{_mapped(name, f'{path}.0', 'its first item')}"


def _mapped(name: str, path: str, what: str) -> str:
    return f" Read {what} with names={{{name!r}: {path!r}}}." if name else ""


def fields_of(value: Any) -> list[str]:
    """Return the names of the fields of an object, or of the objects of a list."""
    objects = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    return list(dict.fromkeys(name for item in objects[:100] for name in item))


def paths_of(record: Mapping[str, Any], most: int = 200) -> list[str]:
    """Return the dotted paths of the values of a record.

    Examples
    --------
    >>> paths_of({"id": 1, "score": {"value": {"acc": 1}}, "runs": [{"text": "7"}]})
    ['id', 'score.value.acc', 'runs.text']
    """
    found: list[str] = []
    waiting = [(name, record[name]) for name in record]
    while waiting and len(found) < most:
        path, value = waiting.pop(0)
        inside = fields_of(value)
        objects = value if isinstance(value, list) else [value]
        first = {name: item[name] for item in reversed(objects[:100]) if isinstance(item, dict) for name in item}
        if inside and path.count(".") < 20:
            waiting = [(f"{path}.{name}", first[name]) for name in inside] + waiting
        else:
            found.append(path)
    return found
