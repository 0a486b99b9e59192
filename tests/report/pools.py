"""Pools for tests of the report: one with hostile names and texts."""

import random
from functools import cache

import pandas as pd

from mssim import Pool
from mssim.report import make_report
from mssim.report.study import make_study
from tests.engine.test_evaluate import random_pool

SCRIPT = "<script>window.hit = 1</script>"
HOSTILE = (
    SCRIPT,
    "</script><script>window.hit = 2</script>",
    '"><img src=x onerror="window.hit = 3">',
    "`${window.hit = 4}` {{ 7 * 7 }} {% raw %}",
    "<!--<script> \u2028 ' \" & \\",
)
MODELS = ("<b>bold</b>", "quote\"'`", "plain")
FAST = {"budgets": [1, 2, 4], "limits": [2, 4], "n_replays": 40}


def hostile_pool(n_questions=30, n_samples=6):
    """A pool whose names, questions, answers and texts are attempts to run code; one text has a million letters."""
    rng = random.Random(3)
    rows = [
        {
            "question_id": f"q{q} {HOSTILE[q % 5]}",
            "question": f"{HOSTILE[q % 5]} {q}",
            "model": model,
            "sample_index": i,
            "answer": rng.choice([f"a{q}", f"a{q}", HOSTILE[i % 5], None]),
            "truth": f"a{q}",
            "topic<i>": HOSTILE[q % 3],
            "text": "x" * 1_000_000 if (q, m, i) == (0, 0, 0) else f"{HOSTILE[i % 5]} because {i}",
            "output_tokens": rng.randrange(1, 90),
            "cost": rng.random() / 1000,
        }
        for q in range(n_questions)
        for m, model in enumerate(MODELS)
        for i in range(n_samples)
    ]
    return Pool.from_frame(pd.DataFrame(rows), info={"title": f"made up {SCRIPT}", "synthetic": True})


def hostile_report():
    return make_report(hostile_pool(), strategies=['ms:"<b>bold</b>"+plain'], command=f"mssim {SCRIPT}", **FAST)


@cache
def small_study():
    """Three models whose accuracies differ, with costs and tokens, tuned with two strategies of several models."""
    pool = random_pool(n_questions=16, n_samples=8, cost=0.5, output_tokens=7, topic="one")
    return make_study(pool, strategies=["ms:x+y,vote=plurality", "mix:x+z"], **FAST)
