"""Checks of the fields that several protocols have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mssim._validation import choose_from, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.live.protocols.base import Protocol

__all__ = ["MANY", "set_choice", "set_count", "set_models"]

MANY = 1000


def set_models(protocol: Protocol, most: int, option: str = "") -> None:
    """Check and set the models, at most as many as can take part. A model may take part several times.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("mad:a+b+c")
    Traceback (most recent call last):
    ...
    mssim.errors.StrategyError: protocol 'mad:a+b+c': models=['a', 'b', 'c']: at most 2 can take part. Remove some.
    """
    given: Any = protocol.models
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StrategyError(f"models={shown(given)} must be one or more names of models, e.g. ['gpt-4'].")
    if len(names) > most:
        more = f", or increase {option}" if option else ""
        raise StrategyError(f"models={list(names)!r}: at most {most} can take part. Remove some{more}.")
    object.__setattr__(protocol, "models", names)
    for asked in protocol.asks:
        value = getattr(protocol, asked)
        if value is not None and not (isinstance(value, str) and value):
            raise StrategyError(f"{asked}={shown(value)} is not the name of a model. Use e.g. {asked}='gpt-4'.")


def set_count(protocol: Protocol, name: str, low: int, high: int = MANY) -> None:
    """Check and set an option that is an integer."""
    try:
        object.__setattr__(protocol, name, whole_number(name, getattr(protocol, name), low, high))
    except MssimError as error:
        raise StrategyError(str(error)) from None


def set_choice(protocol: Protocol, name: str, allowed: Sequence[str]) -> None:
    """Check an option that is one of several words."""
    value = getattr(protocol, name)
    if value not in allowed:
        raise StrategyError(f"{name}={shown(value)} is not valid. {choose_from(str(value), allowed)}.")
