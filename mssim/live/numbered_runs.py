"""Runs of equal requests: each has a number, so that its samples are found again in the journal."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mssim.live.answered import Answered
from mssim.live.chat_requests import ChatRequest
from mssim.recorder.settings_hash import canonical

__all__ = ["Runs"]

Messages = Sequence[Mapping[str, str]]


class Runs:
    """The runs of a strategy that requests have asked for since the server started.

    The n-th request with the same messages is run n of its question. After a restart, the first request is run 1
    again: it is answered from the samples in the journal, and only missing samples are requested. A run whose client
    has disconnected, or that failed, is given to the next request with the same messages. A request with a seed always
    gets the run of that seed.

    Parameters
    ----------
    answer : callable (question, messages)
        Answers one question, and continues it if it was answered in part. A question has the columns question_id,
        question, truth, messages and cluster.

    Examples
    --------
    >>> import asyncio
    >>> from mssim.live.answered import Answered
    >>> from mssim.live.chat_requests import ChatRequest
    >>> async def answer(question, messages):
    ...     return Answered(question["question_id"], "It is 2.", "2", "budget", {"2": 1}, {"small": 1}, 1)
    >>> async def ask_twice():
    ...     runs = Runs(answer)
    ...     request = ChatRequest("mssim", ({"role": "user", "content": "1 + 1 = ?"},))
    ...     return [(await runs.answers(request, runs.take(request)))[0].question_id for _ in range(2)]
    >>> asyncio.run(ask_twice())
    ['1f6b502f78588ce9-1', '1f6b502f78588ce9-2']
    """

    def __init__(self, answer: Callable[[Mapping[str, Any], Messages], Awaitable[Answered]]) -> None:
        self._answer = answer
        self._last: dict[str, int] = {}  # the last number of each question
        self._released: dict[str, list[int]] = {}
        self._running: dict[str, asyncio.Task[Answered]] = {}

    def take(self, request: ChatRequest) -> list[str]:
        """Return the ids of the runs that a request gets, one for each choice."""
        question = _question_hash(request.messages)
        if request.seed is not None:
            return [f"{question}-seed{request.seed}-{place}" for place in range(1, request.n + 1)]
        return [f"{question}-{self._number(question)}" for _ in range(request.n)]

    def _number(self, question: str) -> int:
        if released := self._released.get(question):
            return heapq.heappop(released)
        self._last[question] = self._last.get(question, 0) + 1
        return self._last[question]

    def release(self, request: ChatRequest, ids: Sequence[str]) -> None:
        """Let the next request with the same messages have runs whose answers were not delivered."""
        if request.seed is None:
            for name in ids:
                question, number = name.rsplit("-", 1)
                heapq.heappush(self._released.setdefault(question, []), int(number))

    async def answers(self, request: ChatRequest, ids: Sequence[str]) -> list[Answered]:
        """Return the answers of runs. If it is cancelled, the runs continue, and another call can await them."""
        tasks = [self._running.get(name) or self._start(request, name) for name in ids]
        return list(await asyncio.gather(*map(asyncio.shield, tasks)))

    async def close(self, *, at_once: bool = False) -> None:
        """Await all runs, or cancel them."""
        tasks = list(self._running.values())
        if at_once:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, request: ChatRequest, name: str) -> asyncio.Task[Answered]:
        texts = [message["content"] for message in request.messages if message["role"] == "user"]
        question = {
            "question_id": name,
            "question": texts[-1] if texts else request.messages[-1]["content"],
            "truth": None,
            "messages": json.dumps(request.messages),
            "cluster": _question_hash(request.messages),
        }
        task = asyncio.ensure_future(self._answer(question, request.messages))
        self._running[name] = task
        task.add_done_callback(lambda ended: self._end(name, ended))
        return task

    def _end(self, name: str, task: asyncio.Future[Answered]) -> None:
        del self._running[name]
        if not task.cancelled():
            task.exception()  # read it, also if no client waits anymore


def _question_hash(messages: Messages) -> str:
    """Return 16 hex digits of SHA-256 over the messages."""
    return hashlib.sha256(canonical(messages).encode()).hexdigest()[:16]
