"""Strategies and the budgets at which they are evaluated: common ones, or a strategy's own.

In text, budgets of a strategy come last, after "@": ``sc:M@1-22`` or ``ms:A+B,agreement=0.8@4,8``. A cost budget names
what it limits: ``sc:M@tokens=2000`` stands for the largest budget whose expected tokens are within 2000.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, shown
from mssim.errors import BudgetError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.names import quoted
from mssim.rules.parsing import parse_for, parse_strategy, reads
from mssim.rules.plan import QUANTITIES

if TYPE_CHECKING:
    from mssim.pools.pool import Pool  # only here, so that budgets are read without pandas

__all__ = [
    "Asked",
    "Limit",
    "Own",
    "Strategies",
    "name_strategies",
    "own_budgets",
    "parse_budgets",
    "read_asked",
    "read_budgets",
    "split_budgets",
    "union_of",
]

Strategies = (
    str | Strategy | Sequence[str | Strategy | Mapping[str, Any]] | Mapping[str, str | Strategy | Mapping[str, Any]]
)
Ints = NDArray[np.int64]

_HIGHEST = 100_000
_NUMBER = r"\d+(?:\s*-\s*\d+)?"
_LIMIT = rf"(?:{'|'.join(QUANTITIES)})\s*=[^,@\"'+]*"
_ITEM = rf"\s*(?:{_NUMBER}|{_LIMIT})\s*"
_UNKNOWN = r"\s*[a-z_]+\s*=[^,@\"'+]*"  # only as the first item, so that options of a strategy are not budgets
_WITH_BUDGETS = re.compile(rf"(?P<strategy>.*)@(?P<budgets>(?:{_ITEM}|{_UNKNOWN})(?:,{_ITEM})*)", re.DOTALL)


class Limit(NamedTuple):
    """A cost budget: the most that a strategy may spend per question."""

    quantity: str
    most: float


class Own(NamedTuple):
    """Budgets of one strategy: whole numbers, and limits of what it spends."""

    budgets: tuple[int, ...] = ()
    limits: tuple[Limit, ...] = ()


class Asked(NamedTuple):
    """A strategy, its own budgets, and whether it is evaluated at the common ones."""

    strategy: Strategy
    own: Own
    common: bool


# Text and mappings ----------------------------------------------------------------------------------------------------


def parse_budgets(given: str, option: str = "budgets") -> Own:
    """Parse a list of budgets: numbers, ranges, and limits of what is spent.

    Examples
    --------
    >>> parse_budgets("1,2,4-6").budgets
    (1, 2, 4, 5, 6)
    >>> parse_budgets("tokens=2000").limits
    (Limit(quantity='tokens', most=2000.0),)
    """
    budgets: list[int] = []
    limits: list[Limit] = []
    for part in given.split(","):
        if "=" in part:
            limits.append(_limit(part.strip(), option))
        else:
            budgets += _range(part.strip(), given, option)
    return Own(tuple(budgets), tuple(limits))


def _range(part: str, given: str, option: str) -> range:
    low, dash, high = part.partition("-")
    try:
        first = int(low)
        last = int(high) if dash else first
    except ValueError:
        raise BudgetError(
            f"{option}: {given!r} is not a list of budgets. Use integers from 1 to {_HIGHEST}, e.g. 2,4,8 or 1-16."
        ) from None
    if last < first:
        raise BudgetError(f"{option}: the range {part!r} is reversed. Use {last}-{first}.")
    if first < 1 or last > _HIGHEST:
        raise BudgetError(f"{option}: {part!r} is out of range. Use integers from 1 to {_HIGHEST}, e.g. 2,4,8 or 1-16.")
    return range(first, last + 1)


def _limit(part: str, option: str) -> Limit:
    quantity, _, value = (one.strip() for one in part.partition("="))
    if quantity not in QUANTITIES:
        raise BudgetError(f"{option}: no quantity {quantity!r} of a budget. {choose_from(quantity, QUANTITIES)}.")
    try:
        most = float(value)
    except ValueError:
        most = math.nan
    if not 0 < most < math.inf:
        raise BudgetError(
            f"{option}: {value!r} is not a limit of {quantity}. Use a positive number, e.g. @{quantity}=10."
        )
    return Limit(quantity, most)


def split_budgets(text: str, models: Collection[str] = ()) -> tuple[str, str]:
    """Split the text of a strategy from that of its budgets, which is empty if it has none.

    Names of models may contain "@". Where the text as a whole is a strategy of these models, it has no budgets, unless
    it is one without them too: options that contain "@" are in quotes. A name of one of these models stands for
    Self-Consistency.

    Examples
    --------
    >>> split_budgets("ms:a+b,agreement=0.8@4,8")
    ('ms:a+b,agreement=0.8', '4,8')
    >>> split_budgets("sc:a@4", ["a", "a@4"]), split_budgets('sc:"a@4"')
    (('sc:a@4', ''), ('sc:"a@4"', ''))
    >>> split_budgets("a@1-22", ["a"])
    ('sc:a', '1-22')
    """
    found = _WITH_BUDGETS.fullmatch(text)
    if found is None or text in models:
        return text, ""
    strategy = found["strategy"].strip()
    if reads(text, models) and not _same_models(text, strategy):
        return text, ""
    if strategy in models and not reads(strategy, models):
        strategy = f"sc:{quoted(strategy)}"
    return strategy, found["budgets"].strip()


def _same_models(text: str, strategy: str) -> bool:
    """Return whether both texts are strategies of the same models, so that an @ at the end is not in their names."""
    models = parse_strategy(text).models
    return reads(strategy, models) and parse_strategy(strategy).models == models


def _read_one(given: Any, models: Collection[str]) -> Asked:
    """Read a strategy and its own budgets from an element of `strategies`."""
    own: Any = None
    if isinstance(given, Asked):
        return given
    if isinstance(given, Mapping):
        strategy = parse_for({name: value for name, value in given.items() if name != "budgets"}, models)
        own = given.get("budgets")
        where = f"{strategy}: budgets"
    elif isinstance(given, str):
        text, own = split_budgets(given, models)
        strategy, where = parse_for(text, models), f"strategy {given!r}"
        _check_order(given, strategy, models)
    else:
        strategy = parse_for(given, models)
    if own is None or own == "":
        return Asked(strategy, Own(), True)
    if isinstance(own, str):
        return Asked(strategy, parse_budgets(own, where), False)
    return Asked(strategy, Own(tuple(read_budgets(own, where).tolist())), False)


def _check_order(text: str, strategy: Strategy, models: Collection[str]) -> None:
    """Raise if budgets are between models and options, where they are part of the name of a model."""
    for model in strategy.models:
        name, at, own = model.rpartition("@")
        if at and models and model not in models and name in models and re.fullmatch(_ITEM, own):
            raise StrategyError(
                f"strategy {text!r}: no model {model!r} in this pool. Write budgets after all models and options, as "
                f"in 'sc:{name}@{own}'."
            )


# Reading --------------------------------------------------------------------------------------------------------------


def read_asked(strategies: Strategies, pool: Pool | None = None) -> dict[str, Asked]:
    """Return strategies with their own budgets, by their names in results.

    A strategy that appears several times in a list, each time with other budgets, has all of them.
    """
    models = getattr(pool, "models", ())  # what is not a pool is refused later
    if isinstance(strategies, str | Strategy):
        strategies = [strategies]
    if isinstance(strategies, Mapping):
        named = {str(name): _read_one(given, models) for name, given in strategies.items()}
        if len(named) < len(strategies):
            raise StrategyError(
                f"strategies: the names {list(strategies)} are not unique as text. Use different names."
            )
    else:
        if not isinstance(strategies, Iterable) or getattr(strategies, "shape", None) == ():
            raise StrategyError(f"strategies={shown(strategies)} is not a strategy. Pass e.g. ['sc:gpt-4'].")
        named = _merged([_read_one(given, models) for given in strategies])
    if not named:
        raise StrategyError("strategies: none are given. Pass e.g. ['sc:gpt-4'].")
    return named


def _merged(every: Sequence[Asked]) -> dict[str, Asked]:
    named: dict[str, Asked] = {}
    for one in every:
        name = str(one.strategy)
        if name not in named:
            named[name] = one
            continue
        other = named[name]
        if one.common and other.common:
            texts = [str(asked.strategy) for asked in every]
            raise StrategyError(f"strategies: {texts} repeats a strategy. Remove the duplicate.")
        own = Own(other.own.budgets + one.own.budgets, tuple(dict.fromkeys(other.own.limits + one.own.limits)))
        named[name] = Asked(one.strategy, own, one.common or other.common)
    return named


def name_strategies(strategies: Strategies, pool: Pool | None = None) -> dict[str, Strategy]:
    """Return strategies by their names in results; raise if one has budgets of its own."""
    asked = read_asked(strategies, pool)
    for name, one in asked.items():
        if not one.common or one.own != Own():
            raise StrategyError(
                f"strategies: {name} has budgets of its own, which only an evaluation reads. Remove them, and use "
                "budgets=[4, 8] for all strategies."
            )
    return {name: one.strategy for name, one in asked.items()}


def own_budgets(asked: Mapping[str, Asked], budgets: ArrayLike | None) -> dict[str, Ints]:
    """Return the whole numbers at which every strategy is evaluated, given the common budgets."""
    common = np.empty(0, dtype=np.int64)
    without = [name for name, one in asked.items() if one.common]
    if budgets is not None:
        common = read_budgets(budgets)
    elif without:
        raise BudgetError(
            f"budgets: missing for {without[0]}. Use positive integers, the samples allowed per question, e.g. "
            "budgets=[4, 8], or write them after the strategy, as in 'sc:gpt-4@4,8'."
        )
    return {
        name: np.union1d(np.array(one.own.budgets, dtype=np.int64), common if one.common else common[:0])
        for name, one in asked.items()
    }


def union_of(own: Mapping[str, Ints]) -> Ints:
    """Return the budgets of all strategies, sorted."""
    return np.unique(np.concatenate(list(own.values())))


def read_budgets(budgets: ArrayLike, name: str = "budgets") -> Ints:
    """Return budgets as sorted unique integers."""
    try:
        given = np.atleast_1d(np.asarray(budgets))
    except ValueError:  # lists of different lengths
        given = np.empty(0)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or given.min() < 1:
        raise BudgetError(
            f"{name}={shown(budgets)} is not valid. Use positive integers, the samples allowed per question, e.g. "
            "[4, 8]."
        )
    if given.max() > 2**31:
        raise BudgetError(f"{name}: {given.max()} exceeds the limit of {2**31}. Use lower budgets.")
    return np.unique(given).astype(np.int64)
