"""Group commit: outcomes that arrive during a commit are written together by the next one."""

from __future__ import annotations

import asyncio

from mssim.recorder.journal import Journal, Outcome


class Commits:
    """Writer of outcomes to a journal, in a thread beside the event loop."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._unsaved: list[Outcome] = []
        self._task: asyncio.Task[None] | None = None

    async def store(self, outcome: Outcome) -> None:
        """Return when the outcome is committed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit())
        await future

    async def _commit(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            outcomes = [outcome for outcome, _ in batch]
            try:
                await asyncio.to_thread(self._journal.store, outcomes)
            except Exception as error:  # of any type, since all waiting tasks must be resumed
                self._unsaved += outcomes
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for _, future in batch:
                    if not future.done():
                        future.set_result(None)

    async def close(self) -> int:
        """Complete the pending commit, retry failed ones and return the number of samples that were lost."""
        if self._task is not None:
            await self._task
        unsaved, self._unsaved = self._unsaved, []
        try:
            if unsaved:
                self._journal.store(unsaved)
        except Exception:
            return sum(len(outcome.indices) for outcome in unsaved)
        return 0
