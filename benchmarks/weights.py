"""Optimal weights.

This section measures the time in which `infinite_vote_weights` finds the weights of models and proves that they are
optimal. SYNTHETIC pools have 64 samples and models of similar accuracy, whose weights are hard to find; the others ship
with the project. Times are wall-clock times of one run on one processor. "binary" is the number of binary variables,
one for each question that depends on the weights. The search ends after 60 seconds with the best weights found so far.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mssim import Pool, load_pool
from mssim.pools.shares import answer_shares
from mssim.simulate import AnswerModel
from mssim.tuning.optimal_weights import infinite_vote_weights
from mssim.tuning.vote_programme import programme_of

RECORDED = Path(__file__).parents[1] / "recorded"
SIZES = {(2, 500): 5.0, (3, 500): 10.0, (4, 300): 30.0, (6, 300): 61.0}  # models, questions: allowed seconds


def similar_models(n_models: int, n_questions: int) -> Pool:
    """Return a pool of models of similar accuracy, which share some distractors."""
    law = {"sure": 0.3, "a": np.linspace(0.62, 0.55, n_models).tolist(), "b": 0.9}
    shared = {"spread": 1.5, "correlation": 0.5, "shared_distractors": 0.5}
    return AnswerModel([f"m{i}" for i in range(n_models)], **law, **shared).draw(n_questions, 64, seed=1)


def pools(smoke: bool) -> Iterator[tuple[str, Pool, float]]:
    """Yield names, pools and allowed seconds."""
    for (n_models, n_questions), allowed in SIZES.items():
        pool = similar_models(n_models, n_questions // 10 if smoke else n_questions)
        yield f"{n_models} similar models, {len(pool.questions)} questions", pool, allowed
    for name in ("llm-products", "llm-capitals", "llm-sums"):
        yield name, load_pool(RECORDED / name), 5.0


def measure(smoke: bool) -> pd.DataFrame:
    rows = []
    for name, pool, allowed in pools(smoke):
        everything = np.ones(len(pool.questions), bool)
        shares = answer_shares(pool, pool.models)
        programme = programme_of(shares, pool.class_offsets, pool.class_correct, everything)
        start = time.perf_counter()
        found = infinite_vote_weights(pool)
        seconds = time.perf_counter() - start
        rows.append(
            {
                "pool": name,
                "binary": programme.group.size,
                "accuracy": found.accuracy,
                "margin": found.margin,
                "status": found.status,
                "seconds": seconds,
                "allowed": allowed,
            }
        )
    return pd.DataFrame(rows)
