"""A strategy that answers questions as they arrive, with one open journal and one event loop."""

from __future__ import annotations

import asyncio
import math
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Unpack

from mssim.errors import MssimError
from mssim.live.answered import Answered
from mssim.live.classes import Classes
from mssim.live.drawing import Drawing
from mssim.live.draws import Course, Draws
from mssim.live.preparing import Recording, export_graded, open_folder, prepare
from mssim.live.results import Answer
from mssim.live.served import Messages, Served, Told, served_plan, with_system
from mssim.live.setup import read_setup
from mssim.live.strategies import turns
from mssim.recorder.dispatch import Target
from mssim.recorder.journal import Cell
from mssim.recorder.plan import ModelPlan, Plan
from mssim.recorder.settings_hash import settings_hash
from mssim.rules.base import Strategy

__all__ = ["Session", "open_session"]


class Session(Served, Drawing):
    """A run whose questions arrive one by one, until it is closed. See `open_session`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asked: list[Mapping[str, Any]] = []
        self._places: dict[str, int] = {}
        self._prompts: dict[int, Messages] = {}  # of questions that are being answered
        self._classes: dict[int, Classes] = {}
        self._cells: dict[str, list[Cell]] = {}
        for target in self.targets:
            target.prompt = self._prompt_of(target.plan)
            target.cells = self._cells.setdefault(target.plan.name, [])

    @property
    def about(self) -> dict[str, Any]:
        """What runs: strategy, budget and rule."""
        return {"strategy": str(self._setup.strategy), "budget": self._setup.budget, "rule": self._setup.rule.name}

    async def answer_messages(self, question: Mapping[str, Any], messages: Messages) -> Answered:
        """Answer one question, and continue it if it was answered in part.

        Parameters
        ----------
        question : mapping
            Has a distinct question_id and question.
        messages : sequence of mapping
            The prompt of all models. A model with a system message in its plan gets it if there is none.

        Returns
        -------
        Answered
            The answer.

        Raises
        ------
        UnansweredError
            If a limit is reached, a server failed or the session was stopped. Samples that arrived are kept.
        """
        self.give_another_chance()
        place = self._enter(question, messages)
        try:
            answer = await self.answer(place)
            if answer.decision is None:
                raise self.why(question["question_id"])
            return _answered(answer, self._classes[place])
        finally:
            self._prompts.pop(place, None)
            self._classes.pop(place, None)

    def _enter(self, question: Mapping[str, Any], messages: Messages) -> int:
        """Add a question to the journal if it is new, and return its place."""
        name = question["question_id"]
        place = self._places.setdefault(name, len(self._places))
        self._prompts[place] = messages
        if place == len(self._asked):
            cells = [_cell(target, name, target.prompt(place)) for target in self.targets]
            self.journal.add_questions([question], cells)
            self._asked.append(question)
            for cell in cells:
                self._cells[cell.model].append(cell)
        return place

    def _prompt_of(self, plan: ModelPlan) -> Callable[[int], Messages]:
        return lambda place: with_system(plan, self._prompts[place])

    def _course(self, place: int) -> Course:
        row, setup = self._asked[place], self._setup
        self._classes[place] = classes = Classes(setup.rule, None, self._judge)
        asked = turns(setup.strategy, setup.budget, row["question_id"], setup.seed)
        return Course(Draws(row, classes, setup.limited), asked)


@asynccontextmanager
async def open_session(
    plan: Plan,
    strategy: str | Mapping[str, Any] | Strategy,
    budget: int,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    seed: int = 0,
    use_recorded: bool = False,
    log: Callable[[str], None] = print,
    **recording: Unpack[Recording],
) -> AsyncIterator[Session]:
    """Open a journal and answer questions as they arrive. At the end, the pool is exported and graded.

    Parameters
    ----------
    plan, strategy, budget, out, rule, reasoning, seed, use_recorded, recording
        As in `mssim.live.run`. Templates of the plan are not used. A system message is used if it has no placeholder.
    log : callable (line), default print
        Called with what the operator should know: warnings, and why the pool could not be written.

    Yields
    ------
    Session
        Answers questions. Samples that were given up are requested again when their question is asked again.

    Raises
    ------
    MssimError
        As in `mssim.live.run`.

    Examples
    --------
    >>> import asyncio, tempfile
    >>> from mssim.live.session import open_session
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),) * request.n, 10, 4 * request.n)
    ...     async def close(self):
    ...         pass
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> async def ask(folder):
    ...     question = {"question_id": "q", "question": "1 + 1 = ?", "truth": None}
    ...     make = lambda server: Parrot()
    ...     how = {"rule": "number", "sampler": make, "log": lambda line: None}
    ...     async with open_session(plan, "sc:parrot", 4, folder, **how) as session:
    ...         return await session.answer_messages(question, [{"role": "user", "content": "1 + 1 = ?"}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(ask(folder)).votes
    {'2': 4}
    """
    plan = served_plan(plan)
    setup = read_setup(plan, strategy, budget, rule=rule, reasoning=reasoning, seed=seed)
    if setup.is_allocation:
        raise MssimError(
            f"{setup.strategy}: it divides one budget among questions that are known in advance. Use another strategy, "
            "or mssim.live.run."
        )
    folder = Path(out)
    with open_folder(folder, setup, use_recorded=use_recorded) as journal:
        told = Told(log)
        recording |= {"retry_failed": True, "report": told}
        session = prepare(Session, setup, plan, [], journal, recording)
        async with session.opened():
            yield session
        notes = await asyncio.to_thread(export_graded, journal, folder, setup, session.progress)
        for note in notes or [f"the samples are in the pool {folder}"]:
            log(note)


def _cell(target: Target, question: str, messages: Messages) -> Cell:
    return Cell(question, target.plan.name, settings_hash(target.plan.identity(), messages))


def _answered(answer: Answer, classes: Classes) -> Answered:
    """Return the answer with a text that has it: that of the first draw of the class, or of no answer."""
    assert answer.decision is not None
    chosen = next((draw for draw in answer.draws if draw.code == answer.decision.answer), None)
    codes = Counter(draw.code for draw in answer.draws)
    return Answered(
        question_id=answer.question_id,
        text=(chosen.text or "") if chosen else "",
        answer=answer.answer,
        stopped=answer.stopped,
        votes={classes.name(code) or "": number for code, number in codes.items() if code >= 0},
        models=answer.drawn(),
        samples_used=answer.samples_used,
        input_tokens=_whole(answer.input_tokens),
        output_tokens=_whole(answer.output_tokens),
        cost=None if math.isnan(answer.cost) else answer.cost,
        finish_reason=chosen.finish_reason if chosen else None,
    )


def _whole(tokens: float) -> int | None:
    """Return a number of tokens; a sample may bear a part of the input tokens of its request."""
    return None if math.isnan(tokens) else math.ceil(tokens - 1e-6)
