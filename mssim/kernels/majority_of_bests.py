"""Replays of Majority-of-the-Bests: the answer that most resamples of the draws would find best.

The stages are those of staged.py, and votes are counted as in ballots.py. A draw counts the chance that it has the
highest number of m draws taken again with replacement. As its rank among the draws decides, which changes with every
draw, the drawn samples are kept as bits in the order of their numbers and walked through from the best one down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bits import bit, lowest
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.stages import PLAIN, deepest
from mssim.kernels.streams import word
from mssim.kernels.tally import LANES, buffers, logarithms, right_classes
from mssim.kernels.weighted_votes import (
    CLOSE,
    SETTLED,
    SUM,
    ask,
    clear,
    count_within,
    counters,
    note,
    places,
    steps_back,
    top,
    weigh,
)

_TINY = 1e-290


class Bests(NamedTuple):
    """What the best of m is looked for in."""

    numbers: NDArray[np.float64]  # [stage, question, sample], finite
    ranks: NDArray[np.int32]  # the same shape: place among all of a question, the highest number first
    m: int


@compiled
def _from_logs(n, m, logs):
    """(x / n)^m for x = 0..n where (x / most draws)^m is beyond the range of a double."""
    powers = 2.0 ** (m * (logs[: n + 1] - logs[n]))
    powers[0] = 0.0
    return powers


@inlined
def _likeliest_best(n, powers, weights, scores, number_of, label_of, stage_of, times, words, visited):
    """Score every class by its chance to have the best of m of n draws, from the best draw down.

    Stops as soon as what is left cannot change the leader, and returns it; or -1 if others come too near.
    """
    top, second, leader, left, decided = 0.0, 0.0, np.int64(-1), n, False
    n_visited, begin, same = 0, 0, np.int64(0)
    k, waiting = 0, words[0]
    while not decided and left > 0:
        while waiting == 0 and k < words.size - 1:
            k += 1
            waiting = words[k]
        rank = np.int64(-1)
        if waiting != 0:
            rank = (k << 6) + lowest(waiting)
            waiting &= waiting - np.uint64(1)
        if begin < n_visited and (rank < 0 or number_of[rank] != number_of[visited[begin]]):
            rest = powers[left - same]
            chance = (powers[left] - rest) / same  # draws with the same number share theirs
            for place in range(begin, n_visited):
                other = visited[place]
                c = np.int64(label_of[other])
                score = scores[c] + weights[stage_of[other]] * chance * times[other]
                scores[c] = score
                if c == leader:
                    top = score
                elif score > top:
                    top, second, leader = score, top, c
                else:
                    second = max(second, score)
            left -= same
            begin, same = n_visited, np.int64(0)
            decided = top - second > rest + CLOSE * top
        if rank >= 0:
            visited[n_visited] = rank
            n_visited += 1
            same += times[rank]
    return leader if decided else np.int64(-1)


@inlined
def _likeliest_of_different(n, powers, weights, scores, label_of, stage_of, words):
    """The same where no two draws have the same number, which is the rule and takes half the time."""
    top, second, leader, left = 0.0, 0.0, np.int64(-1), n
    above = powers[n]
    for k in range(words.size):
        waiting = words[k]
        while waiting != 0:
            rank = (k << 6) + lowest(waiting)
            waiting &= waiting - np.uint64(1)
            left -= 1
            rest = powers[left]
            c = np.int64(label_of[rank])
            score = scores[c] + weights[stage_of[rank]] * (above - rest)
            scores[c], above = score, rest
            if c == leader:
                top = score
            elif score > top:
                top, second, leader = score, top, c
            else:
                second = max(second, score)
            if top - second > rest + CLOSE * top:
                return leader
    return np.int64(-1)


@compiled
def _rank_samples(q, codes, lengths, nothing, bests, number_of, label_of, stage_of):
    """Look up the samples of a question by rank; returns whether all their numbers are different."""
    for i in range(codes.shape[0]):
        for s in range(lengths[i, q]):
            rank = bests.ranks[i, q, s]
            number_of[rank] = bests.numbers[i, q, s]
            label_of[rank] = codes[i, q, s] if codes[i, q, s] >= 0 else nothing
            stage_of[rank] = i
    n = lengths[:, q].sum()
    return n == number_of.size and (number_of[1:] != number_of[:-1]).all()


@compiled
def voted(recorded, rules, bests, ends, replays):
    """Replay one strategy that takes the likeliest best of m, at all budgets.

    recorded : Recorded
    rules    : Rules, of which `kind` is the within-model weight
    bests    : Bests
    ends     : uint16 [question, replay], draws after which the only stage stops (see stops.ends); no columns: never
    replays  : Replays

    Returns int64 hits [question, budget] and stopped [question, stage, budget], as staged.staged.
    """
    codes, lengths, offsets, correct, _, tie_keys = recorded
    sizes, prior, ties, skip = rules.sizes, rules.prior, rules.ties, rules.skip
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depths = deepest(sizes)
    depth, most = depths.max(), depths.sum()
    memory = buffers(n_stages, width, depth + skip.max(), offsets)
    samples, scratch, order, _, tally, _ = memory
    places(samples, scratch)
    answers, last = np.empty((order.shape[0], depth), np.uint16), np.empty((LANES, n_budgets), np.int64)
    logs, inverse_logs, inverses, steps = logarithms(most + 1)
    scores, seen, members, known, counts, sums, facts = counters(n_stages, tally.shape[1])
    n_ranks = n_stages * width
    number_of, label_of, stage_of = np.zeros(n_ranks), np.zeros(n_ranks, np.uint16), np.zeros(n_ranks, np.int64)
    times, words = np.zeros(n_ranks, np.int64), np.zeros((n_ranks >> 6) + 1, np.uint64)
    visited, powers = np.zeros(n_ranks, np.int64), (np.arange(most + 1) / max(most, 1)) ** bests.m
    at, weights = np.zeros(n_stages, np.int64), prior.copy()
    within = rules.kind != PLAIN
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        nothing = right.size - 1
        different = _rank_samples(q, codes, lengths, nothing, bests, number_of, label_of, stage_of)
        different = different and not replays.replacement
        for r in range(replays.first, replays.first + replays.n, LANES):
            live = min(LANES, replays.first + replays.n - r)
            ask(q, r, live, recorded, rules, replays, right, depths, memory, answers, last, hits, stopped)
            for lane in range(live):
                tie_state, stops_at = word(tie_keys[q], r + lane), depth + 1
                if ends.shape[1] > 0:
                    stops_at = np.int64(ends[q, r - replays.first + lane])
                winner, done, n_members, n, counted = np.int64(nothing), False, 0, 0, -1
                for b in range(n_budgets):
                    final = min(last[lane, b], n_stages - 1)
                    if final == SETTLED:
                        continue
                    if done:
                        hits[q, b] += right[winner]
                        continue
                    if final != counted or steps_back(b, final, stops_at, sizes, at):
                        clear(n_members, within, known, scores, members, counts, sums, facts)
                        winner, n_members, n, counted = np.int64(nothing), 0, 0, final
                        words[:] = 0
                        times[:] = 0
                        at[:] = 0
                    before = n
                    for i in range(final + 1):
                        row, to = i * LANES + lane, min(sizes[i, b], stops_at)
                        for j in range(at[i], to):
                            c = np.int64(answers[row, j])
                            if c != nothing:
                                rank, n = bests.ranks[i, q, order[row, j]], n + 1
                                words[rank >> 6] |= bit(rank)
                                times[rank] += 1
                                n_members = note(c, i * depth + j, n_members, known, seen, members)
                                if within:
                                    count_within(i, c, 1.0, SUM, counts, sums, facts, steps)
                        at[i] = max(at[i], to)
                    if n > before and n_members == 1:
                        winner = np.int64(members[0])
                    elif n > before:
                        if within:
                            weigh(final, rules.kind, prior, at, facts, weights, logs, inverse_logs, inverses)
                        for place in range(n_members):
                            scores[members[place]] = 0.0
                        table = powers if powers[n] > _TINY else _from_logs(n, bests.m, logs)
                        if different:
                            winner = _likeliest_of_different(n, table, weights, scores, label_of, stage_of, words)
                        else:
                            winner = _likeliest_best(
                                n, table, weights, scores, number_of, label_of, stage_of, times, words, visited
                            )
                        if winner < 0:
                            winner = top(n_members, members, scores, seen, 0.0, right, ties, tie_state)
                    done = sizes[0, b] >= stops_at
                    if done and rules.adopt:
                        winner = np.int64(answers[lane, stops_at - 1])
                    hits[q, b] += right[winner]
                clear(n_members, within, known, scores, members, counts, sums, facts)
                words[:] = 0
                times[:] = 0
                at[:] = 0
    return hits, stopped
