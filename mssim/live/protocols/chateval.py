"""Discussion of agents with different roles (ChatEval, arXiv 2308.07201)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mssim._validation import shown
from mssim.errors import StrategyError
from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import set_choice, set_count, set_models
from mssim.live.protocols.replies import most_frequent
from mssim.live.protocols.templates import Template

__all__ = ["PROMPTS", "ChatEval"]

_STYLES = ("one_by_one", "simultaneous", "simultaneous_summary")
PROMPTS = {
    "turn": Template(
        "{{prompt}}\n\nSeveral people discuss this question. {{role}}\n\nThe discussion so far:\n\n{{history}}\n\nIt "
        "is your turn, number {{turn}} of {{turns}}. Speak from the point of view of your role, and take up what the "
        "others said. End with your present answer in the form that was asked for.",
        ("own",),
        ("role", "name", "history", "turn", "turns"),
    ),
    "summarise": Template(
        "Several people discuss this question:\n\n{{question}}\n\nThe discussion so far:\n\n{{history}}\n\nSum up in "
        "a few sentences which answers were given, and with which reasons.",
        (),
        ("history",),
    ),
    "statement": Template("{{name}}:\n{{text}}", ("text",), ("name", "turn")),
    "summary": Template("Summary of the discussion:\n{{text}}", ("text",)),
    "nothing": Template("(You speak first.)"),
    "between": Template("\n\n"),
    "roles.public": Template("You stand for the general public: you use common sense and ask what is plausible."),
    "roles.critic": Template("You are a critic: you look for errors in what was said, also in your own words."),
    "roles.scientist": Template("You are a scientist: you derive the answer step by step and check each step."),
    "roles.author": Template("You are an author: you read the question word by word and see what it really asks."),
    "roles.psychologist": Template("You are a psychologist: you notice hasty conclusions and too easy agreement."),
}


@dataclass(frozen=True)
class ChatEval(Protocol):
    """Discussion of agents with different roles (arXiv 2308.07201).

    Parameters
    ----------
    models : sequence of str
        Names of the models. Roles take them in turn.
    roles : sequence of str, default ("public", "critic", "scientist")
        Roles of the agents, in the order in which they speak. Each is a template ``roles.NAME``.
    turns : int, default 2
        Number of turns of each agent.
    style : str, default "one_by_one"
        With "one_by_one", each agent sees all earlier statements. With "simultaneous", the agents of a turn speak at
        once and see the statements of the turns before. With "simultaneous_summary", they see a summary instead.
    summariser : str, optional
        Name of the model that writes the summaries. By default, it is the first model.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("chateval:gemma3,roles=public/critic,turns=3,style=simultaneous").calls()
    Calls(least=6, most=6)
    """

    kind: ClassVar[str] = "chateval"
    source: ClassVar[str] = "2308.07201"
    prompts = PROMPTS
    open_table = "roles"
    asks = ("summariser",)
    models: Sequence[str]
    roles: Sequence[str] = ("public", "critic", "scientist")
    turns: int = 2
    style: str = "one_by_one"
    summariser: str | None = None

    def __post_init__(self) -> None:
        set_count(self, "turns", 1)
        set_choice(self, "style", _STYLES)
        names = (self.roles,) if isinstance(self.roles, str) else tuple(self.roles)
        if not names or len(set(names)) < len(names) or not all(isinstance(name, str) and name for name in names):
            raise StrategyError(f"roles={shown(self.roles)} must be distinct names of roles, e.g. public/critic.")
        if self.summariser is not None and self.style != "simultaneous_summary":
            raise StrategyError(
                f"summariser={shown(self.summariser)} is used only with style=simultaneous_summary. Remove it, or set "
                "the style."
            )
        object.__setattr__(self, "roles", names)
        set_models(self, len(names), "roles")

    def calls(self) -> Calls:
        """Return roles x turns, and a summary after each turn but the last if there are summaries."""
        number = len(self.roles) * self.turns + (self.turns - 1 if self.style == "simultaneous_summary" else 0)
        return Calls(number, number)

    def needed(self) -> Sequence[str]:
        """Return the templates of the roles."""
        return [f"roles.{name}" for name in self.roles]

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Let the roles speak in each turn."""
        agents = [Agent(self, task, self.model_of(number)) for number in range(len(self.roles))]
        said: list[dict[str, Any]] = []
        history = self.template(task, "nothing")
        for turn in range(1, self.turns + 1):
            if self.style == "one_by_one":
                for number in range(len(agents)):
                    history = self._history(task, said)
                    (reply,) = yield [self._turn(task, agents, number, turn, history)]
                    said.append(self._heard(agents, number, turn, reply))
                continue
            replies = yield [self._turn(task, agents, number, turn, history) for number in range(len(agents))]
            said += [self._heard(agents, number, turn, reply) for number, reply in enumerate(replies)]
            history = self._history(task, said)
            if self.style == "simultaneous_summary" and turn < self.turns:
                writer = Agent(self, task, self.summariser or self.models[0])
                (text,) = yield [writer.asked(f"turn {turn}, summary", "summarise", history=history)]
                history = self.text(task, "summary", text=text)
        return Final(most_frequent([agent.said for agent in agents], task.answer_of), "turns")

    def _history(self, task: Task, said: Sequence[dict[str, Any]]) -> str:
        return self.listed(task, "statement", said) if said else self.template(task, "nothing")

    def _turn(self, task: Task, agents: Sequence[Agent], number: int, turn: int, history: str) -> Call:
        agent, name = agents[number], self.roles[number]
        values = {"own": agent.said, "name": name.capitalize(), "history": history, "turn": turn, "turns": self.turns}
        role = self.text(task, f"roles.{name}", model=agent.model)
        return agent.asked(f"turn {turn}, {name}", "turn", role=role, **values)

    def _heard(self, agents: Sequence[Agent], number: int, turn: int, reply: str) -> dict[str, Any]:
        agents[number].hears(reply)
        return {"name": self.roles[number].capitalize(), "turn": turn, "text": reply}
