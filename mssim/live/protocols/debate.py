"""Debate of equal agents, who see the answers of the others and revise their own (arXiv 2305.14325)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import MANY, set_count, set_models
from mssim.live.protocols.replies import most_frequent
from mssim.live.protocols.templates import Template

__all__ = ["PROMPTS", "Debate"]

PROMPTS = {
    "revise": Template(
        "Here is what the others answered to the same question.\n\n{{others}}\n\nCheck their reasoning and yours "
        "against each other. Then answer the question once more, in the same form as before.",
        ("others", "own"),
        ("round",),
    ),
    "other": Template("Another answer:\n{{text}}", ("text",), ("number",)),
    "between": Template("\n\n"),
}


@dataclass(frozen=True)
class Debate(Protocol):
    """Debate of equal agents (arXiv 2305.14325).

    In the first round, every agent answers alone. In each further round, every agent sees the last answers of all
    others and answers again. The answer is the majority of the last round; ties go to the answer seen first.

    Parameters
    ----------
    models : sequence of str
        Names of the models. Agents take them in turn.
    agents : int, optional
        Number of agents, at least 2. By default, it is the number of models, or 3 for one model.
    rounds : int, default 2
        Number of rounds including the first.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("debate:gemma3,agents=3,rounds=3").calls()
    Calls(least=9, most=9)
    """

    kind: ClassVar[str] = "debate"
    source: ClassVar[str] = "2305.14325"
    prompts = PROMPTS
    models: Sequence[str]
    agents: int | None = None
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.agents is not None:
            set_count(self, "agents", 2)
        set_models(self, self.agents or MANY, "agents")
        set_count(self, "rounds", 1)

    def calls(self) -> Calls:
        """Return agents x rounds."""
        number = self._size() * self.rounds
        return Calls(number, number)

    def _size(self) -> int:
        return self.agents or (len(self.models) if len(self.models) > 1 else 3)

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Let all agents answer in each round."""
        agents = [Agent(self, task, self.model_of(number)) for number in range(self._size())]
        for turn in range(1, self.rounds + 1):
            steps = [f"round {turn}, agent {number}" for number in range(1, len(agents) + 1)]
            if turn == 1:
                calls = [agent.propose(step) for agent, step in zip(agents, steps, strict=True)]
            else:
                calls = [
                    agent.asked(step, "revise", others=self._others(task, agents, agent), own=agent.said, round=turn)
                    for agent, step in zip(agents, steps, strict=True)
                ]
            for agent, reply in zip(agents, (yield calls), strict=True):
                agent.hears(reply)
        return Final(most_frequent([agent.said for agent in agents], task.answer_of), "rounds")

    def _others(self, task: Task, agents: Sequence[Agent], own: Agent) -> str:
        others = [agent.said for agent in agents if agent is not own]
        return self.listed(task, "other", [{"text": text, "number": i} for i, text in enumerate(others, 1)])
