"""Division of replays into blocks, small enough for all processors and large enough for little overhead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from mssim.engine.blocks import Block, edges, indices
from mssim.engine.stage_rules import skipped
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Ints, Plan

__all__ = ["Part", "replay_blocks"]

_DRAWS_PER_TASK = 10_000_000  # most draws of a task, about 0.1 s
_FEWEST_DRAWS = 1_000_000  # about 10 ms, at least ten times as long as the creation of a task
_TASKS = 64  # of a small job, so that no processor waits long for the last ones
_VOTES_PER_DRAW = 4
_BYTES_PER_TASK = 4_000_000  # small enough to send to another machine


class Part(NamedTuple):
    """Replays of plans that share their draws, at some budgets and on some questions."""

    numbers: tuple[int, ...]  # of the plans
    plans: Sequence[Plan]
    budgets: Ints  # indices of the budgets
    questions: Ints  # indices of the questions
    n_replays: int
    first: int = 0  # number of the first replay

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """Budgets that are replayed together.

        The start of a model's second turn, and what a part of a run adds to the parts before, depend on the budget.
        Then each budget is replayed separately.
        """
        apart = self.plans[0].repeats or self.plans[0].is_linked
        budgets: list[int] = self.budgets.tolist()
        return [(budget,) for budget in budgets] if apart else [tuple(budgets)]


class _Effort(NamedTuple):
    """Effort of the replays of a question."""

    work: int  # draws, and votes in units of draws, of all replays
    fixed: int  # numbers read and written, about as slow as draws
    size: int  # bytes

    @classmethod
    def of(cls, plans: Sequence[Plan], n_samples: int, n_replays: int) -> _Effort:
        """Return the effort of plans, at the budgets that are replayed together."""
        drawn: dict[str, int] = {}  # by model
        for plan in plans:
            before = skipped(plan) if plan.repeats else 0
            for model, size in zip(plan.models, (plan.sizes.max(axis=1) + before).tolist(), strict=True):
                drawn[model] = max(drawn.get(model, 0), size)
        n_stages, n_budgets = plans[0].sizes.shape
        work = (sum(drawn.values()) + (len(plans) - 1) * n_budgets // _VOTES_PER_DRAW) * n_replays
        loaded, found = len(drawn) * n_samples, len(plans) * (n_stages + 2) * n_budgets
        size = loaded * (2 + 4 * len(QUANTITIES) + 8 * len(plans[0].columns)) + found * 8
        return cls(work, loaded + found, size)


def replay_blocks(parts: Sequence[Part], pool: Pool) -> Iterator[Block]:
    """Split all replays of a job into blocks of about equal size."""
    groups = [(part, group) for part in parts for group in part.groups]
    n_samples = pool.codes.shape[2]
    efforts = [_Effort.of([plan.at(group) for plan in part.plans], n_samples, part.n_replays) for part, group in groups]
    total = sum(effort.work * part.questions.size for (part, _), effort in zip(groups, efforts, strict=True))
    limit = min(_DRAWS_PER_TASK, max(_FEWEST_DRAWS, total // _TASKS))
    for (part, group), effort in zip(groups, efforts, strict=True):
        yield from _blocks_of(part, group, effort, limit)


def _blocks_of(part: Part, group: tuple[int, ...], effort: _Effort, limit: int) -> Iterator[Block]:
    n_questions = part.questions.size
    fits = min(limit // (effort.work + effort.fixed), _BYTES_PER_TASK // effort.size)
    width = n_questions if part.plans[0].is_joint else max(1, min(n_questions, fits))
    pieces = min(max(1, effort.work * width // limit), part.n_replays)
    for begin, end in pairwise(edges(n_questions, -(-n_questions // width))):
        questions = indices(part.questions[begin:end])
        for first, last in pairwise(edges(part.n_replays, pieces)):
            yield Block(part.numbers, False, group, questions, part.first + first, last - first)
