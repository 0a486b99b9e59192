"""Sums of the outcomes of finished blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome, SharedOutcome
from mssim.engine.estimates import Control, Estimate, binomial_variance, controlled
from mssim.engine.replayed import few_replays
from mssim.engine.stage_rules import stage_outcome
from mssim.results.spread import Histogram
from mssim.rules.plan import QUANTITIES, Floats, Ints, Plan

__all__ = ["Totals"]


@dataclass
class _Sums:
    """Sums over the replays of plans that are replayed together."""

    n: Ints  # [budget, question], replays
    arrays: list[Floats] = field(default_factory=list)  # those of the outcomes

    def add(self, block: Block, arrays: Sequence[Floats]) -> None:
        budgets, questions = np.ix_(np.array(block.budgets), np.array(block.questions))
        self.n[budgets, questions] += block.n_replays
        if not self.arrays:
            self.arrays = [np.zeros((*part.shape[:-2], *self.n.shape)) for part in arrays]
        for whole, part in zip(self.arrays, arrays, strict=True):
            whole[..., budgets, questions] += part


class Totals:
    """Sum of the outcomes of finished blocks.

    Sums over replays are integers, or such multiples of a power of two, which floats add without rounding. The order of
    blocks has therefore no effect.

    Attributes
    ----------
    histograms : list of Histogram
        What replays spend, one per plan.
    """

    def __init__(self, plans: Sequence[Plan], n_questions: int) -> None:
        self._plans, self._n_questions = plans, n_questions
        self._exact = [[np.full(shape, np.nan) for shape in _shapes(plan, n_questions)] for plan in plans]
        self._replayed: dict[tuple[int, ...], _Sums] = {}  # by the plans that are replayed together
        self._place: dict[int, tuple[_Sums, int | None]] = {}  # by plan: its sums, and its place in shared ones
        self.histograms = [Histogram() for _ in plans]

    def add(self, block: Block, outcome: Outcome | SharedOutcome) -> None:
        """Add the outcome of a block; each block must be added once."""
        if block.exact:
            for whole, part in zip(self._exact[block.plans[0]], outcome, strict=False):
                whole[..., block.at] = part
            return
        if block.plans not in self._replayed:
            shape = self._plans[block.plans[0]].sizes.shape[1], self._n_questions
            sums = self._replayed[block.plans] = _Sums(np.zeros(shape, np.int64))
            shared = isinstance(outcome, SharedOutcome)
            self._place |= {plan: (sums, i if shared else None) for i, plan in enumerate(block.plans)}
        if isinstance(outcome, Outcome):
            *arrays, histogram = outcome
            self.histograms[block.plans[0]].add(histogram)
        self._replayed[block.plans].add(block, outcome if isinstance(outcome, SharedOutcome) else arrays)

    def complete(self, closed: Sequence[NDArray[np.bool_]], n_replays: int | None) -> bool:
        """Return whether every question has a closed form or replays at every budget; `n_replays` of them if given."""
        every = zip(self._exact, map(self._n_replays, range(len(self._plans))), closed, strict=False)
        return all(
            (~np.isnan(exact[0]) | (done > 0 if n_replays is None else done == n_replays)).all()
            and (n_replays is None or np.isin(done, (0, few_replays(n_replays, done.shape[1]), n_replays)).all())
            and not np.isnan(exact[0][known]).any()
            for exact, done, known in every
        )

    def _n_replays(self, plan: int) -> Ints:
        """Return the replays of a plan, [budget, question]."""
        return self._place[plan][0].n if plan in self._place else np.zeros(self._exact[plan][0].shape, np.int64)

    def hits(self, plan: int) -> tuple[Floats, Floats]:
        """Return the replays in which a plan is right, [budget, question], and its control and both of them."""
        if plan not in self._place:
            nothing = np.zeros(self._exact[plan][0].shape)
            return nothing, np.stack([nothing, nothing])
        sums, place = self._place[plan]
        if place is None:
            return sums.arrays[0], np.zeros((2, *sums.n.shape))
        right, _, control = sums.arrays
        return right[place], control[:, place] if control.size else np.zeros((2, *sums.n.shape))

    def estimates(self, controls: Mapping[int, Control] | None = None) -> list[Estimate]:
        """Return the estimate of each plan: closed forms where available, otherwise means of replays."""
        return [self._estimate(plan, (controls or {}).get(plan)) for plan in range(len(self._plans))]

    def _estimate(self, plan: int, control: Control | None) -> Estimate:
        exact = self._exact[plan]
        if plan not in self._place:
            return Estimate(Outcome.of(*exact), np.zeros(exact[0].shape, np.int64), np.zeros(exact[0].shape))
        done = self._n_replays(plan)
        replays = np.where(done > 0, done, np.nan)
        means = [total / replays for total in self._sums(plan)]
        counted = np.where(np.isnan(exact[0]), done, 0)
        variance = binomial_variance(means[0], counted)
        if control is not None:
            of_control, of_both = self.hits(plan)[1] / replays
            known = self._exact[control.plan][0]
            better = controlled(means[0], of_control, of_both, done, known, control.coefficient)
            used = (control.coefficient > 0) & (counted > 0)
            means[0], variance = (np.where(used, a, b) for a, b in zip(better, (means[0], variance), strict=True))
        found = [np.where(np.isnan(known), mean, known) for known, mean in zip(exact, means, strict=True)]
        return Estimate(Outcome.of(*found), counted, variance)

    def _sums(self, plan: int) -> Sequence[Floats]:
        """Return the sums over the replays of a plan: right, drawn, agreed and spent, NaN where not counted."""
        sums, place = self._place[plan]
        if place is None:
            return sums.arrays
        right, stopped, _ = sums.arrays
        unknown = [np.full(shape, np.nan) for shape in _shapes(self._plans[plan], self._n_questions)[1:]]
        if not stopped.size:
            return [right[place], *unknown]
        *found, _ = stage_outcome(self._plans[plan], sums.n, right[place], stopped[place])
        return found


def _shapes(plan: Plan, n_questions: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of right, drawn, agreed and spent."""
    n_stages, n_budgets = plan.sizes.shape
    each = (n_budgets, n_questions)
    return each, (n_stages, *each), each, (len(QUANTITIES), *each)
