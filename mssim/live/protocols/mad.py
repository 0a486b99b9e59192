"""Multi-agent debate with an affirmative side, a negative side and a judge (MAD, arXiv 2305.19118)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import set_count, set_models
from mssim.live.protocols.replies import verdict
from mssim.live.protocols.templates import Template

__all__ = ["PROMPTS", "Mad"]

_SAID = ("affirmative", "negative")
PROMPTS = {
    "oppose": Template(
        "{{prompt}}\n\nYou debate this question with somebody who answered:\n\n{{opponent}}\n\nYou take the negative "
        "side, so you do not accept this answer. Name what is wrong with it, and give an answer of your own in the "
        "form that was asked for.",
        ("opponent",),
    ),
    "reply": Template(
        "The other side says:\n\n{{opponent}}\n\nAre they right? Give your reasons, and then your answer in the form "
        "that was asked for. You may change it.",
        ("opponent", "own"),
        ("round",),
    ),
    "moderate": Template(
        "You preside over a debate of two sides, affirmative and negative. You decide who has the right answer.",
    ),
    "judge": Template(
        "The question of the debate:\n\n{{prompt}}\n\nWhat was said:\n\n{{history}}\n\nThis was round {{round}} of at "
        "most {{rounds}}. If one side clearly has the right answer, the debate ends. Give your reasons in a few "
        'sentences. Then write a line "Verdict: affirmative", "Verdict: negative" or "Verdict: undecided", and below '
        "it, unless you are undecided, the right answer in the form that was asked for.",
        _SAID,
        ("history", "round", "rounds"),
    ),
    "extract": Template(
        "The question of the debate:\n\n{{prompt}}\n\nWhat was said:\n\n{{history}}\n\nThe debate is over and nobody "
        "has won. Compare the answers that were given, and decide. Give the right answer in the form that was asked "
        "for.",
        _SAID,
        ("history",),
    ),
    "statement": Template("{{side}} side, round {{round}}:\n{{text}}", ("text",), ("side", "round")),
    "between": Template("\n\n"),
}


@dataclass(frozen=True)
class Mad(Protocol):
    """Debate of an affirmative and a negative side before a judge (arXiv 2305.19118).

    The affirmative side answers alone, the negative side opposes it, and in each further round both reply to each
    other. After each round, the judge may name the side that is right, which ends the debate. Otherwise, the judge
    extracts the answer from the whole debate after the last round.

    Parameters
    ----------
    models : sequence of str
        Name of the model of the affirmative side, and optionally that of the negative side.
    judge : str, optional
        Name of the model that judges. By default, it is that of the affirmative side.
    rounds : int, default 3
        Largest number of rounds.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("mad:smollm2+gemma3,judge=gemma3").calls()
    Calls(least=3, most=10)
    """

    kind: ClassVar[str] = "mad"
    source: ClassVar[str] = "2305.19118"
    prompts = PROMPTS
    asks = ("judge",)
    models: Sequence[str]
    judge: str | None = None
    rounds: int = 3

    def __post_init__(self) -> None:
        set_models(self, 2)
        set_count(self, "rounds", 1)

    def calls(self) -> Calls:
        """Return 3 calls for each round, and one to extract the answer if the judge never decides."""
        return Calls(3, 3 * self.rounds + 1)

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Let both sides speak and the judge decide, round by round."""
        affirmative, negative = (Agent(self, task, self.model_of(number)) for number in range(2))
        said: list[dict[str, Any]] = []
        for turn in range(1, self.rounds + 1):
            step = f"round {turn}, affirmative"
            speech = affirmative.propose(step) if turn == 1 else self._reply(step, affirmative, negative, turn)
            affirmative.hears(*(yield [speech]))
            step = f"round {turn}, negative"
            if turn == 1:
                speech = negative.asked(step, "oppose", opponent=affirmative.said)
            else:
                speech = self._reply(step, negative, affirmative, turn)
            negative.hears(*(yield [speech]))
            said += [{"side": "Affirmative", "round": turn, "text": affirmative.said}]
            said += [{"side": "Negative", "round": turn, "text": negative.said}]
            (reply,) = yield [self._judge(task, f"round {turn}, judge", "judge", said, round=turn, rounds=self.rounds)]
            side, answer = verdict(reply, ("affirmative", "negative", "undecided"), "verdict")
            if side in ("affirmative", "negative"):
                supported = affirmative if side == "affirmative" else negative
                return Final(answer if task.answer_of(answer) is not None else supported.said, "judge")
        (text,) = yield [self._judge(task, "extraction", "extract", said)]
        return Final(text, "rounds")

    def _reply(self, step: str, agent: Agent, opponent: Agent, turn: int) -> Call:
        return agent.asked(step, "reply", opponent=opponent.said, own=agent.said, round=turn)

    def _judge(self, task: Task, step: str, name: str, said: Sequence[dict[str, Any]], /, **values: int) -> Call:
        """Ask the judge, who sees the whole debate."""
        model = self.judge or self.models[0]
        judge = Agent(self, task, model, self.text(task, "moderate", model=model))
        history = self.listed(task, "statement", said)
        return judge.asked(
            step, name, affirmative=said[-2]["text"], negative=said[-1]["text"], history=history, **values
        )
