"""Layers of proposers, each of which sees the answers of the layer before, and an aggregator (arXiv 2406.04692)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import MANY, set_count, set_models
from mssim.live.protocols.templates import Template, starts_anew

__all__ = ["PROMPTS", "MixtureOfAgents"]

PROMPTS = {
    "aggregate": Template(
        "Several models have answered the question below. Any of them may be wrong or biased. Weigh what they say, "
        "correct their errors, and write one answer of your own that is better than each of them, in the form that is "
        "asked for. Do not refer to their answers.\n\nTheir answers:\n\n{{answers}}",
        (),
        ("answers",),
    ),
    "answer": Template("{{number}}. {{text}}", ("text",), ("number",)),
    "between": Template("\n\n"),
}


@dataclass(frozen=True)
class MixtureOfAgents(Protocol):
    """Layers of proposers and an aggregator (arXiv 2406.04692).

    The proposers of the first layer answer alone. Those of further layers see all answers of the layer before. The last
    layer is the aggregator, whose answer is the answer of the run.

    Parameters
    ----------
    models : sequence of str
        Names of the models. Proposers take them in turn.
    layers : int, default 3
        Number of layers including the aggregator, at least 2.
    proposers : int, optional
        Number of proposers of a layer. By default, it is the number of models.
    aggregator : str, optional
        Name of the model that aggregates. By default, it is the last model.

    Notes
    -----
    The template ``aggregate`` is a system message before the question, as in the article. If it has {{question}} or
    {{prompt}}, it is the whole message.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("moa:smollm2+gemma3,layers=2,proposers=6,aggregator=gemma3").calls()
    Calls(least=7, most=7)
    """

    kind: ClassVar[str] = "moa"
    source: ClassVar[str] = "2406.04692"
    prompts = PROMPTS
    asks = ("aggregator",)
    models: Sequence[str]
    layers: int = 3
    proposers: int | None = None
    aggregator: str | None = None

    def __post_init__(self) -> None:
        set_count(self, "layers", 2)
        if self.proposers is not None:
            set_count(self, "proposers", 1)
        set_models(self, self.proposers or MANY, "proposers")

    def calls(self) -> Calls:
        """Return proposers x (layers - 1) + 1."""
        number = self._size() * (self.layers - 1) + 1
        return Calls(number, number)

    def _size(self) -> int:
        return self.proposers or len(self.models)

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Let the proposers answer in each layer, and the aggregator in the last."""
        answers: Sequence[str] = ()
        for layer in range(1, self.layers):
            names = [f"layer {layer}, proposer {number}" for number in range(1, self._size() + 1)]
            calls = [self._call(task, name, self.model_of(number), answers) for number, name in enumerate(names)]
            answers = yield calls
        (text,) = yield [self._call(task, "aggregator", self.aggregator or self.models[-1], answers)]
        return Final(text, "layers")

    def _call(self, task: Task, step: str, model: str, answers: Sequence[str]) -> Call:
        if not answers:
            return Agent(self, task, model).propose(step)
        given = self.listed(task, "answer", [{"text": text, "number": i} for i, text in enumerate(answers, 1)])
        if starts_anew(self.template(task, "aggregate")):
            return Agent(self, task, model).asked(step, "aggregate", answers=given)
        system = Agent(self, task, model, self.text(task, "aggregate", model=model, answers=given)).system
        return Call(step, model, [*system, *(m for m in task.prompt(model) if m["role"] != "system")])
