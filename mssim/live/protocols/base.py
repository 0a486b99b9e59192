"""Base class of protocols, and what they exchange with whatever runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from mssim.live.protocols.templates import Template, fill
from mssim.rules.registry import Registry
from mssim.rules.text import write

__all__ = ["PROTOCOLS", "Call", "Calls", "Final", "Messages", "Protocol", "Task"]

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


class Calls(NamedTuple):
    """Number of calls of a run.

    Attributes
    ----------
    least, most : int
        Bounds. They are equal if the number is known before the run.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("mad:gemma3,rounds=2").calls()
    Calls(least=3, most=7)
    """

    least: int
    most: int


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
    prompts : mapping of str to str, optional
        Templates that replace those of the protocol, by their names.

    Examples
    --------
    >>> from mssim.live.protocols import Task
    >>> ask = lambda model: [{"role": "user", "content": "1 + 1?"}]
    >>> Task("1 + 1?", ask, lambda text: text.strip() or None).answer_of(" 2 ")
    '2'
    """

    question: str
    prompt: Callable[[str], Messages]
    answer_of: Callable[[str], str | None]
    prompts: Mapping[str, str] = field(default_factory=dict)


class Protocol(ABC):
    """Base class of protocols.

    Subclass it as a frozen dataclass with the field `models` and the options of the protocol, and define `run` and
    `calls`. It can then be written as text, ``kind:model+model,option=value``.

    Attributes
    ----------
    kind : str
        Name of the protocol in text.
    source : str
        Number of the arXiv article that describes it.
    prompts : mapping of str to Template
        Templates of its messages.
    open_table : str
        Table of templates to which users may add; empty if there is none.
    asks : sequence of str
        Options that name further models.
    models : sequence of str
        Names of the models that take part.

    Examples
    --------
    >>> from mssim.live.protocols import Protocol, parse_protocol
    >>> protocol = parse_protocol("debate:smollm2+gemma3,rounds=3")
    >>> isinstance(protocol, Protocol), protocol.source
    (True, '2305.14325')

    A protocol of your own, which asks a model twice:

    >>> from dataclasses import dataclass
    >>> from mssim.live.protocols import Agent, Calls, Final, Template
    >>> @dataclass(frozen=True)
    ... class SecondThought(Protocol):
    ...     models: tuple[str, ...]
    ...     prompts = {"again": Template("Check your answer, and answer again.")}
    ...     def calls(self):
    ...         return Calls(2, 2)
    ...     def run(self, task):
    ...         agent = Agent(self, task, self.models[0])
    ...         agent.hears(*(yield [agent.propose("first")]))
    ...         agent.hears(*(yield [agent.asked("second", "again")]))
    ...         return Final(agent.said, "end")
    >>> str(SecondThought(("gemma3",)))
    'SecondThought:gemma3'
    """

    kind: ClassVar[str] = ""
    source: ClassVar[str] = ""
    prompts: ClassVar[Mapping[str, Template]] = {}
    open_table: ClassVar[str] = ""
    asks: ClassVar[Sequence[str]] = ()
    models: Sequence[str]

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("kind"):
            PROTOCOLS.add(cls.kind, cls)

    @abstractmethod
    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Yield the calls of each round, get their replies in the same order, and return the end of the run.

        Calls of one round do not depend on each other and may be sent at once.
        """

    @abstractmethod
    def calls(self) -> Calls:
        """Return how many calls a run makes."""

    def participants(self) -> tuple[str, ...]:
        """Return the names of all models that are asked, each once."""
        others = (getattr(self, name) for name in self.asks)
        return tuple(dict.fromkeys([*self.models, *(name for name in others if name is not None)]))

    def needed(self) -> Sequence[str]:
        """Return names of templates that users may have to add."""
        return ()

    def model_of(self, number: int) -> str:
        """Return the model of an agent. Models take turns if there are more agents than models."""
        return self.models[number % len(self.models)]

    def template(self, task: Task, name: str) -> str:
        """Return the text of a template, which the task may replace."""
        return task.prompts[name] if name in task.prompts else self.prompts[name].text

    def text(self, task: Task, name: str, /, *, model: str = "", **values: Any) -> str:
        """Return a template with values in place of its names."""
        return fill(self.template(task, name), self._values(task, model, values))

    def _values(self, task: Task, model: str, values: Mapping[str, Any]) -> dict[str, Callable[[], str]]:
        """Return what the names of a template stand for; `prompt` and answers are computed only if they are used."""
        known: dict[str, Callable[[], str]] = {
            "question": lambda: task.question,
            "prompt": lambda: "\n\n".join(m["content"] for m in task.prompt(model) if m["role"] != "system"),
        }
        for name, value in values.items():
            known[name] = lambda value=value: str(value)  # type: ignore[misc]
            known[f"{name} answer"] = lambda value=value: task.answer_of(str(value)) or ""  # type: ignore[misc]
        return known

    def listed(self, task: Task, name: str, items: Sequence[Mapping[str, Any]]) -> str:
        """Return several items, each in the form of a template, with the template `between` between them."""
        return self.template(task, "between").join(self.text(task, name, **item) for item in items)

    def __str__(self) -> str:
        return write(self.kind or type(self).__name__, self)
