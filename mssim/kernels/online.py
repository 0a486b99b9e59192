"""Samples that end at their first group of tokens below a bar: answers, draws and what is spent (DeepConf online).

Of the groups of a sample, only those matter that are lower than all groups before: a bar is first undercut by one of
these. They are in decreasing order, so the first one below a bar is found by halving.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, PENDING, Spending, close_replays
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import Recorded, Replays, most_classes, right_classes
from mssim.kernels.weighted_votes import note, top

NO_GROUP = 1 << 40  # number of the only group of a sample without group confidences
_AT_ONCE = 8  # draws taken together after the warm-up
_SAME = 1.0 - 1e-12  # shares that differ by less are equal: only the order of floating-point sums tells them apart


class Traces(NamedTuple):
    """Groups of the samples of one model that are lower than all groups before."""

    first: NDArray[np.int64]  # [question, sample], place of its first group in `lows`
    last: NDArray[np.int64]  # [question, sample], place of its lowest group
    lows: NDArray[np.float64]  # confidences, decreasing within a sample
    shares: NDArray[np.float64]  # share of the sample's output tokens up to the end of the group


class Bar(NamedTuple):
    """Where the bar lies among the lowest groups of n warm-up samples, in increasing order."""

    below: NDArray[np.int64]  # [n], place of the one below or at it; place 0 is not used
    part: NDArray[np.float64]  # [n], part of the way to the next
    warmup: int
    consensus: float  # share of the weights that ends sampling; above 1: never
    ties: int


class Memory(NamedTuple):
    """Memory of one replay."""

    order: NDArray[np.uint16]  # [1, draw], drawn samples
    targets: NDArray[np.uint32]  # [draw]
    samples: NDArray[np.uint16]  # [1, sample], their own numbers
    scratch: NDArray[np.uint16]  # the same
    ordered: NDArray[np.float64]  # [warm-up draw], lowest groups in increasing order
    scores: NDArray[np.float64]  # [class]
    seen: NDArray[np.int64]  # [class], first draw that votes for it
    members: NDArray[np.uint16]  # classes with votes
    known: NDArray[np.bool_]  # [class], whether it is among them
    closed: NDArray[np.int64]  # [quantity], amounts of the rounds before
    longest: NDArray[np.int64]  # [quantity], largest amount of this round


@compiled
def _count_lows(values, offsets):
    """Return how many groups are lower than all before, over all samples; 1 for a sample without any."""
    n = np.int64(0)
    for i in range(offsets.size - 1):
        least = np.inf
        n += offsets[i] == offsets[i + 1]
        for j in range(offsets[i], offsets[i + 1]):
            n += values[j] < least
            least = min(least, values[j])
    return n


@compiled
def _find_lows(values, offsets, begins, lows, places):
    n = np.int64(0)
    for i in range(offsets.size - 1):
        begins[i], least = n, np.inf
        if offsets[i] == offsets[i + 1]:
            lows[n], places[n] = 0.0, NO_GROUP
            n += 1
        for j in range(offsets[i], offsets[i + 1]):
            if values[j] < least:
                least = values[j]
                lows[n], places[n] = least, j - offsets[i]
                n += 1
    begins[offsets.size - 1] = n


def lows_of(
    values: NDArray[np.float64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the groups of every sample that are lower than all before.

    Sample i has the groups values[offsets[i]:offsets[i + 1]]. One without groups has one, NO_GROUP, of confidence 0.

    Returns begins int64 [sample + 1], confidences float64 [low], and numbers of groups int64 [low].
    """
    n = int(_count_lows(values, offsets))
    begins, lows, places = np.zeros(offsets.size, np.int64), np.zeros(n), np.zeros(n, np.int64)
    _find_lows(values, offsets, begins, lows, places)
    return begins, lows, places


@inlined
def _insert(low, n, ordered):
    """Insert a number among n in increasing order."""
    place = n
    while place > 0 and low < ordered[place - 1]:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = low


@inlined
def _bar_of(n, below, part, ordered):
    """Return the bar of n warm-up samples, with the rounding of numpy.percentile."""
    low, high, t = ordered[below[n]], ordered[min(below[n] + 1, n - 1)], part[n]
    return high - (high - low) * (1.0 - t) if t >= 0.5 else low + (high - low) * t


@compiled
def _first_below(lows, first, last, bar):
    """Return the place of the first low below the bar; the last one is."""
    while first < last:
        middle = (first + last) >> 1
        if lows[middle] < bar:
            last = middle
        else:
            first = middle + 1
    return last


@compiled
def _spend(values, fixed, place, step, share, starts, j, closed, longest):
    """Add the amounts of a sample of which a share of the output tokens was generated."""
    for k in range(closed.size):
        amount = np.int64(values[k * step + place])
        if share < 1.0:
            whole = np.int64(fixed[k * step + place])
            amount = whole + np.int64(np.rint((amount - whole) * share))
        if starts[k, 0, j]:
            closed[k] += longest[k]
            longest[k] = amount
        else:
            longest[k] = max(longest[k], amount)


@compiled
def _replayed(recorded, sizes, traces, bar_at, fixed, replays, spending, memory, right, agreed, drawn):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    first, last, lows, shares = traces
    below, part, warmup, consensus, ties = bar_at
    values, starts, pending, (spent, histogram, lowest, span) = (
        spending.values, spending.starts, spending.pending, spending.spent,
    )  # fmt: skip
    order, targets, samples, scratch, ordered, scores, seen, members, known, closed, longest = memory
    (n_questions, n_budgets), n_quantities, width = right.shape, closed.size, codes.shape[2]
    depth, step = sizes[0, n_budgets - 1], n_questions * width
    for q in range(n_questions):
        is_right = right_classes(correct, offsets, q)
        winner = nothing = np.int64(is_right.size - 1)
        for number in range(replays.n):
            state, tie_state = word(keys[0, q], replays.first + number), word(tie_keys[q], replays.first + number)
            n_members, winner, weight, bar = 0, nothing, 0.0, 0.0
            made, b, used, reached = 0, 0, 0, False
            closed[:] = 0
            longest[:] = 0
            while b < n_budgets:
                j = used
                if j == made:
                    made = min(depth, max(warmup, made + _AT_ONCE))
                    draw_more(order, 0, j, made, targets, scratch, 0, lengths[0, q], state, replays.replacement)
                used, s, changed, share = j + 1, np.int64(order[0, j]), False, 1.0
                c, low = np.int64(codes[0, q, s]), lows[last[q, s]]
                if j < warmup:
                    _insert(low, j, ordered)
                    if used == warmup or used == sizes[0, b]:
                        bar, changed, weight = _bar_of(used, below, part, ordered), True, 0.0
                        for place in range(n_members):
                            known[members[place]] = False
                        n_members = 0
                        for i in range(used):
                            voter, vote = np.int64(codes[0, q, order[0, i]]), lows[last[q, order[0, i]]]
                            if vote >= bar and voter >= 0:
                                before = n_members
                                n_members = note(voter, i, n_members, known, seen, members)
                                scores[voter] = vote if n_members > before else scores[voter] + vote
                                weight += vote
                elif low < bar:
                    if n_quantities > 0:
                        share = shares[_first_below(lows, first[q, s], last[q, s], bar)]
                elif c >= 0:
                    before = n_members
                    n_members = note(c, j, n_members, known, seen, members)
                    scores[c] = low if n_members > before else scores[c] + low
                    weight += low
                    changed = True
                if n_quantities > 0:
                    _spend(values, fixed, q * width + s, step, share, starts, j, closed, longest)
                if changed:
                    winner = top(n_members, members, scores, seen, 0.0, is_right, ties, tie_state)
                    reached = used >= warmup and weight > 0.0 and scores[winner] >= consensus * _SAME * weight
                while b < n_budgets and (reached or sizes[0, b] == used):
                    right[q, b] += is_right[winner]
                    agreed[q, b] += reached
                    drawn[q, b] += used
                    for k in range(n_quantities):
                        pending[(k * n_budgets + b) * PENDING + number % PENDING] = closed[k] + longest[k]
                    b += 1
            put_back(made, targets, scratch, samples, 0, replays.replacement)
            for place in range(n_members):
                known[members[place]] = False
            if n_quantities > 0:
                close_replays(q, number + 1, replays.n, pending, spent, histogram, lowest, span)


def replayed(
    recorded: Recorded,
    sizes: NDArray[np.int64],
    traces: Traces,
    bar: Bar,
    fixed: NDArray[np.int32],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Replay samples that end early, at all budgets.

    sizes    : int64 [1, budget], most draws, not decreasing
    fixed    : int32 [quantity, question, sample], what a sample spends however early it ends, as `values` of spending
    spending : its totals are added up

    Returns three int64 arrays [question, budget], sums over replays: right answers, those that ended by consensus, and
    draws.
    """
    (_, n_questions, width), depth, n_quantities = recorded.codes.shape, int(sizes.max()), len(spending.plain)
    n_classes = int(most_classes(recorded.offsets)) + 1
    places = np.arange(width, dtype=np.uint16)[None]
    memory = Memory(
        order=np.empty((1, depth), np.uint16),
        targets=np.empty(depth, np.uint32),
        samples=places,
        scratch=places.copy(),
        ordered=np.zeros(min(bar.warmup, depth)),
        scores=np.zeros(n_classes),
        seen=np.zeros(n_classes, np.int64),
        members=np.zeros(n_classes, np.uint16),
        known=np.zeros(n_classes, np.bool_),
        closed=np.zeros(n_quantities, np.int64),
        longest=np.zeros(n_quantities, np.int64),
    )
    right, agreed, drawn = np.zeros((3, n_questions, sizes.shape[1]), np.int64)
    given = np.ascontiguousarray(sizes), traces, bar, np.ascontiguousarray(fixed).reshape(-1)
    _replayed(recorded, *given, replays, spending, memory, right, agreed, drawn)
    return right, agreed, drawn
