"""Foreign files, read so that nothing in them can do harm: every fault is one `PoolError` that says where it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import ijson
from ijson.common import ObjectBuilder

from mssim.errors import PoolError, choose_from
from mssim.folder import sha256

__all__ = ["Fields", "Source", "expand"]

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
        return {"name": self.name, "sha256": sha256(self.path)}

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
            for number, value in enumerate(_streamed(file, inside), 1):
                yield Fields.of(value, f"{self.path}, record {number}")
                self._tell(file)
            self._tell(file)

    def part(self, name: str) -> Fields:
        """An object that the file's outermost object has under a name; an empty one where there is none."""
        with self._reading() as file:
            if not _first_bytes(file).startswith(b"{"):
                self.refuse(f"not a JSON object with {name!r}")
            value = next(_streamed(file, name, listed=False), None)
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


def _streamed(file: IO[bytes], inside: str | None, *, listed: bool = True) -> Iterator[Any]:
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


@dataclass(frozen=True)
class Fields:
    """One JSON object and the place where it stands; its values are checked as they are asked for.

    A value that is absent or null is None, unless it is `required`.
    """

    value: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: Any, place: str) -> Fields:
        """Wrap a value that must be an object."""
        if not isinstance(value, dict):
            raise PoolError(f"{place}: {_kind(value)} where an object belongs")
        return cls(value, place)

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    def refuse(self, problem: str) -> NoReturn:
        """Raise the error of an object that cannot be used."""
        raise PoolError(f"{self.place}: {problem}")

    def required(self, name: str) -> Any:
        """A value that must be there."""
        if name not in self:
            self.refuse(f"no {name!r}; {choose_from(name, self.value)}")
        return self.value[name]

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Text; numbers, true and false as they are written."""
        value = self.required(name) if required else self.value.get(name)
        return None if value is None else as_text(value, f"{self.place}: {name!r}")

    def name(self, name: str) -> str:
        """Text that must be there and not be blank: an id."""
        value = self.text(name, required=True) or ""
        if not value.strip():
            self.refuse(f"{name!r} is blank")
        return value

    def number(self, name: str) -> float | None:
        """A finite number."""
        value = self.value.get(name)
        return None if value is None else as_number(value, f"{self.place}: {name!r}")

    def count(self, name: str) -> int | None:
        """A whole number from 0."""
        value = self.number(name)
        if value is not None and not (value >= 0 and value == int(value) and value < 2**53):
            self.refuse(f"{name!r} is {value:.17g}; a whole number from 0 belongs there")
        return None if value is None else int(value)

    def flag(self, name: str) -> bool | None:
        """True or false; 1 and 0 are read as such."""
        value = self.value.get(name)
        return None if value is None else as_flag(value, f"{self.place}: {name!r}")

    def part(self, name: str) -> Fields:
        """An object; an empty one where there is none."""
        value = self.value.get(name)
        return Fields.of({} if value is None else value, f"{self.place}, {name!r}")

    def values(self, name: str, *, required: bool = False) -> list[Any]:
        """A list; an empty one where there is none."""
        value = self.required(name) if required else self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(f"{name!r} is {_kind(value)}; a list belongs there")
        return value

    def parts(self, name: str, *, required: bool = False) -> list[Fields]:
        """A list of objects."""
        values = self.values(name, required=required)
        return [Fields.of(value, f"{self.place}, {name!r}, item {i}") for i, value in enumerate(values, 1)]

    def texts(self, name: str, *, required: bool = False) -> list[str | None]:
        """A list of text; null is None."""
        values = self.values(name, required=required)
        place = f"{self.place}: {name!r}"
        return [None if value is None else as_text(value, f"{place}, item {i}") for i, value in enumerate(values, 1)]

    def numbers(self, name: str) -> list[float | None]:
        """A list of finite numbers; null is None."""
        place = f"{self.place}: {name!r}"
        values = enumerate(self.values(name), 1)
        return [None if value is None else as_number(value, f"{place}, item {i}") for i, value in values]

    def flags(self, name: str, *, required: bool = False) -> list[bool | None]:
        """A list of true and false; null is None."""
        place = f"{self.place}: {name!r}"
        values = enumerate(self.values(name, required=required), 1)
        return [None if value is None else as_flag(value, f"{place}, item {i}") for i, value in values]


def as_text(value: Any, place: str) -> str:
    """A JSON value as text; half of a surrogate pair, which no file of text can hold, becomes a replacement mark."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError as error:  # an integer of thousands of digits
            raise PoolError(f"{place} is a number too long to be written ({_reason(error)})") from error
    raise PoolError(f"{place} is {_kind(value)}; text belongs there")


def as_number(value: Any, place: str) -> float:
    """A JSON value as a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PoolError(f"{place} is {_kind(value)}; a number belongs there")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PoolError(f"{place} is too large or not a number; a finite number belongs there")
    return number


def as_flag(value: Any, place: str) -> bool:
    """A JSON value as true or false."""
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise PoolError(f"{place} is {_kind(value)}; true or false belongs there")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null" if value is None else type(value).__name__)
