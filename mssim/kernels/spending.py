"""What the drawn samples cost: totals of every replay at every budget, and how often each total occurs.

The amount of a sample is a whole number of units, so sums are exact and do not depend on their order. Draws form
batches, which follow one another: a batch counts its largest amount. A batch of one draw makes a plain sum. Stages that
join the stage before run at the same time: of these, the largest counts.

Totals wait for PENDING replays of a question before they are added up and counted in the histogram, one budget after
the other: the bins of a budget then remain in the processor's cache. Without amounts all arrays are empty, and kernels
skip what is here. The functions take arrays one by one because tuples add counting of references per call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.lanes import larger
from mssim.kernels.tally import LANES

BITS = 11  # bins of a power of two are 2**BITS
WHOLE = 1 << (BITS + 1)  # totals below have a bin each
N_BINS = 36 << BITS  # of all possible totals
# The leading 12 bits of a double are its sign and exponent: a shift leaves them and BITS bits of the number.
_DROPPED = 52 - BITS
_OFFSET = (1023 + BITS - 1) << BITS

PENDING = 64  # replays whose totals wait, a multiple of LANES

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
    span: NDArray[np.int64]  # [quantity, budget, 2], first bin of the histogram with a replay, and last


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
    pending: NDArray[np.int64]  # [quantity, budget, replay], totals that wait, flat
    still: NDArray[np.int64]  # [budget, lane], -1 where a stage draws, else 0
    sums: NDArray[np.int64]  # [quantity, draw], what each draw of one model adds, over replays


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
            np.tile(np.array([n_bins, n_bins - 1]), (n_quantities, n_budgets, 1)),
        ),
        numbers=np.repeat(np.arange(width, dtype=np.uint16), lanes),
        drawn=np.empty((depth + skip) * lanes, np.uint16),
        running=np.zeros(n_quantities * (depth + 1) * lanes, np.int64),
        base=np.zeros(n_quantities * n_budgets * lanes, np.int64),
        pending=np.zeros(n_quantities * n_budgets * PENDING, np.int64),
        still=np.zeros(n_budgets * lanes, np.int64),
        sums=np.zeros((n_quantities, depth), np.int64),
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


@inlined
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


@inlined
def _run_batches(values, begin, starts, k, i, skip, depth, drawn, running, at):
    """Do the same with batches: each counts its largest amount."""
    first, j = np.uint64(begin), 0
    for n in range(LANES * depth):
        running[np.uint32(at + LANES + n)] = values[first + drawn[np.uint32(LANES * skip + n)]]
    while j < depth:
        to = j + 1
        while to < depth and not starts[k, i, to]:
            to += 1
        for n in range(at + LANES * (j + 1), at + LANES * to):
            running[np.uint32(n) + _LANES] = larger(running[np.uint32(n)], running[np.uint32(n) + _LANES])
        if j > 0:
            for n in range(LANES * j, LANES * to):
                running[np.uint32(at + LANES + n)] += running[np.uint32(at + LANES * j + n % LANES)]
        j = to


@inlined
def _last_sum(values, begin, skip, depth, drawn, running, at):
    """Fill only the last totals of a plain sum, which are all that a single budget needs."""
    first = np.uint64(begin)
    a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for j in range(depth):
        k = np.uint32(LANES * (skip + j))
        a += values[first + drawn[k]]
        b += values[first + drawn[k + _ONE]]
        c += values[first + drawn[k + _TWO]]
        d += values[first + drawn[k + _THREE]]
    here = np.uint32(at + LANES * depth)
    running[here], running[here + _ONE], running[here + _TWO], running[here + _THREE] = a, b, c, d


@compiled
def run_drawn(i, q, n_questions, width, skip, depth, last, values, starts, plain, drawn, running):
    """Fill `running` with the totals of stage i after each of its draws; `drawn` has `skip` earlier ones.

    With `last` only the totals after the last draw are needed.
    """
    n_quantities, n_stages = plain.shape
    length = running.size // n_quantities
    for k in range(n_quantities):
        begin = ((k * n_stages + i) * n_questions + q) * width
        if plain[k, i] and last:
            _last_sum(values, begin, skip, depth, drawn, running, k * length)
        elif plain[k, i]:
            _sum_up(values, begin, skip, depth, drawn, running, k * length)
        else:
            _run_batches(values, begin, starts, k, i, skip, depth, drawn, running, k * length)


@compiled
def run_up(
    i, q, n_questions, skip, depth, last, places, replacement, values, starts, plain, numbers, drawn, running,
):  # fmt: skip
    """Do the same for the places that lanes.draw_tallies drew."""
    _draw_again(skip + depth, places, numbers, drawn, replacement)
    run_drawn(i, q, n_questions, numbers.size // LANES, skip, depth, last, values, starts, plain, drawn, running)


@compiled
def add_stage(i, number, sizes, joins, still, running, base, pending):
    """Add what stage i spends from replay `number` on, at every budget and lane where `still` is -1 and not 0."""
    n_quantities, n_budgets = joins.shape[0], sizes.shape[1]
    length, slot = running.size // n_quantities, number % PENDING
    for k in range(n_quantities):
        for b in range(n_budgets):
            row, here = np.uint32(k * length + LANES * sizes[i, b]), np.uint32(LANES * b)
            before, at = np.uint32((k * n_budgets + b) * LANES), np.uint32((k * n_budgets + b) * PENDING + slot)
            if joins[k, i, b]:
                for lane in range(_LANES):
                    spent = base[before + lane] + (running[row + lane] & still[here + lane])
                    pending[at + lane] = larger(pending[at + lane], spent)
            else:
                for lane in range(_LANES):
                    total = pending[at + lane]
                    base[before + lane] = total
                    pending[at + lane] = total + (running[row + lane] & still[here + lane])


@compiled
def note_one_stage(number, sizes, running, pending):
    """Note the totals of one model in the replays from `number` on; lanes beyond the live ones are not counted."""
    n_budgets, n_quantities = sizes.shape[1], pending.size // (PENDING * sizes.shape[1])
    length, slot = running.size // n_quantities, number % PENDING
    for k in range(n_quantities):
        for b in range(n_budgets):
            at = np.uint32((k * n_budgets + b) * PENDING + slot)
            row = np.uint32(k * length + LANES * sizes[0, b])
            for lane in range(_LANES):
                pending[at + lane] = running[row + lane]


@compiled
def note_stops(q, number, live, sizes, ends, running, pending):
    """Do the same in the `live` replays from `number` on, each of which stops after ends[question, replay] draws."""
    n_budgets, n_quantities = sizes.shape[1], pending.size // (PENDING * sizes.shape[1])
    length, slot = running.size // n_quantities, number % PENDING
    for k in range(n_quantities):
        for b in range(n_budgets):
            at = np.uint32((k * n_budgets + b) * PENDING + slot)
            for lane in range(live):
                size = min(sizes[0, b], np.int64(ends[q, number + lane]))
                pending[at + np.uint32(lane)] = running[np.uint32(k * length + LANES * size + lane)]


@inlined
def count_bins(row, found, begin, n, n_bins, lower, histogram):
    """Count n totals at found[begin:] in a row of the flat histogram; return the first and the last bin."""
    least, most = found[np.uint32(begin)], found[np.uint32(begin)]
    for r in range(n):
        total = found[np.uint32(begin + r)]
        least, most = min(least, total), max(most, total)
        histogram[np.uint32(row * n_bins + bin_of(total) - lower)] += 1
    return bin_of(least) - lower, bin_of(most) - lower


@compiled
def close_replays(q, end, n, pending, totals, histogram, lowest, span):
    """Add up and count the totals of replays before `end` if PENDING of them wait, or if these are all n."""
    if end % PENDING > 0 and end < n:
        return
    n_quantities, _, n_budgets = totals.shape
    waiting, n_bins, flat = (end - 1) % PENDING + 1, histogram.shape[2], histogram.reshape(-1)
    for k in range(n_quantities):
        for b in range(n_budgets):
            row, total = k * n_budgets + b, np.int64(0)
            for r in range(waiting):
                total += pending[np.uint32(row * PENDING + r)]
            totals[k, q, b] += total
            if n_bins > 0:
                first, last = count_bins(row, pending, row * PENDING, waiting, n_bins, lowest[k], flat)
                span[k, b, 0], span[k, b, 1] = min(span[k, b, 0], first), max(span[k, b, 1], last)
    pending[:] = 0


@inlined
def _sum_draws(values, begin, k, live, depth, drawn, sums):
    """Add the amounts of the draws of every lane to sums[k]."""
    first = np.uint64(begin)
    for j in range(depth if live == LANES else 0):
        at = np.uint32(LANES * j)
        both = np.int64(values[first + drawn[at]]) + np.int64(values[first + drawn[at + _ONE]])
        rest = np.int64(values[first + drawn[at + _TWO]]) + np.int64(values[first + drawn[at + _THREE]])
        sums[k, j] += both + rest
    for lane in range(live if live < LANES else 0):
        for j in range(depth):
            sums[k, j] += values[first + drawn[np.uint32(LANES * j + lane)]]


@inlined
def close_draws(q, sizes, sums, totals):
    """Add up the draws of every budget, and reset them."""
    for k in range(sums.shape[0]):
        for j in range(1, sums.shape[1]):
            sums[k, j] += sums[k, j - 1]
        for b in range(sizes.shape[1]):
            if sizes[0, b] > 0:
                totals[k, q, b] += sums[k, sizes[0, b] - 1]
    sums[:] = 0


@compiled
def count_draws(
    q, n_questions, number, live, n, depth, places, replacement, sizes, values, starts, plain, numbers, drawn,
    running, pending, sums, totals, histogram, lowest, span,
):  # fmt: skip
    """Count what draws of one model spend in the `live` replays from `number` on, of the n of a block.

    Without a histogram no total of a replay is needed. What a draw adds is then summed over replays, draw by draw, and
    the totals at all budgets are sums over the first draws.
    """
    if histogram.size > 0:
        run_up(
            0, q, n_questions, 0, depth, False, places, replacement, values, starts, plain, numbers, drawn, running,
        )  # fmt: skip
        note_one_stage(number, sizes, running, pending)
        close_replays(q, number + live, n, pending, totals, histogram, lowest, span)
        return
    _draw_again(depth, places, numbers, drawn, replacement)
    width, length = numbers.size // LANES, running.size // plain.shape[0]
    for k in range(plain.shape[0]):
        begin = (k * n_questions + q) * width
        if plain[k, 0]:
            _sum_draws(values, begin, k, live, depth, drawn, sums)
            continue
        _run_batches(values, begin, starts, k, 0, 0, depth, drawn, running, k * length)
        for lane in range(live):
            for j in range(depth):
                at = np.uint32(k * length + LANES * j + lane)
                sums[k, j] += running[at + _LANES] - running[at]
    if number + live == n:
        close_draws(q, sizes, sums, totals)


@compiled
def count_turns(
    q, first, n_replays, n, order, reached, ends, depths, sizes,
    values, starts, joins, plain, drawn, running, base, pending, still, sums, totals, histogram, lowest, span,
):  # fmt: skip
    """Count the totals of up to turns.BATCH replays of question q, of which the block has n, from number `first` on.

    order   : uint16 [replay, stage, draw], drawn samples
    reached : int64 [replay, budget], last stage that draws
    depths  : int64 [stage], most draws
    ends    : uint16 [question, replay], draws after which the only stage stops; no columns: never
    """
    (n_stages, n_budgets), n_quantities, n_questions = sizes.shape, totals.shape[0], totals.shape[1]
    width = values.size // (n_quantities * n_stages * n_questions)
    if n_stages == 1 and histogram.size == 0 and plain.all():  # what each draw adds is summed, as in count_draws
        for r in range(n_replays):
            end = min(depths[0], np.int64(ends[q, first + r])) if ends.shape[1] > 0 else depths[0]
            for k in range(n_quantities):
                begin = np.uint64((k * n_questions + q) * width)
                for j in range(end):
                    sums[k, j] += values[begin + order[r, 0, np.uint32(j)]]
        if first + n_replays == n:
            close_draws(q, sizes, sums, totals)
        return
    for r in range(0, n_replays, LANES):
        live, most = min(LANES, n_replays - r), np.int64(0)
        for lane in range(live):
            for b in range(n_budgets):
                most = max(most, reached[r + lane, b])
        for i in range(most + 1):
            depth = depths[i]
            if ends.shape[1] > 0:
                depth = np.int64(0)
                for lane in range(live):
                    depth = max(depth, min(depths[i], np.int64(ends[q, first + r + lane])))
            for lane in range(LANES):
                end = np.int64(0)  # the order of stages that a replay does not reach was not written
                for b in range(n_budgets if lane < live else 0):
                    end = depths[i] if reached[r + lane, b] >= i else end
                if ends.shape[1] > 0 and lane < live:  # nor that of draws after a stop
                    end = min(end, np.int64(ends[q, first + r + lane]))
                for j in range(depth):
                    drawn[LANES * j + lane] = order[r + lane, i, j] if j < end else np.uint16(0)
            run_drawn(i, q, n_questions, width, 0, depth, False, values, starts, plain, drawn, running)
            if ends.shape[1] > 0:
                note_stops(q, first + r, live, sizes, ends, running, pending)
            elif n_stages == 1:
                note_one_stage(first + r, sizes, running, pending)
            else:
                for b in range(n_budgets):
                    for lane in range(LANES):
                        still[LANES * b + lane] = -np.int64(lane < live and reached[r + lane, b] >= i)
                add_stage(i, first + r, sizes, joins, still, running, base, pending)
    close_replays(q, first + n_replays, n, pending, totals, histogram, lowest, span)


@compiled
def occupied(spent, places):
    """List the bins that have replays as float64 [bin, 2], with their place and their replays.

    places : int64 [quantity, budget], place of bin 0; below 0: the bins of the quantity are left out
    """
    _, histogram, lowest, span = spent
    n_quantities, n_budgets = places.shape
    n, most = 0, np.int64(0)
    for k in range(n_quantities):
        for b in range(n_budgets):
            most += span[k, b, 1] + 1 - span[k, b, 0]
    found = np.empty((most, 2))
    for k in range(n_quantities):
        for b in range(n_budgets):
            for place in range(span[k, b, 0], span[k, b, 1] + 1 if places[k, b] >= 0 else 0):
                if histogram[k, b, place] > 0:
                    found[n, 0], found[n, 1] = places[k, b] + lowest[k] + place, histogram[k, b, place]
                    n += 1
    return found[:n].copy()
