"""Closed forms.

This section compares the time of closed forms with that of replays of equal accuracy. Replays count as equally accurate
when the largest standard error of accuracy over the budgets is 0.01 percentage points. Their time is extrapolated from
a shorter run, whose accuracies must agree with the closed form within six standard errors. Times are wall-clock times
on all processors after compilation, for a SYNTHETIC pool of 500 questions x 512 samples of two models. "ms" and
"allowed" are in milliseconds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.engines import counted
from benchmarks.measuring import best_of
from benchmarks.pools import make_pool
from mssim import Pool, evaluate, maj_at_k

TARGET = 1e-4


def cases(smoke: bool) -> list[tuple[str, str, range, float]]:
    """Return names, strategies, budgets and limits in ms."""
    most = 24 if smoke else 512
    return [
        ("Self-Consistency, budgets 1..64", "sc:one", range(1, min(most, 64) + 1), 30),
        (f"Self-Consistency, budgets 1..{most}", "sc:one", range(1, most + 1), 1500),
        ("two-model ModelSwitch, budgets 1..16", "ms:one+two,vote=plurality", range(1, 17), 2000),
        ("the same, ties wrong", "ms:one+two,vote=plurality,ties=wrong", range(1, 17), np.nan),
        ("two-model ModelSwitch, budgets 1..32", "ms:one+two,vote=plurality", range(1, 33), np.nan),
        ("Mixture of two, budgets 1..32", "mix:one+two", range(1, 33), np.nan),
        ("Coverage of two, budgets 1..64", "cov:one+two", range(1, min(most, 64) + 1), np.nan),
        ("windows of 5, caps 1..64", "sc:one,stop=window:5", range(1, min(most, 64) + 1), np.nan),
    ]


def row(pool: Pool, name: str, spec: str, budgets: range, limit: float, smoke: bool) -> dict[str, object]:
    exactly = evaluate(pool, spec, budgets, method="exact").to_frame()
    seconds = best_of(lambda: evaluate(pool, spec, budgets, method="exact"), 2 if smoke else 7)
    n_replays = 40 if smoke else 1000
    options = {"method": "monte_carlo", "n_replays": n_replays}
    replayed = evaluate(pool, spec, budgets, **options).to_frame()
    off = (exactly["accuracy"] - replayed["accuracy"]).abs() / (exactly["replay_sd"] / np.sqrt(n_replays) + 1e-12)
    if off.max() > 6:
        raise SystemExit(f"{name}: exact and replayed accuracy differ by {off.max():.1f} standard errors")
    replay_seconds = best_of(lambda: evaluate(pool, spec, budgets, **options), 2)
    needed = (exactly["replay_sd"].max() / TARGET) ** 2
    return {
        "closed form": name,
        "ms": 1e3 * seconds,
        "allowed": limit,
        "replays for 0.01 points": needed,
        "their seconds": replay_seconds * needed / n_replays,
        "x faster": replay_seconds * needed / n_replays / seconds,
        "furthest, standard errors": off.max(),
    }


def measure(smoke: bool) -> pd.DataFrame:
    pool = make_pool(20, 64) if smoke else make_pool(500, 512)
    rows = [row(pool, *case, smoke) for case in cases(smoke)]
    counts, correct = counted(pool)
    ks = range(1, 25 if smoke else 65)
    maj_at_k(counts, ks, correct=correct)
    seconds = best_of(lambda: maj_at_k(counts, ks, correct=correct), 7)
    rows.append({"closed form": f"maj_at_k, k = 1..{ks[-1]}", "ms": 1e3 * seconds})
    return pd.DataFrame(rows)
