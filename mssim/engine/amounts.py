"""Amounts that recorded samples spend: tokens, money and seconds."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import counted, is_number, shown
from mssim.engine.sample_columns import HIGHEST, SampleColumns
from mssim.errors import MssimError, PoolError
from mssim.pools.pool import Pool
from mssim.prices import Prices, read_prices
from mssim.rules.plan import QUANTITIES

__all__ = ["TOKENS", "Amounts", "PricesLike", "describe_prices", "read_prices_of"]

Floats = NDArray[np.float64]
PricesLike = Prices | str | os.PathLike[str] | Mapping[str, Any]

TOKENS = ("all", "output")  # what counts as the tokens of a sample
_BITS = 26  # of an amount in units
_LOWEST_EXPONENT = -1000  # of a unit, so that it is not subnormal


class Amounts:
    """Amounts of each recorded sample, in the unit of the recorded numbers and prices.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    prices : Prices or mapping of model to price per sample, optional
        Prices of tokens or of samples. The default is the recorded cost.
    tokens : {"all", "output"}, default "all"
        Tokens of a sample: output tokens and its share of the input tokens, if any model of the pool has these, or
        output tokens only.
    parts : bool, default False
        Whether samples can end early, and then spend a part of their amounts.

    Notes
    -----
    The input tokens of a request are paid once, so each of its samples bears input_tokens, or else
    request_input_tokens, divided by request_samples (1 if missing). A sample without output_tokens bears
    request_output_tokens divided by request_samples. The cost at prices per token is (input price x input share +
    output price x output tokens) / per_tokens. A column with a price of 0 is not required.

    With `max_tokens`, a sample with more output tokens has exactly `max_tokens`. Its recorded cost and latency are
    unknown then, because nothing says how they divide.

    Examples
    --------
    Two samples of one request with 6 input tokens:

    >>> import pandas as pd
    >>> from mssim import Pool
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": "a", "sample_index": [0, 1], "answer": "7", "truth": "7",
    ...     "output_tokens": [10, 30], "request_input_tokens": 6, "request_samples": 2,
    ... }))
    >>> amounts = Amounts(pool)
    >>> amounts.of("tokens", "a").tolist()
    [[13.0, 33.0]]
    >>> amounts.of("tokens", "a", max_tokens=20).tolist()
    [[13.0, 23.0]]
    >>> amounts.unknown("cost", ["a"])
    "cost: the pool has no costs. Record a column 'cost' or use prices=."
    """

    def __init__(
        self,
        pool: Pool,
        *,
        prices: Prices | Mapping[str, float] | None = None,
        tokens: str = "all",
        parts: bool = False,
    ) -> None:
        self._pool, self._prices, self._tokens, self._parts = pool, prices, tokens, parts
        self._columns = SampleColumns(pool)
        self._known: dict[tuple[str, str, int | None], Floats] = {}

    @property
    def any_inputs(self) -> bool:
        """Whether any sample of the pool has input tokens, so that they are tokens of its samples."""
        return self._columns.any_inputs

    # Amounts --------------------------------------------------------------------------------------------------------

    def of(self, quantity: str, model: str, max_tokens: int | None = None) -> Floats:
        """Return what each sample of a model spends.

        Parameters
        ----------
        quantity : {"tokens", "cost", "latency"}
            Quantity.
        model : str
            Name of the model.
        max_tokens : int, optional
            Number of output tokens at which samples are cut off.

        Returns
        -------
        ndarray of float64, shape (n_questions, n_samples)
            The amounts, read-only; NaN where a sample was not recorded or its amount is unknown.

        Raises
        ------
        PoolError
            If a recorded number is negative or infinite.
        """
        key = quantity, model, max_tokens
        if key not in self._known:
            amounts = {"tokens": self._tokens_of, "cost": self._cost_of, "latency": self._latency_of}[quantity]
            found = np.asarray(amounts(model, max_tokens), dtype=np.float64)
            found.flags.writeable = False
            self._known[key] = found
        return self._known[key]

    def fixed(self, quantity: str, model: str) -> Floats:
        """Return what each sample spends however early it ends; the rest is in proportion to its output tokens.

        This is its input and, at prices per sample, all of its cost. Of a recorded cost and of a latency it is nothing,
        because nothing says how they divide.
        """
        whole = self.of(quantity, model)
        if quantity == "tokens":
            return whole - self._columns.outputs(model)
        if quantity == "latency" or self._prices is None:
            return np.zeros_like(whole)
        if not isinstance(self._prices, Prices):
            return whole
        price_in, _ = self._price_of(model)
        return price_in * self._columns.inputs(model) / self._prices.per_tokens if price_in else np.zeros_like(whole)

    def _tokens_of(self, model: str, max_tokens: int | None) -> Floats:
        output = self._cut(model, max_tokens)
        if self._tokens == "output" or not self._columns.any_inputs:
            return output
        return output + self._columns.inputs(model)

    def _cost_of(self, model: str, max_tokens: int | None) -> Floats:
        if self._prices is None:
            return self._uncut("cost", model, max_tokens)
        if not isinstance(self._prices, Prices):
            return np.where(self._columns.recorded(model), float(self._prices[model]), np.nan)
        price_in, price_out = self._price_of(model)
        cost = np.where(self._columns.recorded(model), 0.0, np.nan)
        # Tokens that cost nothing need not be known.
        if price_in:
            cost = cost + price_in * self._columns.inputs(model)
        if price_out:
            cost = cost + price_out * self._cut(model, max_tokens)
        return cost / self._prices.per_tokens

    def _latency_of(self, model: str, max_tokens: int | None) -> Floats:
        return self._uncut("latency", model, max_tokens)

    def _cut(self, model: str, max_tokens: int | None) -> Floats:
        """Return output tokens, at most `max_tokens`."""
        output = self._columns.outputs(model)
        return output if max_tokens is None else np.minimum(output, max_tokens)

    def _uncut(self, column: str, model: str, max_tokens: int | None) -> Floats:
        """Return recorded numbers, NaN for samples that are cut off or may be."""
        numbers = self._columns.numbers(column, model)
        if max_tokens is None:
            return numbers
        return np.where(self._columns.outputs(model) <= max_tokens, numbers, np.nan)

    def _price_of(self, model: str) -> tuple[float, float]:
        """Return the prices of a model, which the table may list by its name on the server."""
        assert isinstance(self._prices, Prices)
        name, models = self._pool.models[self._pool.model_index(model)], self._pool.info.get("models")
        described = models.get(name) if isinstance(models, Mapping) else None
        served = described.get("model_id") if isinstance(described, Mapping) else None
        return self._prices.price_of([name, served] if isinstance(served, str) else [name])

    # Facts about them -----------------------------------------------------------------------------------------------

    def is_recorded(self, quantity: str, models: Sequence[str]) -> bool:
        """Return whether the quantity is known for any sample of these models.

        This takes no time if the pool does not have the columns.
        """
        if quantity == "cost" and self._prices is not None:
            return True
        names = {"tokens": ("output_tokens", "request_output_tokens")}.get(quantity, (quantity,))
        if not any(name in self._columns for name in names):
            return False
        return not all(np.isnan(self.of(quantity, model)).all() for model in models)

    def unit(self, quantity: str, models: Sequence[str]) -> float:
        """Return the power of two in whose multiples the amounts of these models are summed.

        It is 1 if all known amounts, without a limit of tokens, are whole numbers up to 2**26. Otherwise the largest
        is more than 2**25 and at most 2**26 units, so that rounding changes no amount by more than the 2**-26th part
        of the largest. Parts of costs and latencies are not whole numbers.

        Examples
        --------
        >>> import pandas as pd
        >>> from mssim import Pool
        >>> frame = pd.DataFrame({
        ...     "question_id": "q", "model": "a", "sample_index": [0, 1], "answer": "7", "truth": "7",
        ...     "output_tokens": [10, 30], "latency": [0.5, 1.0],
        ... })
        >>> amounts = Amounts(Pool.from_frame(frame))
        >>> amounts.unit("tokens", ["a"]), amounts.unit("latency", ["a"]) == 2**-26
        (1.0, True)
        """
        largest, whole = 0.0, quantity == "tokens" or not self._parts
        for model in dict.fromkeys(models):
            known = self.of(quantity, model)
            known = known[~np.isnan(known)]
            largest = max(largest, float(known.max(initial=0)))
            whole = whole and bool((known == np.floor(known)).all())
        if whole and largest <= 2**_BITS:
            return 1.0
        mantissa, exponent = math.frexp(largest)  # a mantissa of 0.5 means a power of two
        return math.ldexp(1.0, max(exponent - _BITS - (mantissa == 0.5), _LOWEST_EXPONENT))

    # Messages -------------------------------------------------------------------------------------------------------

    def check(self, models: Sequence[str]) -> None:
        """Raise if a model of these has no price, or lacks tokens that have one."""
        if self._prices is None:
            return
        if not isinstance(self._prices, Prices):
            _check_per_sample(self._prices, models)
            return
        for model in models:
            for price, kind in zip(self._price_of(model), ("input", "output"), strict=True):
                if price and np.isnan(self._tokens_of_kind(kind, model)).all():
                    raise PoolError(
                        f"prices: the {kind} tokens of model {model!r} cost {price:g}, but none were recorded. Record "
                        f"{kind}_tokens, or set its {kind} price to 0."
                    )

    def _tokens_of_kind(self, kind: str, model: str) -> Floats:
        return self._columns.inputs(model) if kind == "input" else self._columns.outputs(model)

    def unknown(self, quantity: str, models: Sequence[str], limits: Sequence[int | None] | None = None) -> str | None:
        """Return why the quantity is unknown for samples of these models, or None if all are known.

        Parameters
        ----------
        quantity : {"tokens", "cost", "latency"}
            Quantity.
        models : sequence of str
            Names of models.
        limits : sequence of int or None, optional
            The length limit of each model in output tokens. By default, samples have no limit.

        Returns
        -------
        str or None
            Text of an error with a remedy, in the language of arguments.
        """
        for model, limit in zip(models, limits or [None] * len(models), strict=True):
            lacking = np.isnan(self.of(quantity, model, limit)) & self._columns.recorded(model)
            if lacking.any():
                return f"{quantity}: {self._reason(quantity, model, limit)}"
        return None

    def _reason(self, quantity: str, model: str, limit: int | None) -> str:
        """Return the first reason that applies to a model with unknown amounts."""
        for column, numbers, none, remedy in self._sources(quantity, model):
            lacking = np.isnan(numbers) & self._columns.recorded(model)
            if lacking.sum() == self._columns.recorded(model).sum():
                return f"{none}. {remedy}"
            if lacking.any():
                return f"{self._first(lacking, model, f'have no {column}')}. {remedy}"
        cut = np.isnan(self.of(quantity, model, limit)) & self._columns.recorded(model)
        unknown = np.isnan(self._columns.outputs(model)) & cut
        if unknown.any():
            said = f"have no output_tokens and may exceed max_tokens={limit}"
            return f"{self._first(unknown, model, said)}. Record them, or use max_tokens=None."
        remedy = "Use prices= with a price table" if quantity == "cost" else "Evaluate without max_tokens"
        return (
            f"{self._first(cut, model, f'are cut off by max_tokens={limit}')}. The recording does not say what a part "
            f"of a sample spends. {remedy}."
        )

    def _sources(self, quantity: str, model: str) -> list[tuple[str, Floats, str, str]]:
        """Return what the quantity is made of: column, numbers, what to say if all are missing, and the remedy."""
        named, columns = f"model {model!r}", self._columns
        if quantity == "tokens":
            who = named if columns.any_outputs else "the pool"
            found = [("output_tokens", columns.outputs(model), f"{who} has no output_tokens", "Record them.")]
            if self._tokens == "all" and columns.any_inputs:
                none = f"{named} has no input_tokens, but another model of the pool has them"
                found.append(("input_tokens", columns.inputs(model), none, "Record them, or use tokens='output'."))
            return found
        if isinstance(self._prices, Prices) and quantity == "cost":
            return [
                (
                    f"{kind}_tokens",
                    self._tokens_of_kind(kind, model),
                    f"{named} has no {kind}_tokens",
                    f"Record them, or set its {kind} price to 0.",
                )
                for price, kind in zip(self._price_of(model), ("input", "output"), strict=True)
                if price
            ]
        several = {"cost": "costs", "latency": "latencies"}[quantity]
        remedy = f"Record a column {quantity!r}" + (" or use prices=." if quantity == "cost" else ".")
        who = named if quantity in columns else "the pool"
        return [(quantity, columns.numbers(quantity, model), f"{who} has no {several}", remedy)]

    def _first(self, lacking: NDArray[np.bool_], model: str, what: str) -> str:
        question, sample = np.argwhere(lacking)[0]
        number = int(lacking.sum())
        what = what if number > 1 else what.replace("have ", "has ", 1).replace("are ", "is ", 1)
        return (
            f"{counted(number, 'sample')} of model {model!r} {what}, first sample {sample} of question "
            f"{self._pool.question_ids[question]!r}"
        )

    def warnings(self, models: Sequence[str]) -> list[str]:
        """Return warnings about amounts of these models that look impossible, or that few samples make unknown."""
        found = []
        for model in models if self._columns.any_outputs else ():
            output = self._columns.outputs(model)
            known = output[~np.isnan(output)]
            if known.size and not known.any():
                found.append(f"tokens: all output_tokens of model {model!r} are 0. Correct or drop the column.")
        for quantity in QUANTITIES:
            recorded = self.is_recorded(quantity, models)
            reasons = (self._partly(quantity, model) for model in models if recorded)
            found += [f"{quantity}: {reason}" for reason in list(filter(None, reasons))[:1]]
        return found

    def _partly(self, quantity: str, model: str) -> str | None:
        """Return why a quantity of a model is unknown although some of its samples have it or a part of it."""
        known = ~np.isnan(self.of(quantity, model))
        partly = known.any() or (quantity == "tokens" and not np.isnan(self._columns.outputs(model)).all())
        return (
            self._reason(quantity, model, None) if partly and (~known & self._columns.recorded(model)).any() else None
        )


def read_prices_of(given: PricesLike | None) -> Prices | dict[str, float] | None:
    """Return prices as a table, or as a price per sample of each model.

    Parameters
    ----------
    given : Prices, path, mapping or None
        A price table, the path of one, what `Prices.describe` returns, or a mapping of model to price per sample.

    Returns
    -------
    Prices, dict or None
        The prices.

    Examples
    --------
    >>> read_prices_of({"small": 0.1})
    {'small': 0.1}
    >>> read_prices_of({"date": "2026-11-01", "models": {"small": {"input": 1, "output": 2}}}).price_of(["small"])
    (1.0, 2.0)
    """
    if given is None or isinstance(given, Prices):
        return given
    try:
        if isinstance(given, str | os.PathLike):
            return read_prices(given)
        if isinstance(given, Mapping) and isinstance(given.get("models"), Mapping):
            return Prices.from_dict(given)
    except MssimError as error:
        raise MssimError(f"prices: {error}") from error
    try:
        return dict(given)
    except (TypeError, ValueError):
        message = (
            f"prices={shown(given)} is not a price table and does not map models to prices. Pass e.g. "
            "{'gpt-4': 0.01}, or the path of a price table."
        )
        raise MssimError(message) from None


def describe_prices(prices: Prices | Mapping[str, float] | None) -> dict[str, Any] | None:
    """Return prices as JSON, which `read_prices_of` reads."""
    if prices is None:
        return None
    return prices.describe() if isinstance(prices, Prices) else {name: float(price) for name, price in prices.items()}


def _check_per_sample(prices: Mapping[str, float], models: Sequence[str]) -> None:
    wanted = sorted(models)
    lacking = sorted(set(wanted) - set(prices))
    if lacking:
        raise MssimError(f"prices: model {lacking[0]!r} has no price. Set the price of a sample for each of {wanted}.")
    for model, price in prices.items():
        if not is_number(price) or not 0 <= price <= HIGHEST:
            raise MssimError(
                f"prices: {shown(price)} of model {model!r} is not a price. Use a non-negative number per sample, at "
                f"most {HIGHEST:g}."
            )
