"""Engines side by side.

The same tasks on the same SYNTHETIC pool by every engine, in one process, in turn, the best of several rounds, in
processor time (all threads together, so one core) after compilation. A draw is a sample that a replay of the largest
budget uses. "us" is per question: of one replay, or of one whole curve where nothing is replayed (closed forms, the
released analysis); "x mssim" divides it by the first engine's, so that for a closed form it says how many replays take
as long. The floor only makes the draws. "MB" is by how much the engine, run once more, raises the memory of the
process. "accuracy" is in percent at the budget named, over all rounds; the engines must agree on it within six
standard errors. Not all of them answer the whole question:

- The released analysis, restated: the first K recorded answers, list.count, one pass, no resampling. It gives one
  number without an error, which the other engines' replays scatter around.
- scorio votes over batches of draws that it is given, so each budget is another call. Its maj@k knows right and wrong
  only and asks whether more than half of the samples are right: beside it stands mssim with a single wrong answer and
  ties wrong, which is the same question. Plurality over the wrong answers as well is another one, and in the next task.
- AdaptiveConsistency integrates numerically after every draw; mssim and the loops look up a table made in advance.
- NumPy's and SciPy's closed forms are per k what was published, or one broadcast over questions and k.
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
    """A way to do a task: run(round) returns the accuracy at every budget, from so many replays (0: none)."""

    name: str
    run: Callable[[int], object]
    n_replays: int


class Task(NamedTuple):
    """What all engines are to do; the first engine is mssim's."""

    name: str
    budgets: Sequence[int]
    at: int  # the budget whose accuracy is compared
    engines: list[Engine]
    draws: floor.Draws | None  # those of the first engine, if it replays
    replay_sd: float  # scatter of the accuracy of one replay of all questions


class Sizes(NamedTuple):
    """How many replays the engines make: fewer where one takes longer, so that all can be measured."""

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
    """The loop in NumPy and the one in plain Python, which have the same name."""
    return [
        Engine(name, partial(getattr(module, function), pool, budgets, n), n)
        for name, module, n in (("NumPy", vectorised, sizes.vectorised), ("plain Python", plain, sizes.plain))
    ]


def once(name: str, function: Callable[..., object], *arguments: object) -> Engine:
    """Return an engine that replays nothing, and so has no use for the number of the round."""
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
    """Counts and right classes of the first model, [question, class], with zeros where others have more classes."""
    per_question = np.split(pool.class_counts("one"), pool.class_offsets[1:-1])
    shape = len(per_question), max(map(len, per_question))
    counts, correct = np.zeros(shape, int), np.zeros(shape, bool)
    for q, right in enumerate(np.split(pool.class_correct, pool.class_offsets[1:-1])):
        counts[q, : right.size], correct[q, : right.size] = per_question[q], right
    return counts, correct


def closed_forms(pool: Pool, sizes: Sizes) -> Iterator[Task]:
    """pass@k and both kinds of maj@k, for every k."""
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
    """Mean over all rounds at the budget that is compared."""
    return float(np.mean([np.asarray(curve)[task.budgets.index(task.at)] for curve in timed.returned]))


def check(task: Task, engine: Engine, timed: Timed, expected: float, n_expected: int, n_questions: int) -> None:
    """Refuse accuracies that differ by more than chance: six standard errors, and three answers for tiny runs."""
    n = engine.n_replays * len(timed.returned)
    n = 1 if engine.name == "released analysis" else n
    parts = [1 / m for m in (n, n_expected) if m]
    allowed = ERRORS * task.replay_sd * np.sqrt(sum(parts)) + 3 * sum(parts) / n_questions + 1e-9
    if not abs(accuracy(task, timed) - expected) <= allowed:
        found = accuracy(task, timed)
        raise SystemExit(f"{task.name}: {engine.name} finds {found:.5f}, mssim {expected:.5f} (within {allowed:.5f})")


def measured(task: Task, n_questions: int, rounds: int) -> Iterator[dict[str, object]]:
    """Rows of one task; the floor comes last."""
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
