"""Conversion of a recording into a pool that ships, without unused columns."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mssim
from mssim import Pool, PoolWarning, load_pool
from mssim.recorder import Journal
from recorded.llm.tasks import SEED, Task
from recorded.llm.weights import WEIGHTS, XLLAMACPP

__all__ = ["licences", "publish", "speeds"]

_KEPT = ["question_id", "model", "sample_index", "answer", "correct", "text", "finish_reason", "confidence"]
_KEPT += ["output_tokens", "request_input_tokens", "request_samples"]
_DIGITS = {"confidence": 3}


def publish(recording: Path, target: Path, task: Task) -> Pool:
    """Write the pool that ships.

    Parameters
    ----------
    recording : Path
        Graded pool folder of a recording.
    target : Path
        Folder of the new pool. An existing pool is replaced.
    task : Task
        Task of the questions.

    Returns
    -------
    Pool
        The new pool.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # the data card has them
        pool = load_pool(recording)
    described = [name for name in pool.questions.columns if name not in _KEPT]
    frame = pool.to_frame()
    # The recorder counts log-probabilities, of which a text that is empty, or begins a token that ends it, has none.
    frame.loc[frame["output_tokens"].isna() & (frame["text"].str.strip() == ""), "output_tokens"] = 0
    info = _info(pool.info, recording, task)
    shipped = Pool.from_frame(frame[[*_KEPT, *described]].round(_DIGITS), info=info)
    shipped = replace(shipped, info={**info, "known_warnings": shipped.warnings()})  # the data card has them
    shipped.save(target, overwrite=target.exists())
    return shipped


def _info(recorded: Mapping[str, Any], recording: Path, task: Task) -> dict[str, Any]:
    models = {name: {**model, "server": "recorded/llm/server.py"} for name, model in recorded["models"].items()}
    used = {model["model_id"] for model in models.values()}
    licensed = "; ".join(f"{name}: {licence}" for name, licence in licences(models).items())
    return {
        **{name: value for name, value in recorded.items() if name != "tokens"},
        "models": models,
        "title": f"small models, {task.name}",
        "source": f"{recorded['source']}, of models that recorded/llm served",
        "licence": f"MIT for questions and answers; models: {licensed}",
        "made_by": "python -m recorded.llm",
        "questions": {"made_by": "recorded/llm/tasks.py", "seed": SEED},
        "weights": {
            weights.name: {"sha256": weights.sha256, "packages": list(weights.packages), "licence": weights.licence}
            for weights in WEIGHTS.values()
            if weights.name in used
        },
        "speeds": speeds(recording),
        "tokens": "output_tokens are those of a sample, without its end. request_input_tokens are those of the prompt, "
        "which request_samples samples share.",
        "confidence": "mean log-probability of the tokens of the text before temperature is applied, in nats, rounded "
        "to 0.001",
        "versions": {
            "mssim": mssim.__version__,
            "xllamacpp": XLLAMACPP,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }


def licences(models: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the licence of the weights of every model."""
    by_name = {weights.name: weights.licence for weights in WEIGHTS.values()}
    return {name: by_name[model["model_id"]] for name, model in models.items()}


def speeds(recording: Path) -> dict[str, dict[str, float]]:
    """Return requests, samples, seconds of work of the server, and tokens per second, of every model.

    A server had one request at a time, so that the durations of requests add up to the time in which it worked. The
    processor was shared with other work.
    """
    query = """
        SELECT model, count(*), sum(choices), sum(latency),
            (SELECT sum(output_tokens) FROM samples WHERE samples.model = requests.model)
        FROM requests WHERE error IS NULL GROUP BY model"""
    with Journal(recording) as journal:
        rows = journal.query(query, ())
    return {
        model: {
            "requests": requests,
            "samples": samples,
            "server_seconds": round(seconds, 3),
            "output_tokens_per_second": round(tokens / seconds, 1),
        }
        for model, requests, samples, seconds, tokens in rows
    }
