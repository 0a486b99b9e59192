"""What tokens cost: a price table of the user's, with the date on which it was right."""

from __future__ import annotations

import datetime
import math
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mssim._validation import choose_from, is_number, whole_number
from mssim.errors import MssimError

__all__ = ["Prices", "read_prices"]


@dataclass(frozen=True)
class Prices:
    """Prices of tokens.

    Parameters
    ----------
    date : datetime.date
        When these prices were looked up.
    models : mapping of str to (float, float)
        Per model what `per_tokens` input tokens and as many output tokens cost.
    currency : str, default "USD"
    per_tokens : int, default 1_000_000

    Examples
    --------
    >>> prices = Prices(datetime.date(2026, 11, 1), {"small": (0.25, 1.0)})
    >>> prices.cost(["small"], 1_000_000, 500_000)
    0.75
    """

    date: datetime.date
    models: Mapping[str, tuple[float, float]]
    currency: str = "USD"
    per_tokens: int = 1_000_000

    def __post_init__(self) -> None:
        if not isinstance(self.date, datetime.date) or isinstance(self.date, datetime.datetime):
            raise MssimError(f"date={self.date!r}; give the day on which the prices were looked up, e.g. 2026-11-01")
        if not isinstance(self.currency, str) or not self.currency.strip():
            raise MssimError(f"currency={self.currency!r}; give its name, e.g. 'USD'")
        object.__setattr__(self, "per_tokens", whole_number("per_tokens", self.per_tokens, 1, 10**9))
        if not isinstance(self.models, Mapping) or not self.models:
            raise MssimError(f"models={self.models!r}; give the prices of at least one model")
        checked = {name: _pair(name, pair) for name, pair in self.models.items()}
        object.__setattr__(self, "models", MappingProxyType(checked))

    def price_of(self, names: Sequence[str]) -> tuple[float, float]:
        """Price of `per_tokens` input and output tokens under the first of the names that the table has."""
        for name in names:
            if name in self.models:
                return self.models[name]
        asked = " or ".join(repr(name) for name in dict.fromkeys(names))
        raise MssimError(
            f"no price for model {asked}; add it to the price table, or {choose_from(names[0], self.models)}"
        )

    def cost(self, names: Sequence[str], input_tokens: int, output_tokens: int) -> float:
        """Cost in `currency` of so many tokens of a model; its names are tried in order: in the pool, on the server."""
        price_in, price_out = self.price_of(names)
        return (price_in * input_tokens + price_out * output_tokens) / self.per_tokens

    def describe(self) -> dict[str, Any]:
        """Say in JSON what the costs were computed with, for pool.json."""
        models = {name: {"input": given, "output": taken} for name, (given, taken) in self.models.items()}
        return {
            "date": self.date.isoformat(),
            "currency": self.currency,
            "per_tokens": self.per_tokens,
            "models": models,
        }


def _pair(name: str, given: Any) -> tuple[float, float]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise MssimError(f"price of {name!r}: {given!r}; give a pair, for input and for output tokens")
    for kind, price in zip(("input", "output"), given, strict=True):
        if not is_number(price) or not 0 <= price < math.inf:
            raise MssimError(f"price of {name!r}: {kind}={price!r}; give a number from 0")
    return float(given[0]), float(given[1])


def read_prices(path: str | os.PathLike[str]) -> Prices:
    """Read a price table.

    Parameters
    ----------
    path : path
        A TOML file::

            date = 2026-11-01
            currency = "USD"
            per_tokens = 1_000_000
            [models."gpt-4o-mini"]
            input = 0.15
            output = 0.60

        currency and per_tokens may be left out. A model goes by its name in the pool or by its id on the server.

    Raises
    ------
    MssimError
        If the file is damaged, the date is missing, a key is unknown, or a price is negative or not finite.
    """
    given = read_toml(Path(path))
    try:
        check_keys("", given, ("date", "currency", "per_tokens", "models"))
        if "date" not in given:
            raise MssimError("date is missing; prices change, so say when these were looked up, e.g. date = 2026-11-01")
        if isinstance(given["date"], str):
            raise MssimError(f"date={given['date']!r} is text; write it without quotes, e.g. date = 2026-11-01")
        models = check_table("models", given.get("models", {}))
        return Prices(**{**given, "models": {name: _read_pair(name, price) for name, price in models.items()}})
    except MssimError as error:
        raise MssimError(f"{path}: {error}") from error


def _read_pair(name: str, given: Any) -> tuple[Any, Any]:
    where = f"models.{name}"
    price = check_table(where, given)
    check_keys(where, price, ("input", "output"))
    for key in ("input", "output"):
        if key not in price:
            raise MssimError(f"{where}: {key} is missing; give the price of {key} tokens, 0 if they are free")
    return price["input"], price["output"]


# TOML files of the recorder -------------------------------------------------------------------------------------------


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; one that is missing or damaged is refused."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise MssimError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise MssimError(f"{path}: not TOML ({str(error).splitlines()[0]})") from error


def check_table(where: str, given: Any) -> dict[str, Any]:
    """Return the table that stands at a place of a TOML file; anything else is refused."""
    if not isinstance(given, dict):
        # What stands there instead is not shown: in place of a server it may hold a credential.
        raise MssimError(
            f"{where} is of type {type(given).__name__}; write a table: [{where}] and lines of name = value below"
        )
    return given


def check_keys(where: str, given: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Refuse keys that nobody reads."""
    allowed = list(allowed)
    for key, value in given.items():
        if key not in allowed:
            dotted = f'; a name with dots needs quotes: {where.split(".")[0]}."NAME"' if isinstance(value, dict) else ""
            raise MssimError(f"{where + ': ' if where else ''}unknown key {key!r}; {choose_from(key, allowed)}{dotted}")
