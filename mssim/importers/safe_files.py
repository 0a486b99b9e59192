"""Safe readers for untrusted files. Every fault raises a `PoolError` that names its location."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import ijson
from ijson.common import ObjectBuilder

from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_text
from mssim.pools.folder import sha256

__all__ = ["Source", "expand", "streamed"]

_MOST_DOCUMENT = 2**28  # bytes of JSON that are parsed at once
_MOST_LINE = 2**28
_DEEPEST = 100  # levels of nesting
Progress = Callable[[int], None]


def expand(paths: Sequence[Path], *patterns: str) -> list[Path]:
    """Return the given files, and for each given folder its files that match a pattern, sorted by path."""
    found: list[Path] = []
    for path in paths:
        inside = sorted({file for pattern in patterns for file in path.rglob(pattern)}) if path.is_dir() else [path]
        if not inside:
            names = " or ".join(patterns)
            raise PoolError(f"{path}: this folder has no file {names}. Name the files or another folder.")
        found += inside
    return found


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
            raise PoolError(f"{path} does not exist.")
        if path.is_file() and path.stat().st_size == 0:
            raise PoolError(f"{path} is empty. Export it again, or omit it.")

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

    def lines(self) -> Iterator[Fields]:
        """Iterate over the objects of a JSON Lines file. Blank lines are skipped."""
        with self._reading() as file:
            number = 0
            while line := file.readline(_MOST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    continue
                place = f"{self.path}, line {number}"
                if len(line) == _MOST_LINE:
                    raise PoolError(f"{place}: has {_MOST_LINE} bytes or more. Write one JSON object per line.")
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
        return _parsed(text.removeprefix(b"\xef\xbb\xbf"), str(self.path))

    def starts_with(self, text: bytes) -> bool:
        """Return whether the file starts with these bytes, after white space and a byte order mark."""
        with self._reading() as file:
            return _first_bytes(file).startswith(text)

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("rb") as file:
                yield file
        except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
            raise PoolError(
                f"{self.path}: is not valid JSON, or truncated ({_reason(error)}). Repair the file or export it again."
            ) from error
        except PoolError:
            raise
        except (OSError, ValueError) as error:
            raise PoolError(f"{self.path}: cannot be read ({_reason(error)}). Check its permissions.") from error

    def _tell(self, file: IO[bytes]) -> None:
        if self._progress:
            self._progress(file.tell())


def streamed(file: IO[bytes], inside: str | None = None, *, listed: bool = True) -> Iterator[Any]:
    """Iterate over the values of the top-level list or of a named member, or yield that member (``listed=False``)."""
    base = (inside is not None) + listed  # depth of the values
    depth, key, here, builder = 0, None, False, None
    for event, value in ijson.basic_parse(file, use_float=True):
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
        if depth > _DEEPEST:
            raise ijson.JSONError(f"nested more than {_DEEPEST} levels deep")
        if builder and depth == base:
            yield builder.value
            builder = None


def _first_bytes(file: IO[bytes]) -> bytes:
    """Return the first bytes of a file, and seek to its beginning after a byte order mark."""
    start = file.read(4096)
    mark = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    file.seek(mark)
    return start[mark:].lstrip()


def _reason(error: Exception) -> str:
    return (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0][:200]


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise PoolError(f"{place}: is not UTF-8 text ({_reason(error)}). Save the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise PoolError(
            f"{place}: is not valid JSON, or truncated ({_reason(error)}). Repair the file or export it again."
        ) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON, write null")
