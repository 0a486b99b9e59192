"""Base class of protocols, and what they exchange with whatever runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mssim.rules.registry import Registry

__all__ = ["PROTOCOLS", "Call", "Final", "Protocol", "Task"]

PROTOCOLS: Registry[type[Protocol]] = Registry("protocol")

Messages = Sequence[Mapping[str, str]]


class Call(NamedTuple):
    """One request for one reply.

    Attributes
    ----------
    step : str
        Name of the call, such as "round 1, judge". It is unique within a run.
    model : str
        Name of the model that is asked.
    messages : sequence of mapping
        Messages with the keys role and content.

    Examples
    --------
    >>> from mssim.live.protocols import Call
    >>> Call("judge", "gemma3", [{"role": "user", "content": "Who is right?"}]).step
    'judge'
    """

    step: str
    model: str
    messages: Messages


class Final(NamedTuple):
    """The end of a run.

    Attributes
    ----------
    text : str
        Text from which the answer is extracted; empty if there is none.
    ended : str
        Why the run ended, such as "judge" or "rounds".

    Examples
    --------
    >>> from mssim.live.protocols import Final
    >>> Final("The answer is 7.", "rounds").ended
    'rounds'
    """

    text: str
    ended: str


@dataclass(frozen=True)
class Task:
    """A question as a protocol sees it.

    Attributes
    ----------
    question : str
        The text of the question.
    prompt : callable (model) -> messages
        The messages by which a model is asked alone, made from its template in the plan.
    answer_of : callable (text) -> str or None
        The answer class of a reply by the grading rule; None = no answer. Equal answers have equal classes.
    random : numpy.random.Generator
        Random numbers of this run, for choices such as the order of roles.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim.live.protocols import Task
    >>> ask = lambda model: [{"role": "user", "content": "1 + 1?"}]
    >>> Task("1 + 1?", ask, lambda text: text.strip() or None, np.random.default_rng(0)).answer_of(" 2 ")
    '2'
    """

    question: str
    prompt: Callable[[str], Messages]
    answer_of: Callable[[str], str | None]
    random: np.random.Generator


class Protocol(ABC):
    """Base class of protocols. Subclass it as a frozen dataclass with the field `models`, and define `run`.

    Attributes
    ----------
    kind : str
        Name of the protocol in text, ``kind:model+model,option=value``.
    source : str
        Article that describes it.
    models : sequence of str
        Names of the models that take part.
    """

    kind: ClassVar[str] = ""
    source: ClassVar[str] = ""
    models: Sequence[str]

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("kind"):
            PROTOCOLS.add(cls.kind, cls)

    @abstractmethod
    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Yield the calls of each round, get their replies in the same order, and return the end of the run.

        Calls of one round do not depend on each other and may be sent at once.
        """
