"""Samples that end at their first group of tokens below a bar: answers, draws and what is spent (DeepConf online).

Of the groups of a sample, only those matter that are lower than all groups before: a bar is first undercut by one of
these. They are in decreasing order, so the first one below a bar is found by halving.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, PENDING, Spending, close_draws, close_replays
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import Recorded, Replays, most_classes, right_classes
from mssim.kernels.weighted_votes import beats, note

NO_GROUP = 1 << 40  # number of the only group of a sample without group confidences
_AT_ONCE = 8  # draws taken together after the warm-up
_SAME = 1.0 - 1e-12  # shares that differ by less are equal: only the order of floating-point sums tells them apart


class Traces(NamedTuple):
    """Groups of the samples of one model that are lower than all groups before."""

    lowest: NDArray[np.float64]  # [question, sample], confidence of its lowest group
    first: NDArray[np.int64]  # [question, sample], place of its first group in `lows`
    last: NDArray[np.int64]  # [question, sample], place of its lowest group
    lows: NDArray[np.float64]  # confidences, decreasing within a sample
    spent: NDArray[np.int32]  # [quantity, low], amounts of a sample that ends with this group, in units


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
    by_rank: NDArray[np.int64]  # [warm-up draw], the draws in this order
    scores: NDArray[np.float64]  # [class]
    seen: NDArray[np.int64]  # [class], first draw that votes for it
    members: NDArray[np.uint16]  # classes with votes
    known: NDArray[np.bool_]  # [class], whether it is among them
    place_of: NDArray[np.int64]  # [draw], place of the group with which it ends; -1: it does not end early
    running: NDArray[np.int64]  # [quantity, draws], totals


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
    return np.asarray(begins), np.asarray(lows), np.asarray(places)


@inlined
def _insert(low, n, ordered, by_rank):
    """Insert draw n and its lowest group among those before, in increasing order."""
    place = n
    while place > 0 and low < ordered[place - 1]:
        ordered[place], by_rank[place] = ordered[place - 1], by_rank[place - 1]
        place -= 1
    ordered[place], by_rank[place] = low, n


@inlined
def _bar_of(n, below, part, ordered):
    """Return the bar of n warm-up samples, with the rounding of numpy.percentile."""
    low, high, t = ordered[below[n]], ordered[min(below[n] + 1, n - 1)], part[n]
    return high - (high - low) * (1.0 - t) if t >= 0.5 else low + (high - low) * t


@inlined
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
def _spend(begin, step, n, order, place_of, values, spent_at, starts, sums, running):
    """Fill the totals after each of n draws, and add what each adds to sums [quantity, draw].

    Whole samples have the amounts values[quantity x step + begin + sample]. A round counts its largest amount.
    """
    for k in range(running.shape[0]):
        total, longest = np.int64(0), np.int64(0)
        for j in range(n):
            place = place_of[j]
            amount = np.int64(values[k * step + begin + order[0, j]] if place < 0 else spent_at[k, place])
            longest = np.int64(0) if starts[k, 0, j] else longest
            added = max(amount - longest, np.int64(0))
            longest = max(longest, amount)
            total += added
            sums[k, j] += added
            running[k, j + 1] = total


@compiled
def _replayed(recorded, sizes, traces, bar_at, replays, spending, memory, hits, agreed, drawn):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    lowest, first, last, lows, spent_at = traces
    below, part, warmup, consensus, ties = bar_at
    values, starts, pending, sums = spending.values, spending.starts, spending.pending, spending.sums
    totals, histogram, lowest_bin, span = spending.spent
    order, targets, samples, scratch, ordered, by_rank, scores, seen, members, known, place_of, running = memory
    (n_questions, n_budgets), n_quantities, width = hits.shape, running.shape[0], codes.shape[2]
    depth, binned = sizes[0, n_budgets - 1], histogram.shape[2] > 0
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        for number in range(replays.n):
            state, tie_state = word(keys[0, q], replays.first + number), word(tie_keys[q], replays.first + number)
            winner, n_members, weight, bar = np.int64(right.size - 1), 0, 0.0, 0.0
            made, b, j, reached = 0, 0, 0, False
            while b < n_budgets:
                if j == made:
                    made = min(depth, max(warmup, made + _AT_ONCE))
                    draw_more(order, 0, j, made, targets, scratch, 0, lengths[0, q], state, replays.replacement)
                # Votes of warm-up samples are counted at budgets, from the highest down to the bar; others when drawn.
                low, i, voters = lowest[q, order[0, j]], j, 0
                if j < warmup:
                    _insert(low, j, ordered, by_rank)
                    if j + 1 == warmup or j + 1 == sizes[0, b]:
                        for place in range(n_members):
                            known[members[place]] = False
                        winner, n_members, weight = np.int64(right.size - 1), 0, 0.0
                        bar, voters = _bar_of(j + 1, below, part, ordered), j + 1
                elif low >= bar:
                    voters = 1
                for place in range(j, j - voters, -1):
                    if j < warmup:
                        low, i = ordered[place], by_rank[place]
                        if low < bar:
                            break
                    c = np.int64(codes[0, q, order[0, i]])
                    if c >= 0:
                        weight, before = weight + low, n_members
                        n_members = note(c, i, n_members, known, seen, members)
                        scores[c] = low if n_members > before else scores[c] + low
                        if c != winner and (before == 0 or beats(c, winner, scores, seen, 0.0, right, ties, tie_state)):
                            winner = c
                j += 1
                if voters > 0 and j >= warmup:
                    reached = weight > 0.0 and scores[winner] >= consensus * _SAME * weight
                while b < n_budgets and (reached or sizes[0, b] == j):
                    hits[q, b] += right[winner]
                    agreed[q, b] += reached
                    drawn[q, b] += j
                    b += 1
            put_back(made, targets, scratch, samples, 0, replays.replacement)
            for i in range(n_members):
                known[members[i]] = False
            if n_quantities > 0:
                for i in range(warmup, j):
                    s = np.int64(order[0, i])
                    place_of[i] = _first_below(lows, first[q, s], last[q, s], bar) if lowest[q, s] < bar else -1
                _spend(q * width, n_questions * width, j, order, place_of, values, spent_at, starts, sums, running)
            if binned:
                for k in range(n_quantities):
                    for i in range(n_budgets):
                        pending[(k * n_budgets + i) * PENDING + number % PENDING] = running[k, min(j, sizes[0, i])]
                close_replays(q, number + 1, replays.n, pending, totals, histogram, lowest_bin, span)
        if not binned:
            close_draws(q, sizes, sums, totals)


def replayed(
    recorded: Recorded,
    sizes: NDArray[np.int64],
    traces: Traces,
    bar: Bar,
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Replay samples that end early, at all budgets.

    sizes    : int64 [1, budget], most draws, not decreasing
    spending : its totals are added up

    Returns three int64 arrays [question, budget], sums over replays: right answers, those that ended by consensus, and
    draws.
    """
    (_, n_questions, width), depth, n_quantities = recorded.codes.shape, int(sizes.max()), len(spending.plain)
    n_classes, most = int(most_classes(recorded.offsets)) + 1, min(bar.warmup, depth)
    places = np.arange(width, dtype=np.uint16).reshape(1, width)
    memory = Memory(
        order=np.empty((1, depth), np.uint16),
        targets=np.empty(depth, np.uint32),
        samples=places,
        scratch=places.copy(),
        ordered=np.zeros(most),
        by_rank=np.zeros(most, np.int64),
        scores=np.zeros(n_classes),
        seen=np.zeros(n_classes, np.int64),
        members=np.zeros(n_classes, np.uint16),
        known=np.zeros(n_classes, np.bool_),
        place_of=np.full(depth, -1),
        running=np.zeros((n_quantities, depth + 1), np.int64),
    )
    hits, agreed, drawn = np.zeros((3, n_questions, sizes.shape[1]), np.int64)
    _replayed(recorded, np.ascontiguousarray(sizes), traces, bar, replays, spending, memory, hits, agreed, drawn)
    return hits, agreed, drawn
