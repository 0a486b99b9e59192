"""Conversion of a recording into a pool that ships, with scores and without unused columns."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import mssim
from mssim import Pool, load_pool
from recorded.tiny.networks import Recurrent, Transformer
from recorded.tiny.scoring import log_likelihoods
from recorded.tiny.tasks import TEST_SEED, Task

DIGITS = {"confidence": 4, "score": 3}
KEPT = ["question_id", "model", "sample_index", "answer", "correct", "text", "confidence", "score", "output_tokens"]


def publish(
    recording: Path, target: Path, task: Task, verifier: Transformer | Recurrent, training: Mapping[str, Any]
) -> Pool:
    """Write the pool that ships.

    Parameters
    ----------
    recording : Path
        Graded pool folder that `mssim record` wrote.
    target : Path
        Folder of the new pool. An existing pool is replaced.
    task : Task
        Task of the questions.
    verifier : Transformer or Recurrent
        Model that scores the answers.
    training : mapping
        Description of the training, which is stored in pool.json.

    Returns
    -------
    Pool
        The new pool.
    """
    pool = load_pool(recording)
    frame = pool.to_frame()
    frame["score"] = scores(frame, verifier)
    frame.loc[frame["text"] == "", "output_tokens"] = (
        0  # tokens are counted by log-probabilities, which an empty text does not have
    )
    # A text that equals the answer adds no information.
    frame["text"] = frame["text"].where(frame["text"] != frame["answer"])
    frame = frame.round(DIGITS)
    described = [name for name in pool.questions.columns if name != "question_id"]
    unfinished = ["finish_reason"] if (frame["finish_reason"] != "stop").any() else []
    info = {
        "title": f"tiny models, {task.name}",
        **{name: value for name, value in pool.info.items() if name not in ("title", "tokens")},
        "source": f"{pool.info['source']}, of models that recorded/tiny trained",
        "licence": "MIT",
        "made_by": "python -m recorded.tiny",
        "questions": {"made_by": "recorded/tiny/tasks.py", "seed": TEST_SEED},
        "training": dict(training),
        "score": "log-likelihood of the answer under the model verifier, in nats, rounded to 0.001",
        "confidence": "mean log-probability of the characters of the text, in nats, rounded to 0.0001",
        "text": "missing where it is the answer and nothing else",
        "versions": {
            "mssim": mssim.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }
    for model in info["models"].values():
        model["server"] = "recorded/tiny/server.py"
    shipped = Pool.from_frame(frame[[*KEPT, *unfinished, *described]], info=info)
    shipped.save(target, overwrite=target.exists())
    return shipped


def scores(frame: pd.DataFrame, verifier: Transformer | Recurrent) -> pd.Series:
    """Return the log-likelihood of each answer in a long frame; it is missing where the answer is missing."""
    answered = frame["answer"].notna()
    pairs = frame.loc[answered, ["question", "answer"]].drop_duplicates()
    pairs["score"] = log_likelihoods(verifier, list(zip(pairs["question"], pairs["answer"], strict=True)))
    merged = frame[["question", "answer"]].merge(pairs, how="left", on=["question", "answer"])
    return merged["score"].set_axis(frame.index)


def describe_training(weights: Path) -> dict[str, Any]:
    """Return the descriptions that training stored next to the weights, by model."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(weights.glob("*.json"))}
