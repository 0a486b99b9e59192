"""What a strategy asks for while it runs, what it gets, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Ask", "Decision", "Draw"]


class Ask(NamedTuple):
    """A round: the next draws of one model, which may be requested together.

    Attributes
    ----------
    model : str
        Name of the model.
    n : int
        Number of draws, at least 1.
    then : tuple of Ask
        What is asked for next whatever the draws are. It belongs to the same round and may be requested at the same
        time.

    Examples
    --------
    >>> from mssim.live import Ask
    >>> Ask("gemma3", 8).n
    8
    """

    model: str
    n: int = 1
    then: tuple[Ask, ...] = ()

    def __repr__(self) -> str:
        then = f", then={self.then!r}" if self.then else ""
        return f"Ask(model={self.model!r}, n={self.n}{then})"


class Draw(NamedTuple):
    """One sample as a strategy sees it.

    Attributes
    ----------
    answer : int
        Answer class; -1 = no answer.
    numbers : mapping of str to float
        Recorded numbers, such as confidence (nats) and output_tokens.

    Examples
    --------
    >>> from mssim.live import Draw
    >>> Draw(0, {"confidence": -0.3}).answer
    0
    """

    answer: int
    numbers: Mapping[str, float] = {}


class Decision(NamedTuple):
    """The answer of a strategy to one question.

    Attributes
    ----------
    answer : int
        Answer class; -1 = no answer, because no draw has one, or answers are tied under ``ties="wrong"``.
    stopped : str
        Why the strategy drew no further sample: "agreement", "stop rule", "accepted" or "budget".
    stage : int
        Number of the turn in which it ended, from 0.

    Examples
    --------
    >>> from mssim.live import Decision
    >>> Decision(0, "agreement", 1).stopped
    'agreement'
    """

    answer: int
    stopped: str
    stage: int
