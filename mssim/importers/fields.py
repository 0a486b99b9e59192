"""Values of JSON objects, checked as they are asked for: one of another kind is one `PoolError` with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mssim._validation import choose_from
from mssim.errors import PoolError

__all__ = ["Fields", "as_flag", "as_number", "as_text"]


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
            raise PoolError(f"{place} is a number too long to be written ({error})") from error
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
