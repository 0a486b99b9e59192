"""How much memory an import needs: files of Large Language Monkeys of growing size, each in a process of its own.

    python benchmarks/import_memory.py            # the table, a few minutes
    python benchmarks/import_memory.py --smoke    # two small files

The files are SYNTHETIC: 128 questions, samples of some 550 characters, as in those that were released. Peak memory is
that of the process. The slope is fitted over all sizes but the smallest, which does not fill the buffers; what 700 MB
need is read off the fitted line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

N_QUESTIONS, LARGE = 128, 700
WORDS = ("so", "then", "each", "of", "them", "has", "three", "more", "which", "makes", "twelve", "in", "all", "half is")
WAYS = {"as it is": [], "--rule number": ["--rule", "number"], "--no-texts": ["--no-texts"]}
WAYS["--rule number --no-texts"] = [*WAYS["--rule number"], *WAYS["--no-texts"]]


def sample_texts(rng: random.Random, right: list[bool], answer: int) -> Iterator[str]:
    """Worked solutions; a wrong one ends in one of twenty other numbers."""
    words = " ".join(rng.choices(WORDS, k=2000))
    for correct in right:
        start = rng.randrange(len(words) - 650)
        said = answer if correct else answer + rng.randint(1, 20)
        yield f"{words[start : start + rng.randrange(400, 650)]}\n#### {said}"


def write_file(path: Path, megabytes: float) -> None:
    """Write a file of about this size, record by record."""
    rng = random.Random(0)
    n_samples = round(megabytes * 1e6 / N_QUESTIONS / 556)
    with path.open("w") as file:
        for number in range(N_QUESTIONS):
            right = [rng.random() < 0.6 for _ in range(n_samples)]
            record = {
                "question": f"What is {number} x 7?",
                "gt_answer": f"Seven times {number} is {7 * number}.\n#### {7 * number}",
                "samples": list(sample_texts(rng, right, 7 * number)),
                "is_corrects": right,
                "orig_dset_split": "test",
                "orig_dset_idx": number,
            }
            file.write(("," if number else "[") + json.dumps(record))
        file.write("]")


def measure(path: Path, out: Path, options: list[str]) -> dict[str, float]:
    """Import in a new process; peak memory and time."""
    command = [sys.executable, "-m", "mssim", "import", "monkeys", path, "--out", out, "--json", *options]
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"mssim import ended with status {status}")
    return {"peak_mb": used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="two small files")
    parser.add_argument("--sizes", type=float, nargs="+", help="megabytes of the files")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes or ([2, 4] if given.smoke else [12, 25, 50, 100]):
            path = Path(folder) / "GSM8K_synthetic.json"
            write_file(path, size)
            for number, (way, options) in enumerate(WAYS.items()):
                found = measure(path, Path(folder) / f"pool-{size}-{number}", options)
                rows.append({"import": way, "file_mb": path.stat().st_size / 1e6, **found})
    frame = pd.DataFrame(rows).sort_values("import", kind="stable")
    print(frame.to_string(index=False, float_format="%.1f"))
    for way, part in frame.groupby("import", sort=False):
        if len(part) > 2:
            slope, start = np.polyfit(part["file_mb"][1:], part["peak_mb"][1:], 1)
            print(f"{way}: {slope:.2f} MB per MB of file; a file of {LARGE} MB needs {start + slope * LARGE:.0f} MB")


if __name__ == "__main__":
    main()
