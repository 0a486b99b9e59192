"""Draws of a strategy from servers: many questions at once, each question asking for its next samples."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from mssim.grading.equivalence import Judge
from mssim.grading.truths import Questions, read_questions
from mssim.live.classes import Classes
from mssim.live.draws import Course, Draws
from mssim.live.results import Answer, LiveProgress
from mssim.live.setup import Setup
from mssim.live.strategies import turns
from mssim.recorder._export import CACHE
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import Journal
from mssim.recorder.plan import Server
from mssim.recorder.progress import Progress
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Sampler

__all__ = ["Drawing"]

Samples = list[dict[str, Any]]


class Drawing(Run):
    """A run that requests the samples that a strategy draws. Questions are answered at the same time.

    A draw is the next sample of a model by its index, so the answers do not depend on the order in which samples
    arrive.
    """

    def __init__(
        self,
        setup: Setup,
        rows: Sequence[Mapping[str, Any]],
        journal: Journal,
        targets: Sequence[Target],
        samplers: Mapping[Server, Sampler],
        *,
        budget: Budget,
        progress: LiveProgress,
        retry: Retry,
        retry_failed: bool = False,
        report: Callable[[Progress], None] | None = None,
    ) -> None:
        super().__init__(
            journal,
            targets,
            samplers,
            budget=budget,
            progress=progress,
            retry=retry,
            retry_failed=retry_failed,
            report=report,
        )
        self._setup, self._rows, self._live = setup, rows, progress
        self._questions = questions_of(rows, setup)
        self._of_model = {target.plan.name: target for target in targets}
        self._found: dict[int, Answer] = {}

    def answers(self) -> list[Answer]:
        """Return the answers in the order of the questions, after the run."""
        return [self._found[place] for place in range(len(self._rows))]

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Allow requests within the block, as `Run.opened` does."""
        self._free = {server: asyncio.Semaphore(server.concurrency) for server in self.samplers}
        versions, cache = self._setup.rule.versions, self.journal.path.with_name(CACHE)
        with Judge(versions["math_verify"], cache) if versions else contextlib.nullcontext() as self._judge:
            async with super().opened():
                yield
            for place in range(len(self._rows)):  # of questions whose tasks were cancelled
                if place not in self._found:
                    self._found[place] = self._recorded_answer(place).without_texts()

    def _workers(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Iterate over what answers questions: enough at once that each server may have its pending requests.

        Questions are begun in order, so that a run that ends early leaves few of them unfinished.
        """
        places = iter(range(len(self._rows)))
        for _ in range(min(len(self._rows), sum(server.concurrency for server in self.samplers))):
            yield self._answer_each(places)

    async def _answer_each(self, places: Iterator[int]) -> None:
        try:
            for place in places:
                self._found[place] = answer = (await self.answer(place)).without_texts()
                self._live.answered += answer.decision is not None
        except Exception as error:  # the journal cannot be written, or a function of the user fails
            self._fail(error)

    async def answer(self, place: int) -> Answer:
        """Draw until the strategy decides on a question, or until a sample that it needs cannot be had."""
        course = self._course(place)
        while course.ask is not None:
            samples = await self._draw_round(place, course)
            if samples is None:
                break
            course.give(samples)
        if self._judge is not None:
            self._judge.next_question()
        return course.answer()

    async def _draw_round(self, place: int, course: Course) -> Samples | None:
        """Draw the samples of a round, and return those that come first, or None if one of these cannot be had."""
        drawn = [self.draw(place, *asked) for asked in course.round]
        first, *others = await asyncio.gather(*drawn, return_exceptions=True)
        for one in (first, *others):
            if isinstance(one, BaseException):
                raise one
        assert not isinstance(first, BaseException)
        return first

    def _recorded_answer(self, place: int) -> Answer:
        """Return the answer to a question from the journal alone."""
        course = self._course(place)
        while course.ask is not None:
            samples = self._recorded(place, course.ask.model, course.start, course.ask.n)
            if samples is None:
                break
            course.give(samples)
        return course.answer()

    def _course(self, place: int) -> Course:
        setup = self._setup
        return Course(
            self._draws(place), turns(setup.strategy, setup.budget, self._rows[place]["question_id"], setup.seed)
        )

    def _draws(self, place: int) -> Draws:
        classes = Classes(self._questions.rules[place], self._questions.truths[place], self._judge)
        return Draws(self._rows[place], classes, self._setup.limited)

    def _recorded(self, place: int, model: str, start: int, n: int) -> Samples | None:
        samples = self.journal.samples(self._of_model[model].cells[place], start, start + n)
        return samples if len(samples) == n else None

    async def draw(self, place: int, model: str, start: int, n: int) -> Samples | None:
        """Return the next samples of a model, requested as far as they are not recorded, or None if one cannot be had.

        Requests are those that `mssim record` would send for the same samples, with the same seeds.
        """
        target = self._of_model[model]
        cell, size = target.cells[place], target.plan.samples_per_request
        absent = self.journal.missing(cell, start, start + n, retry_failed=True)
        missing = self.journal.missing(cell, start, start + n, retry_failed=self.retry_failed)
        given_up = len(missing) < len(absent)
        if given_up or (missing and (self._stop.is_set() or target.stopped is not None)):
            return None
        async with asyncio.TaskGroup() as requests:
            for first in range(start, start + n, size):
                if indices := [index for index in missing if first <= index < first + size]:
                    requests.create_task(self._request(target, place, indices))
        return self._recorded(place, model, start, n)

    async def _request(self, target: Target, place: int, indices: list[int]) -> None:
        async with self._free[target.plan.server]:
            try:
                await self._fill(target, place, indices)
            except Exception as error:  # the journal cannot be written, or the sampler has a bug
                self._fail(error)


def questions_of(rows: Sequence[Mapping[str, Any]], setup: Setup) -> Questions:
    """Return the truths of questions in the form of answers, and their rules, which know the choices."""
    columns: dict[str, Any] = {
        "question_id": pa.array([row["question_id"] for row in rows], pa.string()),
        "truth": pa.array([row.get("truth") for row in rows], pa.string()),
    }
    if any(row.get("choices") for row in rows):
        columns["choices"] = [row.get("choices") for row in rows]
    return read_questions(pa.table(columns), setup.rule)
