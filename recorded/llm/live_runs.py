"""Live runs of strategies by the models of a recording, which replays of this recording predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mssim.live import LiveRun, compare, run
from mssim.pools.loading import read_pool
from mssim.recorder import Plan
from recorded.llm.tasks import SEED, Task, write_questions

__all__ = ["RUN", "publish_live", "run_live"]

# The tokens of requests for one sample include the end of the text, so each round asks for several.
RUN = (("sc:gemma", 16), ("ms:gemma+smol,agreement=0.75", 16), ("sc:smol-cool,stop=window:4", 16))
_COLUMNS = ["question_id", "answer", "correct", "samples_used", "output_tokens", "stopped"]


def run_live(task: Task, plan: Plan, work: Path, number: int | None = None) -> list[LiveRun]:
    """Run the strategies on a task, each with seeds of its own. Samples that are recorded are kept.

    Parameters
    ----------
    task : Task
        The task.
    plan : Plan
        Plan of its recording.
    work : Path
        Folder of recordings. That of a strategy is TASK-live/NUMBER.
    number : int, optional
        Number of questions, by default all.

    Returns
    -------
    list of LiveRun
        The runs in the order of `RUN`.

    Raises
    ------
    SystemExit
        If questions are unfinished at the end.
    """
    asked = work / "questions" / f"{task.name}.jsonl"
    write_questions(task, asked, number)
    found = []
    for place, (strategy, budget) in enumerate(RUN):
        seeded = replace(plan, models=tuple(replace(model, seed=SEED + 1 + place) for model in plan.models))
        folder = work / f"{task.name}-live" / str(place + 1)
        done = run(asked, seeded, strategy, budget, folder, rule=task.rule, retry_failed=True, new_server=True)
        if not done.complete:
            raise SystemExit(f"{task.name}, {strategy}: {done.unfinished} questions are unfinished. Run it again.")
        print(f"{task.name}, live: {done.totals()}", flush=True)
        found.append(done)
    return found


def publish_live(runs: Sequence[LiveRun], folder: Path) -> None:
    """Write live.csv to the folder of a pool: one row per strategy and question.

    Parameters
    ----------
    runs : sequence of LiveRun
        Complete runs.
    folder : Path
        Folder of the pool, with the recording of the same models and questions.

    Raises
    ------
    MssimError
        If a run has the same samples as the recording, so that it is not independent.
    """
    compare(runs, read_pool(folder))
    frames = [done.to_frame()[_COLUMNS].assign(strategy=done.strategy, budget=done.budget) for done in runs]
    rows = pd.concat(frames, ignore_index=True)[["strategy", "budget", *_COLUMNS]]
    rows.to_csv(folder / "live.csv", index=False, lineterminator="\n")
