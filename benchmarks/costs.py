"""Costs.

This section measures how much longer an evaluation takes if the samples of the pool have costs. "without" evaluates a
pool without costs. "means" evaluates the same pool with output tokens, cost and latency of every sample, all of which
depend on the answer. "quantiles" also counts the totals of all replays. Times are processor times after compilation,
the best of interleaved rounds. The SYNTHETIC pool is that of the section Rules.

The first table replays whole curves by Monte Carlo, budgets 2 to 64. What a rule spends is by default "exact" or
"replayed". Exact means need no such replays, so the ratios of these rules are those of method="monte_carlo". The second
table has the times of closed forms, with 300 questions. Sums over the samples and their longest draws take a few to
some tens of milliseconds, which is more than the fastest closed forms of accuracy.
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
    "sc:one,stop=beta:0.95",
    "sc:one,stop=majority:0.8",
    "ms:one+one",
    "alloc:one",
    "sc:one",
    "ms:one+two",
    "cascade:one+two,agreement=0.8",
    "mix:one+two,vote=entropy",
    "cov:one+two",
    "rel:one",
    "sc:one,stop=window:5",
    "sc:one,vote=confidence",
    "sc:one,vote=shortest,m=3,column=length",
    "sc:one,vote=majority_of_bests,m=8",
    "mix:one+two,vote=confidence",
    "until:one,column=score,threshold=2",
]
EXACT = [
    "sc:one",
    "cov:one+two",
    "rel:one",
    "until:one+two",
    "sc:one,stop=window:5",
    "mix:one+two,vote=plurality",
    "ms:one+two,agreement=0.8",
]
WAYS = ("without", "means", "quantiles")
REPLAYED = RULES[:4]
_ALLOWED = 1.5  # of rules whose costs are replayed by default
_ALLOWED_TWICE, _ALLOWED_FORCED = 2.5, 4.0  # of models with two stages; where closed forms would do


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


def evaluating(pool: Pool, rule: str, most: int, **settings: object) -> Callable[[int], object]:
    def run(_: int) -> None:
        evaluate(pool, rule, range(2, most + 1), executor=ONE, **settings)

    return run


def timed(calls: dict[tuple[str, str], Callable[[int], object]], rounds: int) -> dict[tuple[str, str], float]:
    """Return the seconds of each call, by rule and way."""
    for call in calls.values():
        call(0)  # compile
    named = {" ".join(key): call for key, call in calls.items()}
    took = interleaved(named, rounds)
    return {key: took[" ".join(key)].seconds for key in calls}


def replays(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, most, n_replays, rounds = (10, 64, 16, 40, 1) if smoke else (200, 512, 64, 400, 7)
    plain, costly = pools(n_questions, n_samples)
    calls = {}
    for rule in RULES:
        for way in WAYS:
            settings = {"method": "monte_carlo", "n_replays": n_replays, "quantiles": way == "quantiles"}
            calls[rule, way] = evaluating(plain if way == "without" else costly, rule, most, **settings)
    took = timed(calls, rounds)
    seconds = np.array([[took[rule, way] for way in WAYS] for rule in RULES])
    return pd.DataFrame(
        {
            "rule": RULES,
            "by default": ["replayed" if rule in REPLAYED else "exact" for rule in RULES],
            "ms without": 1e3 * seconds[:, 0],
            "x with quantiles": seconds[:, 2] / seconds[:, 0],
            "x with means": seconds[:, 1] / seconds[:, 0],
            "allowed": [_allowed(rule) for rule in RULES],
        }
    )


def _allowed(rule: str) -> float:
    if rule == "ms:one+one":
        return _ALLOWED_TWICE
    return _ALLOWED if rule in REPLAYED else _ALLOWED_FORCED


def closed_forms(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, most, rounds = (10, 64, 16, 1) if smoke else (300, 512, 32, 7)
    plain, costly = pools(n_questions, n_samples)
    ways = {"without": plain, "means": costly}
    took = timed({(rule, way): evaluating(pool, rule, most) for rule in EXACT for way, pool in ways.items()}, rounds)
    return pd.DataFrame(
        {
            "rule": EXACT,
            "ms without": [1e3 * took[rule, "without"] for rule in EXACT],
            "ms with means": [1e3 * took[rule, "means"] for rule in EXACT],
        }
    )


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    return {"Replays with costs": replays(smoke), "Closed forms with costs": closed_forms(smoke)}
