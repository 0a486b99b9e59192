"""Selection of the most accurate candidate within a limit, and folds of questions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = []

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TIED = 2.0  # Monte Carlo errors up to which a difference is a tie
_SAME = 1e-9  # accuracies and relative spends within this tolerance are considered equal


class Scores(NamedTuple):
    """Scores of the candidates from an evaluation."""

    accuracy: Floats  # [candidate, question]
    spend: Floats  # [candidate, question]
    n_replays: Ints  # [candidate]


class Choices(NamedTuple):
    """Choices made on the outcomes of each run; without runs, on the expectations, as a single run."""

    chosen: Ints  # [run, limit, set], a candidate; -1 if none is within the limit
    control: Ints  # same shape, among single models
    training: Floats  # accuracy of `chosen` on the set of the choice
    in_sample: Floats  # [run, limit, question], outcomes of the choice on all questions


def training_sets(folds: Ints) -> Floats:
    """Return weights [set, question] that average over all but one fold and, in the last row, over all questions."""
    among = np.vstack([*(folds != fold for fold in range(folds.max() + 1)), np.ones(folds.size, dtype=bool)])
    return np.asarray(among / among.sum(axis=1, keepdims=True))


def noise_on_sets(accuracy: Floats, n_replays: Ints, sets: Floats) -> Floats:
    """Return the Monte Carlo variance of the mean of each candidate on each set, [candidate, set]; 0 if exact."""
    others = np.where(n_replays == 0, np.inf, np.maximum(n_replays - 1, 1))
    return np.asarray((accuracy * (1 - accuracy) / others[:, None]) @ (sets.T**2))


def choose(accuracy: Floats, spend: Floats, limits: Floats, noise: Floats | None = None) -> Ints:
    """Return the most accurate candidate within each limit, or -1; ties go to the lower spend, then the earlier.

    Differences of at most two Monte Carlo errors are ties. `noise` are the Monte Carlo variances. Candidates share
    their draws, so the sum of two variances is an upper bound for most differences.
    """
    chosen = np.full(limits.size, -1)
    for i, limit in enumerate(limits):
        fit = np.nonzero(spend <= limit * (1 + _SAME))[0]
        if fit.size:
            first = fit[accuracy[fit].argmax()]
            error = 0.0 if noise is None else np.sqrt(noise[fit] + noise[first])
            best = fit[accuracy[fit] >= accuracy[first] - _SAME - _TIED * error]
            chosen[i] = best[spend[best] <= spend[best].min() * (1 + _SAME)][0]
    return chosen


def choose_on_sets(accuracy: Floats, spend: Floats, limits: Floats, noise: Floats) -> Ints:
    """Choose on every set of questions, given means [candidate, set]; returns candidates [limit, set]."""
    rows = zip(accuracy.T, spend.T, noise.T, strict=True)
    return np.stack([choose(one, spent, limits, unsure) for one, spent, unsure in rows], axis=1)


def choose_in_runs(outcomes: Iterable[Scores], single: Ints, sets: Floats, limits: Floats) -> Choices:
    """Choose on every set of questions in every run; `single` lists the candidates of the control."""
    found = []
    for scores in outcomes:
        accuracy, spend = scores.accuracy @ sets.T, scores.spend @ sets.T
        # A run is what a study reports: it has outcomes and no expectation that replays estimate.
        replays = np.where(scores.n_replays == 1, 0, scores.n_replays)
        noise = noise_on_sets(scores.accuracy, replays, sets)
        chosen = choose_on_sets(accuracy, spend, limits, noise)
        control = np.append(single, -1)[choose_on_sets(accuracy[single], spend[single], limits, noise[single])]
        found.append(Choices(chosen, control, accuracy[chosen, np.arange(len(sets))], scores.accuracy[chosen[:, -1]]))
    return Choices(*(np.stack(runs) for runs in zip(*found, strict=True)))


def undominated(accuracy: Floats, spend: Floats) -> Ints:
    """Return the Pareto-optimal candidates in spend and accuracy, cheapest first."""
    accuracy, spend = np.round(accuracy, 9), np.round(spend / max(spend.max(), 1e-300), 9)
    order = np.lexsort((-accuracy, spend))
    best = np.maximum.accumulate(accuracy[order])
    return np.asarray(order[np.concatenate([[True], best[1:] > best[:-1]])])


def _usual(chosen: Ints) -> Ints:
    """Return the most frequent choice on all questions per limit; -1 if any run has no choice."""
    return np.array([-1 if on_all.min() < 0 else np.bincount(on_all).argmax() for on_all in chosen[:, :, -1].T])
