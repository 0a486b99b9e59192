"""Typed access to JSON objects. A value of the wrong type raises a `PoolError` that names its location."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mssim._validation import choose_from
from mssim.errors import PoolError

__all__ = ["Fields", "as_count", "as_flag", "as_number", "as_text", "is_logprob", "mean_logprob"]

_UNKNOWN = -9999.0  # OpenAI's mark of a token whose log-probability is not known; vLLM writes it for -inf


@dataclass(frozen=True)
class Fields:
    """A JSON object and its location in a file. Values are checked on access.

    An absent or null value is returned as None, unless it is `required`.
    """

    value: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: Any, place: str) -> Fields:
        """Wrap a value, which must be a JSON object."""
        if not isinstance(value, dict):
            raise PoolError(f"{place}: expected an object, found {_kind(value)}.")
        return cls(value, place)

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    def refuse(self, problem: str) -> NoReturn:
        """Raise a PoolError that names the location of this object."""
        raise PoolError(f"{self.place}: {problem}")

    def required(self, name: str) -> Any:
        """Return a value that must be present."""
        if name in self.value and self.value[name] is None:
            self.refuse(f"{name!r} is null. It must have a value.")
        if name not in self:
            self.refuse(f"has no {name!r}. {choose_from(name, self.value) if self.value else 'It is an empty object'}.")
        return self.value[name]

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Return a text. Numbers and Booleans are converted to text."""
        value = self.required(name) if required else self.value.get(name)
        return None if value is None else as_text(value, f"{self.place}: {name!r}")

    def name(self, name: str) -> str:
        """Return a text that must be present and not blank, such as an id."""
        value = self.text(name, required=True) or ""
        if not value.strip():
            self.refuse(f"{name!r} is blank. It must contain at least one character.")
        return value

    def number(self, name: str) -> float | None:
        """Return a finite number."""
        value = self.value.get(name)
        return None if value is None else as_number(value, f"{self.place}: {name!r}")

    def count(self, name: str) -> int | None:
        """Return a non-negative integer."""
        value = self.number(name)
        return None if value is None else as_count(value, f"{self.place}: {name!r}")

    def flag(self, name: str) -> bool | None:
        """Return a Boolean. The numbers 1 and 0 are accepted."""
        value = self.value.get(name)
        return None if value is None else as_flag(value, f"{self.place}: {name!r}")

    def part(self, name: str) -> Fields:
        """Return a nested object, empty if absent."""
        value = self.value.get(name)
        return Fields.of({} if value is None else value, f"{self.place}, {name!r}")

    def values(self, name: str, *, required: bool = False) -> list[Any]:
        """Return a list, empty if absent."""
        value = self.required(name) if required else self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(f"{name!r} is {_kind(value)}. It must be a list.")
        return value

    def parts(self, name: str, *, required: bool = False) -> list[Fields]:
        """Return a list of objects."""
        values = self.values(name, required=required)
        return [Fields.of(value, f"{self.place}, {name!r}, item {i}") for i, value in enumerate(values, 1)]

    def texts(self, name: str, *, required: bool = False) -> list[str | None]:
        """Return a list of texts, with None for null."""
        values = self.values(name, required=required)
        place = f"{self.place}: {name!r}"
        return [None if value is None else as_text(value, f"{place}, item {i}") for i, value in enumerate(values, 1)]

    def numbers(self, name: str) -> list[float | None]:
        """Return a list of finite numbers, with None for null."""
        place = f"{self.place}: {name!r}"
        values = enumerate(self.values(name), 1)
        return [None if value is None else as_number(value, f"{place}, item {i}") for i, value in values]

    def flags(self, name: str, *, required: bool = False) -> list[bool | None]:
        """Return a list of Booleans, with None for null."""
        place = f"{self.place}: {name!r}"
        values = enumerate(self.values(name, required=required), 1)
        return [None if value is None else as_flag(value, f"{place}, item {i}") for i, value in values]


def as_text(value: Any, place: str) -> str:
    """Convert a JSON value to text. Lone surrogates, which UTF-8 cannot encode, become U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError as error:  # an integer of thousands of digits
            raise PoolError(f"{place} is a number with too many digits ({error}). Write it as text.") from error
    raise PoolError(f"{place} is {_kind(value)}. It must be text.")


def as_number(value: Any, place: str) -> float:
    """Convert a JSON value to a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PoolError(f"{place} is {_kind(value)}. It must be a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PoolError(f"{place} is NaN, infinite or too large. It must be a finite number.")
    return number


def as_count(value: Any, place: str) -> int:
    """Convert a JSON value to a non-negative integer."""
    number = as_number(value, place)
    if not (number >= 0 and number == int(number) and number < 2**53):
        raise PoolError(f"{place} is {number:.17g}. It must be a non-negative integer.")
    return int(number)


def as_flag(value: Any, place: str) -> bool:
    """Convert a JSON value to a Boolean."""
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise PoolError(f"{place} is {_kind(value)}. It must be true or false.")


def mean_logprob(values: Sequence[Any]) -> float | None:
    """Return the mean of log-probabilities, or None if one is unknown: null, not a number, positive or -9999."""
    known = [value for value in values if is_logprob(value)]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def is_logprob(value: Any) -> bool:
    """Return whether a JSON value is a known log-probability."""
    return isinstance(value, int | float) and not isinstance(value, bool) and _UNKNOWN < value <= 0


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a Boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null" if value is None else type(value).__name__)
