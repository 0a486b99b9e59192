"""Runs of a protocol against servers: many runs at once, each asking for the calls of its next round."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, Unpack

from mssim.live.classes import Classes
from mssim.live.drawing import questions_of
from mssim.live.graded import unmatched_truths
from mssim.live.play import Play
from mssim.live.played import Played
from mssim.live.protocol_setup import ProtocolSetup, call_name
from mssim.live.protocols import Call
from mssim.live.results import LiveProgress
from mssim.live.working import Options, Working
from mssim.recorder.dispatch import Target
from mssim.recorder.journal import Cell, Journal
from mssim.recorder.plan import Server
from mssim.recorder.sampler import Sampler

__all__ = ["Calling"]


class Calling(Working):
    """A run that requests the calls of a protocol.

    `rows` are all questions of the journal. Runs are requested for the first `asked` of them.
    """

    def __init__(
        self,
        setup: ProtocolSetup,
        rows: Sequence[Mapping[str, Any]],
        asked: int,
        journal: Journal,
        samplers: Mapping[Server, Sampler],
        progress: LiveProgress,
        **options: Unpack[Options],
    ) -> None:
        self._cells: dict[str, list[Cell]] = {name: [] for name in setup.models}
        self._asked: dict[str, dict[int, Sequence[Mapping[str, str]]]] = {name: {} for name in setup.models}
        targets = [
            Target(plan, self._cells[name], self._asked[name].__getitem__) for name, plan in setup.models.items()
        ]
        super().__init__(setup.rule, journal, targets, samplers, progress, **options)
        self._setup, self.rows = setup, rows
        self._n_asked, self._questions = asked, questions_of(rows, setup.rule)
        for warning in unmatched_truths(questions_of(rows[:asked], setup.rule), setup.rule):
            progress.warn(warning)
        self._settings = [setup.settings(row) for row in rows]
        self._found: dict[tuple[int, int], Played] = {}

    def played(self) -> list[Played]:
        """Return all finished runs in the folder, by question and number."""
        return [self._found[key] for key in sorted(self._found)]

    def asked(self) -> list[Played]:
        """Return those of the finished runs that were asked for."""
        return [self._found[place, run] for place, run in sorted(self._found) if self._is_asked(place, run)]

    def _is_asked(self, place: int, run: int) -> bool:
        return place < self._n_asked and run < self._setup.runs

    def _all(self) -> Iterator[tuple[int, int]]:
        """Iterate over runs. The first one of every question precedes the second, so that an early end is even."""
        return itertools.product(range(self._setup.runs), range(self._n_asked))

    def _jobs(self) -> Iterator[Coroutine[Any, Any, None]]:
        return (self._play(place, run) for run, place in self._all())

    def _complete(self) -> None:
        """Replay all other recorded runs, also those that were not asked for now: they belong to the pool."""
        recorded = dict(self.journal.query("SELECT question, MAX(sample_index) + 1 FROM samples GROUP BY question"))
        for place, row in enumerate(self.rows):
            for run in range(recorded.get(row["question_id"], 0)):
                if (place, run) not in self._found:
                    self._replay(place, run)

    async def _play(self, place: int, run: int) -> None:
        """Play one run to its end, or until a call that it needs cannot be had."""
        play = self._begun(place, run)
        while play.calls and await self._requested(place, run, play.calls):
            play.give(self._recorded(place, run, play.calls))
        self._keep(play, place)

    def _replay(self, place: int, run: int) -> None:
        """Play one run as far as its calls are recorded."""
        play = self._begun(place, run)
        while play.calls and len(samples := self._recorded(place, run, play.calls)) == len(play.calls):
            play.give(samples)
        self._keep(play, place)

    def _begun(self, place: int, run: int) -> Play:
        classes = Classes(self._questions.rules[place], self._questions.truths[place], self._judge)
        return Play(self._setup, self.rows[place], run, classes)

    def _keep(self, play: Play, place: int) -> None:
        if (played := play.finished()) is not None:
            self._found[place, played.run] = played
            self._live.answered += self._is_asked(place, played.run)
        if self._judge is not None:
            self._judge.next_question()

    def _cell(self, place: int, call: Call) -> Cell:
        return Cell(self.rows[place]["question_id"], call_name(call), self._settings[place])

    def _recorded(self, place: int, run: int, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """Return the samples of those calls that are recorded."""
        found = (self.journal.samples(self._cell(place, call), run, run + 1) for call in calls)
        return [sample for samples in found for sample in samples]

    async def _requested(self, place: int, run: int, calls: Sequence[Call]) -> bool:
        """Request the calls of a round that are not recorded, and return whether all are recorded then."""
        missing = [(call, self._cell(place, call)) for call in calls]
        missing = [one for one in missing if self.journal.missing(one[1], run, run + 1, retry_failed=True)]
        for _, cell in missing:
            if not self.journal.missing(cell, run, run + 1, retry_failed=self.retry_failed):
                return False  # it was given up before
        async with asyncio.TaskGroup() as requests:
            for call, cell in missing:
                requests.create_task(self._call(call, cell, run))
        return not any(self.journal.missing(cell, run, run + 1, retry_failed=True) for _, cell in missing)

    async def _call(self, call: Call, cell: Cell, run: int) -> None:
        cells, asked = self._cells[call.model], self._asked[call.model]
        place = len(cells)
        cells.append(cell)
        asked[place] = call.messages
        try:
            await self._request(self._of_model[call.model], place, [run])
        finally:
            del asked[place]
