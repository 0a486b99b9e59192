"""Function `record`, the entry point of the recorder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from mssim.errors import MssimError, RecordError
from mssim.pools.folder import current
from mssim.questions import check_questions, read_questions
from mssim.recorder._export import export_journal, is_exported, refuse_fewer
from mssim.recorder.budget import Budget
from mssim.recorder.dispatch import Run, Target
from mssim.recorder.journal import NAME, Journal
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.preparing import check_unchanged, known_of, read_limits, run_to_end, target_of, with_spend
from mssim.recorder.preparing import openai_client as _openai
from mssim.recorder.progress import Progress, Status, read_status
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Sampler


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
    budget = read_limits(plan, max_requests, max_tokens, max_cost)
    folder = Path(out)
    if current(folder, "pool.json").exists() and not (folder / NAME).exists():
        raise RecordError(f"{folder} contains a pool without a journal. Choose another folder.")
    with Journal(folder, record=True) as journal:
        refuse_fewer(journal, folder)
        rows = table.to_pylist()
        targets = [target_of(model, rows) for model in plan.models]
        check_unchanged(journal, targets, new_server)
        before = journal.models(), journal.questions(), journal.info()
        info = {"pool": dict(plan.info), "prices": budget.prices.describe() if budget.prices else None}
        cells = (cell for target in targets for cell in target.cells)
        journal.write_plan({t.plan.name: known_of(t.plan) for t in targets}, rows, cells, info)
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
                budget=with_spend(budget, journal, plan),
                progress=progress,
                retry=retry or Retry(),
                retry_failed=retry_failed,
                report=report,
            )
            run_to_end(running)
            notes += running.notes()
        if before != (journal.models(), journal.questions(), journal.info()) or not is_exported(journal, folder):
            notes += _export(journal, folder, progress, report)
        return _status(journal, progress, notes)


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
