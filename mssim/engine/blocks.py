"""Blocks: the pieces that the work of an evaluation is divided into, and their outcomes."""

from __future__ import annotations

from typing import NamedTuple

from mssim.rules.plan import Floats

__all__ = ["Block", "Outcome"]


class Block(NamedTuple):
    """A piece of the work on a plan, in numbers alone: a list of all blocks costs little."""

    plan: int  # number of the plan
    exact: bool  # else replayed
    budgets: tuple[int, ...]  # numbers of the budgets of the plan it is for
    first_question: int
    end_question: int  # the one after the last
    first_replay: int = 0
    n_replays: int = 0

    @property
    def questions(self) -> slice:
        """The questions of the block."""
        return slice(self.first_question, self.end_question)


class Outcome(NamedTuple):
    """What a plan or a block of it led to, per budget and question: chances and expectations, or sums over replays."""

    right: Floats  # [budget, question], right answers
    drawn: Floats  # [stage, budget, question], samples
    agreed: Floats  # [budget, question], stages or windows that agreed, at most one per replay
