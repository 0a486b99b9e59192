"""Equal error.

This section compares the time of replays until a Monte Carlo error is reached with that of equally many replays of
every question with the same error. The error is the largest over the budgets 4, 8 and 16. "replays" are means over
questions: first equally many, then as many as the pilot chose. "x faster" is the ratio of processor times times the
ratio of the squared errors, because the target is not met exactly. Times include the pilot and the closed form of a
control. Rules whose accuracy has a closed form at all budgets are not listed. The SYNTHETIC pool is that of the section
Rules, on which 40 % of the questions are always answered correctly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.engines import ONE
from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from benchmarks.rules import RULES, with_numbers
from mssim import Evaluation, Pool, evaluate

BUDGETS = (4, 8, 16)
SEVERAL = [f"ms:one+two,agreement={share},vote={vote}" for share in (1, 0.8, 0.6) for vote in ("plurality", "entropy")]


def evaluating(pool: Pool, rules: list[str], **options: float) -> Callable[[int], Evaluation]:
    return lambda _: evaluate(pool, rules, BUDGETS, executor=ONE, **options)


def error_of(found: Evaluation) -> float:
    """Return the largest Monte Carlo error."""
    return float(np.sqrt(found.mc_variance.sum(axis=2)).max() / found.mc_variance.shape[2])


def compared(name: str, pool: Pool, rules: list[str], n_replays: int, rounds: int) -> dict[str, object] | None:
    """Return a row of the table; None if everything is exact."""
    equal = evaluating(pool, rules, n_replays=n_replays)
    error = error_of(equal(0))
    if not error:
        return None
    target = evaluating(pool, rules, mc_error=error)
    target(0)
    runs = interleaved({"equal": equal, "target": target}, rounds)
    found = {kind: timed.returned[0] for kind, timed in runs.items()}
    assert all(isinstance(one, Evaluation) for one in found.values())
    replays = {kind: float(one.n_replays.mean(axis=2).max()) for kind, one in found.items()}
    reached = error_of(found["target"])
    faster = runs["equal"].seconds / runs["target"].seconds * (error / reached) ** 2
    return {
        "rule": name,
        "error, points": 100 * error,
        "reached": 100 * reached,
        "replays": replays["equal"],
        "replays with a target": replays["target"],
        "ms": 1e3 * runs["equal"].seconds,
        "ms with a target": 1e3 * runs["target"].seconds,
        "x faster": faster,
    }


def measure(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, n_replays, rounds = (10, 64, 400, 1) if smoke else (200, 512, 2000, 3)
    pool = with_numbers(make_pool(n_questions, n_samples))
    given = {rule: [rule] for rule in RULES} | {"six thresholds and votes of ms:one+two": SEVERAL}
    rows = [compared(name, pool, rules, n_replays, rounds) for name, rules in given.items()]
    return pd.DataFrame([row for row in rows if row is not None])
