"""Sums of the outcomes of finished blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block, Outcome
from mssim.engine.estimates import Control, Estimate, binomial_variance, controlled
from mssim.engine.replayed import few_replays
from mssim.results.spread import Histogram
from mssim.rules.plan import QUANTITIES, Floats, Plan

__all__ = ["Totals"]


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
        self._exact = [[np.full(shape, np.nan) for shape in _shapes(plan, n_questions)] for plan in plans]
        self._replayed = [[np.zeros(shape) for shape in _shapes(plan, n_questions)] for plan in plans]
        self._n_replays = [np.zeros(_shapes(plan, n_questions)[0], np.int64) for plan in plans]
        self._controls: dict[int, Floats] = {}  # by plan, [control or both, budget, question], replays that are right
        self.histograms = [Histogram() for _ in plans]

    def add(self, block: Block, outcomes: Sequence[Outcome]) -> None:
        """Add the outcomes of a block, one per plan; each block must be added once."""
        for plan, outcome in zip(block.plans, outcomes, strict=True):
            if block.exact:
                for whole, part in zip(self._exact[plan], outcome, strict=False):
                    whole[..., block.at] = part
            else:
                self._add_replays(plan, block, outcome)

    def _add_replays(self, plan: int, block: Block, outcome: Outcome) -> None:
        budgets, questions = np.ix_(np.array(block.budgets), np.array(block.questions))
        for whole, part in zip(self._replayed[plan], outcome, strict=False):
            whole[..., budgets, questions] += part
        self._n_replays[plan][budgets, questions] += block.n_replays
        self.histograms[plan].add(outcome.histogram)
        if outcome.control.size:
            sums = self._controls.setdefault(plan, np.zeros((2, *self._n_replays[plan].shape)))
            sums[:, budgets, questions] += outcome.control

    def complete(self, closed: Sequence[NDArray[np.bool_]], n_replays: int | None) -> bool:
        """Return whether every question has a closed form or replays at every budget; `n_replays` of them if given."""
        return all(
            (~np.isnan(exact[0]) | (done > 0 if n_replays is None else done == n_replays)).all()
            and (n_replays is None or np.isin(done, (0, few_replays(n_replays, done.shape[1]), n_replays)).all())
            and not np.isnan(exact[0][known]).any()
            for exact, done, known in zip(self._exact, self._n_replays, closed, strict=False)
        )

    def hits(self, plan: int) -> tuple[Floats, Floats]:
        """Return the replays in which a plan is right, [budget, question], and its control and both of them."""
        none = np.zeros((2, *self._n_replays[plan].shape))
        return self._replayed[plan][0], self._controls.get(plan, none)

    def accuracy(self, plan: int) -> Floats:
        """Return the accuracy of a plan in closed form, [budget, question]; NaN where unknown."""
        return self._exact[plan][0]

    def estimates(self, controls: Mapping[int, Control] | None = None) -> list[Estimate]:
        """Return the estimate of each plan: closed forms where available, otherwise means of replays."""
        return [self._estimate(plan, (controls or {}).get(plan)) for plan in range(len(self._exact))]

    def _estimate(self, plan: int, control: Control | None) -> Estimate:
        done, exact = self._n_replays[plan], self._exact[plan]
        replays = np.where(done > 0, done, np.nan)
        means = [total / replays for total in self._replayed[plan]]
        counted = np.where(np.isnan(exact[0]), done, 0)
        variance = binomial_variance(means[0], counted)
        if control is not None:
            of_control, of_both = self._controls[plan] / replays
            better = controlled(means[0], of_control, of_both, done, self.accuracy(control.plan), control.coefficient)
            used = control.coefficient > 0
            means[0], variance = (np.where(used, a, b) for a, b in zip(better, (means[0], variance), strict=True))
            variance = np.where(counted > 0, variance, 0.0)
        found = [np.where(np.isnan(known), mean, known) for known, mean in zip(exact, means, strict=True)]
        return Estimate(Outcome.of(*found), counted, variance)


def _shapes(plan: Plan, n_questions: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of right, drawn, agreed and spent."""
    n_stages, n_budgets = plan.sizes.shape
    each = (n_budgets, n_questions)
    return each, (n_stages, *each), each, (len(QUANTITIES), *each)
