"""Conversations of the agents of a protocol."""

from __future__ import annotations

from typing import Any

from mssim.live.protocols.base import Call, Protocol, Task
from mssim.live.protocols.templates import starts_anew

__all__ = ["Agent"]


class Agent:
    """One participant: a model and its conversation, which every call continues.

    A call whose template has {{question}} or {{prompt}} starts a new conversation, of which only the system message
    remains.

    Parameters
    ----------
    protocol : Protocol
        The protocol, whose templates are used.
    task : Task
        The question.
    model : str
        Name of the model.
    system : str, optional
        Text that is added to the system message of the model's own prompt. It is not sent if it is blank.

    Examples
    --------
    >>> from mssim.live.protocols import Agent, Task, parse_protocol
    >>> ask = lambda model: [{"role": "user", "content": "1 + 1?"}]
    >>> agent = Agent(parse_protocol("debate:gemma3"), Task("1 + 1?", ask, str.strip), "gemma3")
    >>> agent.propose("round 1").messages
    [{'role': 'user', 'content': '1 + 1?'}]
    >>> agent.hears("3")
    >>> [message["role"] for message in agent.asked("round 2", "revise", others="2", own="3").messages]
    ['user', 'assistant', 'user']
    """

    def __init__(self, protocol: Protocol, task: Task, model: str, system: str = "") -> None:
        self.protocol = protocol
        self.task = task
        self.model = model
        own = [message["content"] for message in task.prompt(model) if message["role"] == "system"]
        texts = [*own, *([system] if system.strip() else [])]
        self.system = [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
        self._messages: list[dict[str, str]] = list(self.system)
        self.said = ""  # the last reply

    def propose(self, step: str) -> Call:
        """Ask the model exactly as it is asked alone."""
        self._messages = [dict(message) for message in self.task.prompt(self.model)]
        return Call(step, self.model, list(self._messages))

    def asked(self, step: str, name: str, /, **values: Any) -> Call:
        """Ask the model by a template."""
        if starts_anew(self.protocol.template(self.task, name)):
            self._messages = list(self.system)
        text = self.protocol.text(self.task, name, model=self.model, **values)
        self._messages.append({"role": "user", "content": text})
        return Call(step, self.model, list(self._messages))

    def hears(self, reply: str) -> None:
        """Add the model's reply to the conversation."""
        self._messages.append({"role": "assistant", "content": reply})
        self.said = reply
