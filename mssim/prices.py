"""Price tables of tokens, supplied by the user with the date of the prices."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mssim._toml import check_keys, check_table, read_toml
from mssim._validation import choose_from, is_number, shown, whole_number
from mssim.errors import MssimError

__all__ = ["Prices", "read_prices"]

_MOST = 1e12  # of a price; costs of many tokens remain finite


@dataclass(frozen=True)
class Prices:
    """Prices of tokens.

    Parameters
    ----------
    date : datetime.date
        Day on which the prices were looked up.
    models : mapping of str to (float, float)
        Prices of `per_tokens` input tokens and of `per_tokens` output tokens, by model.
    currency : str, default "USD"
        Currency of the prices.
    per_tokens : int, default 1_000_000
        Number of tokens to which the prices refer.

    Examples
    --------
    >>> import datetime
    >>> from mssim import Prices
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
            raise MssimError(f"date={self.date!r} is not a day. Use the day of the prices, such as 2026-11-01.")
        if not isinstance(self.currency, str) or not self.currency.strip():
            raise MssimError(f"currency={self.currency!r} is not a name. Use text such as 'USD'.")
        object.__setattr__(self, "per_tokens", whole_number("per_tokens", self.per_tokens, 1, 10**9))
        if not isinstance(self.models, Mapping) or not self.models:
            raise MssimError(f"models={self.models!r} has no prices. Add the prices of at least one model.")
        checked = {name: _pair(name, pair) for name, pair in self.models.items()}
        object.__setattr__(self, "models", MappingProxyType(checked))

    def __reduce__(self) -> tuple[Any, ...]:
        # Mapping proxies cannot be pickled, but processes that evaluate need the table.
        return Prices, (self.date, dict(self.models), self.currency, self.per_tokens)

    def price_of(self, names: Sequence[str]) -> tuple[float, float]:
        """Return the prices of a model.

        Parameters
        ----------
        names : sequence of str
            Names of the model, in the pool and on the server. The first name in the table is used.

        Returns
        -------
        tuple of float
            Prices of `per_tokens` input tokens and of `per_tokens` output tokens.

        Raises
        ------
        MssimError
            If no name is in the table.

        Examples
        --------
        >>> import datetime
        >>> from mssim import Prices
        >>> Prices(datetime.date(2026, 11, 1), {"small": (0.25, 1.0)}).price_of(["mini", "small"])
        (0.25, 1.0)
        """
        for name in names:
            if name in self.models:
                return self.models[name]
        asked = " or ".join(repr(name) for name in dict.fromkeys(names))
        raise MssimError(
            f"prices: model {asked} is not in the price table. {choose_from(names[0], self.models)}, or add its prices."
        )

    def cost(self, names: Sequence[str], input_tokens: int, output_tokens: int) -> float:
        """Return the cost of a number of tokens.

        Parameters
        ----------
        names : sequence of str
            Names of the model, see `price_of`.
        input_tokens, output_tokens : int
            Numbers of tokens.

        Returns
        -------
        float
            Cost in `currency`.

        Raises
        ------
        MssimError
            If no name is in the table.

        Examples
        --------
        >>> import datetime
        >>> from mssim import Prices
        >>> Prices(datetime.date(2026, 11, 1), {"small": (0.25, 1.0)}).cost(["small"], 2_000_000, 0)
        0.5
        """
        price_in, price_out = self.price_of(names)
        return (price_in * input_tokens + price_out * output_tokens) / self.per_tokens

    def describe(self) -> dict[str, Any]:
        """Return the price table as JSON, as stored in pool.json.

        Returns
        -------
        dict
            The entries date, currency, per_tokens and models. `from_dict` reads it.

        Examples
        --------
        >>> import datetime
        >>> from mssim import Prices
        >>> prices = Prices(datetime.date(2026, 11, 1), {"small": (0.25, 1.0)})
        >>> prices.describe()["models"]
        {'small': {'input': 0.25, 'output': 1.0}}
        >>> Prices.from_dict(prices.describe()) == prices
        True
        """
        models = {name: {"input": given, "output": taken} for name, (given, taken) in self.models.items()}
        return {
            "date": self.date.isoformat(),
            "currency": self.currency,
            "per_tokens": self.per_tokens,
            "models": models,
        }

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Prices:
        """Return the price table that `describe` describes.

        Parameters
        ----------
        described : mapping
            The entries date (a date, or text such as 2026-11-01) and models (mapping of model to the prices input and
            output). The entries currency and per_tokens are optional.

        Returns
        -------
        Prices
            The price table.

        Raises
        ------
        MssimError
            If an entry is missing, unknown or invalid.

        Examples
        --------
        >>> from mssim import Prices
        >>> described = {"date": "2026-11-01", "models": {"small": {"input": 0.25, "output": 1.0}}}
        >>> Prices.from_dict(described).cost(["small"], 1_000_000, 0)
        0.25
        """
        given = dict(described)
        if isinstance(given.get("date"), str):
            try:
                given["date"] = datetime.date.fromisoformat(given["date"])
            except ValueError:
                message = (
                    f"date={shown(given['date'], 50)} is not a day. Use the day of the prices, such as 2026-11-01."
                )
                raise MssimError(message) from None
        return _from_table(given)


def _pair(name: str, given: Any) -> tuple[float, float]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise MssimError(f"price of {name!r}: {given!r} is not a pair. Use the prices of input and of output tokens.")
    for kind, price in zip(("input", "output"), given, strict=True):
        if not is_number(price) or not 0 <= price <= _MOST:
            raise MssimError(
                f"price of {name!r}: {kind}={price!r:.50} is not allowed. It must be a number of at least 0 and at "
                f"most {_MOST:g}."
            )
    return float(given[0]), float(given[1])


def read_prices(path: str | os.PathLike[str]) -> Prices:
    r"""Read a price table.

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

        The entries currency and per_tokens are optional. A model has its name in the pool or its name on the server.

    Returns
    -------
    Prices
        The price table.

    Raises
    ------
    MssimError
        If the file is damaged, the date is missing, a key is unknown, or a price is negative or not finite.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim import read_prices
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "prices.toml"
    ...     _ = path.write_text("date = 2026-11-01\n[models.small]\ninput = 0.25\noutput = 1.0\n")
    ...     read_prices(path).price_of(["small"])
    (0.25, 1.0)
    """
    if not isinstance(path, str | os.PathLike):
        raise MssimError(f"prices={path!r:.80} is not a file name. Use the path of a price table.")
    given = read_toml(Path(path))
    try:
        if isinstance(given.get("date"), str):
            raise MssimError(f"date={given['date']!r} is text. Remove the quotes, as in date = 2026-11-01.")
        return _from_table(given)
    except MssimError as error:
        raise MssimError(f"{path}: {error}") from error


def _from_table(given: Mapping[str, Any]) -> Prices:
    check_keys("", given, ("date", "currency", "per_tokens", "models"))
    if "date" not in given:
        raise MssimError("date is missing. Add the day on which the prices were looked up, such as date = 2026-11-01.")
    models = check_table("models", given.get("models", {}))
    return Prices(**{**given, "models": {name: _read_pair(name, price) for name, price in models.items()}})


def _read_pair(name: str, given: Any) -> tuple[Any, Any]:
    where = f"models.{name}"
    price = check_table(where, given)
    check_keys(where, price, ("input", "output"))
    for key in ("input", "output"):
        if key not in price:
            raise MssimError(f"{where}: {key} is missing. Add the price of {key} tokens, 0 if they are free.")
    return price["input"], price["output"]
