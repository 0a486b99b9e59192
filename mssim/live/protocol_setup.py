"""What runs of a protocol do: the protocol, its prompts, the grading rule and the models, and names of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mssim.grading import Rule
from mssim.live.protocols import Call, Protocol
from mssim.recorder.plan import ModelPlan
from mssim.recorder.prompts import default_template, messages, render
from mssim.recorder.settings_hash import settings_hash

__all__ = ["ProtocolSetup", "call_name", "model_of", "question_text"]

_AS = " as "


def call_name(call: Call) -> str:
    """Return the name under which a call is in the journal.

    Examples
    --------
    >>> call_name(Call("round 1, judge", "gemma3", []))
    'gemma3 as round 1, judge'
    """
    return f"{call.model}{_AS}{call.step}"


def model_of(name: str, models: Sequence[str]) -> str:
    """Return the model of a call by its name in the journal, or the name itself if it is not of these models.

    Examples
    --------
    >>> model_of("gemma3 as round 1, judge", ["gemma", "gemma3"])
    'gemma3'
    """
    fitting = [model for model in models if name.startswith(f"{model}{_AS}")]
    return max(fitting, key=len, default=name)  # "a as b as step" is of the model "a as b", if there is one


@dataclass(frozen=True)
class ProtocolSetup:
    """A protocol with everything that affects its runs.

    Attributes
    ----------
    protocol : Protocol
        The protocol.
    prompts : mapping of str to str
        All its templates.
    rule : Rule
        Rule of grading.
    runs : int
        Number of runs per question.
    models : mapping of str to ModelPlan
        Resolved plans of the models, by their names.
    """

    protocol: Protocol
    prompts: Mapping[str, str]
    rule: Rule
    runs: int
    models: Mapping[str, ModelPlan]

    def identity(self) -> dict[str, Any]:
        """Return everything that affects the replies of a run besides the question, as JSON."""
        return {
            "protocol": str(self.protocol),
            "prompts": dict(self.prompts),
            "rule": self.rule.name,
            "reasoning": self.rule.reasoning,
            "models": {name: plan.identity() for name, plan in self.models.items()},
        }

    def prompt(self, model: str, row: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the messages by which a model is asked a question alone."""
        plan = self.models[model]
        assert plan.template is not None
        return messages(plan.template, plan.system, row)

    def settings(self, row: Mapping[str, Any]) -> str:
        """Return the hash of everything that affects the replies of a run on a question."""
        asked = [message for model in self.models for message in self.prompt(model, row)]
        return settings_hash(self.identity(), [*asked, {"role": "user", "content": question_text(row)}])


def question_text(row: Mapping[str, Any]) -> str:
    """Return the text of a question, followed by its choices, if any."""
    known = [name for name, value in row.items() if name != "choices" or value]
    return render(default_template(known), row)
