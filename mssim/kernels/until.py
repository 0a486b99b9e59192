"""Draws until a verifier accepts one, model after model: answers, draws and what the drawn samples spend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, PENDING, Spending, close_replays
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import Recorded, Replays

# Verdicts: bit 0 says whether a sample is accepted, bit 1 whether it is right. A spare sample is rejected, and right if
# it is the last draw of a rule that then answers with that one.
REJECTED, WRONG, SPARE, RIGHT = 0, 1, 2, 3
ACCEPTED = 1
_AT_ONCE = 8  # draws taken together: most replays end early


class Memory(NamedTuple):
    """Memory of one replay."""

    order: NDArray[np.uint32]  # [1, draw], drawn samples: their place in the recording << 2 | verdict
    targets: NDArray[np.uint32]  # [draw]
    samples: NDArray[np.uint32]  # [stage, sample], all samples of the question
    scratch: NDArray[np.uint32]  # the same
    sums: NDArray[np.int64]  # [quantity, draws], amounts of the first draws of a stage
    totals: NDArray[np.int64]  # [quantity, budget]
    waits: NDArray[np.bool_]  # [budget], whether no sample was accepted so far
    last: NDArray[np.uint32]  # [budget], verdict on the last draw so far


@inlined
def _most_draws(sizes, i, waits):
    """Return the most draws of a stage at the budgets that wait."""
    most = np.int64(0)
    for b in range(sizes.shape[1]):
        if waits[b]:
            most = max(most, sizes[i, b])
    return most


@inlined
def _add_up(values, begin, step, order, n, sums):
    """Fill sums with the amounts of the first draws, up to n; those of quantity k begin at begin + k x step."""
    for k in range(sums.shape[0]):
        for j in range(n):
            sums[k, j + 1] = sums[k, j] + values[begin + k * step + (order[0, j] >> 2)]


@compiled
def _replayed(recorded, sizes, verdicts, replays, spending, memory, right, accepted, drawn):
    values, pending, (spent, histogram, lowest, span) = spending.values, spending.pending, spending.spent
    order, targets, samples, scratch, sums, totals, waits, last = memory
    n_stages, n_questions, width = verdicts.shape
    n_quantities, n_budgets = totals.shape
    for q in range(n_questions):
        for i in range(n_stages):
            for s in range(width):
                samples[i, s] = scratch[i, s] = np.uint32(s) << np.uint32(2) | verdicts[i, q, s]
        for number in range(replays.n):
            r = replays.first + number
            waits[:] = True
            for i in range(n_stages):
                depth = _most_draws(sizes, i, waits)
                if depth == 0:
                    break
                state, n, made, end = word(recorded.keys[i, q], r), recorded.lengths[i, q], 0, depth + 1
                for j in range(depth):
                    if j == made:
                        made = min(depth, made + _AT_ONCE)
                        draw_more(order, 0, j, made, targets, scratch, i, n, state, replays.replacement)
                    if order[0, j] & ACCEPTED:
                        end = j + 1
                        break
                put_back(made, targets, scratch, samples, i, replays.replacement)
                begin, step = (i * n_questions + q) * width, n_stages * n_questions * width
                _add_up(values, begin, step, order, min(end, depth), sums)
                for b in range(n_budgets):
                    if waits[b]:
                        took = min(end, sizes[i, b])
                        drawn[q, i, b] += took
                        for k in range(n_quantities):
                            totals[k, b] += sums[k, took]
                        if took > 0:
                            last[b] = order[0, took - 1]
                        if end <= sizes[i, b]:
                            waits[b] = False
                            accepted[q, i, b] += 1
            for b in range(n_budgets):
                right[q, b] += last[b] >> 1 & 1
            for k in range(n_quantities):
                for b in range(n_budgets):
                    pending[(k * n_budgets + b) * PENDING + number % PENDING] = totals[k, b]
                    totals[k, b] = 0
            if n_quantities > 0:
                close_replays(q, number + 1, replays.n, pending, spent, histogram, lowest, span)


def replayed(
    recorded: Recorded,
    sizes: NDArray[np.int64],
    verdicts: NDArray[np.uint8],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Replay draws until one is accepted, at all budgets.

    sizes    : int64 [stage, budget], most draws
    verdicts : uint8 [stage, question, sample], REJECTED, WRONG, SPARE or RIGHT
    spending : its totals are added up; draws follow one another, so it has no batches

    Returns three int64 arrays, sums over replays: right answers [question, budget]; replays in which a stage draws the
    accepted sample, and draws, both [question, stage, budget].
    """
    (n_stages, n_budgets), (_, n_questions, width) = sizes.shape, verdicts.shape
    n_quantities, depth = len(spending.plain), int(sizes.max())
    memory = Memory(
        order=np.empty((1, depth), np.uint32),
        targets=np.empty(depth, np.uint32),
        samples=np.empty((n_stages, width), np.uint32),
        scratch=np.empty((n_stages, width), np.uint32),
        sums=np.zeros((n_quantities, depth + 1), np.int64),
        totals=np.zeros((n_quantities, n_budgets), np.int64),
        waits=np.zeros(n_budgets, np.bool_),
        last=np.zeros(n_budgets, np.uint32),
    )
    right = np.zeros((n_questions, n_budgets), np.int64)
    accepted, drawn = np.zeros((2, n_questions, n_stages, n_budgets), np.int64)
    given = np.ascontiguousarray(sizes), np.ascontiguousarray(verdicts)
    _replayed(recorded, *given, replays, spending, memory, right, accepted, drawn)
    return right, accepted, drawn
