"""Votes and rankings of scorio.

This section compares `scorio.aggregate` and `scorio.rank` with the same votes and rankings of mssim, on a SYNTHETIC
pool with random scores and confidences. A vote of scorio takes batches of answers and scores. Each replay draws 32
samples of every question in a random order, for both. "us" is processor time per question and replay, or per question
and model for rankings, after compilation, the best of interleaved rounds. Accuracies of votes must agree within six
standard errors, and scores of rankings within 1e-12.

- `adaptive_consistency_stop` and `esc_stop` are stop=beta and stop=window. Both answer for one question whether to
  stop. `logit_weighted_vote`, `kde_weighted_vote`, the other early stops and the confidences computed from token
  probabilities have no equivalent in mssim.
- `rank.avg` ranks models by the accuracy of single samples, `rank.pass_at_k` by coverage. The other rankings (pairwise
  ratings, Bradley-Terry, item response theory, graphs, elections) have no equivalent: mssim compares strategies by
  their accuracies, with intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import packages
from benchmarks.engines import ONE, Engine, Task, accuracy, check, mssim_engine, replayed
from benchmarks.measuring import interleaved
from benchmarks.pools import make_pool
from benchmarks.rules import with_numbers
from mssim import Pool, evaluate

N_DRAWS = 32
K = 8  # of pass@k


class Same(NamedTuple):
    """A vote of scorio.aggregate, and the strategy of mssim that is the same."""

    function: str
    spec: str
    column: str  # numbers that the vote reads; empty for none
    options: dict[str, object]


VOTES = (
    Same("majority_vote", "sc:one", "", {}),
    Same("weighted_majority_vote", "sc:one,vote=score_sum", "score", {}),
    Same("best_of_n", "sc:one,vote=best_of_n", "score", {}),
    Same("majority_of_the_bests", "sc:one,vote=majority_of_bests,m=8", "score", {"m": 8}),
    Same("best_of_majority", "sc:one,vote=best_of_majority,alpha=0.1", "score", {"alpha": 0.1}),
    Same(
        "softmax_weighted_vote",
        "sc:one,vote=confidence,temperature=0.5",
        "confidence",
        {"temperature": 0.5},
    ),
    Same("rank_weighted_vote", "sc:one,vote=borda,power=2", "confidence", {"p": 2.0}),
    Same("filtered_vote", "sc:one,vote=deepconf,keep=0.5", "confidence", {"keep": 0.5}),
    Same("cges_vote", "sc:one,vote=cges", "confidence", {}),
)


def votes(pool: Pool, same: Same, n_ours: int, n_theirs: int, rounds: int) -> dict[str, object]:
    """Return the row of a vote; raise if accuracies disagree."""
    sd = float(replayed(pool, same.spec, [N_DRAWS], 1000, 0).to_frame()["replay_sd"].iloc[0])
    theirs = partial(packages.scorio_vote, pool, same.function, same.column, same.options, N_DRAWS, n_theirs)
    task = Task(
        same.function,
        [N_DRAWS],
        N_DRAWS,
        [mssim_engine(pool, same.spec, [N_DRAWS], n_ours), Engine("scorio", theirs, n_theirs)],
        None,
        sd,
    )
    calls = {engine.name: engine.run for engine in task.engines}
    for call in calls.values():
        call(0)
    timed = interleaved(calls, rounds)
    ours, other = task.engines
    n_questions, expected = len(pool.questions), accuracy(task, timed[ours.name])
    check(task, other, timed[other.name], expected, n_ours * len(timed[ours.name].returned), n_questions)
    us = [1e6 * timed[engine.name].seconds / engine.n_replays / n_questions for engine in task.engines]
    found = [100 * accuracy(task, timed[engine.name]) for engine in task.engines]
    return _row(f"aggregate.{same.function}", same.spec, us, found)


def rankings(pool: Pool, rounds: int) -> list[dict[str, object]]:
    """Return the rows of rankings; raise if scores or ranks disagree."""
    rows = []
    for function, strategy, budget in (("avg", "sc", 1), ("pass_at_k", "cov", K)):
        specs = [f"{strategy}:{model}" for model in pool.models]
        calls: dict[str, Callable[[int], object]] = {
            "mssim": partial(_scores, pool, specs, budget),
            "scorio": partial(packages.scorio_rank, pool, function, budget),
        }
        for call in calls.values():
            call(0)
        timed = interleaved(calls, rounds)
        ours, theirs = (np.asarray(timed[name].returned[0]) for name in calls)
        if not (np.allclose(ours, theirs, atol=1e-12) and (np.argsort(-ours) == np.argsort(-theirs)).all()):
            raise SystemExit(f"rank.{function}: scorio finds {theirs}, mssim {ours}")
        us = [1e6 * timed[name].seconds / len(pool.questions) / len(pool.models) for name in calls]
        rows.append(
            _row(f"rank.{function}", f"{strategy}:MODEL@{budget}", us, [100 * ours.mean(), 100 * theirs.mean()])
        )
    return rows


def _scores(pool: Pool, specs: list[str], budget: int, _: int) -> np.ndarray:
    return evaluate(pool, specs, [budget], method="exact", executor=ONE).accuracy[:, 0].mean(axis=1)


def _row(function: str, spec: str, us: list[float], found: list[float]) -> dict[str, object]:
    return {
        "scorio": function,
        "mssim": spec,
        "us, mssim": us[0],
        "us, scorio": us[1],
        "x mssim": us[1] / us[0],
        "accuracy, mssim": found[0],
        "accuracy, scorio": found[1],
    }


def measure(smoke: bool) -> pd.DataFrame:
    if not packages.installed("scorio"):
        return pd.DataFrame({"package": ["scorio"], "why": ["not installed"]})
    n_questions, n_ours, n_theirs, rounds = (10, 200, 4, 1) if smoke else (200, 2000, 20, 5)
    pool = with_numbers(make_pool(n_questions, 64 if smoke else 256, easy_share=0.0))
    rows = [votes(pool, same, n_ours, n_theirs, rounds) for same in VOTES]
    several = make_pool(n_questions, 64 if smoke else 256, n_models=3 if smoke else 8)
    return pd.DataFrame(rows + rankings(several, rounds))
