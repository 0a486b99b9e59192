"""Tasks of closed forms: blocks of questions of one plan, with the data that a worker needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mssim.engine.amounts import Amounts
from mssim.engine.blocks import Block, Outcome
from mssim.engine.exact import counts_of, expected, nothing_known
from mssim.engine.exact_spending import StageSamples, expected_spend
from mssim.kernels.draw_weights import Counts
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Plan

__all__ = ["ExactTask", "exact_blocks", "exact_task"]

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
        if self.samples is None:
            return found
        spent = expected_spend(
            self.plan, found.drawn, self.samples, parallel=self.parallel, replacement=self.counts.replacement
        )
        return found._replace(spent=spent)


def exact_blocks(number: int, plan: Plan, closed: NDArray[np.bool_], n_questions: int) -> Iterator[Block]:
    """Split the closed forms of a plan into blocks of questions; `closed` are budgets with exact accuracy."""
    if nothing_known(plan):
        return
    cells = int(np.prod(plan.sizes[:, closed] + 1, axis=0).max(initial=1))
    width = max(1, min(64, _CELLS_PER_TASK // cells))
    budgets = tuple(range(closed.size))
    for q in range(0, n_questions, width):
        yield Block(number, True, budgets, q, min(q + width, n_questions))


def exact_task(
    pool: Pool,
    plan: Plan,
    block: Block,
    closed: NDArray[np.bool_],
    *,
    replacement: bool,
    amounts: Amounts | None = None,
    parallel: int | None = None,
) -> ExactTask:
    """Return the task of a block. Without amounts it does not compute what the draws spend."""
    counts = counts_of(pool, plan.models, block.questions, replacement=replacement)
    samples = None if amounts is None else _samples(pool, plan, block.questions, amounts)
    return ExactTask(plan, counts, closed, samples, parallel)


def _samples(pool: Pool, plan: Plan, questions: slice, amounts: Amounts) -> StageSamples:
    rows = [pool.model_index(model) for model in plan.models]
    limits = plan.max_tokens or (None,) * len(rows)
    of_stages = [
        [amounts.of(quantity, model, limit)[questions] for model, limit in zip(plan.models, limits, strict=True)]
        for quantity in QUANTITIES
    ]
    return StageSamples(pool.codes[rows, questions], pool.lengths[rows, questions], np.array(of_stages))
