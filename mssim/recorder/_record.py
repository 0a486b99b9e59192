"""The front door of the recorder: record(questions, plan, out)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from mssim._validation import is_number, whole_number
from mssim.errors import MssimError, RecordError
from mssim.pools.folder import current
from mssim.questions import check_questions, read_questions
from mssim.recorder._export import export_journal, is_exported
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Retry, Run, Target
from mssim.recorder.journal import NAME, Cell, Journal
from mssim.recorder.openai_sampler import OpenAISampler
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.prices import read_prices
from mssim.recorder.progress import Progress, Status, read_status
from mssim.recorder.prompts import messages
from mssim.recorder.sampler import Sampler
from mssim.recorder.settings_hash import differences, settings_hash


def record(
    questions: str | os.PathLike[str] | pa.Table,
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    max_requests: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    retry_failed: bool = False,
    new_server: bool = False,
    retry: Retry | None = None,
    sampler: Callable[[Server], Sampler] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Status:
    """Record what is missing of a pool, and export it.

    Every sample is committed to the journal in `out` before it counts. Calling it again asks for what is missing, and
    for nothing if nothing is. SIGINT and SIGTERM end it cleanly: requests under way are waited for and stored.

    Parameters
    ----------
    questions : path or Table
        Questions, as `read_questions` reads them: question_id, question, truth, optional choices and cluster.
    plan : Plan
        What to ask of which models: `plan_from_options`, `read_plan`.
    out : path
        Pool folder; made if it is not there.
    max_requests, max_tokens, max_cost : optional
        Stop before a request that may exceed the limit, over all runs of this recording; tokens are those of prompts
        and answers, cost is in the currency of the plan's prices. A request may need what the longest answer so far
        needed, or max_tokens of the settings if given. Counted is what servers report: not what they did for a request
        that timed out, broke off, or was under way at a kill.
    retry_failed : bool, default False
        Ask again for samples that were given up.
    new_server : bool, default False
        Accept that a model is now served at another address than before.
    retry : Retry, optional
        How often and how soon a failed request is repeated.
    sampler : function of Server, optional
        Makes the client of a server; `OpenAISampler` by default.
    report : function of Progress, optional
        Called twice a second.

    Returns
    -------
    Status
        How far the recording is; `notes` say why it ended early, if it did.

    Raises
    ------
    RecordError
        If settings or questions changed since they were recorded, another process records into `out`, the journal
        cannot be written, or a model has no price. What was recorded is safe.

    Examples
    --------
    A model in this process instead of a server:

    >>> import pyarrow as pa
    >>> from mssim.recorder import Choice, Plan, Reply, record, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice(request.messages[-1]["content"][:5]),) * request.n)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=8)
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     status = record(questions, plan, folder, sampler=lambda server: Parrot())
    >>> status.to_frame()[["model", "wanted", "recorded", "failed"]]
        model  wanted  recorded  failed
    0  parrot       8         8       0
    """
    table = check_questions(questions) if isinstance(questions, pa.Table) else read_questions(questions)
    plan = plan.resolve(table)
    budget = _budget(plan, max_requests, max_tokens, max_cost)
    folder = Path(out)
    if current(folder, "pool.json").exists() and not (folder / NAME).exists():
        raise RecordError(f"{folder} is a pool that was not recorded there; give another folder")
    with Journal(folder, record=True) as journal:
        rows = table.to_pylist()
        targets = [_target(model, rows) for model in plan.models]
        _check_unchanged(journal, targets, new_server)
        before = journal.models(), journal.questions(), journal.info()
        info = {"pool": dict(plan.info), "prices": budget.prices.describe() if budget.prices else None}
        cells = (cell for target in targets for cell in target.cells)
        journal.write_plan({t.plan.name: _known(t.plan) for t in targets}, rows, cells, info)
        progress = _progress(journal, targets, budget, retry_failed)
        notes: list[str] = []
        if progress.left:
            clients = {server: (sampler or _openai)(server) for server in {t.plan.server: None for t in targets}}
            running = Run(
                journal,
                targets,
                clients,
                budget=_with_spend(budget, journal, plan),
                progress=progress,
                retry=retry or Retry(),
                retry_failed=retry_failed,
                report=report,
            )
            _run_to_end(running)
            notes += running.notes()
        if before != (journal.models(), journal.questions(), journal.info()) or not is_exported(journal, folder):
            notes += _export(journal, folder, progress, report)
        return _status(journal, progress, notes)


def _with_spend(budget: Budget, journal: Journal, plan: Plan) -> Budget:
    """Take what earlier runs spent into account; those without prices at the prices of now."""
    for row in journal.spend():
        budget.requests += row["requests"]
        budget.tokens += (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        budget.cost += row["cost"] or 0.0
    plans = {model.name: model for model in plan.models}
    for name, inputs, outputs, unreported in journal.unpriced():
        budget.unreported += unreported
        if name in plans:
            budget.cost += budget.cost_of(plans[name], inputs, outputs) or 0.0
    return budget


def _run_to_end(running: Run) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(running.run())
        return
    with ThreadPoolExecutor(1) as notebook:  # where an event loop runs already, in a notebook for instance
        ended: Future[None] | None = None
        try:
            ended = notebook.submit(asyncio.run, running.run())
            ended.result()
        except KeyboardInterrupt:
            running.interrupt()
            if ended is None:  # interrupted while it began: the run still ends in order, then it is told
                raise
            ended.result()


def _export(journal: Journal, folder: Path, progress: Progress, report: Callable[[Progress], None] | None) -> list[str]:
    progress.writing = True
    if report is not None:
        report(progress)
    try:
        export_journal(journal, folder)
    except MssimError as error:
        return [f"all samples are in the journal, but the pool's files are as before: {error}"]
    return []


def _status(journal: Journal, progress: Progress, notes: list[str]) -> Status:
    found = read_status(journal)
    missing = progress.wanted - progress.done
    elsewhere = found.missing - missing
    if elsewhere > 0:
        notes = [*notes, f"{elsewhere} samples of questions or models that are not asked for now are missing too"]
    return replace(found, missing=missing, notes=tuple(notes))


def _openai(server: Server) -> Sampler:
    return OpenAISampler(server.base_url, key=server.key(), timeout=server.timeout)


def _budget(plan: Plan, max_requests: int | None, max_tokens: int | None, max_cost: float | None) -> Budget:
    for name, limit in (("max_requests", max_requests), ("max_tokens", max_tokens)):
        if limit is not None:
            whole_number(name, limit, 0, 2**53)
    if max_cost is not None and not (is_number(max_cost) and max_cost >= 0):
        raise RecordError(f"max_cost={max_cost!r}; give a number from 0")
    prices = read_prices(plan.prices) if plan.prices is not None else None
    if max_cost is not None and prices is None:
        raise RecordError("max_cost needs to know what tokens cost; give a price table (--prices FILE)")
    if prices is not None:
        for model in plan.models:
            prices.price_of((model.name, model.model_id))
    return Budget(max_requests, max_tokens, max_cost, prices)


def _target(plan: ModelPlan, rows: Sequence[Mapping[str, Any]]) -> Target:
    assert plan.template is not None
    template, identity = plan.template, plan.identity()

    def prompt(place: int) -> list[dict[str, str]]:
        return messages(template, plan.system, rows[place])

    cells = [
        Cell(row["question_id"], plan.name, settings_hash(identity, prompt(place))) for place, row in enumerate(rows)
    ]
    return Target(plan, cells, prompt, plan.samples_per_request)


def _known(plan: ModelPlan) -> dict[str, Any]:
    return {
        "identity": plan.identity(),
        "server": plan.server.base_url,
        "samples": plan.samples,
        "samples_per_request": plan.samples_per_request,
    }


def _check_unchanged(journal: Journal, targets: Sequence[Target], new_server: bool) -> None:
    """Refuse to mix samples that were asked for in different ways."""
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
                f"model {name!r} was recorded with other settings: {'; '.join(changed)}. Samples of both are not "
                "mixed: restore the settings, give the model another name (NAME=MODEL_ID), or record into another "
                "folder"
            )
        server = target.plan.server.base_url
        if known["server"] != server and not new_server:
            raise RecordError(
                f"model {name!r} was recorded from {known['server']}, now {server}; if that serves the same model, "
                "pass --new-server (new_server=True)"
            )
        _check_prompts(journal, target, before)


def _check_prompts(journal: Journal, target: Target, before: Mapping[tuple[str, str], str]) -> None:
    for cell in target.cells:
        known = before.get((cell.question, cell.model), cell.settings)
        if known != cell.settings and journal.has_samples(cell.model, cell.question):
            raise RecordError(
                f"question {cell.question!r} reads differently than when model {cell.model!r} answered it; restore it, "
                "give the changed question another question_id, or record into another folder"
            )


def _progress(journal: Journal, targets: Sequence[Target], budget: Budget, retry_failed: bool) -> Progress:
    wanted = done = failed = 0
    for target in targets:
        plan = target.plan
        asked = {cell.question for cell in target.cells}
        wanted += len(asked) * plan.samples
        done += sum(n for q, n in journal.counts("samples", plan.name, plan.samples).items() if q in asked)
        if not retry_failed:
            failed += sum(n for q, n in journal.counts("failures", plan.name, plan.samples).items() if q in asked)
    return Progress(wanted, done, failed, currency=budget.prices.currency if budget.prices else "")
