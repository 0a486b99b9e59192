"""Threads.

This section measures wall-clock times of whole calls with 1, 2, ... threads, the best of interleaved rounds. Every work
takes a second or more with one thread. The SYNTHETIC pools have two models, 500 questions and 512 samples, and for
`tune` four models, 300 questions and 160 samples.

"processes" is what the machine gives: how many times as much work as one thread so many independent processes do at the
same time. Two threads must be 1.9 times as fast as one, or reach 95 % of two processes where these are less than twice
as fast, because processors share memory, or other load occupies them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from multiprocessing import get_context

import pandas as pd

from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from mssim import evaluate, tune

SHARE = 0.95  # of what the machine gives: 1.9 times with two threads


@cache
def works(smoke: bool) -> dict[str, Callable[[Executor], object]]:
    """Return calls by name; each gets an executor."""
    pool, few = (
        (make_pool(20, 64), make_pool(5, 16)) if smoke else (make_pool(500, 512), make_pool(300, 160, n_models=4))
    )
    most, deepest, n = (16, 8, 40) if smoke else (64, 28, 1000)
    replayed = partial(evaluate, pool, method="monte_carlo")
    exact = partial(evaluate, pool, method="exact")
    return {
        f"Self-Consistency, budgets 1..{most}, replayed": lambda executor: replayed(
            "sc:one", range(1, most + 1), n_replays=10 * n, executor=executor
        ),
        f"ModelSwitch, budgets 2..{most}, replayed": lambda executor: replayed(
            "ms:one+two", range(2, most + 1), n_replays=3 * n, executor=executor
        ),
        "Adaptive-Consistency, at most 40 draws, replayed": lambda executor: replayed(
            "sc:one,stop=beta", [40], n_replays=20 * n, executor=executor
        ),
        f"ModelSwitch, plurality, budgets 2..{deepest}, exact": lambda executor: exact(
            "ms:one+two,vote=plurality", range(2, deepest + 1), executor=executor
        ),
        "tune, default candidates": lambda executor: tune(few, n_replays=2 * n, executor=executor),
    }


def run(name: str, smoke: bool) -> None:
    """Do a work with one thread."""
    with ThreadPoolExecutor(1) as one:
        works(smoke)[name](one)


Executors = dict[int, tuple[ThreadPoolExecutor, list[ProcessPoolExecutor]]]  # by number of threads or processes


def executors(numbers: list[int], stack: ExitStack) -> Executors:
    """Return executors of so many threads, and so many pools of one process each, so that each has its share."""
    spawn = get_context("spawn")
    pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for _ in range(max(numbers))]
    return {n: (stack.enter_context(ThreadPoolExecutor(n)), pools[:n]) for n in numbers}


def _threaded(name: str, smoke: bool, executor: Executor, _: int) -> None:
    works(smoke)[name](executor)


def _at_once(name: str, smoke: bool, pools: list[ProcessPoolExecutor], _: int) -> None:
    for done in [pool.submit(run, name, smoke) for pool in pools]:
        done.result()


def rows(name: str, smoke: bool, found: Executors) -> Iterator[dict[str, object]]:
    calls: dict[str, Callable[[int], object]] = {}
    for n, (threads, processes) in found.items():
        calls |= {f"t{n}": partial(_threaded, name, smoke, threads), f"p{n}": partial(_at_once, name, smoke, processes)}
    for call in calls.values():
        call(0)  # compile
    timed = interleaved(calls, 1 if smoke else 7, time.perf_counter)
    seconds = {name: one.seconds for name, one in timed.items()}
    for n in found:
        given = n * seconds["p1"] / seconds[f"p{n}"]
        yield {
            "work": name,
            "threads": n,
            "seconds": seconds[f"t{n}"],
            "x, processes": given,
            "x, threads": seconds["t1"] / seconds[f"t{n}"],
            "at least": SHARE * min(n, given) if n == 2 else float("nan"),
        }


def measure(smoke: bool) -> pd.DataFrame:
    n_processors = os.cpu_count() or 1
    numbers = sorted({2**i for i in range(n_processors.bit_length())} | {n_processors})
    with ExitStack() as stack:
        found = executors(numbers, stack)
        return pd.DataFrame([row for name in works(smoke) for row in rows(name, smoke, found)])
