"""Recording.

This section measures the rate of recording, processor time and peak memory. The server of the tests runs in a separate
process on the same machine and answers immediately. Times are those of the whole command `mssim record`, including
start and export. Peak memory is that of its process. "n" is the number of samples per request.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.measuring import run_command

N_QUESTIONS = 20


def write_questions(path: Path) -> None:
    rows = [{"question_id": f"q{i}", "question": f"What is {i} x 7?", "truth": str(7 * i)} for i in range(N_QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def record(base_url: str, folder: Path, samples: int, per_request: int) -> dict[str, float]:
    """Record samples into a new pool, and return the time and memory used."""
    with tempfile.TemporaryDirectory(dir=folder) as pool:
        arguments = ["record", folder / "questions.jsonl", "--model", "m", "--base-url", base_url]
        arguments += ["--samples", samples // N_QUESTIONS, "--samples-per-request", per_request, "--out", pool]
        used = run_command(arguments)
    return {
        "samples": samples,
        "n": per_request,
        "seconds": used.seconds,
        "samples/s": samples / used.seconds,
        "processor s": used.cpu_seconds,
        "peak MB": used.peak_mb,
    }


def measure(smoke: bool) -> pd.DataFrame:
    from tests.chat_server import serving  # not installed, available in a clone

    requests = [(200, 8)] if smoke else [(2_500, 1), (5_000, 1), (10_000, 1), (10_000, 8)]
    with tempfile.TemporaryDirectory() as folder, serving(log=None) as server:
        write_questions(Path(folder) / "questions.jsonl")
        return pd.DataFrame([record(server.base_url, Path(folder), *request) for request in requests])
