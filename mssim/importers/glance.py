"""A cheap look at the beginning of a file, to recognise its format."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import IO, Any

import ijson
import pyarrow as pa
import pyarrow.parquet

from mssim.errors import MssimError, PoolError
from mssim.importers.containers import DEEPEST, LINES, MARK, TABLES, Outline
from mssim.importers.fields import Fields
from mssim.importers.safe_files import Source
from mssim.pools.plain_types import rows_of
from mssim.pools.reading import suffix_of
from mssim.pools.texts import is_missing

__all__ = ["Glance", "beginning"]

_ENOUGH = 2**18  # bytes after which no further record is read
_LEAST, _MOST, _MOST_EVENTS = 2**16, 2**25, 2**17  # bytes and values of a beginning
_OPENING = ("start_map", "start_array", "map_key")


class Glance(Source):
    """A source of which only the beginning is read: all of its first record, but not all of a large file.

    Parameters
    ----------
    path : Path
        An existing file that is not empty.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.importers.glance import Glance
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "answers.json"
    ...     _ = path.write_text('{"model": "llama", "records": [{"id": 1, "pred": "7"}, {"id": ')
    ...     source = Glance(path)
    ...     source.outer, source.first
    ({'model': 'llama'}, {'id': 1, 'pred': '7'})
    """

    @cached_property
    def beginning(self) -> Any:
        """The JSON value that the file is, or its first line, as far as it was read. None if it is not JSON."""
        return self._start[0]

    @cached_property
    def first(self) -> Mapping[str, Any]:
        """The first record, as in `Source`, but also if the file is damaged or truncated after it."""
        if suffix_of(self.path) in TABLES:
            return self._first_row() if self.path.suffix.lower() == ".parquet" else super().first
        value, _ = self._start
        if isinstance(value, list):
            return _object(value[0]) if value else {}
        inside = self._list_inside
        if inside is not None:
            return _object(value[inside][0])
        if (inside := self._keyed_inside) is not None:
            key, member = next(iter(value[inside].items()))
            return {"question_id": key, **_object(member)}
        if self.is_keyed:
            key, member = next((key, member) for key, member in value.items() if isinstance(member, dict | list))
            record = member[0] if isinstance(member, list) else member  # lists of a keyed object are not empty
            return {"question_id": key, **_object(record)}
        return _object(value)

    def _first_row(self) -> Mapping[str, Any]:
        """Return the first row of a Parquet file, of which a memory map reads only a few pages."""
        try:
            with pa.parquet.ParquetFile(self.path, memory_map=True, pre_buffer=False) as table:
                for batch in table.iter_batches(1):
                    batch.validate(full=True)
                    (row,) = rows_of(pa.Table.from_batches([batch]))
                    return {name: None if is_missing(value) else value for name, value in row.items()}
        except (MssimError, pa.ArrowException, OSError, ValueError):
            pass
        return {}

    @cached_property
    def outer(self) -> Mapping[str, Any]:
        """Texts and numbers beside the list of records, as far as they were read."""
        inside = self._list_inside is not None or self._keyed_inside is not None
        return _outline(self.beginning).scalars if inside else {}

    @cached_property
    def is_keyed(self) -> bool:
        """Whether the records are members of an object, as far as they were read."""
        if not self._is_document or self._list_inside is not None:
            return False
        return self._keyed_inside is not None or _outline(self.beginning).is_keyed()

    def starts_with(self, text: bytes) -> bool:
        """Return whether the file starts with these bytes; not if it cannot be read."""
        with suppress(MssimError):
            return super().starts_with(text)
        return False

    def part(self, name: str) -> Fields:
        """Return a named object of the top-level object as far as it was read, empty if absent."""
        return Fields.of(_object(_object(self.beginning).get(name)), f"{self.path}, {name!r}")

    @property
    def _is_document(self) -> bool:
        """Whether the file is one object instead of one object per line."""
        return isinstance(self.beginning, dict) and not self._start[1] and suffix_of(self.path) not in LINES

    @cached_property
    def _list_inside(self) -> str | None:
        """The member of the object that is the list of records."""
        with suppress(PoolError):
            return _outline(self.beginning).records() if self._is_document else None
        return None

    @cached_property
    def _keyed_inside(self) -> str | None:
        """The member of the object whose members are the records."""
        with suppress(PoolError):
            return _outline(self.beginning).keyed_inside() if self._is_document else None
        return None

    @cached_property
    def _start(self) -> tuple[Any, bool]:
        """The beginning, and whether another value follows it, as in JSON Lines."""
        partial, values = _Partial(), 0
        if suffix_of(self.path) in TABLES:
            return None, False
        with suppress(MssimError), self._reading() as opened:
            file = _Beginning(opened)
            events = ijson.basic_parse(file, use_float=True, multiple_values=True, buf_size=_MOST)
            for event, value in islice(events, _MOST_EVENTS):
                values += not partial.within
                if values == 2 or len(partial.within) > DEEPEST:
                    break
                partial.add(event, value)
                if len(partial.within) <= 2 and event not in _OPENING and self._is_enough(partial.within, file.size):
                    break
        return partial.value, values > 1

    def _is_enough(self, within: list[Any], size: int) -> bool:
        """Return whether the first record was read, or a long beginning of an object that is not a line."""
        if within and isinstance(within[0], list):
            return len(within) == 1
        if size <= _ENOUGH or len(within) not in (1, 2) or suffix_of(self.path) in LINES:
            return False
        if len(within) == 1:
            outlined = _outline(within[0])
            return bool(outlined.lists) or outlined.is_keyed()
        return isinstance(within[1], dict) or isinstance(within[1][0], dict)


class _Partial:
    """A JSON value that is built from the events of a parser, with the containers that are still open (`within`)."""

    def __init__(self) -> None:
        self.value: Any = None
        self.within: list[Any] = []
        self._key = ""

    def add(self, event: str, value: Any) -> None:
        """Add an event."""
        if event == "map_key":
            self._key = value
        elif event in ("end_map", "end_array"):
            self.within.pop()
        else:
            opened = {"start_map": dict, "start_array": list}.get(event)
            value = opened() if opened else value
            if not self.within:
                self.value = value
            elif isinstance(self.within[-1], list):
                self.within[-1].append(value)
            else:
                self.within[-1][self._key] = value
            if opened:
                self.within.append(value)


class _Beginning:
    """The first bytes of a file, without its byte order mark."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.size = file, 0
        self._ahead = file.read(len(MARK)).removeprefix(MARK)

    def read(self, size: int) -> bytes:
        size = min(size, max(self.size, _LEAST), _MOST - self.size)  # few reads, since a text is copied at each
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        found = ahead + self._file.read(size - len(ahead))
        self.size += len(found)
        return found


def beginning(source: Source) -> Any:
    """Return the JSON value that a file is, or its first line, as far as a glance reads it; None if it is not JSON."""
    return (source if isinstance(source, Glance) else Glance(source.path)).beginning


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _outline(value: Any) -> Outline:
    """Return what the members of an object are, {} if it is not an object."""
    found = Outline({}, [], [], [], [])
    for name, member in _object(value).items():
        if isinstance(member, dict):
            found.objects.append(name)
            found.keyed.extend([name] * (bool(member) and all(isinstance(one, dict) for one in member.values())))
        elif not isinstance(member, list):
            found.scalars[name] = member
        else:
            (found.lists if member and isinstance(member[0], dict) else found.others).append(name)
    return found
