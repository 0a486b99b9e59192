"""Safe readers for untrusted files. Every fault raises a `PoolError` that names its location."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, NoReturn

import ijson
import pyarrow as pa
from ijson.common import ObjectBuilder

from mssim.errors import MssimError, PoolError
from mssim.importers.containers import (
    DEEPEST,
    LINES,
    MARK,
    MOST_LINE,
    TABLES,
    Cells,
    Outline,
    csv_batches,
    csv_names,
    is_lines,
    outline,
    parquet_batches,
)
from mssim.importers.fields import Fields, as_text
from mssim.importers.pool_folders import files_of_pools
from mssim.pools.delimiters import delimiter_in
from mssim.pools.folder import sha256
from mssim.pools.plain_types import rows_of
from mssim.pools.reading import suffix_of
from mssim.pools.texts import is_missing

__all__ = ["Source", "expand", "streamed"]

_MOST_DOCUMENT = 2**28  # bytes of JSON that are parsed at once
_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_POINTER = 1024  # bytes
_HEADER = 2**16  # bytes, in which the first line of a CSV file ends
Progress = Callable[[int], None]


def expand(paths: Sequence[Path], *patterns: str) -> list[Path]:
    """Return the given files, and for each given folder its files that match a pattern, sorted by path.

    Hidden files inside of a folder, which tools and systems write, are skipped.
    """
    found: list[Path] = []
    for path in paths:
        named = {file for pattern in patterns for file in path.rglob(pattern)} if path.is_dir() else {path}
        inside = sorted(file for file in named if file == path or not (file.is_dir() or _is_hidden(file, path)))
        if not inside:
            names = " or ".join(patterns)
            raise PoolError(f"{path}: this folder has no file {names}. Name the files or another folder.")
        found += files_of_pools(inside) if path.is_dir() else inside
    return found


def _is_hidden(file: Path, folder: Path) -> bool:
    """Return whether a file, or a folder on the way to it, is hidden. Samples of a pool may wait in .next."""
    return any(part.startswith(".") and part != ".next" for part in file.relative_to(folder).parts)


class Source:
    """One file to import.

    Parameters
    ----------
    path : Path
        An existing file that is not empty.
    progress : callable (bytes), optional
        Called with the number of bytes read so far.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path, self._progress = path, progress
        if not path.exists():
            link = f" It is a link to {str(path.readlink())!r:.200}." if path.is_symlink() else ""
            raise PoolError(f"{path} does not exist.{link}{' Restore that file, or remove the link.' if link else ''}")
        size = path.stat().st_size if path.is_file() else _MOST_POINTER
        if size == 0:
            raise PoolError(f"{path} is empty. Export it again, or omit it.")
        if size < _MOST_POINTER and _is_pointer(path):
            raise PoolError(f"{path} is a pointer of Git LFS instead of the file. Get the file with git lfs pull.")

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return self.path.name

    def describe(self) -> dict[str, str]:
        """Return name and SHA-256 hash of the file, as stored in pool.json."""
        return {"name": as_text(self.name, ""), "sha256": sha256(self.path)}

    def refuse(self, problem: str) -> NoReturn:
        """Raise a PoolError that names this file."""
        raise PoolError(f"{self.path}: {problem}")

    def records(self) -> Iterator[Fields]:
        """Iterate over the records of a file: lines, a list, members of an object, or rows of a table.

        Records are the objects of a JSON Lines file or of a JSON list; the one list of objects that a JSON object
        holds, such as `records` or `outputs`; the values of a JSON object that has one member per question, whose name
        becomes the `question_id` of records without one; the values of such an object inside an object, if it is called
        `records` or the like; or the rows of a Parquet, CSV or TSV file. Each of these may
        be compressed with gzip or zstd.
        """
        if suffix_of(self.path) in TABLES:
            yield from self._rows()
            return
        if suffix_of(self.path) in LINES or (outlined := self._outline) is None:
            yield from self.items() if self.starts_with(b"[") else self.lines()
            return
        inside = self._refusing(outlined.records)
        if inside is not None:
            yield from self.items(inside)
        elif outlined.is_keyed():
            yield from self._members()
        elif (inside := self._refusing(outlined.keyed_inside)) is not None:
            yield from self._members(inside)
        else:
            yield Fields.of(self.document(), str(self.path))

    @cached_property
    def outer(self) -> Mapping[str, Any]:
        """Texts and numbers beside the list of records, {} if the file is not an object that holds one."""
        if suffix_of(self.path) in (*TABLES, *LINES) or (outlined := self._outline) is None:
            return {}
        named = self._refusing(outlined.records) or self._refusing(outlined.keyed_inside)
        return outlined.scalars if named is not None else {}

    @cached_property
    def is_keyed(self) -> bool:
        """Whether the records are members of an object, so that their `question_id` is the name of the member."""
        if suffix_of(self.path) in (*TABLES, *LINES) or (outlined := self._outline) is None:
            return False
        if self._refusing(outlined.records) is not None:
            return False
        return outlined.is_keyed() or self._refusing(outlined.keyed_inside) is not None

    @cached_property
    def first(self) -> Mapping[str, Any]:
        """The first record, {} if there is none or if it cannot be read."""
        records = self.records()
        try:
            return next((record.value for record in records), {})
        except MssimError:
            return {}
        finally:
            records.close()  # type: ignore[attr-defined]

    @cached_property
    def _outline(self) -> Outline | None:
        """What the members of the object are that is this file, None if it is a list or has one object per line."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"{") or is_lines(file):
                return None
        with self._reading() as file:
            _first_bytes(file)
            return outline(file)

    def _refusing(self, function: Callable[[], Any]) -> Any:
        """Call a function and name this file in its error."""
        try:
            return function()
        except PoolError as error:
            self.refuse(str(error))

    def _rows(self) -> Iterator[Fields]:
        """Iterate over the rows of a table. Cells of a CSV file are texts, and empty ones null."""
        suffix = suffix_of(self.path)
        delimiter, names = "\t", []
        if suffix != ".parquet":
            if suffix == ".csv":
                with self._reading() as file:
                    delimiter = delimiter_in(file.read(_HEADER))
            with self._reading() as file:
                names = self._refusing(partial(csv_names, file, delimiter))
        with self._reading() as file:
            batches = parquet_batches(file) if suffix == ".parquet" else csv_batches(file, delimiter, names)
            number = 0
            for batch in batches:
                for row in rows_of(pa.Table.from_batches([batch])):
                    number += 1
                    values = {name: None if is_missing(value) else value for name, value in row.items()}
                    yield (Cells if names else Fields)(values, f"{self.path}, row {number}")
                self._tell(file)

    def _members(self, inside: str | None = None) -> Iterator[Fields]:
        """Iterate over the members of the object or of its member `inside`, which are named after questions."""
        with self._reading() as file:
            _first_bytes(file)
            for key, value in members(file, inside):
                for record in value if isinstance(value, list) else [value]:
                    found = Fields.of(record, f"{self.path}, {key!r:.80}")
                    yield Fields({"question_id": key, **found.value}, found.place)
                self._tell(file)
            self._tell(file)

    def lines(self) -> Iterator[Fields]:
        """Iterate over the objects of a JSON Lines file. Blank lines are skipped."""
        with self._reading() as file:
            number = 0
            while line := file.readline(MOST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(MARK)
                if not line.strip():
                    continue
                place = f"{self.path}, line {number}"
                if len(line) == MOST_LINE:
                    raise PoolError(f"{place}: has {MOST_LINE} bytes or more. Write one JSON object per line.")
                yield Fields.of(_parsed(line, place), place)
                self._tell(file)
            self._tell(file)

    def items(self, inside: str | None = None) -> Iterator[Fields]:
        """Iterate over the objects of a JSON list: the file itself or the member `inside` of its top-level object."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"[" if inside is None else b"{"):
                what = "list of objects" if inside is None else f"object with {inside!r}"
                self.refuse(f"is not a JSON {what}. Check that the file has the chosen format.")
            for number, value in enumerate(streamed(file, inside), 1):
                yield Fields.of(value, f"{self.path}, record {number}")
                self._tell(file)
            self._tell(file)

    def part(self, name: str) -> Fields:
        """Return a named object of the top-level object, empty if absent."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"{"):
                self.refuse(f"is not a JSON object with {name!r}. Check that the file has the chosen format.")
            value = next(streamed(file, name, listed=False), None)
        return Fields.of({} if value is None else value, f"{self.path}, {name!r}")

    def document(self) -> Any:
        """Parse the whole file as JSON. Its size is limited to 256 MB."""
        with self._reading() as file:
            text = file.read(_MOST_DOCUMENT + 1)
            if len(text) > _MOST_DOCUMENT:
                self.refuse(f"is larger than {_MOST_DOCUMENT >> 20} MB. Split it into smaller files.")
            self._tell(file)
        return _parsed(text.removeprefix(MARK), str(self.path))

    def starts_with(self, text: bytes) -> bool:
        """Return whether the file starts with these bytes, after white space and a byte order mark."""
        with self._reading() as file:
            return _first_bytes(file).startswith(text)

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("rb") as self._raw:
                yield _decompressed(self._raw)
        except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
            raise PoolError(
                f"{self.path}: is not valid JSON, or truncated ({_reason(error)}). Repair the file or export it again."
            ) from error
        except PoolError:
            raise
        except (EOFError, zlib.error, OSError, ValueError) as error:
            remedy = "its permissions" if getattr(error, "errno", None) else "whether the file is damaged or truncated"
            raise PoolError(f"{self.path}: cannot be read ({_reason(error)}). Check {remedy}.") from error

    def _tell(self, file: IO[bytes]) -> None:
        if self._progress:
            self._progress((file if self._raw.closed else self._raw).tell())


def _is_pointer(path: Path) -> bool:
    """Return whether a file is what Git LFS leaves in place of a large file that was not downloaded."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER
    return False


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return the contents of a file that may be compressed with gzip or zstd."""
    start = file.read(4)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if start == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(pa.input_stream(file, compression="zstd"))
    return file


def streamed(file: IO[bytes], inside: str | None = None, *, listed: bool = True) -> Iterator[Any]:
    """Iterate over the values of the top-level list or of a named member, or yield that member (``listed=False``)."""
    base = (inside is not None) + listed  # depth of the values
    depth, key, here, builder = 0, None, False, None
    for event, value in _events(file):
        if event == "map_key" and depth == 1:
            key = value
            continue
        depth -= event in ("end_map", "end_array")
        if listed and depth == base - 1 and event in ("start_array", "end_array"):
            here = event == "start_array" and key == inside
        elif depth >= base and (here or (not listed and key == inside)):
            builder = builder or ObjectBuilder()
            builder.event(event, value)
        depth += event in ("start_map", "start_array")
        if builder and depth == base:
            yield builder.value
            builder = None


def members(file: IO[bytes], inside: str | None = None) -> Iterator[tuple[str, Any]]:
    """Iterate over the names and values of the members of the top-level object or of its member `inside`."""
    base = 1 + (inside is not None)  # depth of the values
    depth, outer, key, builder = 0, None, "", None
    for event, value in _events(file):
        if event == "map_key" and depth == 1 < base:
            outer = value
        if event == "map_key" and depth <= base:
            key = value
            continue
        depth -= event in ("end_map", "end_array")
        if depth >= base and outer == inside:
            builder = builder or ObjectBuilder()
            builder.event(event, value)
        depth += event in ("start_map", "start_array")
        if builder and depth == base:
            yield key, builder.value
            builder = None


def _events(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Iterate over the events of a parser. Raise if values are nested too deeply."""
    depth = 0
    for event, value in ijson.basic_parse(file, use_float=True):
        depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
        if depth > DEEPEST:
            raise ijson.JSONError(f"nested more than {DEEPEST} levels deep")
        yield event, value


def _first_bytes(file: IO[bytes]) -> bytes:
    """Return the first bytes of a file that was just opened, and skip a byte order mark."""
    start: bytes = file.peek(4096)  # type: ignore[attr-defined]
    if start.startswith(MARK):
        file.read(len(MARK))
        start = start.removeprefix(MARK)
    return start.lstrip()


def _reason(error: Exception) -> str:
    return (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0][:200]


def _parsed(text: bytes, place: str) -> Any:
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PoolError(f"{place}: is not UTF-8 text ({_reason(error)}). Save the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise PoolError(
            f"{place}: is not valid JSON, or truncated ({_reason(error)}). Repair the file or export it again."
        ) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON, write null")


_DECODER = json.JSONDecoder(parse_constant=_no_number)
