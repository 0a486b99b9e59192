"""Speed of every rule beside the plain two-model ModelSwitch.

    python benchmarks/rules_speed.py            # the full table, under a minute
    python benchmarks/rules_speed.py --smoke    # small sizes, to see that it runs

Whole curves by Monte Carlo, budgets 2 to 64, one core, after compilation, on a SYNTHETIC pool: 200 questions x 512
samples of two models, 40 % of the questions always answered right, with random scores, confidences and lengths. A draw
is a sample that a replay of the largest budget uses. Rounds of all rules are interleaved and the best of each counts,
so that ratios are of the same machine. How long a rule of one's own takes is mostly up to its function.
"""

from __future__ import annotations

import argparse
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numba
import numpy as np
import pandas as pd
from replay_speed import make_pool

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
    "sc:one,vote=score_sum",
    "sc:one,vote=best_of_n",
    "sc:one,vote=shortest,m=3",
    "sc:one,vote=majority_of_bests,m=8",
    "mix:one+two,vote=confidence",
    "alloc:one",
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
        ),
        info={"synthetic": True},
    )


def own_rules() -> dict[str, Strategy]:
    return {
        "own vote, compiled": Mixture(["one", "two"], Vote.own(own_vote)),
        "own vote, compiled, of arrays": Mixture(["one", "two"], Vote.own(own_vote_of_arrays)),
        "own stop, compiled": SelfConsistency("one", stop=OwnStop(own_stop)),
        "own vote, plain Python": Mixture(["one", "two"], Vote.own(own_vote.py_func)),
        "own stop, plain Python": SelfConsistency("one", stop=OwnStop(own_stop.py_func)),
    }


def rows(smoke: bool) -> pd.DataFrame:
    n_questions, n_samples, most, n_replays, rounds = (10, 64, 16, 40, 1) if smoke else (200, 512, 64, 400, 5)
    pool = with_numbers(make_pool(n_questions, n_samples))
    rules = {text: parse_strategy(text) for text in RULES} | own_rules()
    one = ThreadPoolExecutor(1)

    def run(rule: Strategy, n: int) -> float:
        few = pool.select(questions=pool.question_ids[:: max(1, n_questions // 10)]) if "Python" in name else pool
        budgets = range(2, most + 1)
        start = time.perf_counter()
        result = evaluate(few, {"rule": rule}, budgets, method="monte_carlo", n_replays=n, executor=one)
        # ms:one+one replays each budget on its own, and its draws are those of all budgets together.
        used = (
            result.samples_used[0].sum()
            if len(set(rule.models)) < len(rule.models)
            else result.samples_used[0, -1].sum()
        )
        return (time.perf_counter() - start) / (used * n)

    best = dict.fromkeys(rules, np.inf)
    for turn in range(rounds + 1):  # the first one compiles
        for name, rule in rules.items():
            plain = "Python" in name
            if plain and turn > 1:
                continue
            took = run(rule, n_replays if not plain else 4)
            best[name] = took if turn <= 1 else min(best[name], took)
    return pd.DataFrame(
        {
            "rule": list(best),
            "ns/draw": [1e9 * took for took in best.values()],
            "x ModelSwitch": [took / best[REFERENCE] for took in best.values()],
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    smoke = parser.parse_args().smoke
    print(f"{platform.machine()}, Python {platform.python_version()}, numba {version('numba')}, numpy {np.__version__}")
    print(rows(smoke).to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
