"""The errors and warnings that mssim raises; each message says what was given, what is allowed and what to do."""

from __future__ import annotations

__all__ = ["BudgetError", "MssimError", "PoolError", "PoolWarning", "RecordError", "StrategyError"]


class MssimError(ValueError):
    """Base of every error that bad input can cause; the command line turns it into one line and exit code 2."""


class PoolError(MssimError):
    """Recorded samples that cannot be read or that contradict themselves."""


class StrategyError(MssimError):
    """A strategy, vote or option that does not exist or does not make sense."""


class BudgetError(MssimError):
    """A budget that no strategy can spend, or that asks for more samples than were recorded."""


class RecordError(MssimError):
    """A recording that cannot begin or go on; what was recorded is safe."""


class PoolWarning(UserWarning):
    """Recorded samples that can be used, but whose oddity a reader of the results should know."""
