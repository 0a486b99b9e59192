"""Draw two uncertainties against recorded samples and questions: python examples/two_uncertainties.py [FILE.png]."""

from __future__ import annotations

import sys
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mssim import Pool, evaluate, load_pool
from mssim.plots import COLOURS, STYLE

MODEL, BUDGET = "gemma", 8
SAMPLES = (8, 12, 16, 32, 64, 128, 256, 512)  # at most those recorded
QUESTIONS = (10, 20, 40, 80, 154)
FEW = 64  # recorded samples in the right panel
REPEATS = 5  # random subsets of questions and samples, over which widths are averaged
LINES = {
    "questions": ("interval over questions", COLOURS[0], "o", "-"),
    "these": ("interval on these questions", COLOURS[6], "s", (0, (5, 1.5))),
}


def with_samples(pool: Pool, n_samples: int, rng: np.random.Generator) -> Pool:
    """Keep random samples, the same number for each question."""
    order = rng.permuted(np.tile(np.arange(pool.codes.shape[2]), (*pool.codes.shape[:2], 1)), axis=2)
    kept = order[:, :, :n_samples]
    codes, lengths = np.take_along_axis(pool.codes, kept, axis=2), np.full_like(pool.lengths, n_samples)
    return replace(pool, codes=codes, lengths=lengths, numbers={}, extra=pool.extra.select([]))


def with_questions(pool: Pool, n_questions: int, rng: np.random.Generator) -> Pool:
    """Keep random questions."""
    return pool.select(questions=rng.choice(pool.question_ids, n_questions, replace=False).tolist())


def half_widths(pool: Pool) -> dict[str, float]:
    """Half of the width of both intervals, in points."""
    found = evaluate(pool, f"sc:{MODEL}", BUDGET, jackknife=True)
    frames = {scope: found.to_frame(scope=scope) for scope in LINES}
    return {scope: 50 * (frame["high"] - frame["low"]).item() for scope, frame in frames.items()}


def table(pool: Pool, sizes: list[tuple[int, int]]) -> pd.DataFrame:
    """Mean half widths for numbers of questions and samples."""
    rng = np.random.default_rng(1)
    rows = []
    for n_questions, n_samples in sizes:
        whole = (n_questions, n_samples) == (len(pool.questions), pool.codes.shape[2])
        found = [
            half_widths(with_samples(with_questions(pool, n_questions, rng), n_samples, rng))
            for _ in range(1 if whole else REPEATS)
        ]
        rows.append({"questions_used": n_questions, "samples": n_samples, **pd.DataFrame(found).mean().to_dict()})
    return pd.DataFrame(rows)


def draw(ax: Axes, frame: pd.DataFrame, x: str, title: str, label: str) -> None:
    """Half widths of both intervals against one of the sizes."""
    for scope, (name, colour, marker, line) in LINES.items():
        ax.plot(frame[x], frame[scope], color=colour, marker=marker, linestyle=line, markersize=4, label=name)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(frame[x])
    ax.minorticks_off()
    ax.set_yticks([0.2, 0.5, 1, 2, 5, 10, 20])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel(label)
    ax.set_title(title, fontsize="medium", loc="left")


def main(path: str = "two-uncertainties.png") -> None:
    """Evaluate, draw and print the widths."""
    pool = load_pool("recorded/llm-capitals").select(models=[MODEL])
    n_questions = len(pool.questions)
    by_samples = table(pool, [(n_questions, n) for n in SAMPLES if n <= pool.codes.shape[2]])
    by_questions = table(pool, [(n, FEW) for n in QUESTIONS])
    with mpl.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
        draw(left, by_samples, "samples", f"{n_questions} questions", "recorded samples per question")
        draw(right, by_questions, "questions_used", f"{FEW} recorded samples per question", "questions")
        left.set_ylabel("± points (95 %)")
        left.legend(fontsize="small")
        title = pool.info["title"].capitalize()
        figure.suptitle(f"{title}: plurality of {BUDGET} samples of {MODEL}", fontsize="medium")
        figure.savefig(path, dpi=150)
    print(pd.concat([by_samples, by_questions], ignore_index=True).round(2).to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:2])
