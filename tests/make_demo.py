"""Draw the demonstration pool: SYNTHETIC answers of three imagined models, made to test with, not to learn from.

    python tests/make_demo.py

writes tests/demo-synthetic from a fixed seed. Every question has a difficulty that all models share, a right answer
and a few tempting wrong ones that the models share in part; each model adds its own strengths.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mssim import Pool

SEED = 20250402
N_QUESTIONS, N_SAMPLES, N_WRONG = 240, 64, 6
MODELS = {  # ability, share of samples without an answer, cost per sample
    "strong": (1.1, 0.01, 0.010),
    "weak": (0.3, 0.02, 0.002),
    "other": (0.2, 0.03, 0.003),
}
INFO = {
    "title": "synthetic demonstration pool",
    "source": "drawn by tests/make_demo.py; no language model was asked",
    "licence": "MIT",
    "synthetic": True,
    "settings": {"seed": SEED},
}


def draw_pool() -> Pool:
    """Return the pool; uniform numbers alone are drawn, so that it is the same under any version of NumPy."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    difficulty = 2.2 * _logistic(rng.random(N_QUESTIONS))
    shared = _shares(rng.random((N_QUESTIONS, N_WRONG)))
    frames = []
    for model, (ability, no_answer, cost) in MODELS.items():
        chance = 1 / (1 + np.exp(difficulty / 1.5 - ability - 0.9 * _logistic(rng.random(N_QUESTIONS))))
        own = _shares(rng.random((N_QUESTIONS, N_WRONG)))
        wrong = 0.4 * shared + 0.6 * own
        edges = np.cumsum(np.concatenate([chance[:, None], (1 - chance[:, None]) * wrong], axis=1), axis=1)
        drawn = rng.random((N_QUESTIONS, N_SAMPLES))
        answer = (drawn[:, :, None] >= edges[:, None, :-1]).sum(axis=2)
        names = np.array(list("ABCDEFG"))[(answer + np.arange(N_QUESTIONS)[:, None]) % (N_WRONG + 1)].astype(object)
        names[rng.random(names.shape) < no_answer] = None
        frames.append(_long(model, names, cost))
    return Pool.from_frame(pd.concat(frames, ignore_index=True), info=INFO)


def _long(model: str, names: np.ndarray, cost: float) -> pd.DataFrame:
    question, sample = np.divmod(np.arange(names.size), N_SAMPLES)
    return pd.DataFrame(
        {
            "question_id": [f"demo-{q:03d}" for q in question],
            "model": model,
            "sample_index": sample,
            "answer": names.ravel(),
            "truth": np.array(list("ABCDEFG"))[question % (N_WRONG + 1)],
            "topic": np.array(["algebra", "dates", "logic", "units"])[question % 4],
            "cost": cost,
        }
    )


def _logistic(uniform: np.ndarray) -> np.ndarray:
    return np.log(uniform / (1 - uniform))


def _shares(uniform: np.ndarray) -> np.ndarray:
    """Uneven shares that add up to one: a few wrong answers tempt most."""
    weights = (-np.log(uniform)) ** 3
    return weights / weights.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "demo-synthetic")
    draw_pool().save(parser.parse_args().out, overwrite=True)
