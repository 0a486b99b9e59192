"""All steps that make the pools: training, questions, recording, grading, scores and data cards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from recorded.tiny import recipes
from recorded.tiny.card import write_card
from recorded.tiny.publishing import describe_training, publish
from recorded.tiny.server import Server
from recorded.tiny.tasks import TASKS, TEST_SEED, Task, questions
from recorded.tiny.training import Recipe, load, train_to


def run(work: Path, out: Path, *, jobs: int = 2, smoke: bool = False) -> None:
    """Run all steps, and print the time of each.

    Parameters
    ----------
    work : Path
        Folder for weights, questions and recordings. Existing ones are reused.
    out : Path
        Folder for the pools.
    jobs : int, default 2
        Number of models to train in parallel.
    smoke : bool, default False
        Whether to use micro models, two questions per family and 16 samples.
    """
    models = recipes.MICRO_MODELS if smoke else recipes.MODELS
    verifier = recipes.MICRO_VERIFIER if smoke else recipes.VERIFIER
    with _timed("training"):
        train_all({work / "models": models, work / "verifier": verifier}, jobs)
    trained = describe_training(work / "models") | describe_training(work / "verifier")
    with served(work / "models") as server:
        for task in TASKS.values():
            with _timed(f"recording {task.name}"):
                asked = work / "questions" / f"{task.name}.jsonl"
                write_questions(task, asked, per_family=2 if smoke else None)
                record(server, asked, work / task.name, task.rule, samples=16 if smoke else 512)
    for task in TASKS.values():
        with _timed(f"pool of {task.name}"):
            folder = out / f"tiny-{task.name}"
            print(publish(work / task.name, folder, task, load(work / "verifier" / "verifier.pt"), trained))
            write_card(folder, task)


def train_all(wanted: Mapping[Path, Mapping[str, Recipe]], jobs: int) -> None:
    """Train every model without weights in its folder, each on one core.

    Raises
    ------
    SystemExit
        If a folder has weights of another recipe, which would be mistaken for those of the models.
    """
    missing = {}
    for folder, some in wanted.items():
        folder.mkdir(parents=True, exist_ok=True)
        others = {path.stem for path in folder.glob("*.pt")} - set(some)
        for name, recipe in some.items():
            if not (folder / f"{name}.pt").exists():
                missing[folder / f"{name}.pt"] = recipe
                continue
            described = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            if not recipe.describe().items() <= described.items():
                others.add(name)
        if others:
            raise SystemExit(
                f"{folder}: weights of another recipe: {', '.join(sorted(others))}. Remove them, or set --work to "
                "another folder."
            )
    # With the default handler, an interrupt ends the workers. Otherwise they would train all pending models.
    stop = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_DFL)}
    with ProcessPoolExecutor(jobs, get_context("spawn"), **stop) as pool:
        for done in [pool.submit(train_to, path, recipe) for path, recipe in missing.items()]:
            done.result()


def write_questions(task: Task, path: Path, per_family: int | None = None) -> None:
    """Write the test questions of a task as JSON lines with question_id, question, truth and family.

    Parameters
    ----------
    task : Task
        Task of the questions.
    path : Path
        File to write.
    per_family : int, optional
        Number of questions to write of every family, by default all.
    """
    lines, seen = [], dict.fromkeys(task.families, 0)
    for number, problem in enumerate(questions(task)):
        seen[problem.family] += 1
        if per_family is not None and seen[problem.family] > per_family:
            continue
        row = {"question_id": f"{task.name}-{number:03d}", "question": problem.question, "truth": problem.truth}
        lines.append(json.dumps({**row, "family": problem.family}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def served(weights: Path) -> Iterator[Server]:
    """Serve the models of a folder while the block runs."""
    server = Server(weights)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def record(server: Server, asked: Path, folder: Path, rule: str, samples: int) -> None:
    """Record all models of a server with `mssim record` and grade the answers. A rerun resumes."""
    models = [f"--model={name}" for name in server.models]
    settings = ["--samples", f"{samples}", "--samples-per-request", f"{min(samples, 128)}", "--seed", f"{TEST_SEED}"]
    options = ["--base-url", server.base_url, "--new-server", "--logprobs", "--concurrency", "4", "--retry-failed"]
    options += ["--out", f"{folder}"]
    _mssim("record", f"{asked}", *models, *settings, *options)
    _mssim("grade", f"{folder}", "--rule", rule)


def _mssim(*arguments: str) -> None:
    print("$ mssim " + " ".join(arguments), flush=True)
    if subprocess.run([sys.executable, "-m", "mssim", *arguments]).returncode:
        raise SystemExit(f"mssim {arguments[0]} did not finish. Run the same command again.")


@contextmanager
def _timed(step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{step}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
