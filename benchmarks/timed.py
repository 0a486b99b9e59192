"""Times of tasks that any version of mssim can do, in a process that is asked for them.

`python -m benchmarks.timed` runs all tasks once, to compile, and prints their names as a line of JSON. For each name
that it then reads, it runs that task and prints its processor time in seconds.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.pools import make_pool
from mssim import evaluate, tune

ONE = ThreadPoolExecutor(1)


def tasks(smoke: bool) -> dict[str, Callable[[], object]]:
    """Return tasks of a tenth of a second or more, by name."""
    pool = make_pool(10, 64) if smoke else make_pool(300, 512)
    n = 10 if smoke else 1000
    replayed = partial(evaluate, pool, method="monte_carlo", n_replays=n, executor=ONE)
    exact = partial(evaluate, pool, method="exact", executor=ONE)
    few = pool.select(questions=pool.question_ids[:: max(1, len(pool.questions) // 50)])
    return {
        "Self-Consistency, budgets 1..64, replayed": lambda: replayed("sc:one", range(1, 65)),
        "ModelSwitch, budgets 4, 8, .., 64, replayed": lambda: replayed("ms:one+two", range(4, 65, 4)),
        "ModelSwitch, budgets 2..64, replayed": lambda: replayed("ms:one+two", range(2, 65)),
        "Adaptive-Consistency, replayed": lambda: replayed("sc:one,stop=beta", [8, 16, 40]),
        "Mixture, budgets 2..64, replayed": lambda: replayed("mix:one+two,vote=entropy", range(2, 65)),
        "Self-Consistency, budgets 1..64, exact": lambda: exact("sc:one", range(1, 65)),
        "ModelSwitch, plurality, budgets 2..12, exact": lambda: exact("ms:one+two,vote=plurality", range(2, 13)),
        "tune, default candidates": lambda: tune(few, budgets=[1, 2, 4, 8, 16], n_replays=n, executor=ONE),
    }


def main() -> None:
    every = tasks(smoke="--smoke" in sys.argv)
    for run in every.values():
        run()
    print(json.dumps(list(every)), flush=True)
    gc.freeze()
    for line in sys.stdin:
        start = time.process_time()
        every[line.strip()]()
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
