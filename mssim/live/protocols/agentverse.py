"""Recruitment of experts, joint decision and evaluation with feedback (AgentVerse, arXiv 2308.10848)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.live.protocols.agents import Agent
from mssim.live.protocols.base import Call, Calls, Final, Protocol, Task
from mssim.live.protocols.fields import set_choice, set_count, set_models
from mssim.live.protocols.replies import agrees, lines_of, verdict
from mssim.live.protocols.templates import Template

__all__ = ["PROMPTS", "AgentVerse"]

_STRUCTURES = ("vertical", "horizontal")
_PARTS = ("expert", "history")
PROMPTS = {
    "recruit": Template(
        "You put together a group of {{count}} experts for this question:\n\n{{question}}{{feedback}}\n\nWhich experts "
        "do you choose? Write {{count}} numbered lines. Each describes one expert in a few words.",
        (),
        ("count", "feedback"),
    ),
    "feedback": Template(
        "\n\nAn earlier group gave this answer:\n\n{{solution}}\n\nIt was not accepted:\n\n{{advice}}",
        ("solution", "advice"),
    ),
    "solve": Template(
        "{{prompt}}\n\nYou answer this question as {{expert}}. What was said so far:\n\n{{history}}\n\nGive your "
        "answer in the form that was asked for.",
        ("solution",),
        _PARTS,
    ),
    "review": Template(
        "{{prompt}}\n\nYou review an answer to this question as {{expert}}. What was said so far:\n\n{{history}}\n\n"
        'If the last answer is right, reply with the word "Agree" alone. Otherwise, say what is wrong with it and what '
        "the right answer is.",
        ("solution",),
        _PARTS,
    ),
    "discuss": Template(
        "{{prompt}}\n\nSeveral experts discuss this question, and you take part as {{expert}}. What was said so far:"
        "\n\n{{history}}\n\nIt is your turn. Say what you think is right and why.",
        ("solution",),
        _PARTS,
    ),
    "evaluate": Template(
        "The question:\n\n{{question}}\n\nA group of experts answers:\n\n{{solution}}\n\nCheck the answer step by "
        'step. Write a line "Verdict: correct" or "Verdict: incorrect". If it is incorrect, add advice '
        "for another attempt.",
        ("solution",),
    ),
    "statement": Template("{{name}}:\n{{text}}", ("text",), ("name",)),
    "unnamed": Template("an expert in the subject of the question"),
    "nothing": Template("(Nothing.)"),
    "between": Template("\n\n"),
}


@dataclass(frozen=True)
class AgentVerse(Protocol):
    """Recruitment of experts, joint decision and evaluation with feedback (arXiv 2308.10848).

    In each round, a recruiter describes the experts, the experts decide on an answer, and an evaluator accepts it or
    gives advice for the next round. The first expert is the solver, the others are reviewers.

    Parameters
    ----------
    models : sequence of str
        Name of the solver's model, and optionally those of the reviewers, who take them in turn.
    reviewers : int, default 2
        Number of reviewers.
    rounds : int, default 3
        Largest number of rounds.
    structure : str, default "vertical"
        With "vertical", the solver answers and the reviewers criticise until all agree. With "horizontal", the
        reviewers speak one after the other, and the solver decides.
    reviews : int, default 3
        Largest number of reviews, each with a revision, of a round of the vertical structure.
    recruiter, evaluator : str, optional
        Names of the models that recruit and evaluate. By default, it is the solver's.

    Examples
    --------
    >>> from mssim.live.protocols import parse_protocol
    >>> parse_protocol("agentverse:gemma3,rounds=2").calls()
    Calls(least=5, most=24)
    >>> parse_protocol("agentverse:gemma3,rounds=2,structure=horizontal").calls()
    Calls(least=5, most=10)
    """

    kind: ClassVar[str] = "agentverse"
    source: ClassVar[str] = "2308.10848"
    prompts = PROMPTS
    asks = ("recruiter", "evaluator")
    models: Sequence[str]
    reviewers: int = 2
    rounds: int = 3
    structure: str = "vertical"
    reviews: int = 3
    recruiter: str | None = None
    evaluator: str | None = None

    def __post_init__(self) -> None:
        set_count(self, "reviewers", 1)
        set_models(self, self.reviewers + 1, "reviewers")
        set_count(self, "rounds", 1)
        set_count(self, "reviews", 1)
        set_choice(self, "structure", _STRUCTURES)

    def calls(self) -> Calls:
        """Return the sums over the rounds of 3 + reviewers and, if vertical, of further reviews and revisions."""
        least = 3 + self.reviewers
        further = (self.reviews - 1) * (self.reviewers + 1) + 1 if self.structure == "vertical" else 0
        return Calls(least, self.rounds * (least + further))

    def run(self, task: Task) -> Generator[Sequence[Call], Sequence[str], Final]:
        """Recruit, decide and evaluate, round by round."""
        said: list[dict[str, str]] = []
        solution, feedback = "", ""
        for turn in range(1, self.rounds + 1):
            recruiter = Agent(self, task, self.recruiter or self.models[0])
            count = self.reviewers + 1
            (reply,) = yield [recruiter.asked(f"round {turn}, recruiter", "recruit", count=count, feedback=feedback)]
            experts = lines_of(reply)[:count]
            experts += [self.text(task, "unnamed")] * (count - len(experts))
            decide = self._vertical if self.structure == "vertical" else self._horizontal
            solution = yield from decide(task, f"round {turn}", experts, said, solution)
            evaluator = Agent(self, task, self.evaluator or self.models[0])
            (reply,) = yield [evaluator.asked(f"round {turn}, evaluator", "evaluate", solution=solution)]
            judged, advice = verdict(reply, ("correct", "incorrect"), "verdict")
            if judged == "correct":
                return Final(solution, "evaluator")
            said.append({"name": "Evaluator", "text": advice or reply})
            feedback = self.text(task, "feedback", solution=solution, advice=advice or reply)
        return Final(solution, "rounds")

    def _vertical(
        self, task: Task, turn: str, experts: Sequence[str], said: list[dict[str, str]], solution: str
    ) -> Generator[Sequence[Call], Sequence[str], str]:
        """Let the solver answer and the reviewers criticise, until all agree."""
        (solution,) = yield [self._call(task, f"{turn}, solver", "solve", 0, experts, said, solution)]
        said.append({"name": "Solver", "text": solution})
        numbers = range(1, len(experts))
        for review in range(1, self.reviews + 1):
            replies = yield [
                self._call(task, f"{turn}, review {review}, reviewer {i}", "review", i, experts, said, solution)
                for i in numbers
            ]
            objections = {i: text for i, text in zip(numbers, replies, strict=True) if not agrees(text)}
            if not objections:
                break
            said += [{"name": f"Reviewer {i}", "text": text} for i, text in objections.items()]
            (solution,) = yield [self._call(task, f"{turn}, revision {review}", "solve", 0, experts, said, solution)]
            said.append({"name": "Solver", "text": solution})
        return solution

    def _horizontal(
        self, task: Task, turn: str, experts: Sequence[str], said: list[dict[str, str]], solution: str
    ) -> Generator[Sequence[Call], Sequence[str], str]:
        """Let the reviewers speak one after the other, and the solver decide."""
        for i in range(1, len(experts)):
            (text,) = yield [self._call(task, f"{turn}, reviewer {i}", "discuss", i, experts, said, solution)]
            said.append({"name": f"Reviewer {i}", "text": text})
        (solution,) = yield [self._call(task, f"{turn}, solver", "solve", 0, experts, said, solution)]
        said.append({"name": "Solver", "text": solution})
        return solution

    def _call(
        self,
        task: Task,
        step: str,
        name: str,
        number: int,
        experts: Sequence[str],
        said: Sequence[dict[str, str]],
        solution: str,
    ) -> Call:
        """Ask an expert, who sees all that was said."""
        others = self.models[1:] or self.models
        model = self.models[0] if number == 0 else others[(number - 1) % len(others)]
        history = self.listed(task, "statement", said) if said else self.template(task, "nothing")
        values = {"expert": experts[number], "history": history, "solution": solution}
        return Agent(self, task, model).asked(step, name, **values)
