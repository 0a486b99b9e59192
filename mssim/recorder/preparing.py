"""What a run over a journal needs before its first request, and how it runs: limits, clients, cells and checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mssim._validation import is_number, whole_number
from mssim.errors import RecordError
from mssim.prices import read_prices
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import Cell, Journal
from mssim.recorder.openai_sampler import OpenAISampler
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.prompts import messages
from mssim.recorder.sampler import Sampler
from mssim.recorder.settings_hash import differences, settings_hash

__all__ = ["check_unchanged", "known_of", "openai_client", "read_limits", "run_to_end", "target_of", "with_spend"]


def openai_client(server: Server) -> Sampler:
    """Return the default client of a server."""
    return OpenAISampler(server.base_url, key=server.key(), timeout=server.timeout)


def read_limits(plan: Plan, max_requests: int | None, max_tokens: int | None, max_cost: float | None) -> Budget:
    """Return the limits of a run, with the prices of a plan. Raise if a limit is invalid or a model has no price."""
    for name, limit in (("max_requests", max_requests), ("max_tokens", max_tokens)):
        if limit is not None:
            whole_number(name, limit, 0, 2**53)
    if max_cost is not None and not (is_number(max_cost) and max_cost >= 0):
        raise RecordError(f"max_cost={max_cost!r} is not allowed. It must be a number of at least 0.")
    prices = read_prices(plan.prices) if plan.prices is not None else None
    if max_cost is not None and prices is None:
        raise RecordError("max_cost: no prices were given. Add a price table to the plan, prices=FILE.")
    if prices is not None:
        for model in plan.models:
            prices.price_of((model.name, model.model_id))
    return Budget(max_requests, max_tokens, max_cost, prices)


def with_spend(
    budget: Budget, journal: Journal, plan: Plan, model_of: Callable[[str], str] = lambda name: name
) -> Budget:
    """Add the spending of earlier runs. Requests without a stored cost are charged at the current prices.

    `model_of` returns the model in the plan of a model in the journal.
    """
    for row in journal.spend():
        budget.requests += row["requests"]
        budget.tokens += (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        budget.cost += row["cost"] or 0.0
    plans = {model.name: model for model in plan.models}
    for name, inputs, outputs, unreported in journal.unpriced():
        budget.unreported += unreported
        if (model := model_of(name)) in plans:
            budget.cost += budget.cost_of(plans[model], inputs, outputs) or 0.0
    return budget


def target_of(plan: ModelPlan, rows: Sequence[Mapping[str, Any]]) -> Target:
    """Return the cells and prompts of a model of a resolved plan, one per question."""
    assert plan.template is not None
    template, identity = plan.template, plan.identity()

    def prompt(place: int) -> list[dict[str, str]]:
        return messages(template, plan.system, rows[place])

    cells = [
        Cell(row["question_id"], plan.name, settings_hash(identity, prompt(place))) for place, row in enumerate(rows)
    ]
    return Target(plan, cells, prompt, plan.samples_per_request)


def known_of(plan: ModelPlan) -> dict[str, Any]:
    """Return what the journal keeps of a model."""
    return {
        "identity": plan.identity(),
        "server": plan.server.base_url,
        "samples": plan.samples,
        "samples_per_request": plan.samples_per_request,
        "logprobs": plan.logprobs,
    }


def check_unchanged(journal: Journal, targets: Sequence[Target], new_server: bool) -> None:
    """Raise if recorded samples of a model have other settings, prompts or servers."""
    recorded = journal.models()
    before = {(cell.question, cell.model): cell.settings for cell in journal.cells()}
    for target in targets:
        name = target.plan.name
        known = recorded.get(name)
        if known is None or not journal.has_samples(name):
            continue
        changed = differences(known["identity"], target.plan.identity())
        if changed:
            raise RecordError(
                f"model {name!r} was recorded with other settings: {'; '.join(changed)}. Restore the settings, use "
                "another name for the model (NAME=MODEL_ID), or record into another folder."
            )
        server = target.plan.server.base_url
        if known["server"] != server and not new_server:
            raise RecordError(
                f"model {name!r} was recorded from {known['server']}, but the plan names {server}. If both serve the "
                "same model, pass new_server=True. Otherwise restore the server."
            )
        _check_prompts(journal, target, before)


def _check_prompts(journal: Journal, target: Target, before: Mapping[tuple[str, str], str]) -> None:
    for cell in target.cells:
        known = before.get((cell.question, cell.model), cell.settings)
        if known != cell.settings and journal.has_samples(cell.model, cell.question):
            raise RecordError(
                f"question {cell.question!r} has changed since model {cell.model!r} answered it. Restore it, give it "
                "another question_id, or record into another folder."
            )


def run_to_end(running: Run) -> None:
    """Run in an event loop of its own, in another thread if this one has a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(running.run())
        return
    with ThreadPoolExecutor(1) as notebook:  # an event loop already runs, as in a notebook
        ended: Future[None] | None = None
        try:
            ended = notebook.submit(asyncio.run, running.run())
            ended.result()
        except KeyboardInterrupt:
            running.interrupt()
            if ended is None:  # interrupted before the future was assigned; the run still ends cleanly
                raise
            ended.result()
