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
BUDGETS = [1, 2, 4, 8, 16, 32]
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
    # Few questions have so few samples of one kind that a budget exceeds them.
    return Pool.from_frame(frame, info=pool.info).select(min_samples=max(BUDGETS))


def main(path: str = "over-tokens.png") -> None:
    """Evaluate, draw and print the table."""
    pool = load_pool("recorded/tiny-arithmetic", where=[("family", "!=", "mixed")]).select(models=[MODEL])
    evaluation = evaluate(by_working(pool), STRATEGIES, BUDGETS, n_replays=2000)
    axes = plot_panels(evaluation, ["samples_used", "tokens"])
    axes[0].figure.savefig(path, dpi=150)
    plt.close(axes[0].figure)
    frame = evaluation.to_frame()[["strategy", "budget", "accuracy", "low", "high", "samples_used", "tokens"]]
    print(frame.round(3).to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:2])
