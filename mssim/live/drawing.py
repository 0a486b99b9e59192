"""Draws of a strategy from servers: many questions at once, each question asking for its next samples."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, Unpack

import pyarrow as pa

from mssim.grading import Rule
from mssim.grading.truths import Questions, read_questions
from mssim.live.classes import Classes
from mssim.live.draws import Course, Draws
from mssim.live.graded import unmatched_truths
from mssim.live.results import Answer, LiveProgress
from mssim.live.setup import Setup
from mssim.live.strategies import turns
from mssim.live.working import Options, Working
from mssim.recorder.dispatch import Target
from mssim.recorder.journal import Journal
from mssim.recorder.plan import Server
from mssim.recorder.sampler import Sampler

__all__ = ["Drawing"]

Samples = list[dict[str, Any]]


class Drawing(Working):
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
        progress: LiveProgress,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(setup.rule, journal, targets, samplers, progress, **options)
        self._setup, self._rows = setup, rows
        self._questions = questions_of(rows, setup.rule)
        for warning in unmatched_truths(self._questions, setup.rule):
            progress.warn(warning)
        self._found: dict[int, Answer] = {}

    def answers(self) -> list[Answer]:
        """Return the answers in the order of the questions, after the run."""
        return [self._found[place] for place in range(len(self._rows))]

    def _jobs(self) -> Iterator[Coroutine[Any, Any, None]]:
        return (self._answer(place) for place in range(len(self._rows)))

    async def _answer(self, place: int) -> None:
        self._found[place] = answer = (await self.answer(place)).without_texts()
        self._live.answered += answer.decision is not None

    def _complete(self) -> None:
        for place in range(len(self._rows)):
            if place not in self._found:
                self._found[place] = self._recorded_answer(place).without_texts()

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


def questions_of(rows: Sequence[Mapping[str, Any]], rule: Rule) -> Questions:
    """Return the truths of questions in the form of answers, and their rules, which know the choices."""
    columns: dict[str, Any] = {
        "question_id": pa.array([row["question_id"] for row in rows], pa.string()),
        "truth": pa.array([row.get("truth") for row in rows], pa.string()),
    }
    if any(row.get("choices") for row in rows):
        columns["choices"] = [row.get("choices") for row in rows]
    return read_questions(pa.table(columns), rule)
