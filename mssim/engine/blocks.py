"""Blocks of work of an evaluation, and their outcomes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mssim.rules.plan import QUANTITIES, Floats

__all__ = ["Block", "Outcome", "edges"]


class Block(NamedTuple):
    """A block of questions and replays of one plan, as indices, so that a list of all blocks is small."""

    plan: int  # index of the plan
    exact: bool  # closed form; otherwise replays
    budgets: tuple[int, ...]  # indices of the budgets
    first_question: int
    end_question: int  # exclusive
    first_replay: int = 0
    n_replays: int = 0

    @property
    def questions(self) -> slice:
        """Questions of the block."""
        return slice(self.first_question, self.end_question)


def edges(n: int, n_parts: int) -> list[int]:
    """Return where the parts of n questions or replays begin and end; their sizes differ by at most one.

    Examples
    --------
    >>> edges(10, 3)
    [0, 3, 6, 10]
    """
    return [n * i // n_parts for i in range(n_parts + 1)]


class Outcome(NamedTuple):
    """Result of a plan or a block, per budget and question: expectations, or sums over replays."""

    right: Floats  # [budget, question], correct answers
    drawn: Floats  # [stage, budget, question], drawn samples
    agreed: Floats  # [budget, question], agreeing stages or windows, at most one per replay
    spent: Floats  # [quantity, budget, question], see QUANTITIES; NaN where unknown here
    histogram: Floats  # [entry, 2], places of totals of replays in the histogram, and their numbers

    @classmethod
    def of(
        cls, right: Floats, drawn: Floats, agreed: Floats, spent: Floats | None = None, histogram: Floats | None = None
    ) -> Outcome:
        """Return an outcome; by default what it spent is unknown."""
        unknown = np.full((len(QUANTITIES), *right.shape), np.nan)
        nothing = np.empty((0, 2))
        return cls(
            right, drawn, agreed, unknown if spent is None else spent, nothing if histogram is None else histogram
        )
