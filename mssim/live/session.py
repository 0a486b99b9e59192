"""A strategy that answers questions as they arrive, with one open journal and one event loop."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from mssim.errors import MssimError
from mssim.live.chat_replies import Answered
from mssim.live.classes import Classes
from mssim.live.drawing import Drawing
from mssim.live.draws import Course, Draws
from mssim.live.endpoint import UnansweredError
from mssim.live.preparing import Recording, export_graded, open_folder, prepare
from mssim.live.results import Answer
from mssim.live.setup import read_setup
from mssim.live.strategies import turns
from mssim.recorder.budget import EXCEEDS
from mssim.recorder.contact import Contact
from mssim.recorder.dispatch import Target
from mssim.recorder.journal import Cell
from mssim.recorder.plan import ModelPlan, Plan
from mssim.recorder.progress import Progress
from mssim.recorder.prompts import placeholders
from mssim.recorder.sampler import RequestFailed
from mssim.recorder.settings_hash import settings_hash
from mssim.rules.base import Strategy

__all__ = ["Session", "open_session"]

_TEMPLATE = "{{messages}}"  # in pool.json: prompts are the messages of requests
_PATIENCE = 60.0  # seconds to wait for a server that does not answer, while a client waits

Messages = Sequence[Mapping[str, str]]


class Session(Drawing):
    """A run whose questions arrive one by one, until it is closed. See `open_session`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asked: list[Mapping[str, Any]] = []
        self._places: dict[str, int] = {}
        self._prompts: dict[int, Messages] = {}  # of questions that are being answered
        self._classes: dict[int, Classes] = {}
        self._reason = "", "a sample is missing"  # why a model was stopped last
        self._until: dict[str, float] = {}  # when servers accept requests again, by model
        self._cells: dict[str, list[Cell]] = {}
        for target in self.targets:
            target.prompt = self._prompt_of(target.plan)
            target.cells = self._cells.setdefault(target.plan.name, [])

    @property
    def about(self) -> dict[str, Any]:
        """What runs: strategy, budget and rule."""
        return {"strategy": str(self._setup.strategy), "budget": self._setup.budget, "rule": self._setup.rule.name}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Allow requests within the block, as `Run.opened` does."""
        async with super().opened():
            for server in self.samplers:
                self._contacts[server] = Contact(patience=_PATIENCE)
            yield

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
        self._give_another_chance()
        place = self._enter(question, messages)
        try:
            answer = await self.answer(place)
            if answer.decision is None:
                raise self._why(question["question_id"])
            return _answered(answer, self._classes[place])
        finally:
            self._prompts.pop(place, None)
            self._classes.pop(place, None)

    def _give_another_chance(self) -> None:
        """Ask models again that were stopped, since a new request is a new attempt."""
        for target in self.targets:
            if target.stopped:
                self._reason = target.plan.name, target.stopped
            target.stopped, target.failures = None, 0
            target.failing.clear()

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

    def _prompt_of(self, plan: ModelPlan) -> Any:
        def prompt(place: int) -> Messages:
            messages = self._prompts[place]
            if plan.system is None or any(one["role"] in ("system", "developer") for one in messages):
                return messages
            return [{"role": "system", "content": plan.system}, *messages]

        return prompt

    def _course(self, place: int) -> Course:
        row, setup = self._asked[place], self._setup
        self._classes[place] = classes = Classes(setup.rule, None, self._judge)
        asked = turns(setup.strategy, setup.budget, row["question_id"], setup.seed)
        return Course(Draws(row, classes, setup.limited), asked)

    def _given_up(
        self, target: Target, cell: Cell, asked: list[int], failure: RequestFailed, failed: Counter[bool]
    ) -> Sequence[int]:
        if failure.retry_after is not None:
            self._until[target.plan.name] = time.monotonic() + failure.retry_after
        return super()._given_up(target, cell, asked, failure, failed)

    def _stop_if_all_stopped(self) -> None:
        """Do not stop the run if all models fail, since the next request may succeed."""

    def _why(self, question: str) -> UnansweredError:
        """Return why a question is unfinished."""
        if reached := self.budget.reached():
            return UnansweredError(reached, limit=True)
        if self._error is not None:
            return UnansweredError("The journal cannot be written. The log of the endpoint has the reason.")
        if self.stopped:
            return UnansweredError(self.stopped)
        stopped = [(target.plan.name, target.stopped) for target in self.targets if target.stopped]
        query = "SELECT model, reason FROM failures WHERE question = ? LIMIT 1"
        model, reason = [*stopped, *self.journal.query(query, (question,)), self._reason][0]
        wait = self._until.get(model, 0.0) - time.monotonic()
        return UnansweredError(
            f"model {model!r}: {reason}", limit=reason.startswith(EXCEEDS), retry_after=wait if wait > 0 else None
        )


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
    ...     async with open_session(plan, "sc:parrot", 4, folder, rule="number", sampler=make) as session:
    ...         return await session.answer_messages(question, [{"role": "user", "content": "1 + 1 = ?"}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(ask(folder)).votes
    {'2': 4}
    """
    plan = Plan(tuple(_served(model) for model in plan.models), plan.info, plan.prices)
    setup = read_setup(plan, strategy, budget, rule=rule, reasoning=reasoning, seed=seed)
    if setup.is_allocation:
        raise MssimError(
            f"strategy {setup.strategy}: it divides one budget among questions that are known in advance. Use another "
            "strategy, or mssim.live.run."
        )
    folder = Path(out)
    with open_folder(folder, setup, use_recorded=use_recorded) as journal:
        told = _Told(log)
        recording |= {"retry_failed": True, "report": told}
        session = prepare(Session, setup, plan, [], journal, recording)
        async with session.opened():
            yield session
        for note in await asyncio.to_thread(export_graded, journal, folder, setup, session.progress):
            log(note)


class _Told:
    """Callback of a run that logs each warning once, and that a server has stopped answering."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._told, self._silent = log, 0, False

    def __call__(self, progress: Progress) -> None:
        for warning in progress.warnings[self._told :]:
            self._log(f"warning: {warning}")
        self._told = len(progress.warnings)
        silent = progress.silent_since is not None
        if silent and not self._silent:
            self._log(f"a server does not answer: {progress.trouble}")
        self._silent = silent


def _served(model: ModelPlan) -> ModelPlan:
    if model.system is not None and placeholders(model.system):
        raise MssimError(
            f"model {model.name!r}: its system message has placeholders, but requests have no columns. Remove them."
        )
    return replace(model, template=_TEMPLATE)


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
