"""How long a user waits before any replay: help, the first call of a new process, loading a large pool.

    python benchmarks/start_and_load.py            # the table, some ten seconds
    python benchmarks/start_and_load.py --smoke    # a small pool, one run of each

The pools are SYNTHETIC but for those in recorded/. Kernels are compiled and cached before anything is timed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mssim import Pool, load_pool

RECORDED = Path(__file__).parents[1] / "recorded"
FIRST_CALL = """if True:
    import sys, mssim
    pool = mssim.load_pool(sys.argv[1])
    mssim.evaluate(pool, ["sc:m0", "ms:m0+m1"], [2, 4, 8], n_replays=10)
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


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Best of several runs: the machine's noise only ever adds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a small pool, one run of each")
    smoke = parser.parse_args().smoke
    shape, repeats = ((20, 2, 16), 1) if smoke else ((1000, 4, 512), 5)
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        make_pool(*shape).save(large)
        make_pool(20, 2, 16).save(small)
        run("-c", FIRST_CALL, str(small))
        rows = {
            "mssim --help": seconds(lambda: run("-m", "mssim", "--help"), repeats),
            "first call of a new process, kernels cached": seconds(lambda: run("-c", FIRST_CALL, str(small)), repeats),
            "load {} questions x {} models x {} samples, SYNTHETIC".format(*shape): seconds(
                lambda: load_pool(large), repeats
            ),
        }
    for folder in sorted(path.parent for path in RECORDED.glob("*/pool.json")):
        rows[f"load recorded/{folder.name}"] = seconds(partial(load_pool, folder), repeats)
    print(pd.DataFrame({"what": rows.keys(), "seconds": rows.values()}).to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
