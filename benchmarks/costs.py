"""Costs.

This section measures how much longer replays take if they add up what the drawn samples cost: whole curves by Monte
Carlo, budgets 2 to 64. "without" evaluates a pool without costs. "means" evaluates the same pool with output tokens,
cost and latency of every sample, all of which depend on the answer. "quantiles" also counts the totals of all replays.
Times are processor times after compilation, the best of interleaved rounds. The SYNTHETIC pool is that of the section
Rules. By default most rules need no such replays, because the expected costs have closed forms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.engines import ONE
from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from mssim import Pool, evaluate

RULES = [
    "sc:one",
    "ms:one+two",
    "ms:one+one",
    "cascade:one+two,agreement=0.8",
    "mix:one+two,vote=entropy",
    "cov:one+two",
    "rel:one",
    "sc:one,stop=window:5",
    "sc:one,stop=beta:0.95",
    "sc:one,vote=confidence",
    "sc:one,vote=shortest,m=3,column=length",
    "sc:one,vote=majority_of_bests,m=8",
    "mix:one+two,vote=confidence",
    "alloc:one",
    "until:one,column=score,threshold=2",
]
WAYS = ("without", "means", "quantiles")
_ALLOWED = 1.5


def pools(n_questions: int, n_samples: int) -> tuple[Pool, Pool]:
    """Return a pool without costs, and the same one with costs that depend on the answer."""
    rng = np.random.default_rng(1)
    frame = make_pool(n_questions, n_samples).to_frame()
    frame = frame.assign(
        score=rng.normal(size=len(frame)) + frame["correct"],
        confidence=rng.random(len(frame)),
        length=rng.integers(50, 2000, len(frame)),
    )
    tokens = rng.integers(50, 2000, len(frame)) * np.where(frame["correct"], 1, 3)
    costs = {"output_tokens": tokens, "cost": tokens * 6e-7, "latency": tokens / 80 + rng.random(len(frame))}
    info = {"synthetic": True}
    return Pool.from_frame(frame, info=info), Pool.from_frame(frame.assign(**costs), info=info)


def replaying(pool: Pool, rule: str, most: int, n_replays: int, quantiles: bool) -> Callable[[int], object]:
    def run(_: int) -> object:
        settings = {"method": "monte_carlo", "n_replays": n_replays, "executor": ONE, "quantiles": quantiles}
        return evaluate(pool, rule, range(2, most + 1), **settings)

    return run


def measure(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, most, n_replays, rounds = (10, 64, 16, 40, 1) if smoke else (200, 512, 64, 400, 7)
    plain, costly = pools(n_questions, n_samples)
    calls = {
        (rule, way): replaying(plain if way == "without" else costly, rule, most, n_replays, way == "quantiles")
        for rule in RULES
        for way in WAYS
    }
    for call in calls.values():
        call(0)  # compile
    named = {f"{rule} {way}": call for (rule, way), call in calls.items()}
    took = {name: timed.seconds for name, timed in interleaved(named, rounds).items()}
    seconds = np.array([[took[f"{rule} {way}"] for way in WAYS] for rule in RULES])
    return pd.DataFrame(
        {
            "rule": RULES,
            "ms without": 1e3 * seconds[:, 0],
            "x with means": seconds[:, 1] / seconds[:, 0],
            "x with quantiles": seconds[:, 2] / seconds[:, 0],
            "allowed": _ALLOWED,
        }
    )
