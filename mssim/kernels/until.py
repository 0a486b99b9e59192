"""Draws until a verifier accepts one, model after model: answers, draws and what the drawn samples spend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, PENDING, Spending, close_replays
from mssim.kernels.streams import draw_next, put_numbers_back, word
from mssim.kernels.tally import Recorded, Replays

# Verdicts: bit 0 says whether a sample is accepted, bit 1 whether it is right. A spare sample is rejected, and right if
# it is the last draw of a rule that then answers with that one.
REJECTED, WRONG, SPARE, RIGHT = 0, 1, 2, 3
ACCEPTED = 1


class Memory(NamedTuple):
    """Memory of the replays of one question."""

    order: NDArray[np.uint16]  # [draw], drawn samples
    targets: NDArray[np.uint32]  # [draw], where they were drawn
    numbers: NDArray[np.uint16]  # [sample], numbers of the samples, which are swapped and put back
    sums: NDArray[np.int64]  # [quantity, draws], amounts of the first draws of a stage
    totals: NDArray[np.int64]  # [quantity, budget]
    ends: NDArray[np.int64]  # [draws], replays whose first stage draws its accepted sample then; one entry more: none
    rights: NDArray[np.int64]  # [draws], such samples that are right
    by_size: NDArray[np.int64]  # [budget], budgets in the order of the most draws of the first stage
    behind: NDArray[np.int64]  # [draws], budgets at which the first stage draws less
    waits: NDArray[np.int64]  # [budget], those at which no sample was accepted so far
    last: NDArray[np.uint8]  # [budget], verdict on the last draw so far


@inlined
def _add_up(values, begin, step, order, n, sums):
    """Fill sums with the amounts of the first draws, up to n; those of quantity k begin at begin + k x step."""
    for k in range(sums.shape[0]):
        for j in range(n):
            sums[k, j + 1] = sums[k, j] + values[begin + k * step + order[j]]


@inlined
def _close_first_stage(q, n, sizes, ends, rights, right, accepted, drawn):
    """Count the first stage of n replays at all budgets, and reset its ends."""
    for b in range(sizes.shape[1]):
        found = np.int64(0)
        for end in range(1, sizes[0, b] + 1):
            found += ends[end]
            drawn[q, 0, b] += end * ends[end]
            right[q, b] += rights[end]
        accepted[q, 0, b] = found
        drawn[q, 0, b] += (n - found) * sizes[0, b]
    ends[:] = 0
    rights[:] = 0


@compiled
def _replayed(recorded, sizes, verdicts, replays, spending, memory, right, accepted, drawn):
    values, pending, (spent, histogram, lowest, span) = spending.values, spending.pending, spending.spent
    order, targets, numbers, sums, totals, ends, rights, by_size, behind, waits, last = memory
    n_stages, n_questions, width = verdicts.shape
    n_quantities, n_budgets = totals.shape
    for q in range(n_questions):
        for number in range(replays.n):
            r, n_first, n_wait = replays.first + number, np.int64(0), np.int64(1)
            waits[0] = by_size[n_budgets - 1]  # the first stage draws most there
            for i in range(n_stages):
                depth = np.int64(0)
                for place in range(n_wait):
                    depth = max(depth, sizes[i, waits[place]])
                state, n, made, end = word(recorded.keys[i, q], r), recorded.lengths[i, q], np.int64(0), depth + 1
                while made < depth and end > depth:
                    s = draw_next(made, n, state, numbers, targets, replays.replacement)
                    order[made] = s
                    made += 1
                    if verdicts[i, q, s] & ACCEPTED:
                        end = made
                put_numbers_back(made, targets, numbers)
                _add_up(values, (i * n_questions + q) * width, n_stages * n_questions * width, order, made, sums)
                if i == 0:  # counted for all replays together, because most accept one of its first samples
                    ends[end] += 1
                    rights[end] += end <= depth and verdicts[0, q, order[end - 1]] >> 1
                    for k in range(n_quantities):
                        for b in range(n_budgets):
                            totals[k, b] = sums[k, min(end, sizes[0, b])]
                    n_first = n_wait = behind[end]
                    for place in range(n_wait):
                        b = by_size[place]
                        waits[place] = b
                        last[b] = verdicts[0, q, order[sizes[0, b] - 1]] if sizes[0, b] > 0 else REJECTED
                else:
                    n_open = np.int64(0)
                    for place in range(n_wait):
                        b = waits[place]
                        took = min(end, sizes[i, b])
                        drawn[q, i, b] += took
                        for k in range(n_quantities):
                            totals[k, b] += sums[k, took]
                        if took > 0:
                            last[b] = verdicts[i, q, order[took - 1]]
                        accepted[q, i, b] += end <= sizes[i, b]
                        waits[n_open] = b
                        n_open += end > sizes[i, b]
                    n_wait = n_open
                if n_wait == 0:
                    break
            for place in range(n_first):
                right[q, by_size[place]] += last[by_size[place]] >> 1 & 1
            for k in range(n_quantities):
                for b in range(n_budgets):
                    pending[(k * n_budgets + b) * PENDING + number % PENDING] = totals[k, b]
            if n_quantities > 0:
                close_replays(q, number + 1, replays.n, pending, spent, histogram, lowest, span)
        _close_first_stage(q, replays.n, sizes, ends, rights, right, accepted, drawn)


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
    by_size = np.argsort(sizes[0], kind="stable")
    memory = Memory(
        order=np.empty(depth, np.uint16),
        targets=np.empty(depth, np.uint32),
        numbers=np.arange(width, dtype=np.uint16),
        sums=np.zeros((n_quantities, depth + 1), np.int64),
        totals=np.zeros((n_quantities, n_budgets), np.int64),
        ends=np.zeros(depth + 2, np.int64),
        rights=np.zeros(depth + 2, np.int64),
        by_size=by_size,
        behind=np.searchsorted(sizes[0, by_size], np.arange(depth + 2)),
        waits=np.zeros(n_budgets, np.int64),
        last=np.zeros(n_budgets, np.uint8),
    )
    right = np.zeros((n_questions, n_budgets), np.int64)
    accepted, drawn = np.zeros((2, n_questions, n_stages, n_budgets), np.int64)
    given = np.ascontiguousarray(sizes), np.ascontiguousarray(verdicts)
    _replayed(recorded, *given, replays, spending, memory, right, accepted, drawn)
    return right, accepted, drawn
