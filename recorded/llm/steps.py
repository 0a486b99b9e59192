"""All steps that make the pools: models, servers, questions, recording, grading, pools and data cards."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from mssim.recorder import Plan, Progress, export, read_plan
from mssim.recorder import record as record_samples
from recorded.llm.card import write_card
from recorded.llm.live_runs import publish_live, run_live
from recorded.llm.protocols import play, publish_runs
from recorded.llm.publishing import publish
from recorded.llm.server import free_port, running
from recorded.llm.tasks import TASKS, Task, write_questions
from recorded.llm.weights import WEIGHTS, fetch

__all__ = ["addresses", "plan_of", "record", "run", "served"]


def run(
    work: Path,
    out: Path,
    *,
    tasks: Sequence[str] = tuple(TASKS),
    servers: Collection[str] = tuple(WEIGHTS),
    samples: int = 512,
    number: int | None = None,
    runs: int = 16,
) -> None:
    """Run all steps, and print the time of each. Finished steps and recorded samples are kept.

    Parameters
    ----------
    work : Path
        Folder for models, questions and recordings.
    out : Path
        Folder for the pools.
    tasks : sequence of str
        Names of the tasks.
    servers : collection of str
        Names of the servers in the plans. Models of other servers are not recorded.
    samples : int, default 512
        Number of samples per model and question.
    number : int, optional
        Number of questions, by default all.
    runs : int, default 16
        Number of runs of every protocol per question. There are none with 0, or if a server is left out; and no live
        runs of strategies then.
    """
    played = tasks if runs and {*servers} == {*WEIGHTS} else ()
    live = {}
    with _timed("models"):
        files = {name: fetch(WEIGHTS[name], work / "models") for name in WEIGHTS if name in servers}
    with served(files, {name: free_port() for name in files}, work) as urls:
        for name in tasks:
            with _timed(f"recording {name}"):
                record(TASKS[name], urls, work, samples, number)
        for name in played:
            with _timed(f"protocols on {name}"):
                play(TASKS[name], plan_of(TASKS[name], urls, 1), work, runs, number)
            with _timed(f"live runs on {name}"):
                live[name] = run_live(TASKS[name], plan_of(TASKS[name], urls, samples), work, number)
    for name in tasks:
        with _timed(f"pool of {name}"):
            folder = out / f"llm-{name}"
            print(publish(work / name, folder, TASKS[name]))
            if name in live:
                publish_live(live[name], folder)
            write_card(folder, TASKS[name])
    for name in played:
        print(publish_runs(work, out / f"llm-{name}-protocols", TASKS[name]))


@contextmanager
def served(files: Mapping[str, Path], ports: Mapping[str, int], work: Path) -> Iterator[dict[str, str]]:
    """Serve files of models, by the name of the server, while the block runs. Yield base URLs by the same names."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(file, ports[name], work / f"server-{name}.log"))
            for name, file in files.items()
        }


def addresses(task: Task) -> dict[str, int]:
    """Return the ports of the servers in the plan of a task, by their names."""
    given = {model.model_id: model.server.base_url for model in read_plan(task.plan).models}
    return {name: urlsplit(given[weights.name]).port or 0 for name, weights in WEIGHTS.items()}


def plan_of(task: Task, urls: Mapping[str, str], samples: int) -> Plan:
    """Return the plan of a task, for the models of running servers.

    Parameters
    ----------
    task : Task
        The task.
    urls : mapping of str to str
        Base URL of each server, by its name in the plan.
    samples : int
        Number of samples per model and question.
    """
    plan = read_plan(task.plan, samples=samples)
    by_model = {WEIGHTS[name].name: url for name, url in urls.items()}
    models = [
        replace(model, server=replace(model.server, base_url=by_model[model.model_id]))
        for model in plan.models
        if model.model_id in by_model
    ]
    return replace(plan, models=tuple(models))


def record(task: Task, urls: Mapping[str, str], work: Path, samples: int, number: int | None = None) -> None:
    """Record and grade the samples of a task that are missing.

    Raises
    ------
    SystemExit
        If samples are missing at the end.
    """
    asked = work / "questions" / f"{task.name}.jsonl"
    write_questions(task, asked, number)
    plan = plan_of(task, urls, samples)
    done = record_samples(asked, plan, work / task.name, retry_failed=True, new_server=True, report=_Report())
    for line in (*done.notes, *done.warnings):
        print(line, flush=True)
    if not done.complete:
        raise SystemExit(f"{task.name}: {done.missing} samples are missing. Run the same command again.")
    print(export(work / task.name, rule=task.rule), flush=True)


class _Report:
    """Progress callback that prints a line per minute."""

    def __init__(self) -> None:
        self._next = 60.0

    def __call__(self, progress: Progress) -> None:
        if progress.seconds >= self._next:
            self._next += 60.0
            left = progress.left / progress.rate / 60 if progress.rate else float("inf")
            print(f"{progress.done} of {progress.wanted} samples, {left:.0f} minutes remaining", flush=True)


@contextmanager
def _timed(step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{step}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
