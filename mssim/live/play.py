"""One run of a protocol under way on one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mssim.errors import MssimError
from mssim.grading.reasoning import answer_part
from mssim.live.classes import Classes
from mssim.live.played import Played
from mssim.live.protocol_setup import ProtocolSetup, question_text
from mssim.live.protocols import Call, Final, Task
from mssim.recorder._export import row_of

__all__ = ["Play"]


class Play:
    """A run under way.

    Parameters
    ----------
    setup : ProtocolSetup
        The protocol.
    row : mapping
        The question.
    run : int
        Number of the run.
    classes : Classes
        Answer classes of this run alone, so that they do not depend on the order in which runs end.

    Attributes
    ----------
    calls : sequence of Call
        The calls of the next round; empty at the end.
    """

    def __init__(self, setup: ProtocolSetup, row: Mapping[str, Any], run: int, classes: Classes) -> None:
        self.setup, self.row, self.run = setup, row, run
        task = Task(
            question_text(row),
            lambda model: setup.prompt(model, row),
            lambda text: classes.first(classes.read("", {"text": text})),
            setup.prompts,
        )
        self._turns = setup.protocol.run(task)
        self._rounds: list[list[dict[str, Any]]] = []
        self._end: Final | None = None
        self._steps: set[str] = set()
        self.calls: Sequence[Call] = ()
        self._continue(None)

    def give(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Continue with the replies to the calls, in their order, as `Journal.samples` returns them."""
        self._rounds.append([row_of(dict(sample)) for sample in samples])
        self._continue([self._reply(sample) for sample in self._rounds[-1]])

    def _continue(self, replies: Sequence[str] | None) -> None:
        try:
            self.calls = next(self._turns) if replies is None else self._turns.send(replies)
        except StopIteration as end:
            self.calls, self._end = (), end.value
            return
        steps = [call.step for call in self.calls]
        if not steps or len(set(steps)) < len(steps) or not self._steps.isdisjoint(steps):
            raise MssimError(
                f"protocol {self.setup.protocol}: it asked for the calls {steps}. Each round needs calls, and each "
                "call of a run needs a step of its own."
            )
        self._steps.update(steps)

    def _reply(self, sample: Mapping[str, Any]) -> str:
        """Return what others see of a reply: the text without reasoning, unless the rule keeps it."""
        text = str(sample["text"])
        return text if self.setup.rule.reasoning == "keep" else answer_part(text).answer or ""

    def finished(self) -> Played | None:
        """Return the result, None if the run has not ended. Tokens and cost are unknown if those of a call are."""
        if self._end is None:
            return None
        samples = [sample for one in self._rounds for sample in one]

        def total(name: str) -> Any:
            values = [sample[name] for sample in samples]
            return None if None in values else sum(values)

        text = self._end.text
        replies = [(self._reply(sample), sample["finish_reason"]) for sample in samples]
        reasons = [reason for reply, reason in replies if reply == text or (text and reply.endswith(text))]
        return Played(
            self.row["question_id"],
            self.run,
            text,
            self._end.ended,
            len(samples),
            reasons[-1] if reasons else None,
            total("input_tokens"),
            total("output_tokens"),
            total("cost"),
            sum(max(sample["latency"] for sample in one) for one in self._rounds),
        )
