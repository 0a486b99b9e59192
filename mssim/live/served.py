"""What sessions share: runs whose questions arrive one by one, while clients wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mssim.errors import MssimError
from mssim.live.answered import UnansweredError
from mssim.recorder.budget import EXCEEDS
from mssim.recorder.contact import Contact
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import Cell
from mssim.recorder.plan import ModelPlan, Plan
from mssim.recorder.progress import Progress
from mssim.recorder.prompts import placeholders
from mssim.recorder.sampler import RequestFailed

__all__ = ["Served", "Told", "served_plan", "with_system"]

_TEMPLATE = "{{messages}}"  # in pool.json: prompts are the messages of requests
_PATIENCE = 60.0  # seconds to wait for a server that does not answer, while a client waits

Messages = Sequence[Mapping[str, str]]


class Served(Run):
    """A run that goes on when a model fails, since the next request is a new attempt, and says why it could not answer.

    It comes before another subclass of `Run` among the bases of a class.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reason = "", "a sample is missing"  # why a model was stopped last
        self._until: dict[str, float] = {}  # when servers accept requests again, by model

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Allow requests within the block, as `Run.opened` does."""
        async with super().opened():
            for server in self.samplers:
                self._contacts[server] = Contact(patience=_PATIENCE)
            yield

    def give_another_chance(self) -> None:
        """Ask models again that were stopped."""
        for target in self.targets:
            if target.stopped:
                self._reason = target.plan.name, target.stopped
            target.stopped, target.failures = None, 0
            target.failing.clear()
        self._check_folder()

    def _full(self, reason: str) -> None:
        """Stop all models, until a request finds that there is space again."""
        for target in self.targets:
            target.stopped = target.stopped or reason

    def why(self, question: str) -> UnansweredError:
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
        wait = max((until for name, until in self._until.items() if model.startswith(name)), default=0.0)
        wait -= time.monotonic()
        return UnansweredError(
            f"model {model!r}: {reason}", limit=reason.startswith(EXCEEDS), retry_after=wait if wait > 0 else None
        )

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self.progress.warn(str(error))  # clients are referred to the log
        super()._fail(error)

    def _given_up(
        self, target: Target, cell: Cell, asked: list[int], failure: RequestFailed, failed: Counter[bool]
    ) -> Sequence[int]:
        if failure.retry_after is not None:
            self._until[target.plan.name] = time.monotonic() + failure.retry_after
        return super()._given_up(target, cell, asked, failure, failed)

    def _stop_if_all_stopped(self) -> None:
        """Do not stop the run if all models fail."""


class Told:
    """Callback of a run that logs each warning once, and that a server has stopped answering.

    Examples
    --------
    >>> from mssim.recorder import Progress
    >>> told = Told(print)
    >>> progress = Progress(8, 0, 0)
    >>> progress.warn("requests for a have 1 sample")
    >>> told(progress), told(progress)
    warning: requests for a have 1 sample
    (None, None)
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._told, self._silent = log, 0, False

    def __call__(self, progress: Progress) -> None:
        """Log what is new."""
        for warning in progress.warnings[self._told :]:
            self._log(f"warning: {warning}")
        self._told = len(progress.warnings)
        silent = progress.silent_since is not None
        if silent and not self._silent:
            self._log(f"a server does not answer: {progress.trouble}")
        self._silent = silent


def served_plan(plan: Plan) -> Plan:
    """Return a plan whose prompts are messages of requests. Raise if a system message has placeholders.

    Examples
    --------
    >>> from mssim.recorder import plan_from_options
    >>> served_plan(plan_from_options(["small"], base_url="http://localhost", samples=1)).models[0].template
    '{{messages}}'
    """
    for model in plan.models:
        if model.system is not None and placeholders(model.system):
            raise MssimError(
                f"model {model.name!r}: its system message has placeholders, but requests have no columns. Remove them."
            )
    return replace(plan, models=tuple(replace(model, template=_TEMPLATE) for model in plan.models))


def with_system(plan: ModelPlan, messages: Messages) -> Messages:
    """Return messages with the system message of a model, if it has one and they have none.

    Examples
    --------
    >>> from mssim.recorder import ModelPlan, Server
    >>> plan = ModelPlan("small", "small", Server("http://localhost"), 1, system="Be brief.")
    >>> with_system(plan, [{"role": "user", "content": "Why?"}])[0]
    {'role': 'system', 'content': 'Be brief.'}
    """
    if plan.system is None or any(one["role"] in ("system", "developer") for one in messages):
        return messages
    return [{"role": "system", "content": plan.system}, *messages]
