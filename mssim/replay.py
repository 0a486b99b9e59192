"""Monte Carlo: the blocks of work that replay a plan over recorded samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mssim.kernels import sequential, staged
from mssim.kernels.streams import hash_names, stream_keys
from mssim.kernels.tally import FIRST, TIE_RULES, Recorded, Replays
from mssim.pool import Pool
from mssim.stopping import NEVER
from mssim.strategies import Outcome, Plan

__all__ = ["ReplayTask", "Streams", "replay_tasks"]

_DRAWS_PER_TASK = 10_000_000  # about a tenth of a second: small enough to share out, large enough not to notice
_ENTROPY = {"distinct": staged.ENTROPY_DISTINCT, "samples": staged.ENTROPY_SAMPLES}


class Streams:
    """Keys of the random streams of a pool's models and questions."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._questions = hash_names(pool.question_ids)
        self._seed = seed
        self.ties = stream_keys(seed, [""], self._questions)[0]

    def of(self, models: Sequence[str]) -> NDArray[np.uint64]:
        """Keys [model, question]."""
        return stream_keys(self._seed, models, self._questions)


@dataclass(frozen=True)
class ReplayTask:
    """One block of questions and replays of one strategy: all that a worker needs."""

    strategy: int
    budgets: NDArray[np.int64]  # which budgets the plan is for
    questions: slice
    recorded: Recorded
    rules: staged.Rules
    window: int
    replays: Replays

    def run(self) -> Outcome:
        """Replay; the numbers are sums over the replays."""
        sizes, n = self.rules.sizes, self.replays.n
        if len(sizes) > 1 or self.rules.kind == staged.COVERAGE or (self.rules.need != NEVER).any():
            right, stopped = staged.staged(self.recorded, self.rules, self.replays)
            stopped = np.moveaxis(stopped, 0, 2).astype(float)  # [stage, budget, question]
            agreed = stopped.sum(axis=0)
            reached = n - np.concatenate([np.zeros_like(stopped[:1]), np.cumsum(stopped, axis=0)[:-1]])
            return Outcome(right.T.astype(float), sizes[:, :, None] * reached, agreed)
        hits, stopped = sequential.curve(self.recorded, self.rules.ties, int(sizes.max()), self.window, self.replays)
        drawn, agreed = np.zeros((2, sizes.shape[1], len(hits)))
        for b, size in enumerate(sizes[0]):
            within = stopped[:, : size // self.window if self.window else 0]
            agreed[b] = within.sum(axis=1)
            drawn[b] = size * (n - agreed[b]) + within @ (self.window * np.arange(1, within.shape[1] + 1))
        return Outcome(hits[:, sizes[0] - 1].T.astype(float), drawn[None], agreed)


def replay_tasks(
    strategy: int,
    pool: Pool,
    plan: Plan,
    budgets: NDArray[np.int64],
    streams: Streams,
    *,
    n_replays: int,
    replacement: bool,
) -> Iterator[ReplayTask]:
    """Split the replays of a plan, made for some of the budgets, into blocks."""
    rules = _rules(plan)
    rows = [pool.model_index(model) for model in plan.models]
    keys = streams.of(plan.models)
    draws = int(plan.sizes.max(axis=1).sum()) * n_replays  # per question
    n_questions = len(pool.questions)
    width = max(1, min(n_questions, _DRAWS_PER_TASK // draws))
    pieces = max(1, draws // _DRAWS_PER_TASK)
    edges = np.linspace(0, n_replays, min(pieces, n_replays) + 1).astype(int)
    for q in range(0, n_questions, width):
        block = slice(q, min(q + width, n_questions))
        offsets = pool.class_offsets[block.start : block.stop + 1]
        recorded = Recorded(
            pool.codes[rows, block],
            pool.lengths[rows, block],
            offsets - offsets[0],
            pool.class_correct[offsets[0] : offsets[-1]].copy(),
            keys[:, block].copy(),
            streams.ties[block].copy(),
        )
        for first, last in pairwise(edges):
            replays = Replays(int(first), int(last - first), replacement)
            yield ReplayTask(strategy, budgets, block, recorded, rules, plan.window, replays)


def _rules(plan: Plan) -> staged.Rules:
    """Write a plan in the numbers of the kernels."""
    # In C order whichever budgets were picked: another layout would have Numba compile the kernel a second time.
    sizes, need = np.ascontiguousarray(plan.sizes), np.ascontiguousarray(plan.need)
    if plan.vote is None:
        return staged.Rules(sizes, need, np.ones(len(plan.models)), staged.COVERAGE, FIRST, plan.adopt)
    weights = plan.vote.weights(len(plan.models))
    kind = staged.PLAIN if plan.vote.within == "none" else _ENTROPY[plan.vote.normaliser]
    return staged.Rules(sizes, need, weights, kind, TIE_RULES[plan.vote.ties], plan.adopt)
