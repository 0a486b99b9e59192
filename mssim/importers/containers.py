"""Records of a file, whatever contains them: lines, a list, an object or the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import ijson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_flag, as_number

__all__ = [
    "DEEPEST",
    "LINES",
    "MARK",
    "MOST_LINE",
    "TABLES",
    "Cells",
    "Outline",
    "csv_batches",
    "csv_names",
    "is_lines",
    "outline",
    "parquet_batches",
]

TABLES, LINES = (".parquet", ".csv", ".tsv"), (".jsonl", ".ndjson")  # endings of names
MARK = b"\xef\xbb\xbf"  # byte order mark
MOST_LINE = 2**28  # bytes
DEEPEST = 100  # levels of nesting
LISTS = (  # usual names of the list of records in an object
    "records", "outputs", "samples", "results", "predictions", "responses", "examples", "instances", "simulations",
    "items", "rows", "data", "reviews", "questions",
)  # fmt: skip
_ROWS = 1000  # rows that are converted at once


def is_lines(file: IO[bytes]) -> bool:
    """Return whether a JSON file that starts with an object has one object per line."""
    return _next_line(file, MOST_LINE).endswith(b"}") and _next_line(file, 2).startswith(b"{")


def _next_line(file: IO[bytes], size: int) -> bytes:
    """Return the next line that is not blank, without white space around it, or at most `size` bytes of it."""
    while (line := file.readline(size)) and not line.strip():
        continue
    return line.strip()


class Outline(NamedTuple):
    """What the members of a JSON object are."""

    scalars: dict[str, Any]  # texts, numbers, Booleans and null
    objects: list[str]
    lists: list[str]  # lists of objects
    others: list[str]  # other lists
    keyed: list[str]  # those of the objects whose members are all objects

    def records(self) -> str | None:
        """Return the member that is the list of records, or None. Raise if several may be."""
        known = [name for name in self.lists if name in LISTS]
        if len(known) == 1:
            return known[0]
        if not known and (not self.lists or self.is_keyed()):
            return None
        if len(self.lists) == 1:
            return self.lists[0]
        raise PoolError(f"has several lists of records, {', '.join(map(repr, self.lists[:5]))}. Keep one of them.")

    def keyed_inside(self) -> str | None:
        """Return the member whose members are the records, or None. Raise if several may be."""
        known = [name for name in self.keyed if name in LISTS]
        if self.is_keyed() or self.records() is not None or not known:
            return None
        if len(known) > 1:
            names = ", ".join(map(repr, known))
            raise PoolError(f"has several objects of records, {names}. Keep one of them, as jq .{known[-1]} does.")
        return known[0]

    def is_keyed(self) -> bool:
        """Return whether the members are questions, each an object or a list of objects."""
        return bool(self.objects or self.lists) and not (self.scalars or self.others)


def outline(file: IO[bytes]) -> Outline:
    """Read what the members of the top-level object are."""
    found = Outline({}, [], [], [], [])
    depth, key, waits = 0, "", False
    mixed: set[str] = set()  # objects with a member that is not an object
    for event, value in ijson.basic_parse(file, use_float=True):
        if event == "map_key" and depth == 1:
            key = value
            continue
        depth -= event in ("end_map", "end_array")
        if depth == 2 and event not in ("map_key", "start_map", "end_map"):
            mixed.add(key)
        if depth == 2 and event == "start_map" and found.objects[-1:] == [key] != found.keyed[-1:]:
            found.keyed.append(key)
        if depth == 1 and event == "start_map":
            found.objects.append(key)
        elif depth == 1 and event == "start_array":
            waits = True
        elif waits:  # the first item of a list
            waits = False
            (found.lists if event == "start_map" else found.others).append(key)
        elif depth == 1 and event not in ("end_map", "end_array"):
            found.scalars[key] = value
        depth += event in ("start_map", "start_array")
    found.keyed[:] = [name for name in found.keyed if name not in mixed]
    return found


class Cells(Fields):
    """A row of a CSV file, whose cells are texts."""

    def number(self, name: str) -> float | None:
        """Return a finite number."""
        value = self.value.get(name)
        return None if value is None else as_number(_number(value), f"{self.place}: {name!r}")

    def flag(self, name: str) -> bool | None:
        """Return a Boolean. The numbers 1 and 0 are accepted."""
        value = self.value.get(name)
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.strip().lower(), _number(value))
        return None if value is None else as_flag(value, f"{self.place}: {name!r}")


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def parquet_batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Iterate over a few rows of a Parquet file at a time."""
    with pa.parquet.ParquetFile(file) as table:
        _require_unique(table.schema_arrow.names)
        for batch in table.iter_batches(_ROWS):
            batch.validate(full=True)  # finds invalid UTF-8, which the reader accepts
            yield batch


def csv_names(file: IO[bytes], delimiter: str) -> list[str]:
    """Return the names of the columns of a CSV file."""
    with pa.csv.open_csv(file, parse_options=pa.csv.ParseOptions(newlines_in_values=True, delimiter=delimiter)) as rows:
        names: list[str] = rows.schema.names
    _require_unique(names)
    return names


def csv_batches(file: IO[bytes], delimiter: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Iterate over a few rows of a CSV file at a time. All columns are texts, and empty cells null."""
    parse = pa.csv.ParseOptions(newlines_in_values=True, delimiter=delimiter)
    types = dict.fromkeys(names, pa.string())
    convert = pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    with pa.csv.open_csv(file, parse_options=parse, convert_options=convert) as batches:
        for batch in batches:
            for first in range(0, batch.num_rows, _ROWS):
                yield batch.slice(first, _ROWS)


def _require_unique(names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise PoolError(f"column {repeated[0]!r}: the name appears twice. Rename or drop the duplicates.")
