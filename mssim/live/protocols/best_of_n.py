"""Best of N samples by a model that judges them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import set_choice, set_count, set_models
from mssim.live.protocols.replies import number_in
from mssim.live.protocols.templates import Template

__all__ = ["PROMPTS", "BestOfN"]

_TOP = 10
PROMPTS = {
    "pick": Template(
        "A question and {{n}} answers to it follow. Only one thing counts: which answer is right.\n\nQuestion:\n\n"
        "{{question}}\n\n{{candidates}}\n\nCompare the answers in a few sentences. Then write a last line "
        '"Best: NUMBER" with the number of the best answer.',
        (),
        ("candidates", "n"),
    ),
    "score": Template(
        "A question and an answer to it follow.\n\nQuestion:\n\n{{question}}\n\nAnswer:\n\n{{candidate}}\n\nHow sure "
        'are you that the answer is right? Check it in a few sentences. Then write a last line "Score: NUMBER" with a '
        f"number from 0 (surely wrong) to {_TOP} (surely right).",
        ("candidate",),
    ),
    "candidate": Template("Answer {{number}}:\n{{text}}", ("text",), ("number",)),
    "between": Template("\n\n"),
}


@dataclass(frozen=True)
class BestOfN(Protocol):
    """Best of N samples by a model that judges them (best-of-N: arXiv 2110.14168; judges: arXiv 2306.05685).

    Parameters
    ----------
    models : sequence of str
        Names of the models. Samples are taken from them in turn.
    n : int, default 8
        Number of samples, at least 2.
    judge : str, optional
        Name of the model that judges. By default, it is the first model.
    method : str, default "pick"
        With "pick", the judge sees all samples at once and names the number of the best. With "score", it gives each
        sample a score from 0 to 10, and the highest wins. Ties, and replies without a number, go to the first sample.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> [parse_protocol(f"best-of-n:gemma3,n=8,method={method}").calls().most for method in ("pick", "score")]
    [9, 16]
    """

    kind: ClassVar[str] = "best-of-n"
    source: ClassVar[str] = "2110.14168"
    prompts = PROMPTS
    asks = ("judge",)
    models: Sequence[str]
    n: int = 8
    judge: str | None = None
    method: str = "pick"

    def __post_init__(self) -> None:
        set_count(self, "n", 2)
        set_models(self, self.n, "n")
        set_choice(self, "method", ("pick", "score"))

    def calls(self) -> Calls:
        """Return n + 1 if the judge picks, and 2 n if it scores."""
        number = self.n + (1 if self.method == "pick" else self.n)
        return Calls(number, number)

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Draw all samples, and let the judge choose."""
        drawn = [Agent(self, task, self.model_of(i)).propose(f"sample {i + 1}") for i in range(self.n)]
        samples = yield drawn
        judge = self.judge or self.models[0]
        if self.method == "pick":
            items = [{"text": text, "number": i} for i, text in enumerate(samples, 1)]
            listed = self.listed(task, "candidate", items)
            (reply,) = yield [Agent(self, task, judge).asked("judge", "pick", candidates=listed, n=self.n)]
            best = number_in(reply, "best", 1, self.n)
            chosen = None if best is None or best % 1 else int(best) - 1
        else:
            calls = [
                Agent(self, task, judge).asked(f"judge of sample {i}", "score", candidate=text)
                for i, text in enumerate(samples, 1)
            ]
            scores = [number_in(reply, "score", 0, _TOP) for reply in (yield calls)]
            known = [score for score in scores if score is not None]
            chosen = scores.index(max(known)) if known else None
        return Final(samples[chosen or 0], "judge" if chosen is not None else "no verdict")
