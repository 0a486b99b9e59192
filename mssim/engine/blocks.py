"""Blocks of work of an evaluation, and their outcomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.rules.plan import QUANTITIES, Floats, Ints

__all__ = ["Block", "Outcome", "SharedOutcome", "edges", "indices", "picked"]


class Block(NamedTuple):
    """A block of questions and replays of some plans, as indices, so that a list of all blocks is small."""

    plans: tuple[int, ...]  # indices of the plans, whose budgets are equal
    exact: bool  # closed form of one plan; otherwise replays, which the plans share
    budgets: tuple[int, ...]  # indices of the budgets
    questions: Sequence[int]  # indices: a range if they are neighbours, else a tuple
    first_replay: int = 0
    n_replays: int = 0

    @property
    def at(self) -> slice | Ints:
        """The questions as an index of an array."""
        near = isinstance(self.questions, range)
        return slice(self.questions[0], self.questions[-1] + 1) if near else np.array(self.questions)

    @property
    def text(self) -> str:
        """The block as JSON."""
        return json.dumps([list(field) if isinstance(field, Sequence) else field for field in self])

    @classmethod
    def read(cls, text: str) -> Block:
        """Return the block that `text` describes.

        Examples
        --------
        >>> Block.read(Block((0,), True, (0, 1), range(3, 5)).text).at
        slice(3, 5, None)
        """
        plans, exact, budgets, questions, first, n = json.loads(text)
        return cls(tuple(plans), exact, tuple(budgets), indices(questions), first, n)


def indices(numbers: Sequence[int] | Ints) -> Sequence[int]:
    """Return increasing indices as a range if they are neighbours, else as a tuple.

    Examples
    --------
    >>> indices([4, 5, 6]), indices([4, 6])
    (range(4, 7), (4, 6))
    """
    found = [int(number) for number in numbers]
    near = found == list(range(found[0], found[0] + len(found)))
    return range(found[0], found[0] + len(found)) if near else tuple(found)


def picked(values: NDArray[Any], rows: Sequence[int], questions: slice | Ints) -> NDArray[Any]:
    """Return a copy of some rows of values [row, question, ...] at some questions."""
    return values[rows, questions] if isinstance(questions, slice) else values[np.ix_(np.asarray(rows), questions)]


def edges(n: int, n_parts: int) -> list[int]:
    """Return where the parts of n questions or replays begin and end; their sizes differ by at most one.

    Examples
    --------
    >>> edges(10, 3)
    [0, 3, 6, 10]
    """
    return [n * i // n_parts for i in range(n_parts + 1)]


class Outcome(NamedTuple):
    """Result of a plan, per budget and question: expectations, or sums over the replays of a block."""

    right: Floats  # [budget, question], correct answers
    drawn: Floats  # [stage, budget, question], drawn samples
    agreed: Floats  # [budget, question], agreeing stages or windows, at most one per replay
    spent: Floats  # [quantity, budget, question], see QUANTITIES; NaN where unknown here
    histogram: Floats  # [entry, 2], places of totals of replays in the histogram, and their numbers

    @classmethod
    def of(
        cls,
        right: Floats,
        drawn: Floats,
        agreed: Floats,
        spent: Floats | None = None,
        histogram: Floats | None = None,
    ) -> Outcome:
        """Return an outcome; by default what it spent is unknown."""
        unknown = np.full((len(QUANTITIES), *right.shape), np.nan)
        return cls(
            right,
            drawn,
            agreed,
            unknown if spent is None else spent,
            np.empty((0, 2)) if histogram is None else histogram,
        )


class SharedOutcome(NamedTuple):
    """Sums over the replays of a block that several plans share, or a plan and its control."""

    right: Floats  # [plan, budget, question], correct answers
    stopped: Floats  # [plan, stage, budget, question], replays that stop after the stage; empty where not needed
    control: Floats  # [2, plan, budget, question], replays in which the control, and both are right; empty without one
