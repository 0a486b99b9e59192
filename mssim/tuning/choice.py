"""Selection of the most accurate candidate within a limit, and folds of questions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = []

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LEVEL = 0.95  # at which the Monte Carlo intervals of all candidates cover at the same time
_SAME = 1e-9  # accuracies and relative spends within this tolerance are considered equal


class Scores(NamedTuple):
    """Scores of the candidates from an evaluation, or from a single run, which has no Monte Carlo variance.

    Each array is [version, question]. A version is a candidate as it was fitted to some training sets; a candidate that
    is not fitted has one version.
    """

    accuracy: Floats
    spend: Floats
    accuracy_noise: Floats  # Monte Carlo variance
    spend_noise: Floats  # upper bound of it


class Means(NamedTuple):
    """Means of scores over one set of questions, and the half-widths of their Monte Carlo intervals, [version]."""

    accuracy: Floats
    spend: Floats  # infinite for versions that cannot be chosen on this set
    accuracy_error: Floats
    spend_error: Floats


class Choices(NamedTuple):
    """Choices made on the outcomes of each run; without runs, on the expectations, as a single run."""

    chosen: Ints  # [run, limit, set], a version; -1 if none is within the limit
    control: Ints  # same shape, among single models
    training: Floats  # accuracy of `chosen` on the set of the choice
    in_sample: Floats  # [run, limit, question], outcomes of the choice on all questions


def training_masks(folds: Ints) -> Bools:
    """Return masks [set, question] of the questions outside each fold and, in the last row, of all questions."""
    return np.vstack([*(folds != fold for fold in range(folds.max() + 1)), np.ones(folds.size, dtype=bool)])


def training_sets(folds: Ints) -> Floats:
    """Return weights [set, question] that average over all but one fold and, in the last row, over all questions."""
    among = training_masks(folds)
    return np.asarray(among / among.sum(axis=1, keepdims=True))


def accuracy_noise(mc_variance: Floats, n_replays: Ints) -> Floats:
    """Return the Monte Carlo variance of accuracies [version, question], positive where all replays agree.

    It is 0 if they are exact. Half a replay with another outcome is added.
    """
    replays = np.maximum(n_replays, 1)
    variance = np.where(n_replays > 1, mc_variance, 0.25) + 0.5 / replays**2
    return np.where(n_replays == 0, 0.0, variance)


def means_on_sets(scores: Scores, sets: Floats, usable: Bools | None = None) -> list[Means]:
    """Return the means of all versions on every set; `usable` [version, set] are those that can be chosen there."""
    usable = np.ones((len(scores.accuracy), len(sets)), dtype=bool) if usable is None else usable
    spend = np.where(usable, scores.spend @ sets.T, np.inf)
    accuracy = scores.accuracy @ sets.T
    errors = (_half_widths(noise @ (sets.T**2), usable) for noise in (scores.accuracy_noise, scores.spend_noise))
    return [Means(*rows) for rows in zip(accuracy.T, spend.T, *(error.T for error in errors), strict=True)]


def _half_widths(variance: Floats, usable: Bools) -> Floats:
    """Return half-widths of intervals that cover at the same time on each set, by Bonferroni's inequality."""
    n = np.maximum(((variance > 0) & usable).sum(axis=0), 1)
    return np.asarray(scipy.special.ndtri(1 - (1 - _LEVEL) / (2 * n)) * np.sqrt(variance))


def choose(means: Means, limits: Floats) -> Ints:
    """Return the cheapest version within each limit that no other is shown to exceed in accuracy, or -1.

    A version is shown to exceed another if its Monte Carlo interval of accuracy lies above that of the other. Whatever
    draws two candidates share, this is a bound: the error of a difference is at most the sum of both errors. Of
    versions whose intervals of spend overlap with the cheapest, the first is chosen.
    """
    best, worst = _interval(means)
    chosen = np.full(limits.size, -1)
    for i, limit in enumerate(limits):
        fit = np.flatnonzero(means.spend <= limit * (1 + _SAME))
        if fit.size:
            tied = fit[best[fit] >= worst[fit].max()]
            most = (means.spend[tied] + means.spend_error[tied]).min() * (1 + _SAME)
            chosen[i] = tied[means.spend[tied] - means.spend_error[tied] <= most][0]
    return chosen


def _interval(means: Means) -> tuple[Floats, Floats]:
    """Return the highest and the lowest accuracy that the replays leave possible."""
    return means.accuracy + means.accuracy_error + _SAME, means.accuracy - means.accuracy_error


def choose_on_sets(means: Iterable[Means], limits: Floats) -> Ints:
    """Choose on every set of questions; returns versions [limit, set]."""
    return np.stack([choose(one, limits) for one in means], axis=1)


def choose_in_runs(
    outcomes: Iterable[Scores], single: Ints, sets: Floats, limits: Floats, usable: Bools | None = None
) -> Choices:
    """Choose on every set of questions in every run; `single` lists the versions of the control."""
    found = []
    for scores in outcomes:
        means = means_on_sets(scores, sets, usable)
        chosen = choose_on_sets(means, limits)
        alone = means_on_sets(Scores(*(values[single] for values in scores)), sets)
        control = np.append(single, -1)[choose_on_sets(alone, limits)]
        training = np.stack([one.accuracy for one in means], axis=1)[chosen, np.arange(len(sets))]
        found.append(Choices(chosen, control, training, scores.accuracy[chosen[:, -1]]))
    return Choices(*(np.stack(runs) for runs in zip(*found, strict=True)))


def frontier_of(means: Means) -> tuple[Ints, Floats]:
    """Return the versions that are chosen within some limit, cheapest first, and the lowest limit of each.

    A choice that ties with one within a lower limit, or is estimated to be less accurate, is left out.
    """
    limits = np.unique(means.spend[np.isfinite(means.spend)])
    best, worst = _interval(means)
    kept: list[int] = []
    lowest: list[float] = []
    for row, limit in zip(choose(means, limits).tolist(), limits.tolist(), strict=True):
        last = kept[-1] if kept else None
        if last is not None:
            tied = best[last] >= worst[means.spend <= limit * (1 + _SAME)].max()
            if tied or not (_more(means.spend, row, last) and _more(means.accuracy, row, last)):
                continue
        kept.append(row)
        lowest.append(limit)
    return np.array(kept, dtype=np.int64), np.array(lowest)


def _more(values: Floats, row: int, other: int) -> bool:
    return bool(values[row] > values[other] + _SAME * max(abs(values[other]), 1e-300))


def _usual(chosen: Ints) -> Ints:
    """Return the most frequent choice on all questions per limit; -1 if any run has no choice."""
    return np.array([-1 if on_all.min() < 0 else np.bincount(on_all).argmax() for on_all in chosen[:, :, -1].T])
