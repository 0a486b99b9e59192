"""Waiting.

This section measures how long a user waits before the first replay: start-up, the first evaluation of a new process and
loading pools. Times are wall-clock times, the best of several runs, with compiled and cached kernels. Pools are
SYNTHETIC except those in recorded/. "allowed" is the limit that the project guarantees.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measuring import best_of
from mssim import Pool, load_pool

RECORDED = Path(__file__).parents[1] / "recorded"
TIMED_IMPORT = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
FIRST_EVALUATION = """if True:
    import sys, mssim
    pool = mssim.load_pool(sys.argv[1])
    mssim.evaluate(pool, ["sc:m0", "ms:m0+m1"], [2, 4, 8], n_replays=10)
    print("done", flush=True)
"""


def make_pool(n_questions: int, n_models: int, n_samples: int) -> Pool:
    rng = np.random.default_rng(0)
    question, model, sample = np.indices((n_questions, n_models, n_samples)).reshape(3, -1)
    frame = pd.DataFrame(
        {
            "question_id": question,
            "model": np.array([f"m{i}" for i in range(n_models)])[model],
            "sample_index": sample,
            "answer": rng.geometric(0.4, question.size),
            "truth": 1,
        }
    )
    return Pool.from_frame(frame, info={"synthetic": True})


def run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def until_done(*arguments: str) -> float:
    """Return the seconds from the start of a process until it prints, without the time to exit."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE) as process:
        said, seconds = process.stdout.readline(), time.perf_counter() - start
    if said.strip() != b"done":
        raise SystemExit("the first evaluation failed")
    return seconds


def importing(statement: str, repeats: int) -> float:
    """Return the seconds that an import takes in a new process."""
    return min(float(run("-c", TIMED_IMPORT.format(statement))) for _ in range(repeats))


def measure(smoke: bool) -> pd.DataFrame:
    shape, repeats = ((20, 2, 16), 1) if smoke else ((1000, 4, 512), 7)
    rows = [
        ("import mssim", importing("import mssim", repeats), 0.3),
        ("from mssim import evaluate", importing("from mssim import evaluate", repeats), np.nan),
        ("mssim --help, the whole process", best_of(partial(run, "-m", "mssim", "--help"), repeats), 0.5),
    ]
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        make_pool(*shape).save(large)
        make_pool(20, 2, 16).save(small)
        first = ("-c", FIRST_EVALUATION, str(small))
        run(*first)  # compile
        rows.append(
            (
                "first evaluation of a new process, until its result",
                min(until_done(*first) for _ in range(repeats)),
                2.0,
            )
        )
        rows.append(("the same, until the process ends", best_of(partial(run, *first), repeats), np.nan))
        name = "load {:,} questions x {} models x {} samples".format(*shape)
        rows.append((name, best_of(partial(load_pool, large), repeats), 1.0))
    for folder in sorted(path.parent for path in RECORDED.glob("*/pool.json")):
        seconds = best_of(partial(load_pool, folder), repeats)
        rows.append((f"load recorded/{folder.name}", seconds, np.nan))
    return pd.DataFrame(rows, columns=["what", "seconds", "allowed"])
