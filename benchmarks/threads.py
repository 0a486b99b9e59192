"""Threads.

This section measures wall-clock times of whole evaluations with 1, 2, ... threads, on a SYNTHETIC pool of 500
questions x 512 samples of two models, the best of interleaved rounds. Other load on the machine affects the larger
numbers of threads most.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd

from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from mssim import evaluate


def measure(smoke: bool) -> pd.DataFrame:
    pool = make_pool(20, 64) if smoke else make_pool(500, 512)
    most, n_replays, rounds = (16, 40, 1) if smoke else (64, 1000, 7)
    deepest = 24 if smoke else 400
    replayed = {"method": "monte_carlo", "n_replays": n_replays}
    work = {
        f"Self-Consistency, budgets 1..{most}, replayed": ("sc:one", range(1, most + 1), replayed),
        f"ModelSwitch, budgets 2..{most}, replayed": ("ms:one+two", range(2, most + 1), replayed),
        f"Self-Consistency, budgets 1..{deepest}, exact": ("sc:one", range(1, deepest + 1), {"method": "exact"}),
    }
    n_threads = sorted({2**i for i in range((os.cpu_count() or 1).bit_length())} | {os.cpu_count() or 1})
    rows = []
    for name, (spec, budgets, options) in work.items():
        calls = {}
        for n in n_threads:
            call = partial(evaluate, pool, spec, budgets, executor=ThreadPoolExecutor(n), **options)
            call()
            calls[str(n)] = lambda _, call=call: call()
        timed = interleaved(calls, rounds, time.perf_counter)
        for n in n_threads:
            seconds, alone = timed[str(n)].seconds, timed["1"].seconds
            rows.append({"work": name, "threads": n, "ms": 1e3 * seconds, "x faster": alone / seconds})
    return pd.DataFrame(rows)
