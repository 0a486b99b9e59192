"""Speed of the Monte Carlo engine beside a vectorised NumPy replay and a plain Python one.

    python benchmarks/replay_speed.py            # the full table, some twenty seconds
    python benchmarks/replay_speed.py --smoke    # small sizes, to see that it runs

One core, after compilation. The pools are SYNTHETIC: 500 questions x 512 samples of two models, 40 % of the questions
always answered right (none in the row "no easy questions"), the others with a chance of Beta(2, 1.5) and twenty wrong
answers. A draw is a sample that a replay of the largest budget uses. The three must agree on the accuracy.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pandas as pd

from mssim import Evaluation, Pool, evaluate

N_WRONG = 20


def make_pool(n_questions: int, n_samples: int, easy_share: float = 0.4) -> Pool:
    rng = np.random.default_rng(0)
    easy = rng.random(n_questions) < easy_share
    frames = []
    for model, (a, b) in {"one": (2.0, 1.5), "two": (1.6, 1.6)}.items():
        chance = np.where(easy, 1.0, rng.beta(a, b, n_questions))
        wrong = rng.dirichlet(np.full(N_WRONG, 0.3), n_questions)
        shares = np.concatenate([chance[:, None], (1 - chance[:, None]) * wrong], axis=1)
        answers = np.stack([rng.choice(N_WRONG + 1, n_samples, p=row / row.sum()) for row in shares])
        question, sample = np.divmod(np.arange(answers.size), n_samples)
        frames.append(
            pd.DataFrame({"question_id": question, "model": model, "sample_index": sample, "answer": answers.ravel()})
        )
    frame = pd.concat(frames, ignore_index=True).assign(truth=0)
    return Pool.from_frame(frame, info={"synthetic": True})


def numpy_orders(n_replays: int, n: int, depth: int, rng: np.random.Generator) -> np.ndarray:
    """The first draws of random orders of n samples: the smallest of n random keys, sorted."""
    keys = rng.random((n_replays, n))
    smallest = keys.argpartition(depth - 1, axis=1)[:, :depth]
    return np.take_along_axis(smallest, np.take_along_axis(keys, smallest, axis=1).argsort(axis=1), axis=1)


def numpy_prefixes(codes: np.ndarray, orders: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes of every class after every draw, and when each class was first seen, for replays side by side."""
    drawn = codes[orders][:, :, None] == np.arange(n_classes)
    first_seen = np.where(drawn.any(axis=1), drawn.argmax(axis=1), drawn.shape[1])
    return drawn.cumsum(axis=1), first_seen


def numpy_self_consistency(pool: Pool, budget: int, n_replays: int, rng: np.random.Generator) -> float:
    """Plurality after every number of draws, vectorised over replays with cumulative one-hot counts."""
    codes = pool.codes[0]
    n_classes = int(codes.max()) + 1
    hits = np.zeros(budget)
    for q in range(len(codes)):
        counts, first_seen = numpy_prefixes(codes[q], numpy_orders(n_replays, codes.shape[1], budget, rng), n_classes)
        leader = (counts * (budget + 1) - first_seen[:, None]).argmax(axis=2)
        hits += pool.class_correct[pool.class_offsets[q] + leader].mean(axis=0)
    return float(hits[-1] / len(codes))


def python_self_consistency(pool: Pool, budget: int, n_replays: int, rng: random.Random) -> float:
    """The obvious loop: random.sample, one Counter that grows, and its leader at every budget."""
    hits = 0
    for q, codes in enumerate(pool.codes[0].tolist()):
        right = pool.class_correct[pool.class_offsets[q] : pool.class_offsets[q + 1]].tolist()
        for _ in range(n_replays):
            counts: Counter[int] = Counter()
            for answer in rng.sample(codes, budget):
                counts[answer] += 1
                leader = counts.most_common(1)[0][0]
            hits += right[leader]
    return hits / len(pool.codes[0]) / n_replays


def entropy_weight(counts: Counter[int]) -> float:
    m, u = sum(counts.values()), len(counts)
    if u == 1:
        return 1.0
    entropy = -sum(n / m * math.log2(n / m) for n in counts.values())
    return 1 / m + (1 - 1 / m) * (1 - entropy / math.log2(u))


def python_model_switch(pool: Pool, budget: int, n_replays: int, rng: random.Random) -> float:
    """The obvious loop at every budget from 2, with two Counters that grow in turn."""
    hits = 0
    for q in range(pool.codes.shape[1]):
        right = pool.class_correct[pool.class_offsets[q] : pool.class_offsets[q + 1]].tolist()
        models = [pool.codes[m, q].tolist() for m in (0, 1)]
        for _ in range(n_replays):
            draws = zip(*(rng.sample(codes, budget // 2) for codes in models), strict=True)
            counts: list[Counter[int]] = [Counter(), Counter()]
            for pair in draws:
                for m in (0, 1):
                    counts[m][pair[m]] += 1
                    agreed = [c for c in counts if len(c) == 1]
                    if agreed:
                        leader = next(iter(agreed[0]))
                        continue
                    score: dict[int, float] = {}
                    for c in counts:
                        weight = entropy_weight(c)
                        for answer, n in c.items():
                            score[answer] = score.get(answer, 0.0) + weight * n
                    leader = max(score, key=score.__getitem__)
            hits += right[leader]
    return hits / pool.codes.shape[1] / n_replays


def numpy_model_switch(pool: Pool, budget: int, n_replays: int, rng: np.random.Generator) -> float:
    """All budgets of two-model ModelSwitch, vectorised over replays and budgets."""
    n_classes = int(pool.codes.max()) + 1
    budgets = np.arange(2, budget + 1)
    sizes = np.stack([-(-budgets // 2), budgets // 2])
    hits = 0.0
    for q in range(pool.codes.shape[1]):
        counts, seen = [], []
        for m, codes in enumerate(pool.codes[:, q]):
            orders = numpy_orders(n_replays, codes.size, budget // 2, rng)
            prefixes, first_seen = numpy_prefixes(codes, orders, n_classes)
            counts.append(prefixes[:, sizes[m] - 1])
            seen.append(first_seen)
        later = np.where(seen[0] < budget // 2, seen[0], budget + seen[1])[:, None]  # models in order, then draws
        score = np.zeros(counts[0].shape)
        for c in counts:
            m, u = c.sum(axis=2, keepdims=True), (c > 0).sum(axis=2)
            p = c / m
            with np.errstate(divide="ignore", invalid="ignore"):
                entropy = -np.where(p > 0, p * np.log2(p), 0).sum(axis=2)
                weight = np.where(u == 1, 1.0, 1 / m[:, :, 0] + (1 - 1 / m[:, :, 0]) * (1 - entropy / np.log2(u)))
            score += weight[:, :, None] * c
        leader = (score - 1e-9 * later).argmax(axis=2)
        for c in reversed(counts):
            unanimous = (c > 0).sum(axis=2) == 1
            leader = np.where(unanimous, c.argmax(axis=2), leader)
        hits += float(pool.class_correct[pool.class_offsets[q] + leader][:, -1].mean())
    return hits / pool.codes.shape[1]


def timed(call: Callable[[], object], repeats: int) -> float:
    """Best of several runs: the machine's noise only ever adds."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def row(name: str, pool: Pool, spec: str, least: int, budget: int, smoke: bool) -> dict[str, object]:
    """Time one curve in all three ways; the slower ones on some of the questions."""
    vectorised, plain = {
        "sc": (numpy_self_consistency, python_self_consistency),
        "ms": (numpy_model_switch, python_model_switch),
    }[spec[:2]]
    part = pool.select(questions=pool.question_ids[: 10 if smoke else 50])
    n_replays, numpy_replays, python_replays = (20, 20, 2) if smoke else (2000, 100, 4)
    one = ThreadPoolExecutor(1)

    def ours(pool: Pool = pool, n: int = n_replays) -> Evaluation:
        return evaluate(pool, spec, range(least, budget + 1), method="monte_carlo", n_replays=n, executor=one)

    def per_replay(call: Callable[[], object], pool: Pool, n: int, repeats: int) -> float:
        return timed(call, repeats) / (len(pool.questions) * n)

    expected = ours(part, 1000).accuracy[0, -1].mean()
    found = [
        vectorised(part, budget, numpy_replays, np.random.default_rng(0)),
        plain(part, budget, 10 * python_replays, random.Random(0)),
    ]
    if not np.allclose(found, expected, atol=0.1 if smoke else 0.03):
        raise SystemExit(f"{name}: mssim finds {expected:.3f}, NumPy and Python {found}")
    time = per_replay(ours, pool, n_replays, 5)
    numpy_time = per_replay(
        lambda: vectorised(part, budget, numpy_replays, np.random.default_rng(0)), part, numpy_replays, 2
    )
    python_time = per_replay(lambda: plain(part, budget, python_replays, random.Random(0)), part, python_replays, 2)
    same = per_replay(lambda: ours(part), part, n_replays, 5)  # ratios: on the same questions
    draws = ours().samples_used[0, -1].mean()
    return {
        "curve": name,
        "draws": draws,
        "mssim ns/draw": 1e9 * time / draws,
        "NumPy us/replay": 1e6 * numpy_time,
        "Python us/replay": 1e6 * python_time,
        "mssim us/replay": 1e6 * same,
        "x NumPy": numpy_time / same,
        "x Python": python_time / same,
    }


def rows(smoke: bool) -> list[dict[str, object]]:
    size, budget = ((20, 64), 32) if smoke else ((500, 512), 64)
    pool, hard = make_pool(*size), make_pool(*size, easy_share=0.0)
    return [
        row(f"Self-Consistency, budgets 1..{budget}", pool, "sc:one", 1, budget, smoke),
        row(f"ModelSwitch, entropy weights, budgets 2..{budget}", pool, "ms:one+two", 2, budget, smoke),
        row("the same, no easy questions", hard, "ms:one+two", 2, budget, smoke),
    ]


def memory_of_a_long_run(smoke: bool) -> float:
    """Peak memory in MB of this process after a 10,000-replay run (its Python and libraries included)."""
    pool = make_pool(500, 512) if not smoke else make_pool(20, 64)
    budgets, n_replays = (range(2, 33), 10) if smoke else (range(2, 65), 10_000)
    evaluate(pool, ["sc:one", "ms:one+two"], budgets, method="monte_carlo", n_replays=n_replays)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    smoke = parser.parse_args().smoke
    memory = memory_of_a_long_run(smoke)
    print(f"{platform.machine()}, Python {platform.python_version()}, numba {version('numba')}, numpy {np.__version__}")
    print(pd.DataFrame(rows(smoke)).to_string(index=False, float_format="%.2f"))
    print(f"peak memory after a {'10' if smoke else '10,000'}-replay run of both: {memory:.0f} MB")


if __name__ == "__main__":
    main()
