"""Foreign files, read so that nothing in them can do harm: every fault is one `PoolError` that says where it is."""

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

_MOST_DOCUMENT = 2**28  # bytes of JSON that is parsed at once
_MOST_LINE = 2**28
_DEEPEST = 100  # levels of nesting
Progress = Callable[[int], None]


def expand(paths: Sequence[Path], *patterns: str) -> list[Path]:
    """Files to read: those named, and in named folders those that fit a pattern, sorted, in the order given."""
    found: list[Path] = []
    for path in paths:
        inside = sorted({file for pattern in patterns for file in path.rglob(pattern)}) if path.is_dir() else [path]
        if not inside:
            raise PoolError(f"{path}: no {' or '.join(patterns)} in this folder; give the folder or files that hold it")
        found += inside
    return found


class Source:
    """One file to import.

    Parameters
    ----------
    path : Path
    progress : callable (bytes), optional
        Called with the number of bytes read so far.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path, self._progress = path, progress
        if not path.exists():
            raise PoolError(f"{path} does not exist")
        if path.is_file() and path.stat().st_size == 0:
            raise PoolError(f"{path} is empty")

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Of the file, without folders."""
        return self.path.name

    def describe(self) -> dict[str, str]:
        """What pool.json keeps of it."""
        return {"name": as_text(self.name, ""), "sha256": sha256(self.path)}

    def refuse(self, problem: str) -> NoReturn:
        """Raise the error of a file that cannot be used."""
        raise PoolError(f"{self.path}: {problem}")

    def lines(self) -> Iterator[Fields]:
        """Objects of a file of JSON lines; blank lines are skipped."""
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
                    raise PoolError(f"{place}: longer than {_MOST_LINE} bytes; this is no file of JSON lines")
                yield Fields.of(_parsed(line, place), place)
                self._tell(file)
            self._tell(file)

    def items(self, inside: str | None = None) -> Iterator[Fields]:
        """Objects of a file that is one JSON list, or of the list `inside` its object, read one after the other."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"[" if inside is None else b"{"):
                what = "list of objects" if inside is None else f"object with {inside!r}"
                self.refuse(f"not a JSON {what}")
            for number, value in enumerate(streamed(file, inside), 1):
                yield Fields.of(value, f"{self.path}, record {number}")
                self._tell(file)
            self._tell(file)

    def part(self, name: str) -> Fields:
        """An object that the file's outermost object has under a name; an empty one where there is none."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"{"):
                self.refuse(f"not a JSON object with {name!r}")
            value = next(streamed(file, name, listed=False), None)
        return Fields.of({} if value is None else value, f"{self.path}, {name!r}")

    def document(self) -> Any:
        """The whole of a JSON file, for those that are not large."""
        with self._reading() as file:
            text = file.read(_MOST_DOCUMENT + 1)
            if len(text) > _MOST_DOCUMENT:
                self.refuse(f"larger than {_MOST_DOCUMENT >> 20} MB, which is too much to be read at once")
            self._tell(file)
        return _parsed(text.removeprefix(b"\xef\xbb\xbf"), str(self.path))

    def starts_with(self, text: bytes) -> bool:
        """Whether the file begins so, white space and byte order mark aside."""
        with self._reading() as file:
            return _first_bytes(file).startswith(text)

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("rb") as file:
                yield file
        except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
            raise PoolError(f"{self.path}: not JSON, or cut off ({_reason(error)})") from error
        except PoolError:
            raise
        except (OSError, ValueError) as error:
            raise PoolError(f"{self.path}: cannot be read ({_reason(error)})") from error

    def _tell(self, file: IO[bytes]) -> None:
        if self._progress:
            self._progress(file.tell())


def streamed(file: IO[bytes], inside: str | None = None, *, listed: bool = True) -> Iterator[Any]:
    """Values of the outermost list, or of the list that the outermost object has under a name; or what it has there."""
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
            raise ijson.JSONError(f"nested more than {_DEEPEST} deep")
        if builder and depth == base:
            yield builder.value
            builder = None


def _first_bytes(file: IO[bytes]) -> bytes:
    """What a file begins with; the file is then at its beginning, after a byte order mark."""
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
        raise PoolError(f"{place}: not UTF-8 text ({_reason(error)}); save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise PoolError(f"{place}: not JSON, or cut off ({_reason(error)})") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; write null")
