"""Leave-one-sample-out estimates from counts: questions that lack one sample of one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim.engine.blocks import Outcome
from mssim.engine.exact import expected
from mssim.kernels.draw_weights import Counts
from mssim.rules.base import Strategy
from mssim.rules.plan import Expected, Plan

__all__ = ["LeftOut", "LeftOutTask", "expected_of", "fit_plan", "groups_left_out", "left_out", "variance_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class LeftOut(NamedTuple):
    """Questions that lack one sample of one model, or a group of samples of all models.

    Samples that are interchangeable are left out once.
    """

    counts: Counts  # one stage per model
    question: Ints  # [row], index of the question
    model: Ints  # [row], index of the model that lacks a sample; 0 for groups
    copies: Ints  # [row], number of recorded samples that are interchangeable with the missing one


def left_out(counts: Counts, *, alike: bool = True) -> LeftOut:
    """Leave out one sample in turn. Classes with equal counts and correctness are interchangeable if `alike`."""
    rows: list[tuple[int, int, int, int]] = []  # question, model, class or -1 for no answer, copies
    for q in range(counts.no_answer.shape[1]):
        first, end = counts.offsets[q], counts.offsets[q + 1]
        kinds = np.vstack([counts.votes[:, first:end], counts.correct[first:end]])
        at, repeats = _distinct(kinds if alike else np.vstack([kinds, np.arange(end - first)]))
        for m, without in enumerate(counts.no_answer[:, q]):
            if without:
                rows.append((q, m, -1, int(without)))
            rows += [(q, m, int(c), int(kinds[m, c] * n)) for c, n in zip(at, repeats, strict=True) if kinds[m, c] > 0]
    question, model, place, copies = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    lacking = take_questions(counts, question)
    voted = place >= 0
    lacking.votes[model[voted], lacking.offsets[:-1][voted] + place[voted]] -= 1
    lacking.no_answer[model[~voted], np.nonzero(~voted)[0]] -= 1
    return LeftOut(lacking, question, model, copies)


def groups_left_out(parts: Sequence[Counts], numbers: Ints) -> LeftOut:
    """Return the counts without each group of samples; `numbers` of groups have the questions."""
    rows = [np.nonzero(numbers > group)[0] for group in range(len(parts))]
    taken = [take_questions(part, chosen) for part, chosen in zip(parts, rows, strict=True)]
    sizes = np.concatenate([np.diff(part.offsets) for part in taken])
    counts = Counts(
        np.concatenate([part.votes for part in taken], axis=1),
        np.concatenate([part.no_answer for part in taken], axis=1),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([part.correct for part in taken]),
        parts[0].replacement,
    )
    question = np.concatenate(rows)
    return LeftOut(counts, question, np.zeros_like(question), np.ones_like(question))


def _distinct(kinds: Ints) -> tuple[Ints, Ints]:
    """Return the first place of every distinct column, and how often it occurs."""
    if not kinds.shape[1]:  # no sample of the question has an answer
        return np.empty(0, np.int64), np.empty(0, np.int64)
    _, at, repeats = np.unique(kinds, axis=1, return_index=True, return_counts=True)
    return at, repeats


def take_questions(counts: Counts, chosen: Ints) -> Counts:
    """Return copies of the counts of some questions, in this order."""
    sizes = np.diff(counts.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    classes = np.repeat(counts.offsets[:-1][chosen] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return Counts(
        np.ascontiguousarray(counts.votes[:, classes]),
        np.ascontiguousarray(counts.no_answer[:, chosen]),
        offsets,
        counts.correct[classes],
        counts.replacement,
    )


def variance_of(found: Floats, lacking: LeftOut, n_questions: int) -> Floats:
    """Return the jackknife variance of every question from leave-one-out estimates [..., row].

    It is the sum over models of (K - 1) / K sum_i (estimate without sample i - their mean)^2; for groups the sum over
    groups, with their number as K.
    """
    n_models = lacking.counts.no_answer.shape[0]
    group = lacking.question * n_models + lacking.model
    size = n_questions * n_models

    def sums(values: Floats) -> Floats:
        flat = (values * lacking.copies).reshape(-1, group.size)
        return np.array([np.bincount(group, row, size) for row in flat]).reshape(*values.shape[:-1], size)

    recorded = np.maximum(np.bincount(group, lacking.copies, size), 1)
    deviation = found - (sums(found) / recorded)[..., group]
    variance = (recorded - 1) / recorded * sums(deviation**2)
    return np.asarray(variance.reshape(*found.shape[:-1], n_questions, n_models).sum(axis=-1))


def fit_plan(plan: Plan, available: Ints) -> Plan:
    """Return a plan that draws at most so many samples of the model of each stage, [stage].

    Stages of the same model share them. The votes with which a smaller stage agrees are the same share of it.
    """
    sizes = plan.sizes.copy()
    for model in dict.fromkeys(plan.models):
        stages = [i for i, other in enumerate(plan.models) if other == model]
        for b in range(sizes.shape[1]):
            _shrink(sizes, stages, b, int(available[stages[0]]))
    smaller = (sizes < plan.sizes) & (plan.need > 0) & (plan.need <= plan.sizes)
    before = np.maximum(plan.sizes, 1)
    return plan._replace(sizes=sizes, need=np.where(smaller, -(-plan.need * sizes // before), plan.need))


def _shrink(sizes: Ints, stages: Sequence[int], b: int, available: int) -> None:
    """Take samples from the largest of these stages until they fit."""
    if len(stages) == 1:
        sizes[stages[0], b] = min(sizes[stages[0], b], available)
    while sizes[stages, b].sum() > available:
        sizes[stages[int(sizes[stages, b].argmax())], b] -= 1


def expected_of(outcome: Outcome) -> Expected:
    """Return the expectations of a plan."""
    return Expected(outcome.right, outcome.drawn.sum(axis=0), outcome.agreed, *outcome.spent)


@dataclass(frozen=True)
class LeftOutTask:
    """Task of the jackknife of a strategy with closed forms on a block of questions."""

    strategy: Strategy
    plans: tuple[Plan, ...]
    models: tuple[str, ...]  # the stages of the counts
    lacking: LeftOut
    questions: pd.DataFrame  # of the block

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        return self.lacking.counts.votes.nbytes + self.lacking.counts.no_answer.nbytes

    def run(self) -> Outcome:
        """Compute the variance of the accuracy, [budget, question], as `right` of the outcome."""
        parts = [self._part(plan, self.lacking) for plan in self.plans]
        found = self.strategy.combine(parts, self.questions.iloc[self.lacking.question]).accuracy
        variance = variance_of(found, self.lacking, len(self.questions))
        return Outcome.of(variance, np.zeros((0, *variance.shape)), np.zeros_like(variance))

    def _part(self, plan: Plan, lacking: LeftOut) -> Expected:
        rows = [self.models.index(model) for model in plan.models]
        n_rows = lacking.question.size
        right, agreed = np.empty((2, plan.sizes.shape[1], n_rows))
        drawn = np.empty((len(rows), plan.sizes.shape[1], n_rows))
        for chosen, fitted in _fitting(plan, lacking.counts, rows):
            counts = take_questions(lacking.counts, chosen)
            stages = counts._replace(votes=counts.votes[rows], no_answer=counts.no_answer[rows])
            found = expected(fitted, stages, np.ones(plan.sizes.shape[1], dtype=bool))
            right[:, chosen], drawn[:, :, chosen], agreed[:, chosen] = found[:3]
        return expected_of(Outcome.of(right, drawn, agreed))


def _fitting(plan: Plan, counts: Counts, rows: list[int]) -> Iterator[tuple[Ints, Plan]]:
    """Yield groups of questions, and the plan as far as they have samples."""
    n_questions = counts.no_answer.shape[1]
    if counts.replacement:
        yield np.arange(n_questions), plan
        return
    places = np.repeat(np.arange(n_questions), np.diff(counts.offsets))
    recorded = counts.no_answer + np.array([np.bincount(places, votes, n_questions) for votes in counts.votes])
    available = np.minimum(recorded[rows].astype(np.int64), plan.sizes.max(axis=1)[:, None])
    for one in np.unique(available, axis=1).T:
        yield np.nonzero((available == one[:, None]).all(axis=0))[0], fit_plan(plan, one)
