"""Draw accuracy over samples beside accuracy over tokens: python examples/over_tokens.py [FILE.png].

The model showed its working in about half of its answers. Answers with and without working are two models here.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np

from mssim import Pool, evaluate, load_pool
from mssim.plots import plot_panels

MODEL = "tf-even"
MOST = 32  # samples per question
BASE, BUDGET = "direct answers", 8  # compared at equal tokens
STRATEGIES = {
    "direct answers": "sc:direct",
    "answers with working": "sc:working",
    "direct, then with working": "ms:direct+working,agreement=0.8,vote=plurality",
}


def by_working(pool: Pool) -> Pool:
    """Split the answers of a model by whether they show working, and keep questions with enough of both."""
    frame = pool.to_frame()
    frame["model"] = np.where(frame["text"].isna(), "direct", "working")
    frame["sample_index"] = frame.groupby(["model", "question_id"]).cumcount()
    return Pool.from_frame(frame, info=pool.info).select(min_samples=MOST)


def main(path: str = "over-tokens.png") -> None:
    """Evaluate, draw, and print the points and the comparisons at equal samples and at equal tokens."""
    pool = load_pool("recorded/tiny-arithmetic", where=[("family", "!=", "mixed")]).select(models=[MODEL])
    split = by_working(pool)
    evaluation = evaluate(split, STRATEGIES, 2 ** np.arange(MOST.bit_length()), n_replays=2000)
    axes = plot_panels(evaluation, ["samples_used", "tokens"])
    axes[0].figure.savefig(path, dpi=150)
    plt.close(axes[0].figure)
    frame = evaluation.to_frame()[["strategy", "budget", "accuracy", "low", "high", "samples_used", "tokens"]]
    print(frame.round(3).to_string(index=False))
    every = evaluate(split, STRATEGIES, range(1, MOST + 1), n_replays=2000)
    columns = ["strategy", "budget", "spend", "difference", "difference_low", "difference_high"]
    for per in ("samples_used", "tokens"):
        table = every.at_equal_cost(BASE, budget=BUDGET, per=per).to_frame()[columns]
        print(f"\nequal {per}:\n{table.round(3).to_string(index=False)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
