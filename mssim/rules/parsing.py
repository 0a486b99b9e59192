"""Strategies from text, and the catalogue of all rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import mssim.rules.strategies  # noqa: F401  (registers the strategies)
from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.names import quoted, with_quotes
from mssim.rules.registry import STOPS, STRATEGIES, VOTES, Row
from mssim.rules.text import USE_QUOTES, read_options, split

__all__ = ["catalogue", "parse_for", "parse_strategy", "reads"]


def parse_strategy(given: str | Mapping[str, Any] | Strategy) -> Strategy:
    """Read a strategy from one line of text, or from a mapping as in a TOML file.

    Parameters
    ----------
    given : str or mapping
        Text ``kind:model+model,option=value``, or a mapping with the keys kind, models and the options. In text, a name
        that contains "+" or "," needs quotes, double or single: ``sc:"a+b"``. A quote inside of quotes of its kind is
        doubled. The options are the fields of the strategy's class; ``stop=name:value/value``
        gives a stop rule and the values of its fields. The options of a vote are normaliser, temperature, column, m,
        answers, keep, power, alpha, within, combine, prior (2/1 in the order of the models) and ties. `catalogue` lists
        every rule.

    Returns
    -------
    Strategy

    Raises
    ------
    StrategyError
        If the kind or an option does not exist, or a value is invalid.

    Examples
    --------
    >>> parse_strategy("ms:gpt-35-turbo+gpt-4,agreement=0.8,vote=plurality").agreement
    0.8
    >>> str(parse_strategy({"kind": "sc", "models": ["gpt-4"], "vote": "shortest", "m": 3}))
    'sc:gpt-4,vote=shortest,m=3'
    >>> parse_strategy('ms:"gpt-4o+search"+llama,agreement=0.8').models
    ('gpt-4o+search', 'llama')
    """
    if isinstance(given, Strategy):
        return given
    kind, models, options = split(given)
    if kind not in STRATEGIES:
        raise StrategyError(f"strategy {given!r}: unknown kind {kind!r}. {choose_from(kind, STRATEGIES)}.")
    cls: Any = STRATEGIES[kind]
    one = "model" in getattr(cls, "__dataclass_fields__", {})
    if one and len(models) != 1:
        raise StrategyError(
            f"strategy {given!r}: {kind} takes one model, but {len(models)} were given. To combine models, use e.g. "
            f"mix:{'+'.join(map(quoted, models or ['a', 'b']))}. {USE_QUOTES}"
        )
    try:
        built: Strategy = cls(models[0] if one else tuple(models), **read_options(cls, options))
    except StrategyError as error:
        raise StrategyError(f"strategy {given!r}: {error}") from None
    return built


def parse_for(given: Any, models: Collection[str]) -> Strategy:
    """Read a strategy as `parse_strategy` does. If it lacks only quotes around names of these models, say so.

    Examples
    --------
    >>> parse_for("sc:o3+web", ["o3+web", "llama"])
    Traceback (most recent call last):
    mssim.errors.StrategyError: strategy 'sc:o3+web': a name of a model needs quotes. Write 'sc:"o3+web"'.
    """
    if isinstance(given, str):
        kind, colon, rest = given.partition(":")
        text = f"{kind}{colon}{with_quotes(rest, models)}"
        if text != given and not reads(given, models) and reads(text, models):
            raise StrategyError(f"strategy {given!r}: a name of a model needs quotes. Write {text!r}.")
    return parse_strategy(given)


def reads(text: str, models: Collection[str]) -> bool:
    """Return whether a text is a strategy of these models.

    Examples
    --------
    >>> reads("sc:o3@4", ["o3", "o3@4"]), reads("sc:o3@4", ["o3"])
    (True, False)
    """
    try:
        return set(parse_strategy(text).models) <= set(models)
    except StrategyError:
        return False


def catalogue() -> list[Row]:
    """List every rule as text (M: a model), with its formula, source, column and method.

    K are the draws of a model, v1 >= v2 the votes of its two leading answers, n(a) those of answer a; B is the budget.
    Sources are numbers of arXiv articles. The column is a recorded number that the rule needs beside answers. Accuracy
    is computed in closed form (exact, within the limits that `evaluate` states) or replayed.

    Returns
    -------
    list of Row
        Strategies, then stop rules, then votes, each in the order of their names.

    Examples
    --------
    >>> for row in catalogue()[2:4]:
    ...     print(f"{row.rule:13}{row.formula}")
    cascade:M+M  the first M with v1 / K >= agreement, else the last
    cov:M        any draw is right: 1 - C(n - c, K) / C(n, K)
    """
    registries: tuple[Mapping[str, Any], ...] = (STRATEGIES, STOPS, VOTES)
    return [row for registry in registries for name in sorted(registry) for row in registry[name].rows]
