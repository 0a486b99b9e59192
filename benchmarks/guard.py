"""Guard: ratios of processor times of one run, and their limits.

All calls of a task run in turn in one process, and the best of several rounds counts, so that ratios hardly depend on
the machine and its load. `python -m benchmarks --check` prints all ratios and fails if one exceeds its limit by more
than the tolerance. A ratio beyond its limit is measured in further rounds before it counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import commits, engines, floor
from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from benchmarks.report import cell, table
from mssim import Pool

TOLERANCE = 0.1  # share by which a ratio may exceed its limit, about the noise of a busy machine
NUMPY = 40.0  # fewest times that NumPy takes as long as mssim
COMMIT = 1.15  # most times that mssim takes as long as at another commit, and no tolerance beyond
ROUNDS = 3  # rounds of a measurement
ATTEMPTS = 3  # measurements of a ratio beyond its limit


class Case(NamedTuple):
    """A curve that mssim replays, and how many times as long as its draws it may take."""

    task: str
    spec: str
    budgets: Sequence[int]
    most: float  # times the floor
    in_numpy: str = ""  # function of `vectorised` that does the same


CASES = (
    Case("Self-Consistency, budgets 1..64", "sc:one", range(1, 65), 2.5, "self_consistency"),
    Case("ModelSwitch, budgets 4, 8, .., 64", "ms:one+two", range(4, 65, 4), 4.0, "model_switch"),
    Case("ModelSwitch, budgets 2..64", "ms:one+two", range(2, 65), 6.0, "model_switch"),
    Case("Adaptive-Consistency, at most 40 draws", "sc:one,stop=beta", [40], 6.0, "adaptive_consistency"),
    Case("stop=majority, at most 64 draws", "sc:one,stop=majority:0.8", [64], 6.0),
    Case("stop=entropy, at most 64 draws", "sc:one,stop=entropy:0.75", [64], 6.0),
    Case("stop=window, at most 64 draws", "sc:one,stop=window:5", [64], 6.0),
)


class Ratio(NamedTuple):
    """Ratio of two times and its limit: the most, or if `at_least`, the least allowed; NaN is no limit."""

    task: str
    of: str
    ratio: float
    limit: float
    at_least: bool = False
    tolerance: float = TOLERANCE

    @property
    def ok(self) -> bool:
        """Whether the ratio keeps its limit within the tolerance."""
        if self.at_least:
            return not self.ratio < self.limit / (1 + self.tolerance)
        return not self.ratio > self.limit * (1 + self.tolerance)

    @property
    def allowed(self) -> str:
        """The limit in words; empty without one."""
        if np.isnan(self.limit):
            return ""
        return f"at {'least' if self.at_least else 'most'} {cell(self.limit)}"

    @property
    def failure(self) -> str:
        """One line that says what exceeds the limit."""
        tolerance = f" within {self.tolerance:.0%}" if self.tolerance else ""
        return f"{self.task}: {self.of} is {cell(self.ratio)}, allowed is {self.allowed}{tolerance}"


def check(smoke: bool, against: str | None) -> int:
    """Measure all ratios, print them, and return the exit code."""
    found: list[Ratio] = []
    with commits.checked_out(against) as tree:  # an unknown commit is refused before anything is measured
        for case in CASES:
            print(f"measuring: {case.task}", file=sys.stderr, flush=True)
            found += ratios(case, smoke)
        if tree is not None:
            print(f"measuring: {against}", file=sys.stderr, flush=True)
            found += of_commit(str(against), tree, smoke)
    print(table(frame(found)))
    failures = [one.failure for one in found if not one.ok]
    for line in failures:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failures else 0


def frame(found: Sequence[Ratio]) -> pd.DataFrame:
    rows = [(one.task, one.of, one.ratio, one.allowed, "yes" if one.ok else "no") for one in found]
    return pd.DataFrame(rows, columns=["task", "times of", "ratio", "allowed", "ok"])


def until_ok(measure: Callable[[], list[Ratio]]) -> list[Ratio]:
    """Measure again while a ratio is beyond its limit; each call continues with the best times of those before."""
    found = measure()
    for _ in range(ATTEMPTS - 1):
        if all(one.ok for one in found):
            break
        found = measure()
    return found


# Floor and NumPy ------------------------------------------------------------------------------------------------------


def ratios(case: Case, smoke: bool) -> list[Ratio]:
    """Return the ratios of one case to its floor and to NumPy."""
    shape, sizes = ((20, 64), engines.Sizes(40, 8, 1)) if smoke else ((500, 512), engines.Sizes(1000, 4, 1))
    calls, per_replay = _calls(case, make_pool(*shape), sizes)
    best = dict.fromkeys(calls, np.inf)

    def measure() -> list[Ratio]:
        for name, timed in interleaved(calls, 1 if smoke else ROUNDS).items():
            best[name] = min(best[name], timed.seconds)
        seconds = {name: best[name] / per_replay[name] for name in calls}
        return list(_compared(case, seconds, smoke))

    return until_ok(measure)


def _calls(case: Case, pool: Pool, sizes: engines.Sizes) -> tuple[dict[str, Callable[[int], object]], dict[str, int]]:
    """Return calls by name, compiled, and the number of replays of each."""
    budgets = [budget for budget in case.budgets if budget <= pool.codes.shape[2]]
    given = budgets[-1] if case.in_numpy == "adaptive_consistency" else budgets
    numpy = engines.loop_engines(case.in_numpy, pool, given, sizes)[:1] if case.in_numpy else []
    task = engines.replay_task(case.task, pool, case.spec, budgets, numpy, sizes)
    assert task.draws is not None
    calls: dict[str, Callable[[int], object]] = {engine.name: engine.run for engine in task.engines}
    calls |= {name: partial(_draw, make, task.draws) for name, make in floor.FLOORS.items()}
    per_replay = dict.fromkeys(calls, sizes.mssim) | {engine.name: engine.n_replays for engine in task.engines}
    for call in calls.values():
        call(0)
    return calls, per_replay


def _draw(make: Callable[..., object], draws: floor.Draws, _: int) -> object:
    return make(*draws)


def _compared(case: Case, seconds: dict[str, float], smoke: bool) -> Iterator[Ratio]:
    ours, bottom = seconds["mssim Monte Carlo"], min(seconds[name] for name in floor.FLOORS)
    yield Ratio(case.task, "mssim / floor", ours / bottom, np.nan if smoke else case.most)
    if case.in_numpy:
        yield Ratio(case.task, "NumPy / mssim", seconds["NumPy"] / ours, np.nan if smoke else NUMPY, at_least=True)


# Another commit -------------------------------------------------------------------------------------------------------


def of_commit(commit: str, tree: Path, smoke: bool) -> list[Ratio]:
    """Return the ratios of all tasks of `timed` to their times at another commit."""
    rounds, limit = (1, np.nan) if smoke else (ROUNDS, COMMIT)
    with commits.Timer(commits.ROOT, "the working tree", smoke) as now, commits.Timer(tree, commit, smoke) as before:
        timers = now, before
        names = [timer.finish() for timer in timers]
        return [one for name in names[0] for one in until_ok(partial(_to_commit, name, commit, timers, rounds, limit))]


def _to_commit(
    task: str, commit: str, timers: tuple[commits.Timer, commits.Timer], rounds: int, limit: float
) -> list[Ratio]:
    for _ in range(rounds):
        for timer in timers:  # one after the other, so that they do not disturb each other
            timer.run(task)
    now, before = (timer.best[task] for timer in timers)
    return [Ratio(task, f"mssim / mssim at {commit}", now / before, limit, tolerance=0.0)]
