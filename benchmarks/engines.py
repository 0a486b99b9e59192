"""Engines side by side.

All engines do the same tasks on the same SYNTHETIC pool, in turn in one process. Times are processor times after
compilation (the sum of all threads, so one core), the best of several rounds. The columns are:

- "ns/draw": time per draw, a sample used in a replay of the largest budget. The floor only makes the draws.
- "us": time per question of one replay, or of one whole curve without replays (closed forms, released analysis).
- "x mssim": "us" divided by that of the first engine. For a closed form, this is the number of replays in equal time.
- "MB": increase of the memory of the process by one more run.
- "accuracy": percentage at the given budget over all rounds. Engines must agree within six standard errors.

The engines differ in their functions:

- The released analysis is restated: the first K recorded answers, list.count, one pass, no resampling. It gives a
  single number without an error, around which replays scatter.
- scorio votes over given batches of draws, with one call per budget. Its maj@k distinguishes only correct and wrong
  samples and asks whether more than half are correct. It is compared with mssim for a single wrong answer and ties
  counted as wrong, which is equivalent. The next task is the plurality over different wrong answers.
- AdaptiveConsistency integrates numerically after every draw. mssim and the loops use a precomputed table.
- Closed forms in NumPy and SciPy are the published ones for each k, or one broadcast over questions and k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import floor, packages, plain, vectorised
from benchmarks.measuring import Timed, extra_memory, interleaved
from benchmarks.pools import make_pool
from mssim import Evaluation, Pool, evaluate, maj_at_k, pass_at_k

ONE = ThreadPoolExecutor(1)
ERRORS = 6


class Engine(NamedTuple):
    """Implementation of a task; run(round) returns accuracies by budget from `n_replays` replays (0: none)."""

    name: str
    run: Callable[[int], object]
    n_replays: int


class Task(NamedTuple):
    """Task of all engines; the first engine is that of mssim."""

    name: str
    budgets: Sequence[int]
    at: int  # budget at which accuracies are compared
    engines: list[Engine]
    draws: floor.Draws | None  # draws of the first engine, if it uses replays
    replay_sd: float  # standard deviation of the accuracy of one replay


class Sizes(NamedTuple):
    """Numbers of replays of the engines; slower engines make fewer."""

    mssim: int
    vectorised: int
    plain: int


def replayed(pool: Pool, spec: str, budgets: Sequence[int], n_replays: int, seed: int) -> Evaluation:
    return evaluate(pool, spec, budgets, method="monte_carlo", n_replays=n_replays, seed=seed, executor=ONE)


def mssim_engine(pool: Pool, spec: str, budgets: Sequence[int], n_replays: int) -> Engine:
    def run(turn: int) -> np.ndarray:
        return replayed(pool, spec, budgets, n_replays, turn).accuracy[0].mean(axis=1)

    return Engine("mssim Monte Carlo", run, n_replays)


def loop_engines(function: str, pool: Pool, budgets: object, sizes: Sizes) -> list[Engine]:
    """Return the loops in NumPy and in plain Python, which have the same name."""
    return [
        Engine(name, partial(getattr(module, function), pool, budgets, n), n)
        for name, module, n in (("NumPy", vectorised, sizes.vectorised), ("plain Python", plain, sizes.plain))
    ]


def once(name: str, function: Callable[..., object], *arguments: object) -> Engine:
    """Return an engine without replays, which ignores the number of the round."""
    return Engine(name, lambda _: function(*arguments), 0)


def exact_accuracy(pool: Pool, spec: str, budgets: Sequence[int]) -> np.ndarray:
    return evaluate(pool, spec, budgets, method="exact", executor=ONE).accuracy[0].mean(axis=1)


def replay_task(name: str, pool: Pool, spec: str, budgets: Sequence[int], others: list[Engine], sizes: Sizes) -> Task:
    result = replayed(pool, spec, budgets, 1000, 0)
    models = ["one", "two"] if spec.startswith("ms:") else ["one"]
    largest = max(budgets)
    depths = [-(-largest // 2), largest // 2] if len(models) == 2 else [largest]
    draws = floor.draws_as_used(pool, models, depths, result, sizes.mssim)
    sd = float(result.to_frame()["replay_sd"].iloc[-1])
    return Task(name, budgets, largest, [mssim_engine(pool, spec, budgets, sizes.mssim), *others], draws, sd)


def self_consistency(pool: Pool, budgets: Sequence[int], sizes: Sizes) -> Task:
    others = [
        once("mssim exact", exact_accuracy, pool, "sc:one", budgets),
        *loop_engines("self_consistency", pool, budgets, sizes),
        once("released analysis", plain.released_self_consistency, pool, budgets),
    ]
    if packages.installed("scorio"):
        run = partial(packages.scorio_self_consistency, pool, budgets, sizes.plain)
        others.append(Engine("scorio", run, sizes.plain))
    return replay_task(f"Self-Consistency, budgets 1..{max(budgets)}", pool, "sc:one", budgets, others, sizes)


def model_switch(name: str, pool: Pool, budgets: Sequence[int], sizes: Sizes) -> Task:
    others = [
        *loop_engines("model_switch", pool, budgets, sizes),
        once("released analysis", plain.released_model_switch, pool, budgets),
    ]
    return replay_task(name, pool, "ms:one+two", budgets, others, sizes)


def adaptive_consistency(pool: Pool, most: int, sizes: Sizes) -> Task:
    others = loop_engines("adaptive_consistency", pool, most, sizes)
    if packages.installed("AdaptiveConsistency"):
        run = partial(packages.package_adaptive_consistency, pool, most, sizes.plain)
        others.append(Engine("AdaptiveConsistency", run, sizes.plain))
    return replay_task(f"Adaptive-Consistency, at most {most} draws", pool, "sc:one,stop=beta", [most], others, sizes)


def counted(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and correct classes of the first model, [question, class], padded with zeros."""
    per_question = np.split(pool.class_counts("one"), pool.class_offsets[1:-1])
    shape = len(per_question), max(map(len, per_question))
    counts, correct = np.zeros(shape, int), np.zeros(shape, bool)
    for q, right in enumerate(np.split(pool.class_correct, pool.class_offsets[1:-1])):
        counts[q, : right.size], correct[q, : right.size] = per_question[q], right
    return counts, correct


def closed_forms(pool: Pool, sizes: Sizes) -> Iterator[Task]:
    """Yield tasks of pass@k and both kinds of maj@k, for every k."""
    n = pool.codes.shape[2]
    ks, at = range(1, n + 1), min(n, 64)
    c, (counts, correct) = vectorised.right_samples(pool), counted(pool)
    binary = np.stack([c, n - c], axis=1)
    scorio = packages.installed("scorio")
    engines = [
        once("mssim exact", lambda: pass_at_k(n, c, ks).mean(axis=0)),
        once("NumPy", vectorised.pass_at_k, pool, ks),
        once("plain Python", plain.pass_at_k, pool, ks),
        *([once("scorio", packages.scorio_pass_at_k, pool, ks)] if scorio else []),
    ]
    yield Task(f"pass@k, k = 1..{n}", ks, at, engines, None, 0.0)
    engines = [
        once("mssim exact", lambda: maj_at_k(binary, ks, ties="wrong").mean(axis=0)),
        once("SciPy", vectorised.strict_majority, pool, ks),
        *([once("scorio", packages.scorio_maj_at_k, pool, ks)] if scorio else []),
    ]
    yield Task(f"maj@k, more than half right, k = 1..{n}", ks, at, engines, None, 0.0)
    few = Sizes(sizes.mssim // 10, max(1, sizes.vectorised // 10), 1)
    engines = [
        once("mssim exact", lambda: maj_at_k(counts, ks, correct=correct).mean(axis=0)),
        mssim_engine(pool, "sc:one", ks, few.mssim),
        *loop_engines("self_consistency", pool, ks, few),
    ]
    sd = float(replayed(pool, "sc:one", [at], 1000, 0).to_frame()["replay_sd"].iloc[0])
    yield Task(f"maj@k, plurality, k = 1..{n}", ks, at, engines, None, sd)


def tasks(smoke: bool) -> Iterator[Task]:
    shape, most, sizes = ((20, 64), 32, Sizes(40, 8, 2)) if smoke else ((500, 512), 64, Sizes(2000, 60, 1))
    pool = make_pool(*shape)
    yield self_consistency(pool, range(1, most + 1), sizes)
    yield model_switch(f"ModelSwitch, budgets 4, 8, .., {most}", pool, range(4, most + 1, 4), sizes)
    every = f"ModelSwitch, budgets 2..{most}"
    yield model_switch(every, pool, range(2, most + 1), sizes)
    yield model_switch(f"{every}, no easy questions", make_pool(*shape, easy_share=0.0), range(2, most + 1), sizes)
    yield adaptive_consistency(pool, min(most, 40), sizes)
    yield from closed_forms(pool, sizes)


def accuracy(task: Task, timed: Timed) -> float:
    """Return the mean accuracy over all rounds at the compared budget."""
    return float(np.mean([np.asarray(curve)[task.budgets.index(task.at)] for curve in timed.returned]))


def check(task: Task, engine: Engine, timed: Timed, expected: float, n_expected: int, n_questions: int) -> None:
    """Raise if accuracies differ by more than six standard errors, plus three answers for tiny runs."""
    n = engine.n_replays * len(timed.returned)
    n = 1 if engine.name == "released analysis" else n
    parts = [1 / m for m in (n, n_expected) if m]
    allowed = ERRORS * task.replay_sd * np.sqrt(sum(parts)) + 3 * sum(parts) / n_questions + 1e-9
    if not abs(accuracy(task, timed) - expected) <= allowed:
        found = accuracy(task, timed)
        raise SystemExit(f"{task.name}: {engine.name} finds {found:.5f}, mssim {expected:.5f} (allowed: {allowed:.5f})")


def measured(task: Task, n_questions: int, rounds: int) -> Iterator[dict[str, object]]:
    """Yield the rows of one task; the floor is last."""
    calls: dict[str, Callable[[int], object]] = {engine.name: engine.run for engine in task.engines}
    if task.draws is not None:
        calls |= {name: lambda _, make=make: make(*task.draws) for name, make in floor.FLOORS.items()}
    for call in calls.values():
        call(0)  # compile
    timed = interleaved(calls, rounds)
    ours = task.engines[0]
    bottom = min(timed[name].seconds for name in floor.FLOORS) if task.draws else np.nan
    per_draw = 1e9 / (task.draws.total / ours.n_replays) if task.draws else np.nan  # ns of a replay of the pool
    reference = timed[ours.name].seconds / max(1, ours.n_replays)
    expected, n_expected = accuracy(task, timed[ours.name]), ours.n_replays * len(timed[ours.name].returned)
    for engine in task.engines:
        check(task, engine, timed[engine.name], expected, n_expected, n_questions)
        seconds = timed[engine.name].seconds / max(1, engine.n_replays)
        yield {
            "task": task.name,
            "engine": engine.name,
            "replays": engine.n_replays or np.nan,
            "ns/draw": seconds * per_draw if engine.n_replays else np.nan,
            "us": 1e6 * seconds / n_questions,
            "x mssim": seconds / reference,
            "x floor": seconds * ours.n_replays / bottom if engine.n_replays else np.nan,
            "MB": extra_memory(partial(engine.run, 0)),
            "accuracy": 100 * accuracy(task, timed[engine.name]),
            "at": task.at,
        }
    for name in floor.FLOORS if task.draws else ():
        seconds = timed[name].seconds / ours.n_replays
        yield {
            "task": task.name,
            "engine": f"floor: {name}",
            "replays": ours.n_replays,
            "ns/draw": seconds * per_draw,
            "us": 1e6 * seconds / n_questions,
            "x mssim": seconds / reference,
            "x floor": timed[name].seconds / bottom,
        }


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    n_questions, rounds = (20, 1) if smoke else (500, 7)
    rows = [row for task in tasks(smoke) for row in measured(task, n_questions, rounds)]
    tables = {"Engines": pd.DataFrame(rows)}
    missing = [name for name in packages.MODULES if not packages.installed(name)]
    if missing:
        tables["Left out"] = pd.DataFrame({"package": missing, "why": "not installed"})
    return tables
