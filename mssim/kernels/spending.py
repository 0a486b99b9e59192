"""What the drawn samples cost: totals of every replay at every budget, and how often each total occurs.

The amount of a sample is a whole number of units, so sums are exact and do not depend on their order. Draws form
batches, which follow one another: a batch counts its largest amount. A batch of one draw makes a plain sum. Stages that
join the stage before run at the same time: of these, the largest counts.

Without amounts all arrays are empty, and kernels skip what is here. The functions take arrays one by one because tuples
add counting of references per call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled
from mssim.kernels.lanes import larger
from mssim.kernels.tally import LANES

BITS = 11  # bins of a power of two are 2**BITS
WHOLE = 1 << (BITS + 1)  # totals below have a bin each
N_BINS = 36 << BITS  # of all possible totals
# The leading 12 bits of a double are its sign and exponent: a shift leaves them and BITS bits of the number.
_DROPPED = 52 - BITS
_OFFSET = (1023 + BITS - 1) << BITS

_LANES = np.uint32(LANES)
_ONE, _TWO, _THREE = np.uint32(1), np.uint32(2), np.uint32(3)


class Amounts(NamedTuple):
    """Amounts of samples in units, and how they add up."""

    values: NDArray[np.int32]  # [quantity, stage, question, sample], at least 0
    starts: NDArray[np.bool_]  # [quantity, stage, draw], whether a draw begins a batch; the first of a stage must
    joins: NDArray[np.bool_]  # [quantity, stage, budget], whether a stage runs at the same time as the one before


class Spent(NamedTuple):
    """Totals of the replays of a block."""

    totals: NDArray[np.int64]  # [quantity, question, budget], sums over the replays
    histogram: NDArray[np.int32]  # [quantity, budget, bin], replays of any question with a total in a bin
    lowest: NDArray[np.int64]  # [quantity], number of the first bin of the histogram


class Spending(NamedTuple):
    """Amounts, totals and memory of a kernel. Arrays of lanes are flat, with the lane as their last axis."""

    values: NDArray[np.int32]  # as in Amounts, flat
    starts: NDArray[np.bool_]
    joins: NDArray[np.bool_]
    plain: NDArray[np.bool_]  # [quantity, stage], whether every draw begins a batch
    sizes: NDArray[np.int64]  # [stage, budget], draws
    spent: Spent
    numbers: NDArray[np.uint16]  # [sample, lane], numbers of the samples
    drawn: NDArray[np.uint16]  # [draw, lane], drawn samples
    running: NDArray[np.int64]  # [quantity, draws, lane], totals of a stage; 0 after no draws
    base: NDArray[np.int64]  # [quantity, budget, lane], totals before the stages that run at the same time
    total: NDArray[np.int64]  # [quantity, budget, lane], totals so far
    paths: NDArray[np.int64]  # [stage, draws], running totals of a single replay; 0 after no draws


@compiled
def bin_of(total):
    """Return the bin of a total: the total itself below 4096, then 2048 bins per power of two."""
    if total < WHOLE:
        return total
    return (np.float64(total).view(np.int64) >> _DROPPED) - _OFFSET


def spending_of(
    amounts: Amounts | None, sizes: NDArray[np.int64], *, cap: int = 0, skip: int = 0, bins: bool = False
) -> Spending:
    """Allocate the totals and the memory of a kernel that draws `sizes` [stage, budget].

    cap, above 0, is the most draws of a question if `sizes` are means over questions. skip is the most draws of a model
    in earlier stages. Without `bins` the histogram has no bins.
    """
    n_stages, n_budgets = sizes.shape
    if amounts is None:
        no_flags = np.zeros((0, n_stages, 0), np.bool_)
        amounts = Amounts(np.zeros((0, n_stages, 0, 0), np.int32), no_flags, no_flags)
    n_quantities, _, n_questions, width = amounts.values.shape
    depth, lanes = int(sizes.max()), LANES if n_quantities else 0
    lowest, n_bins = np.zeros(n_quantities, np.int64), 0
    if bins and amounts.values.size:
        by_stage = amounts.values.reshape(n_quantities, n_stages, -1)
        lowest[:] = [bin_of(int(least)) for least in by_stage.min(axis=(1, 2))]
        draws = np.maximum(sizes.max(axis=1), cap)
        most = (by_stage.max(axis=2).astype(np.int64) @ draws).tolist()
        n_bins = max(bin_of(total) - low + 1 for total, low in zip(most, lowest.tolist(), strict=True))
    of_budget = np.zeros((2, n_quantities * n_budgets * lanes), np.int64)
    return Spending(
        values=np.ascontiguousarray(amounts.values).reshape(-1),
        starts=np.ascontiguousarray(amounts.starts),
        joins=np.ascontiguousarray(amounts.joins),
        plain=np.asarray(amounts.starts.all(axis=2)),
        sizes=np.ascontiguousarray(sizes),
        spent=Spent(
            np.zeros((n_quantities, n_questions, n_budgets), np.int64),
            np.zeros((n_quantities, n_budgets, n_bins), np.int32),
            lowest,
        ),
        numbers=np.repeat(np.arange(width, dtype=np.uint16), lanes),
        drawn=np.empty((depth + skip) * lanes, np.uint16),
        running=np.zeros(n_quantities * (depth + 1) * lanes, np.int64),
        base=of_budget[0],
        total=of_budget[1],
        paths=np.zeros((n_stages, depth + 1), np.int64),
    )


NOTHING = spending_of(None, np.zeros((1, 1), np.int64))


@compiled
def _draw_again(depth, places, numbers, drawn, replacement):
    """Fill drawn, [draw, lane], with the samples at the places that lanes.draw_tallies drew."""
    if replacement:
        for k in range(LANES * depth):
            drawn[np.uint32(k)] = places[np.uint32(k)]
        return
    for j in range(depth):
        for lane in range(LANES):
            at = np.uint32(j) * _LANES + np.uint32(lane)
            here = places[at] * _LANES + np.uint32(lane)
            drawn[at] = numbers[here]
            numbers[here] = numbers[at]
    for j in range(depth):
        for lane in range(LANES):
            place = places[np.uint32(j) * _LANES + np.uint32(lane)]
            numbers[place * _LANES + np.uint32(lane)] = place


@compiled
def _sum_up(values, begin, skip, depth, drawn, running, at):
    """Fill running[at:], [draws, lane], with the sums of the amounts at values[begin:] after every draw."""
    first = np.uint64(begin)
    a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)  # one per lane, in registers
    for j in range(depth):
        k, here = np.uint32(LANES * (skip + j)), np.uint32(at + LANES * (j + 1))
        a += values[first + drawn[k]]
        b += values[first + drawn[k + _ONE]]
        c += values[first + drawn[k + _TWO]]
        d += values[first + drawn[k + _THREE]]
        running[here], running[here + _ONE], running[here + _TWO], running[here + _THREE] = a, b, c, d


@compiled
def _run_batches(values, begin, starts, skip, depth, drawn, running, at):
    """Do the same with batches: each counts its largest amount."""
    first = np.uint64(begin)
    a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    e, f, g, h = a, b, c, d  # totals before the batch
    for j in range(depth):
        k, here = np.uint32(LANES * (skip + j)), np.uint32(at + LANES * (j + 1))
        if starts[np.uint32(j)]:
            e, f, g, h = a, b, c, d
        a = larger(a, e + values[first + drawn[k]])
        b = larger(b, f + values[first + drawn[k + _ONE]])
        c = larger(c, g + values[first + drawn[k + _TWO]])
        d = larger(d, h + values[first + drawn[k + _THREE]])
        running[here], running[here + _ONE], running[here + _TWO], running[here + _THREE] = a, b, c, d


@compiled
def run_up(
    i, q, n_questions, skip, depth, places, replacement, values, starts, plain, numbers, drawn, running,
):  # fmt: skip
    """Fill `running` with the totals of stage i after each of its draws, at the places that lanes.draw_tallies drew."""
    _draw_again(skip + depth, places, numbers, drawn, replacement)
    n_quantities, n_stages = plain.shape
    width, length = numbers.size // LANES, running.size // n_quantities
    for k in range(n_quantities):
        begin = ((k * n_stages + i) * n_questions + q) * width
        if plain[k, i]:
            _sum_up(values, begin, skip, depth, drawn, running, k * length)
        else:
            _run_batches(values, begin, starts[k, i], skip, depth, drawn, running, k * length)


@compiled
def add_stage(i, sizes, joins, still, running, base, total):
    """Add what stage i spends at every budget of every lane where `still`, [budget, lane], is -1 and not 0."""
    n_quantities, n_lanes = joins.shape[0], still.size
    length = running.size // n_quantities
    for k in range(n_quantities):
        for b in range(sizes.shape[1]):
            joined = joins[k, i, b]
            for lane in range(LANES):
                of_lane = np.uint32(LANES * b + lane)
                at = np.uint32(k * n_lanes) + of_lane
                spent = running[np.uint32(k * length + LANES * sizes[i, b] + lane)] & still[of_lane]
                if joined:
                    total[at] = larger(total[at], base[at] + spent)
                else:
                    base[at] = total[at]
                    total[at] += spent


@compiled
def close_replays(q, live, base, total, totals, histogram, lowest):
    """Count the totals of the first `live` lanes, and reset all."""
    n_quantities, _, n_budgets = totals.shape
    for k in range(n_quantities):
        for b in range(n_budgets):
            at = (k * n_budgets + b) * LANES
            for lane in range(live):
                note_total(k, q, b, total[np.uint32(at + lane)], totals, histogram, lowest)
    base[:] = 0
    total[:] = 0


@compiled
def note_total(k, q, b, total, totals, histogram, lowest):
    """Count the total of a replay of question q."""
    totals[k, q, b] += total
    if histogram.shape[2] > 0:
        histogram[k, b, bin_of(total) - lowest[k]] += 1


@compiled
def count_one_stage(q, first, live, sizes, ends, running, totals, histogram, lowest):
    """Count the totals of one model in replays `first` to first + live - 1 of a block.

    ends : uint16 [question, replay], draws after which a replay stops; no columns: never
    """
    n_quantities, _, n_budgets = totals.shape
    length = running.size // n_quantities
    for k in range(n_quantities):
        for b in range(n_budgets):
            for lane in range(live):
                size = sizes[0, b]
                if ends.shape[1] > 0:
                    size = min(size, np.int64(ends[q, first + lane]))
                total = running[np.uint32(k * length + LANES * size + lane)]
                note_total(k, q, b, total, totals, histogram, lowest)


@compiled
def _follow(values, begin, starts, depth, order, r, i, paths):
    """Fill paths[i, 1:] with the totals of stage i of a replay after each of its draws."""
    total, before = np.int64(0), np.int64(0)
    for j in range(depth):
        if starts[j]:
            before = total
        total = max(total, before + values[begin + order[r, i, j]])
        paths[i, j + 1] = total


@compiled
def count_turns(q, first, n_replays, order, reached, ends, sizes, spending):
    """Count the totals of up to turns.BATCH replays of question q, from number `first` of a block on.

    order   : uint16 [replay, stage, draw], drawn samples
    reached : int64 [replay, budget], last stage that draws
    ends    : as in `count_one_stage`
    """
    values, starts, joins, _, _, (totals, histogram, lowest), _, _, _, _, _, paths = spending
    n_quantities, n_questions, n_budgets = totals.shape
    n_stages = sizes.shape[0]
    width = values.size // (n_quantities * n_stages * n_questions)
    for r in range(n_replays):
        for k in range(n_quantities):
            for i in range(reached[r].max() + 1):
                begin = ((k * n_stages + i) * n_questions + q) * width
                _follow(values, begin, starts[k, i], sizes[i].max(), order, r, i, paths)
            for b in range(n_budgets):
                total, before = np.int64(0), np.int64(0)
                for i in range(reached[r, b] + 1):
                    to = sizes[i, b]
                    if ends.shape[1] > 0:
                        to = min(to, np.int64(ends[q, first + r]))
                    if not joins[k, i, b]:
                        before = total
                    total = max(total, before + paths[i, to])
                note_total(k, q, b, total, totals, histogram, lowest)
