"""Function `record`, the entry point of the recorder."""

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
from mssim.prices import read_prices
from mssim.questions import check_questions, read_questions
from mssim.recorder._export import export_journal, is_exported, refuse_fewer
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import NAME, Cell, Journal
from mssim.recorder.openai_sampler import OpenAISampler
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.progress import Progress, Status, read_status
from mssim.recorder.prompts import messages
from mssim.recorder.retry import Retry
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
    """Record the missing samples of a pool and export it.

    Every sample is committed to the journal in `out`. Calling `record` again requests only the samples that are
    missing. After SIGINT or SIGTERM, pending requests are completed and stored before the function returns.

    Parameters
    ----------
    questions : path or Table
        Questions with the columns question_id, question, truth and optionally choices and cluster, see
        `read_questions`.
    plan : Plan
        Models, settings and numbers of samples, as returned by `plan_from_options` or `read_plan`.
    out : path
        Pool folder. It is created if it does not exist.
    max_requests, max_tokens : int, optional
        Limits of the number of requests and of the number of tokens, of prompts and answers together, over all runs of
        this recording. A request starts only if its upper bound is within the limits. The bound of an answer is
        max_tokens of the settings, or else the longest answer so far. Tokens that servers report count, also in failed
        replies; if a server reports one of several choices, all count. Tokens of requests that timed out or were
        aborted are not known.
    max_cost : float, optional
        Limit of the cost, in the currency of the prices of the plan.
    retry_failed : bool, default False
        Whether to request samples again that were given up.
    new_server : bool, default False
        Whether to accept that the address of the server of a model has changed.
    retry : Retry, optional
        Number of attempts and waits between them. The default is ``Retry()``.
    sampler : callable (server), optional
        Creates the client of a `Server`. The default is `OpenAISampler`.
    report : callable (progress), optional
        Called twice a second with a `Progress`.

    Returns
    -------
    Status
        Numbers of recorded, failed and missing samples. If the run ended early, `notes` contains the reasons. The
        attribute `warnings` describes samples that were cut off, are empty, or can affect the results in other ways.

    Raises
    ------
    RecordError
        If settings or questions have changed since samples were recorded, if another process records into `out`, if
        the journal cannot be written, or if a model has no price. Recorded samples are kept.

    Examples
    --------
    Record from a model in this process instead of a server:

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
        raise RecordError(f"{folder} contains a pool without a journal. Choose another folder.")
    with Journal(folder, record=True) as journal:
        refuse_fewer(journal, folder)
        rows = table.to_pylist()
        targets = [_target(model, rows) for model in plan.models]
        _check_unchanged(journal, targets, new_server)
        before = journal.models(), journal.questions(), journal.info()
        info = {"pool": dict(plan.info), "prices": budget.prices.describe() if budget.prices else None}
        cells = (cell for target in targets for cell in target.cells)
        journal.write_plan({t.plan.name: _known(t.plan) for t in targets}, rows, cells, info)
        progress = _progress(journal, targets, budget, retry_failed)
        for target in targets:
            _warn_of_confidence(journal, target.plan, progress)
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
    """Add the spending of earlier runs. Requests without a stored cost are charged at the current prices."""
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


def _export(journal: Journal, folder: Path, progress: Progress, report: Callable[[Progress], None] | None) -> list[str]:
    progress.writing = True
    if report is not None:
        report(progress)
    try:
        export_journal(journal, folder)
    except MssimError as error:
        return [f"All samples are in the journal, but the files of the pool were not updated. {error}"]
    return []


def _status(journal: Journal, progress: Progress, notes: list[str]) -> Status:
    found = read_status(journal)
    missing = progress.wanted - progress.done
    elsewhere = found.missing - missing
    if elsewhere > 0:
        notes = [*notes, f"{elsewhere} more samples are missing for questions or models that are not in this plan."]
    return replace(found, missing=missing, notes=tuple(notes), noticed=tuple(progress.warnings))


def _warn_of_confidence(journal: Journal, plan: ModelPlan, progress: Progress) -> None:
    query = "SELECT EXISTS (SELECT 1 FROM all_samples WHERE model = ? AND confidence IS NOT NULL)"
    if progress.left and not plan.logprobs and journal.query(query, (plan.name,))[0][0]:
        progress.warn(
            f"model {plan.name!r} was recorded with log-probabilities before and is not now, so the new "
            "samples have no confidence. Add logprobs=True."
        )


def _openai(server: Server) -> Sampler:
    return OpenAISampler(server.base_url, key=server.key(), timeout=server.timeout)


def _budget(plan: Plan, max_requests: int | None, max_tokens: int | None, max_cost: float | None) -> Budget:
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
        "logprobs": plan.logprobs,
    }


def _check_unchanged(journal: Journal, targets: Sequence[Target], new_server: bool) -> None:
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
