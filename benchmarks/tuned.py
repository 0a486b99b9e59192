"""Synthetic accuracies of many candidates, and the result of tuning on them, for the section coverage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.laws import DIFFERENCES, Floats, Law
from mssim import evaluate
from mssim.rules.folds import fold_of
from mssim.simulate import AnswerModel
from mssim.tuning.choice import Scores, choose_in_runs, training_sets
from mssim.tuning.result import Tuning

N_FOLDS = 10
_POPULATION = 2000  # questions of the simulated pool, from which data sets are drawn
_STRATEGIES = ("sc:a", "sc:b", "sc:c", "mix:a+b", "mix:a+c", "mix:b+c", "ms:a+b", "ms:b+a", "ms:c+a")
_BUDGETS = range(7, 17)


class Candidates(NamedTuple):
    """Law of the accuracies of candidates that spend the same; the first `n_single` are the control.

    `draw` returns accuracies [candidate, question] of n questions, `true` the expected accuracies [candidate].
    """

    name: str
    draw: Callable[[np.random.Generator, int], Floats]
    true: Callable[[], Floats]
    n_single: int
    symmetric: bool = True  # whether gains are nearly symmetric, which Student's t assumes


def equal(n_candidates: int, rng: np.random.Generator, n_questions: int) -> Floats:
    """Draw accuracies of equally good candidates around the easiness of each question, which has a mean of 2/3."""
    easiness = rng.beta(2, 1, n_questions)
    return rng.beta(2 * easiness, 2 * (1 - easiness), (n_candidates, n_questions))


@cache
def population() -> Floats:
    """Return accuracies [candidate, question] of nine strategies at ten budgets on a SYNTHETIC pool."""
    law = {"sure": 0.3, "a": (0.82, 0.8, 0.78), "b": 0.9, "spread": 1.5, "correlation": 0.7, "shared_distractors": 0.5}
    pool = AnswerModel(["a", "b", "c"], **law).draw(_POPULATION, 32, seed=1)
    found = evaluate(pool, _STRATEGIES, _BUDGETS, method="monte_carlo", n_replays=64)
    return found.accuracy.reshape(-1, _POPULATION)


def lopsided(law: Law, rng: np.random.Generator, n_questions: int) -> Floats:
    """Draw accuracies of a control of 1/2 and of five variants of a strategy with the same asymmetric differences."""
    return 0.5 + np.vstack(
        [np.zeros(n_questions), law.draw(rng, n_questions) + 0.001 * rng.normal(size=(5, n_questions))]
    )


def two_thirds(n_candidates: int) -> Floats:
    return np.full(n_candidates, 2 / 3)


def half(n_candidates: int) -> Floats:
    return np.full(n_candidates, 1 / 2)


def means_of_population() -> Floats:
    return population().mean(axis=1)


def drawn(rng: np.random.Generator, n_questions: int) -> Floats:
    return population()[:, rng.integers(0, _POPULATION, n_questions)]


CANDIDATES = (
    Candidates("6 equal candidates", partial(equal, 6), partial(two_thirds, 6), 3),
    Candidates("40 equal candidates", partial(equal, 40), partial(two_thirds, 40), 20),
    Candidates(
        "gains: 90 % at -.05, 10 % at +.45", partial(lopsided, DIFFERENCES[1]), partial(half, 6), 1, symmetric=False
    ),
    Candidates("90 candidates of a simulated pool", drawn, means_of_population, 3 * len(_BUDGETS)),
)


def tuning(accuracy: Floats, n_single: int) -> Tuning:
    """Return what `tune` returns for given accuracies [candidate, question], with one limit that all are within."""
    n_candidates, n_questions = accuracy.shape
    spend, limits, folds = np.ones_like(accuracy), np.ones(1), fold_of(np.arange(n_questions), N_FOLDS, 0)
    nothing = np.zeros_like(accuracy)
    scores = Scores(accuracy, spend, nothing, nothing)
    names = tuple(f"candidate {i}" for i in range(n_candidates))
    found = choose_in_runs([scores], np.arange(n_single), training_sets(folds), limits)
    return Tuning(
        strategies=names,
        fitted=names,
        budgets=np.ones(n_candidates, np.int64),
        candidate=np.arange(n_candidates),
        usable=np.ones((n_candidates, N_FOLDS + 1), dtype=bool),
        questions=pd.DataFrame({"question_id": np.arange(n_questions)}),
        accuracy=accuracy,
        spend=spend,
        n_replays=np.zeros(n_candidates, np.int64),
        mc_variance=nothing,
        spend_noise=nothing,
        limits=limits,
        folds=folds,
        chosen=found.chosen,
        control=found.control,
        training=found.training,
        in_sample=found.in_sample,
        clusters=None,
        n_runs=None,
        left_out={},
        provenance={"seed": 0},
    )


def true_scores(found: Tuning, true: Floats) -> tuple[float, float]:
    """Return the expected accuracy of the choices on other questions, and its gain over that of the control."""
    held, control = (float(true[chosen[0, 0, found.folds]].mean()) for chosen in (found.chosen, found.control))
    return held, held - control
