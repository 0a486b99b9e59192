"""Rules.

This section compares all rules with ModelSwitch of two models: whole curves by Monte Carlo, budgets 2 to 64. Times are
processor times after compilation, the best of interleaved rounds. The SYNTHETIC pool has 200 questions x 512 samples of
two models, with random scores, confidences, lengths and six groups of tokens; 40 % of the questions are always answered
correctly. A draw is a sample used in a replay of the largest budget. The last column compares whole curves of equally
many replays: rules that use few samples pay for the setup of a replay with few draws. The time of a user's rule depends
mostly on its function.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import pandas as pd

from benchmarks.engines import ONE
from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from mssim import Mixture, OwnStop, Pool, SelfConsistency, Strategy, Vote, evaluate, parse_strategy

REFERENCE = "ms:one+two"
RULES = [
    REFERENCE,
    "sc:one",
    "sc:one,stop=window:5",
    "sc:one,stop=beta:0.95",
    "sc:one,stop=majority:0.8",
    "sc:one,stop=entropy:0.75",
    "sc:one,stop=evalue:0.05",
    "sc:one,stop=reasc:0.95",
    "sc:one,stop=cges:0.95",
    "sc:one,vote=cges,stop=cges:0.95",
    "sc:one,vote=best_of_n,stop=beacon:0.05",
    "sc:one,stop=bayes_factor:10",
    "sc:one,stop=pvalue:0.05",
    "sc:one,stop=msprt:1e6",
    "sc:one,stop=optimal:0.95",
    "sc:one,stop=optimal:0.95/0.6+0.3+0.1/0.9+0.1",
    "sc:one,stop=beta:0.95,looks=2/4/8/16/32",
    "cascade:one+two,agreement=0.8",
    "mix:one+two",
    "mix:one+two,vote=entropy",
    "mix:one+two,shares=3/1",
    "mix:one+two,vote=max_consistency",
    "ms:one+one",
    "ms:one+two,vote=best_of_n",
    "random:one+two",
    "oracle:one+two",
    "sc:one,vote=confidence",
    "sc:one,vote=cges",
    "mix:one+two,vote=cges",
    "sc:one,vote=score_sum",
    "sc:one,vote=best_of_n",
    "sc:one,vote=shortest,m=3",
    "sc:one,vote=majority_of_bests,m=8",
    "mix:one+two,vote=confidence",
    "sc:one,vote=confidence,temperature=0.5,column=score",
    "sc:one,vote=deepconf,keep=0.1",
    "sc:one,vote=deepconf,keep=0.9",
    "mix:one+two,vote=deepconf,keep=0.9",
    "sc:one,vote=borda,power=0.5",
    "mix:one+two,vote=borda,power=2",
    "sc:one,vote=best_of_majority,alpha=0.1",
    "mix:one+two,vote=best_of_majority,alpha=0.1",
    "alloc:one",
    "alloc:one,certainty=ppr",
    "dsc:one,difficulty=level",
    "until:one+two",
    "until:one+two,column=score,threshold=1.5",
    "gate:one+two,threshold=0.5",
    "route:one+two",
    "deepconf:one,window=8,stride=8",
    "deepconf:one,keep=0.9,consensus=none,window=8,stride=8",
]


@numba.njit
def own_vote(counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    score = np.zeros(counts.shape[1])
    for i in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            score[c] += prior[i] * counts[i, c]
    return score


@numba.njit
def own_vote_of_arrays(counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    return (prior.reshape(-1, 1) * counts).sum(axis=0)


@numba.njit
def own_stop(counts: np.ndarray, n: int) -> bool:
    return n >= 4 and counts.max() >= 0.8 * n


def with_numbers(pool: Pool) -> Pool:
    rng = np.random.default_rng(1)
    frame = pool.to_frame()
    return Pool.from_frame(
        frame.assign(
            score=rng.normal(size=len(frame)) + frame["correct"],
            confidence=rng.random(len(frame)),
            output_tokens=rng.integers(50, 2000, len(frame)),
            level=-frame.groupby("question_id")["correct"].transform("mean").round(1),
            group_confidence=list(10 + frame["correct"].to_numpy()[:, None] + rng.normal(size=(len(frame), 6))),
        ),
        info={"synthetic": True},
    )


def own_rules(smoke: bool) -> dict[str, Strategy]:
    """Return rules with user functions; in smoke mode only uncompiled ones, because compilation takes seconds."""
    compiled = {
        "own vote, compiled": Mixture(["one", "two"], Vote.own(own_vote)),
        "own vote, compiled, of arrays": Mixture(["one", "two"], Vote.own(own_vote_of_arrays)),
        "own stop, compiled": SelfConsistency("one", stop=OwnStop(own_stop)),
    }
    plain = {
        "own vote, plain Python": Mixture(["one", "two"], Vote.own(own_vote.py_func)),
        "own stop, plain Python": SelfConsistency("one", stop=OwnStop(own_stop.py_func)),
    }
    return plain if smoke else compiled | plain


def replaying(pool: Pool, rule: Strategy, most: int, n_replays: int) -> Callable[[int], float]:
    """Return a function that runs a rule and returns its number of draws."""

    def run(_: int) -> float:
        options = {"method": "monte_carlo", "n_replays": n_replays, "executor": ONE}
        used = evaluate(pool, {"rule": rule}, range(2, most + 1), **options).samples_used[0]
        # ms:one+one replays each budget separately, so its draws are the sum over budgets.
        return float((used if len(set(rule.models)) < len(rule.models) else used[-1]).sum()) * n_replays

    return run


def measure(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, most, n_replays, rounds = (10, 64, 16, 40, 1) if smoke else (200, 512, 64, 400, 7)
    pool = with_numbers(make_pool(n_questions, n_samples))
    few = pool.select(questions=pool.question_ids[:: max(1, n_questions // 10)])
    rules = {text: parse_strategy(text) for text in RULES} | own_rules(smoke)
    calls = {
        name: replaying(few, rule, most, 4) if "Python" in name else replaying(pool, rule, most, n_replays)
        for name, rule in rules.items()
    }
    for call in calls.values():
        call(0)  # compile
    runs = {name: (timed.seconds, timed.returned[0]) for name, timed in interleaved(calls, rounds).items()}
    took = {name: seconds / draws for name, (seconds, draws) in runs.items()}
    # Rules in plain Python have fewer questions and replays.
    curves = [np.nan if "Python" in name else seconds / runs[REFERENCE][0] for name, (seconds, _) in runs.items()]
    return pd.DataFrame(
        {
            "rule": list(took),
            "ns/draw": [1e9 * seconds for seconds in took.values()],
            "x ModelSwitch": [seconds / took[REFERENCE] for seconds in took.values()],
            "x ModelSwitch, curve": curves,
        }
    )
