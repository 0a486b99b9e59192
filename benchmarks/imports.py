"""Imports.

This section measures the time and the peak memory of `mssim import`. SYNTHETIC files in the format of Large Language
Monkeys have 128 questions and samples of about 550 characters, as in the released files. Each file is imported in its
own process. The slope is fitted to all sizes except the smallest, which does not fill the buffers. The memory for a
file of 700 MB is extrapolated.

The files of `import table` are SYNTHETIC JSON Lines with one question per line, whose 100 samples are parallel lists of
answers, verdicts, numbers of tokens and texts of 200 characters. The last of them has a million samples.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measuring import run_command

N_QUESTIONS, LARGE = 128, 700
WORDS = ("so", "then", "each", "of", "them", "has", "three", "more", "which", "makes", "twelve", "in", "all", "half is")
WAYS = {"as it is": [], "--rule number": ["--rule", "number"], "--no-texts": ["--no-texts"]}
TABLE = ["table", "--model", "m", "--map"]
TABLE += ["question_id=idx,truth=gt,answer=pred,correct=score,output_tokens=tokens,text=code"]
N_SAMPLES = 100
WAYS["--rule number --no-texts"] = [*WAYS["--rule number"], *WAYS["--no-texts"]]


def sample_texts(rng: random.Random, right: list[bool], answer: int) -> Iterator[str]:
    """Yield texts of solutions; a wrong one ends in one of twenty other numbers."""
    words = " ".join(rng.choices(WORDS, k=2000))
    for correct in right:
        start = rng.randrange(len(words) - 650)
        said = answer if correct else answer + rng.randint(1, 20)
        yield f"{words[start : start + rng.randrange(400, 650)]}\n#### {said}"


def write_file(path: Path, megabytes: float) -> None:
    """Write a file of about the given size, one record at a time."""
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


def write_lists(path: Path, n_questions: int) -> None:
    """Write parallel lists of 100 samples per question."""
    rng = random.Random(0)
    words = " ".join(rng.choices(WORDS, k=5000))
    with path.open("w") as file:
        for number in range(n_questions):
            pred = [str(7 * number + rng.choice([0, 0, 1, 2, 9])) for _ in range(N_SAMPLES)]
            starts = [rng.randrange(len(words) - 200) for _ in pred]
            record = {
                "idx": number,
                "question": f"What is {number} x 7?",
                "gt": str(7 * number),
                "pred": pred,
                "score": [answer == str(7 * number) for answer in pred],
                "tokens": [rng.randrange(40, 60) for _ in pred],
                "code": [words[start : start + 200] for start in starts],
            }
            file.write(json.dumps(record) + "\n")


def importing(path: Path, out: Path, options: list[str]) -> dict[str, float]:
    """Import a file and return the time and memory used."""
    used = run_command(["import", *options, path, "--out", out, "--json"])
    return {"file MB": path.stat().st_size / 1e6, "peak MB": used.peak_mb, "seconds": used.seconds}


def slopes(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for way, part in frame.groupby("import", sort=False):
        slope, start = np.polyfit(part["file MB"][1:], part["peak MB"][1:], 1)
        rows.append({"import": way, "MB per MB of file": slope, f"MB for a file of {LARGE} MB": start + slope * LARGE})
    return pd.DataFrame(rows)


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ways = dict(list(WAYS.items())[-1:]) if smoke else WAYS
        for size in [2] if smoke else [12, 25, 50, 100]:
            path = Path(folder) / "GSM8K_synthetic.json"
            write_file(path, size)
            for number, (way, options) in enumerate(ways.items()):
                out = Path(folder) / f"pool-{size}-{number}"
                rows.append({"import": way, **importing(path, out, ["monkeys", *options])})
        for n_questions in [20] if smoke else [500, 1000, 5000, 10_000]:
            path = Path(folder) / f"lists-{n_questions}.jsonl"
            write_lists(path, n_questions)
            used = importing(path, Path(folder) / f"lists-{n_questions}", TABLE)
            rows.append({"import": "table of parallel lists", **used})
    frame = pd.DataFrame(rows).sort_values("import", kind="stable", ignore_index=True)
    return {"Imports": frame} if smoke else {"Slopes": slopes(frame), "Imports": frame}
