"""A protocol of several agents that answers questions as they arrive, one run for each."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from mssim.live.answered import Answered
from mssim.live.calling import Calling
from mssim.live.classes import Classes
from mssim.live.play import Play
from mssim.live.played import Played
from mssim.live.preparing import Recording, open_journal
from mssim.live.protocol_pool import write_pool
from mssim.live.protocol_runs import check_same_protocol, prepare_calls, read_protocol
from mssim.live.protocol_setup import ProtocolSetup, model_of
from mssim.live.protocols import Protocol
from mssim.live.served import Messages, Served, Told, served_plan, with_system
from mssim.recorder.journal import Cell
from mssim.recorder.plan import Plan

__all__ = ["ProtocolSession", "ServedSetup", "open_protocol_session"]

_COLUMNS = ("question_id", "question", "truth", "messages", "cluster")


class ServedSetup(ProtocolSetup):
    """A protocol whose questions have their messages in the column messages, as JSON."""

    def prompt(self, model: str, row: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the messages by which a model is asked a question alone."""
        return [dict(one) for one in with_system(self.models[model], json.loads(row["messages"]))]


class ProtocolSession(Served, Calling):
    """Runs of a protocol whose questions arrive one by one, until it is closed. See `open_protocol_session`."""

    def __init__(self, setup: ProtocolSetup, rows: list[dict[str, Any]], *arguments: Any, **options: Any) -> None:
        super().__init__(setup, rows, *arguments, **options)
        self._asked_rows = rows
        self._places = {row["question_id"]: place for place, row in enumerate(rows)}

    @property
    def about(self) -> dict[str, Any]:
        """What runs: protocol and rule."""
        return {"protocol": str(self._setup.protocol), "rule": self._setup.rule.name}

    async def answer_messages(self, question: Mapping[str, Any], _: Messages) -> Answered:
        """Answer one question by one run, and continue it if it was answered in part.

        Parameters
        ----------
        question : mapping
            Has the columns question_id, question, truth, messages and cluster.

        Returns
        -------
        Answered
            The answer.

        Raises
        ------
        UnansweredError
            If a limit is reached, a server failed or the session was stopped. Calls that were answered are kept.
        """
        self.give_another_chance()
        place = self._enter(question)
        await self._play(place, 0)
        if (played := self._found.get((place, 0))) is None:
            raise self.why(question["question_id"])
        return self._answered(played)

    def _enter(self, question: Mapping[str, Any]) -> int:
        """Add a question to the journal if it is new, and return its place."""
        place = self._places.setdefault(question["question_id"], len(self._asked_rows))
        if place == len(self._asked_rows):
            row = {name: question.get(name) for name in _COLUMNS}
            settings = self._setup.settings(row)
            cells = [Cell(question["question_id"], name, settings) for name in self._setup.models]
            self.journal.add_questions([row], cells)
            self._asked_rows.append(row)
            self._settings.append(settings)
        return place

    def _begun(self, place: int, run: int) -> Play:
        return Play(self._setup, self.rows[place], run, Classes(self._setup.rule, None, self._judge))

    def _answered(self, played: Played) -> Answered:
        classes = Classes(self._setup.rule, None, self._judge)
        answer = classes.name(classes.read("", {"text": played.text}))
        calls: dict[str, int] = {}
        query = "SELECT model, COUNT(*) FROM samples WHERE question = ? GROUP BY model ORDER BY MIN(rowid)"
        for name, number in self.journal.query(query, (played.question_id,)):
            model = model_of(name, list(self._setup.models))
            calls[model] = calls.get(model, 0) + number
        return Answered(
            question_id=played.question_id,
            text=played.text,
            answer=answer,
            stopped=played.ended,
            votes={} if answer is None else {answer: 1},
            models=calls,
            samples_used=played.calls,
            input_tokens=played.input_tokens,
            output_tokens=played.output_tokens,
            cost=played.cost,
            finish_reason=played.finish_reason,
        )


@asynccontextmanager
async def open_protocol_session(
    plan: Plan,
    protocol: str | Mapping[str, Any] | Protocol,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    prompts: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    log: Callable[[str], None] = print,
    **recording: Unpack[Recording],
) -> AsyncIterator[ProtocolSession]:
    """Open a journal and answer questions as they arrive, each by one run. At the end, the pool of runs is written.

    Parameters
    ----------
    plan, protocol, out, rule, reasoning, prompts, recording
        As in `mssim.live.run_protocol`. Templates of the plan are not used. A system message is used if it has no
        placeholder.
    log : callable (line), default print
        Called with warnings.

    Yields
    ------
    ProtocolSession
        Answers questions. Calls that were given up are requested again when their question is asked again.

    Raises
    ------
    MssimError
        As in `mssim.live.run_protocol`.

    Examples
    --------
    >>> import asyncio, json, tempfile
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),), 10, 4)
    ...     async def close(self):
    ...         pass
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> async def ask(folder):
    ...     messages = [{"role": "user", "content": "1 + 1 = ?"}]
    ...     question = {"question_id": "q", "question": "1 + 1 = ?", "messages": json.dumps(messages)}
    ...     make = lambda server: Parrot()
    ...     how = {"rule": "number", "sampler": make, "log": lambda line: None}
    ...     async with open_protocol_session(plan, "debate:parrot", folder, **how) as session:
    ...         return await session.answer_messages(question, messages)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = asyncio.run(ask(folder))
    >>> found.answer, found.models, found.stopped
    ('2', {'parrot': 6}, 'rounds')
    """
    chosen = read_protocol(served_plan(plan), protocol, 1, rule, reasoning, prompts)
    setup = ServedSetup(chosen.protocol, chosen.prompts, chosen.rule, chosen.runs, chosen.models)
    folder = Path(out)
    with open_journal(folder) as journal:
        rows = journal.questions() if journal.count() else []
        check_same_protocol(journal, setup, rows, recording.get("new_server", False))
        table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in _COLUMNS})
        recording |= {"retry_failed": True, "report": Told(log)}
        session = prepare_calls(ProtocolSession, setup, plan, table, journal, recording)
        async with session.opened():
            yield session
        if played := session.played():
            name = str(setup.protocol)
            await asyncio.to_thread(write_pool, folder, name, setup, played, session.rows, journal)
            log(f"the runs are in the pool {folder}")
