"""Exceptions and warnings of mssim."""

from __future__ import annotations

__all__ = ["BudgetError", "MssimError", "PoolError", "PoolWarning", "RecordError", "StrategyError"]


class MssimError(ValueError):
    """Base class of all errors caused by invalid input; the command line prints it and exits with code 2."""


class PoolError(MssimError):
    """Recorded samples are unreadable or inconsistent."""


class StrategyError(MssimError):
    """A strategy, vote or option is unknown or invalid."""


class BudgetError(MssimError):
    """A budget is invalid or requires more samples than were recorded."""


class RecordError(MssimError):
    """A recording cannot start or continue; samples recorded so far are kept."""


class PoolWarning(UserWarning):
    """Recorded samples are usable, but have a property that can affect the results."""
