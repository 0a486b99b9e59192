"""Live runs beside what replays predicted.

Each data set is a pair: a recording, and one live run of every strategy on samples of its own of the same questions,
all drawn from one answer model. The live runs follow `mssim.live.strategies`, which is what `mssim live` does with the
answers of servers; `mssim.live.compare` predicts them from the recording. With right predictions, z has the mean 0 and
the standard deviation 1. Samples used of a strategy that never stops are certain, and are left out.

- "mean z", "sd z": over the data sets.
- "80 %", "95 %", "99 %": share of the data sets whose live run is within the interval.
- "joint": share of the data sets whose joint test of all quantities and strategies has p < 0.05.
- "off": |mean z| and |sd z - 1|, the larger one. Above "allowed", five standard errors, predictions are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from mssim.live import Draw, RunTable, compare
from mssim.live.strategies import turns
from mssim.pools.pool import Pool
from mssim.simulate import AnswerModel

LAW = AnswerModel(["a", "b"], sure=[0.2, 0.1], a=1, b=[1, 1.5], spread=2, correlation=0.7, no_answer=0.05)
STRATEGIES = ("sc:a", "ms:a+b,agreement=0.75", "sc:b,stop=beta")
SIZES = ((50, 40, 8), (200, 24, 16), (200, 256, 16))  # questions, recorded samples, budget
N_RUNS = 60  # enough, because variances are added over questions
LEVELS = (0.8, 0.95, 0.99)
ALPHA = 0.05


def with_tokens(pool: Pool, rng: np.random.Generator) -> Pool:
    """Add output tokens that depend on the question and differ between samples."""
    length = rng.lognormal(3, 0.7, (1, len(pool.questions), 1))
    return replace(pool, numbers={"output_tokens": np.ceil(length * rng.lognormal(0, 0.5, pool.codes.shape))})


def first_samples(pool: Pool, n: int) -> Pool:
    """Return the recording: the first n samples."""
    numbers = {name: values[:, :, :n] for name, values in pool.numbers.items()}
    return replace(pool, codes=pool.codes[:, :, :n], lengths=np.full_like(pool.lengths, n), numbers=numbers)


def live_run(pool: Pool, strategy: str, budget: int, first: int) -> RunTable:
    """Follow a strategy question by question, on the samples from number `first`."""
    rows = []
    for q, question in enumerate(pool.question_ids):
        used = dict.fromkeys(pool.models, 0)
        tokens, running = 0.0, turns(strategy, budget, question)
        try:
            ask = next(running)
            while True:
                m, start = pool.model_index(ask.model), first + used[ask.model]
                used[ask.model] += ask.n
                tokens += pool.numbers["output_tokens"][m, q, start : start + ask.n].sum()
                ask = running.send([Draw(int(code)) for code in pool.codes[m, q, start : start + ask.n]])
        except StopIteration as end:
            answer = end.value.answer
        right = answer >= 0 and bool(pool.class_correct[pool.class_offsets[q] + answer])
        rows.append((question, right, sum(used.values()), tokens))
    return RunTable(
        strategy, budget, pd.DataFrame(rows, columns=["question_id", "correct", "samples_used", "output_tokens"])
    )


def pairs(n_questions: int, n_samples: int, budget: int, n_sets: int) -> Iterator[tuple[pd.DataFrame, float]]:
    """Yield the table of each comparison and the p-value of its joint test."""
    for seed in range(n_sets):
        drawn = LAW.draw(n_questions, n_samples + len(STRATEGIES) * budget, seed=seed)
        pool = with_tokens(drawn, np.random.default_rng([seed, 1]))
        runs = [live_run(pool, one, budget, n_samples + i * budget) for i, one in enumerate(STRATEGIES)]
        found = compare(runs, first_samples(pool, n_samples), n_runs=N_RUNS, seed=seed)
        yield found.to_frame(), found.chi_square()[2]


def table(n_questions: int, n_samples: int, budget: int, n_sets: int) -> pd.DataFrame:
    """Return one row per strategy and quantity that varies."""
    frames, p_values = zip(*pairs(n_questions, n_samples, budget, n_sets), strict=True)
    z = np.array([frame["z"] for frame in frames])
    varies = np.abs(z).max(axis=0) > 0
    found = frames[0].loc[varies, ["strategy", "quantity"]].reset_index(drop=True)
    found.insert(0, "questions", n_questions)
    found.insert(1, "samples", n_samples)
    found.insert(2, "budget", budget)
    z = z[:, varies]
    found["mean z"], found["sd z"] = z.mean(axis=0), z.std(axis=0, ddof=1)
    for level in LEVELS:
        found[f"{100 * level:.0f} %"] = 100 * (np.abs(z) <= special.ndtri((1 + level) / 2)).mean(axis=0)
    found["joint"] = 100 * float(np.mean(np.array(p_values) < ALPHA))
    found["off"] = np.maximum(found["mean z"].abs(), (found["sd z"] - 1).abs())
    found["allowed"] = 5 / np.sqrt(n_sets)
    return found


def measure(smoke: bool) -> pd.DataFrame:
    sizes, n_sets = (((20, 24, 4),), 4) if smoke else (SIZES, 100)
    return pd.concat([table(*size, n_sets) for size in sizes], ignore_index=True)
