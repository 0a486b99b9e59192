"""Exceptions and warnings of mssim."""

from __future__ import annotations

__all__ = ["BudgetError", "MssimError", "PoolError", "PoolWarning", "RecordError", "StrategyError"]


class MssimError(ValueError):
    """Base class of all errors caused by invalid input; the command line prints it and exits with code 2.

    Examples
    --------
    >>> from mssim import MssimError, parse_strategy
    >>> try:
    ...     parse_strategy("ms:strong+weak,agrement=0.8")
    ... except MssimError as error:
    ...     print(str(error).split(". ")[0])
    strategy 'ms:strong+weak,agrement=0.8': unknown option 'agrement'
    """


class PoolError(MssimError):
    """Recorded samples are unreadable or inconsistent.

    Examples
    --------
    >>> from mssim import load_pool
    >>> load_pool("recorded/llm-products").select(models=["gema"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mssim.errors.PoolError: no model 'gema' in this pool. Did you mean 'gemma'? ...
    """


class StrategyError(MssimError):
    """A strategy, vote or option is unknown or invalid.

    Examples
    --------
    >>> from mssim import WindowStop
    >>> WindowStop(0)
    Traceback (most recent call last):
    mssim.errors.StrategyError: WindowStop: window=0 is out of range. Use an integer from 1 to 32767.
    """


class BudgetError(MssimError):
    """A budget is invalid or requires more samples than were recorded.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> evaluate(load_pool("recorded/llm-products"), "sc:gemma", 1000)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mssim.errors.BudgetError: sc:gemma: budget 1000 needs 1000 samples of model 'gemma' for question ...
    """


class RecordError(MssimError):
    """A recording cannot start or continue; samples recorded so far are kept."""


class PoolWarning(UserWarning):
    """Recorded samples are usable, but have a property that can affect the results."""
