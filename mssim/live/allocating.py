"""Draws of a strategy that shares one total budget among all questions."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from mssim.live.drawing import Drawing, Samples
from mssim.live.draws import Draws
from mssim.live.results import Answer
from mssim.live.strategies import allocation
from mssim.live.turns import Ask, Decision

__all__ = ["Allocating"]


class Allocating(Drawing):
    """A run of a strategy whose questions depend on each other.

    Draws that are certain to be used are requested together. A sample that cannot be had leaves all questions
    unfinished, since the total is not spent.
    """

    def _jobs(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._allocate()

    async def _allocate(self) -> None:
        setup, ids = self._setup, [row["question_id"] for row in self._rows]
        places = {question: place for place, question in enumerate(ids)}
        self._so_far = [self._draws(place) for place in places.values()]
        asked = allocation(setup.strategy, setup.budget, ids, setup.seed)
        decisions: dict[str, Decision] = {}
        try:
            wave = next(asked)
            while (samples := await self._together([(places[question], ask) for question, ask in wave])) is not None:
                asks = [(self._so_far[places[question]], ask.model) for question, ask in wave]
                wave = asked.send([draws.add(model, got) for (draws, model), got in zip(asks, samples, strict=True)])
        except StopIteration as end:
            decisions = end.value
        self._found = {p: draws.answer(decisions.get(ids[p])).without_texts() for p, draws in enumerate(self._so_far)}
        self._live.answered = len(decisions)

    async def _together(self, wave: Sequence[tuple[int, Ask]]) -> list[Samples] | None:
        """Return the samples of a wave, or None if one of them cannot be had."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.draw(place, ask.model, self._so_far[place].next(ask.model), ask.n))
                for place, ask in wave
            ]
        found = [task.result() for task in tasks]
        return None if None in found else [samples for samples in found if samples is not None]

    def _recorded_answer(self, place: int) -> Answer:
        draws: Draws = self._so_far[place]
        return draws.answer(None)
