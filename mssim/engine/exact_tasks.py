"""Tasks of closed forms: blocks of questions of one plan, with the data that a worker needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.engine.blocks import Block, Outcome, edges
from mssim.engine.exact import certain, chances, counts_of, expected, nothing_known
from mssim.engine.exact_spending import StageSamples, expected_spend
from mssim.engine.exact_until import expected_until, mean_amounts
from mssim.engine.limited import codes_of
from mssim.engine.verdicts import recorded_verdicts, verified_counts
from mssim.kernels.draw_weights import Counts
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Floats, Plan

__all__ = ["ExactTask", "UntilTask", "exact_blocks", "exact_task"]

_CELLS_PER_TASK = 10_000


@dataclass(frozen=True)
class ExactTask:
    """Task of a block of questions of one plan."""

    plan: Plan
    counts: Counts
    closed: NDArray[np.bool_]  # [budget]
    samples: StageSamples | None  # without: what the draws spend is unknown
    parallel: int | None

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        size = self.counts.votes.nbytes + self.counts.no_answer.nbytes
        return size if self.samples is None else size + sum(array.nbytes for array in self.samples)

    def run(self) -> Outcome:
        """Compute expectations."""
        found = expected(self.plan, self.counts, self.closed)
        if self.plan.vote is not None:
            found = found._replace(right=np.where(np.isnan(found.right), certain(self.counts), found.right))
        if self.samples is None:
            return found
        spent = expected_spend(
            self.plan, found.drawn, self.samples, parallel=self.parallel, replacement=self.counts.replacement
        )
        return found._replace(spent=spent)


@dataclass(frozen=True)
class UntilTask:
    """Task of a block of questions of a plan that draws until a sample is accepted."""

    plan: Plan
    counts: Counts  # of verified_counts
    means: Floats | None  # of mean_amounts; without: what the draws spend is unknown

    @property
    def nbytes(self) -> int:
        """Approximate size of its arrays in bytes."""
        return self.counts.votes.nbytes + self.counts.no_answer.nbytes

    def run(self) -> Outcome:
        """Compute expectations."""
        found = expected_until(self.plan, self.counts, self.means)
        spent = None if self.means is None else found.spent
        return Outcome.of(chances(found.right), found.drawn, chances(found.agreed), spent)


def exact_blocks(number: int, plan: Plan, closed: NDArray[np.bool_], n_questions: int) -> Iterator[Block]:
    """Split the closed forms of a plan into blocks of questions; `closed` are budgets with exact accuracy."""
    if nothing_known(plan):
        return
    cells = int(np.prod(plan.sizes[:, closed] + 1, axis=0).max(initial=1))
    width = max(1, min(64, _CELLS_PER_TASK // cells))
    budgets = tuple(range(closed.size))
    for begin, end in pairwise(edges(n_questions, -(-n_questions // width))):
        yield Block((number,), True, budgets, range(begin, end))


def exact_task(
    pool: Pool,
    plan: Plan,
    block: Block,
    closed: NDArray[np.bool_],
    *,
    replacement: bool,
    amounts: Amounts | None = None,
    parallel: int | None = None,
) -> ExactTask | UntilTask:
    """Return the task of a block. Without amounts it does not compute what the draws spend."""
    questions = block.at
    assert isinstance(questions, slice)
    if plan.accepts is not None:
        return _until_task(pool, plan, questions, replacement, amounts)
    counts = counts_of(pool, plan.models, questions, plan.max_tokens, replacement=replacement)
    samples = None if amounts is None else _samples(pool, plan, questions, amounts)
    return ExactTask(plan, counts, closed, samples, parallel)


def _until_task(pool: Pool, plan: Plan, questions: slice, replacement: bool, amounts: Amounts | None) -> UntilTask:
    assert plan.accepts is not None
    asked = (pool, plan.models, plan.accepts, questions, plan.max_tokens)
    counts = verified_counts(*asked, replacement=replacement)
    if amounts is None:
        return UntilTask(plan, counts, None)
    samples = _samples(pool, plan, questions, amounts)
    verdicts = recorded_verdicts(*asked)
    return UntilTask(plan, counts, mean_amounts(samples.amounts, verdicts, samples.lengths))


def _samples(pool: Pool, plan: Plan, questions: slice, amounts: Amounts) -> StageSamples:
    rows = [pool.model_index(model) for model in plan.models]
    codes = codes_of(pool, plan.models, plan.max_tokens, questions)
    limits = plan.max_tokens or (None,) * len(rows)
    of_stages = [
        [amounts.of(quantity, model, limit)[questions] for model, limit in zip(plan.models, limits, strict=True)]
        for quantity in QUANTITIES
    ]
    return StageSamples(codes, pool.lengths[rows, questions], np.array(of_stages))
