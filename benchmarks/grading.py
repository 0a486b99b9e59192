"""Grading.

This section measures the extraction of answers from SYNTHETIC texts of 1.5 kB, in microseconds of processor time per
text, and the grading of a file of boxed answers with math-verify, with an empty cache and with a full one. Half of the
texts end in a box. `number` may take 33 microseconds, so that it reads 30,000 texts a second.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from benchmarks.measuring import interleaved
from mssim.grading import grade_file, parse_rule

LENGTH = 1500
QUESTIONS = 20
WORDS = [
    "so",
    "we",
    "have",
    "then",
    "each",
    "of",
    "them",
    "costs",
    "dollars",
    "adding",
    "$x+1$",
    "\\frac{1}{2}",
    "left",
]
ENDS = [
    "The answer is {}.",
    "总共是{}。",
    "It is **{}**",
    "so x = {}",
    "#### {}",
    "That leaves {} of them, which is the answer.",
]
ALLOWED = {"number": 1e6 / 30_000}


def texts(n: int) -> tuple[list[str], list[str]]:
    """Draw texts with the numbers that they give as answers."""
    draw = random.Random(0)
    numbers = [
        f"{draw.choice(['', '-'])}{draw.choice([draw.randint(0, 99), draw.randint(0, 10**6)]):,}" for _ in range(n)
    ]
    found = []
    for i, number in enumerate(numbers):
        words: list[str] = []
        while sum(map(len, words)) + len(words) < LENGTH - 40:
            words.append(draw.choice(WORDS) if draw.random() < 0.85 else str(draw.randint(1, 500)))
        end = draw.choice(ENDS).format(number) if i % 2 else f"The answer is $\\boxed{{{number}}}$."
        found.append(f"{' '.join(words)} {end}")
    return found, numbers


def extraction(n: int, rounds: int) -> pd.DataFrame:
    given, numbers = texts(n)
    rules = {name: parse_rule(name) for name in ("number", "boxed", "choice", "date", "gsm8k")}
    calls = {name: lambda _, rule=rule: [rule.extract(text) for text in given] for name, rule in rules.items()}
    timed = interleaved(calls, rounds)
    right = [number.replace(",", "") for number in numbers]
    if timed["number"].returned[0] != right:
        raise SystemExit("the rule number does not find the answers")
    rows = [
        {
            "rule": name,
            "texts/s": n / found.seconds,
            "us per text": 1e6 * found.seconds / n,
            "allowed": ALLOWED.get(name),
        }
        for name, found in timed.items()
    ]
    return pd.DataFrame(rows)


def equality(n: int) -> pd.DataFrame:
    """Grade boxed answers of several forms with an empty and with a full cache."""
    draw = random.Random(1)
    forms = [
        "\\frac{%d}{7}",
        "%d\\sqrt{3}",
        "x^2+%d",
        "(1,%d)",
        "1%d,000",
        "%d",
        "0.%d",
        "\\text{%d}",
        "%d\\pi",
        "\\{1,%d\\}",
    ]
    answers = [form % k for form in forms for k in range(1, 6)]
    rows = [(f"q{i % QUESTIONS}", "m", i // QUESTIONS, f"So \\boxed{{{draw.choice(answers)}}}") for i in range(n)]
    samples = pa.table(
        dict(zip(("question_id", "model", "sample_index", "text"), zip(*rows, strict=True), strict=True))
    )
    questions = pa.table(
        {"question_id": [f"q{i}" for i in range(QUESTIONS)], "truth": [draw.choice(answers) for _ in range(QUESTIONS)]}
    )
    found = []
    with tempfile.TemporaryDirectory() as place:
        source, target, cache = (Path(place) / name for name in ("in.parquet", "out.parquet", "cache.sqlite"))
        pa.parquet.write_table(samples, source)
        for state in ("empty", "full"):
            start = time.perf_counter()
            grade_file(source, target, questions, parse_rule("boxed"), cache=cache)
            found.append(
                {"cache": state, "samples": n, "distinct answers": len(answers), "seconds": time.perf_counter() - start}
            )
    return pd.DataFrame(found)


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    return {"extraction": extraction(*((200, 1) if smoke else (4000, 5))), "equality": equality(200 if smoke else 6000)}
