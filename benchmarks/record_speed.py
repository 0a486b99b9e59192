"""How fast samples are recorded, what that costs the processor, and whether memory stays flat.

    python benchmarks/record_speed.py            # the table, a minute or two
    python benchmarks/record_speed.py --smoke    # a few samples

The server of the tests answers at once, on loopback, in a process of its own on the same machine. Timed is the whole
command `mssim record` with start and export; peak memory is that of its process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # the server is among the tests, which are not installed

from tests.chat_server import serving

N_QUESTIONS = 20


def write_questions(path: Path) -> None:
    rows = [{"question_id": f"q{i}", "question": f"What is {i} x 7?", "truth": str(7 * i)} for i in range(N_QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def record(base_url: str, folder: Path, samples: int, per_request: int) -> dict[str, float]:
    """Record so many samples into a new pool, and say what it took."""
    with tempfile.TemporaryDirectory(dir=folder) as pool:
        command = [sys.executable, "-m", "mssim", "record", folder / "questions.jsonl", "--model", "m"]
        command += ["--base-url", base_url, "--samples", samples // N_QUESTIONS, "--out", pool]
        command += ["--samples-per-request", per_request]
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"mssim record ended with status {status}")
    return {
        "samples": samples,
        "n": per_request,
        "seconds": seconds,
        "samples/s": samples / seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a few samples")
    sizes = (200,) if parser.parse_args().smoke else (2_500, 5_000, 10_000)
    with tempfile.TemporaryDirectory() as folder, serving(log=None) as server:
        write_questions(Path(folder) / "questions.jsonl")
        rows = [record(server.base_url, Path(folder), samples, 1) for samples in sizes]
        rows.append(record(server.base_url, Path(folder), sizes[-1], 8))
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()
