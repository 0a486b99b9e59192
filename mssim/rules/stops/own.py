"""Stopping rule by a user function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mssim.errors import StrategyError
from mssim.rules.stops.base import Floats, Ints, Stop

__all__ = ["OwnStop"]


@dataclass(frozen=True)
class OwnStop(Stop):
    """Stop when a user function returns True.

    Parameters
    ----------
    function : callable
        ``function(counts, n) -> bool``, called after each draw. `counts` is int64 of shape (n_classes,), the votes of
        the question's answer classes so far (at least one class). `n` is the number of draws so far, including those
        without an answer. With `columns` the signature is ``function(counts, answers, numbers) -> bool``. `answers` is
        int64 of shape (n_draws,), the answer class of each draw so far (-1 = no answer), and `numbers` is float64 of
        shape (n_columns, n_draws). Compile the function with ``numba.njit``; plain Python is hundreds of times slower.
    columns : str or sequence of str, optional
        Recorded numbers of each draw that the function reads, such as confidence, score or output_tokens.

    Examples
    --------
    >>> OwnStop(lambda counts, n: counts.max() >= 3)  # doctest: +ELLIPSIS
    OwnStop(function=<function <lambda> at ...>, columns=())
    >>> spent = OwnStop(lambda counts, answers, numbers: numbers[0].sum() > 1000, columns="output_tokens")
    >>> spent.columns
    ('output_tokens',)
    """

    function: Callable[..., Any]
    columns: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise StrategyError(f"OwnStop: function={self.function!r} is not callable. Use a function of (counts, n).")
        columns = (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)
        if not all(isinstance(column, str) and column for column in columns):
            raise StrategyError(
                f"OwnStop: columns={self.columns!r} are not names. Use names of recorded numbers, e.g. 'confidence'."
            )
        object.__setattr__(self, "columns", columns)

    def stops(self, answers: Ints, numbers: Floats) -> bool:
        """Call the function."""
        counts = np.bincount(answers[answers >= 0], minlength=1)
        return bool(self.function(counts, answers, numbers) if self.columns else self.function(counts, answers.size))

    def __str__(self) -> str:
        return f"own:{getattr(self.function, '__name__', 'function')}"
