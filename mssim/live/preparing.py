"""What a live run does with its folder: checks of what it has, the plan in its journal, and the graded pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from mssim.errors import MssimError, RecordError
from mssim.live.drawing import Drawing
from mssim.live.results import LiveProgress
from mssim.live.setup import Setup
from mssim.live.working import Options
from mssim.pools.folder import current
from mssim.recorder._export import export_journal, refuse_fewer
from mssim.recorder.budget import Budget
from mssim.recorder.journal import NAME, Journal
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.preparing import check_unchanged, known_of, openai_client, read_limits, target_of, with_spend
from mssim.recorder.progress import Progress
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Sampler

__all__ = [
    "Recording",
    "check_same",
    "clients",
    "export_graded",
    "open_folder",
    "open_journal",
    "options_of",
    "prepare",
]

_D = TypeVar("_D", bound=Drawing)


class Recording(TypedDict, total=False):
    """How samples are requested, as in `mssim.recorder.record`."""

    max_requests: int | None
    max_tokens: int | None
    max_cost: float | None
    retry_failed: bool
    new_server: bool
    retry: Retry | None
    sampler: Callable[[Server], Sampler] | None
    report: Callable[[Progress], None] | None


@contextmanager
def open_folder(folder: Path, setup: Setup, *, use_recorded: bool) -> Iterator[Journal]:
    """Open the journal of a folder for recording. Raise if it has samples of another strategy, as `check_same` does."""
    with open_journal(folder) as journal:
        refuse_fewer(journal, folder)
        check_same(journal, setup, use_recorded=use_recorded)
        yield journal


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Open the journal of a folder for recording. Raise if it has a pool that was not recorded there."""
    if current(folder, "pool.json").exists() and not (folder / NAME).exists():
        raise RecordError(f"{folder} contains a pool without a journal. Choose another folder.")
    with Journal(folder, record=True) as journal:
        yield journal


def check_same(journal: Journal, setup: Setup, *, use_recorded: bool) -> None:
    """Raise if a journal has samples that another command recorded, unless they are to be used."""
    known, now = journal.info().get("live") if journal.count() else None, setup.describe()
    if use_recorded or known == now or not journal.count():
        return
    if known is None:
        what = "samples that were recorded without a strategy"
    else:
        changed = [f"{name}={known.get(name)!r}" for name in {**known, **now} if known.get(name) != now.get(name)]
        what = f"samples of a live run with {', '.join(changed)}"
    raise RecordError(
        f"{journal.path.parent} has {what}. To draw them first, pass use_recorded=True. Otherwise restore what has "
        "changed, or use another folder."
    )


def prepare(
    kind: type[_D],
    setup: Setup,
    plan: Plan,
    rows: Sequence[Mapping[str, Any]],
    journal: Journal,
    recording: Recording,
) -> _D:
    """Store the plan in the journal and return the run.

    Parameters
    ----------
    kind : type
        `Drawing` or a subclass.
    setup : Setup
        Strategy, budget and rule.
    plan : Plan
        Resolved plan.
    rows : sequence of mapping
        Questions.
    journal : Journal
        Journal that is open for recording.
    recording : Recording
        Limits, clients and retries.
    """
    limits = [recording.get(name) for name in ("max_requests", "max_tokens", "max_cost")]
    budget = read_limits(replace(plan, models=setup.models), *limits)  # type: ignore[arg-type]
    known = journal.models()
    most = {m.name: max(setup.most, known[m.name]["samples"] if m.name in known else 0) for m in setup.models}
    targets = [target_of(replace(model, samples=most[model.name]), rows) for model in setup.models]
    check_unchanged(journal, targets, recording.get("new_server", False))
    prices = budget.prices.describe() if budget.prices else None
    info = {"pool": dict(plan.info), "prices": prices, "live": setup.describe()}
    cells = (cell for target in targets for cell in target.cells)
    journal.write_plan({t.plan.name: known_of(t.plan) for t in targets}, rows, cells, info)
    currency = budget.prices.currency if budget.prices else ""
    progress = LiveProgress(len(rows) * setup.budget, 0, 0, currency=currency, questions=len(rows))
    for warning in Plan(tuple(replace(model, samples=setup.budget) for model in setup.models)).warnings():
        progress.warn(warning)
    return kind(
        setup,
        rows,
        journal,
        targets,
        clients(setup.models, recording),
        progress,
        **options_of(with_spend(budget, journal, plan), recording),
    )


def clients(models: Iterable[ModelPlan], recording: Recording) -> dict[Server, Sampler]:
    """Return a client for each server of some models."""
    client = recording.get("sampler") or openai_client
    return {server: client(server) for server in dict.fromkeys(model.server for model in models)}


def options_of(budget: Budget, recording: Recording) -> Options:
    """Return the options of a run."""
    return {
        "budget": budget,
        "retry": recording.get("retry") or Retry(),
        "retry_failed": recording.get("retry_failed", False),
        "report": recording.get("report"),
    }


def export_graded(
    journal: Journal, folder: Path, setup: Setup, progress: Progress, report: Callable[[Progress], None] | None = None
) -> list[str]:
    """Write the files of the pool, graded by the rule of the run. Return why they could not be written, if so."""
    progress.writing = True
    if report is not None:
        report(progress)
    try:
        export_journal(journal, folder, setup.rule)
    except MssimError as error:
        return [f"All samples are in the journal, but the files of the pool were not updated. {error}"]
    return []
