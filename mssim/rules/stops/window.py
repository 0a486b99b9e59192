"""Stopping rule by windows of draws that agree (ESC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable

__all__ = ["WindowStop"]


@dataclass(frozen=True)
class WindowStop(Stop):
    """Stop at the first window whose draws all agree, and adopt its answer (ESC, arXiv 2401.10480).

    Draws without an answer do not agree. If no window agrees, the whole budget is drawn, including draws after the last
    whole window.

    Parameters
    ----------
    window : int
        Number of draws of a window, from 1 to 32767. The authors use 5.

    Examples
    --------
    >>> str(WindowStop(5))
    'window:5'
    """

    name: ClassVar[str] = "window"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=window:5", "the first window of 5 draws that agree, else sc", "2401.10480", method="exact"),
    )
    adopts: ClassVar[bool] = True

    window: int

    def __post_init__(self) -> None:
        self._set_whole("window", 1)

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether a window ends here and all its draws are the same answer."""
        last = answers[-self.window :]
        return bool(answers.size % self.window == 0 and last[0] >= 0 and (last == last[0]).all())

    def table(self, depth: int) -> StopTable:
        """Return the window."""
        return StopTable(np.zeros(1, np.int64), np.zeros(1, np.int64), window=min(self.window, depth + 1))
