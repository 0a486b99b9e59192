"""Speed of the closed forms, beside the time in which replays would come as near.

    python benchmarks/exact_speed.py            # the full table, about a minute
    python benchmarks/exact_speed.py --smoke    # small sizes, to see that it runs

All processors, after compilation. The pool is SYNTHETIC, the one of replay_speed.py: 500 questions x 512 samples of two
models. Replays come near when the standard error of the accuracy at the budget where it is largest is 0.01 percentage
points; the time for so many is extrapolated from a run of fewer, whose accuracies must agree with the closed form.
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version

import numpy as np
import pandas as pd
from replay_speed import make_pool, timed

from mssim import Pool, evaluate, maj_at_k

TARGET = 1e-4


def cases(smoke: bool) -> list[tuple[str, str, range, float | None]]:
    """Name, strategy, budgets and the time in ms that is allowed."""
    most = 24 if smoke else 512
    return [
        ("Self-Consistency, k = 1..64", "sc:one", range(1, min(most, 64) + 1), 30),
        (f"Self-Consistency, k = 1..{most}", "sc:one", range(1, most + 1), 1500),
        ("two-model ModelSwitch, budgets 1..16", "ms:one+two,vote=plurality", range(1, 17), 2000),
        ("the same, ties wrong", "ms:one+two,vote=plurality,ties=wrong", range(1, 17), None),
        ("two-model ModelSwitch, budgets 1..32", "ms:one+two,vote=plurality", range(1, 33), None),
        ("Mixture of two, budgets 1..32", "mix:one+two", range(1, 33), None),
        ("Coverage of two, budgets 1..64", "cov:one+two", range(1, min(most, 64) + 1), None),
        ("windows of 5, caps 1..64", "sc:one,stop=window:5", range(1, min(most, 64) + 1), None),
    ]


def row(pool: Pool, name: str, spec: str, budgets: range, limit: float | None, smoke: bool) -> dict[str, object]:
    exactly = evaluate(pool, spec, budgets, method="exact").to_frame()
    seconds = timed(lambda: evaluate(pool, spec, budgets, method="exact"), 2 if smoke else 7)
    n_replays = 40 if smoke else 1000
    options = {"method": "monte_carlo", "n_replays": n_replays}
    replayed = evaluate(pool, spec, budgets, **options).to_frame()
    off = (exactly["accuracy"] - replayed["accuracy"]).abs() / (exactly["replay_sd"] / np.sqrt(n_replays) + 1e-12)
    if off.max() > 6:
        raise SystemExit(f"{name}: exact and replayed accuracy differ by {off.max():.1f} standard errors")
    replay_seconds = timed(lambda: evaluate(pool, spec, budgets, **options), 2)
    needed = (exactly["replay_sd"].max() / TARGET) ** 2
    return {
        "closed form": name,
        "ms": 1e3 * seconds,
        "allowed": limit,
        "replays for 0.01 points": round(needed, -2),
        "their s": replay_seconds * needed / n_replays,
        "x": replay_seconds * needed / n_replays / seconds,
        "furthest MC errors": off.max(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    smoke = parser.parse_args().smoke
    pool = make_pool(20, 64) if smoke else make_pool(500, 512)
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"numba {version('numba')}, numpy {np.__version__}"
    )
    rows = [row(pool, *case, smoke) for case in cases(smoke)]
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.1f", na_rep=""))
    counts, correct = padded(pool)
    ks = np.arange(1, 25 if smoke else 65)
    maj_at_k(counts, ks, correct=correct)
    print(f"maj_at_k, k = 1..{ks[-1]}: {1e3 * timed(lambda: maj_at_k(counts, ks, correct=correct), 7):.1f} ms")


def padded(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Counts and right classes of the first model, [question, class]."""
    per_question = np.split(pool.class_counts("one"), pool.class_offsets[1:-1])
    right = np.split(pool.class_correct, pool.class_offsets[1:-1])
    width = max(map(len, per_question))
    counts, correct = np.zeros((len(right), width), int), np.zeros((len(right), width), bool)
    for q, (n, c) in enumerate(zip(per_question, right, strict=True)):
        counts[q, : n.size], correct[q, : c.size] = n, c
    return counts, correct


if __name__ == "__main__":
    main()
