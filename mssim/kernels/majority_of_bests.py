"""Replays of Majority-of-the-Bests: the answer that most resamples of the draws would find best.

A draw counts as much as its chance to have the highest number of m draws that are taken again with replacement. This
depends on its rank among the draws, which changes with every draw. So the drawn samples are kept as bits in the order
of their numbers, and visited from the best one down. Votes are counted as in weighted_votes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bits import bit, lowest
from mssim.kernels.bundles import Rules, results
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.stage_votes import PLAIN
from mssim.kernels.streams import word
from mssim.kernels.tally import Recorded, Replays, logarithms, right_classes
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of
from mssim.kernels.weighted_votes import CLOSE, SUM, clear, count_within, counters, note, steps_back, top, weigh

_TINY = 1e-290


class Bests(NamedTuple):
    """Numbers of the samples, among which the best of m is sought."""

    numbers: NDArray[np.float64]  # [stage, question, sample], finite
    ranks: NDArray[np.int32]  # the same shape: place among all of a question, the highest number first
    m: int


class Ranked(NamedTuple):
    """Samples of one question by rank, and the ranks that a replay drew."""

    number_of: NDArray[np.float64]  # [rank]
    label_of: NDArray[np.uint16]  # [rank], class
    stage_of: NDArray[np.int64]  # [rank]
    times: NDArray[np.int64]  # [rank], how often it was drawn
    words: NDArray[np.uint64]  # bits of the ranks that were drawn
    visited: NDArray[np.int64]  # ranks
    powers: NDArray[np.float64]  # [draws], (draws / most draws)^m


@compiled
def _from_logs(n, m, logs):
    """Return (x / n)^m for x = 0..n if (x / most draws)^m is beyond the range of a double."""
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
    """Do the same if all draws have different numbers, the usual case, in half the time."""
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
    """Look up the samples of a question by rank; return whether all their numbers are different."""
    for i in range(codes.shape[0]):
        for s in range(lengths[i, q]):
            rank = bests.ranks[i, q, s]
            number_of[rank] = bests.numbers[i, q, s]
            label_of[rank] = codes[i, q, s] if codes[i, q, s] >= 0 else nothing
            stage_of[rank] = i
    n = lengths[:, q].sum()
    return n == number_of.size and (number_of[1:] != number_of[:-1]).all()


@compiled
def _voted(recorded, rules, bests, ends, replays, turns, counters, tables, ranked, hits, stopped):
    codes, lengths, offsets, correct, _, tie_keys = recorded
    sizes, prior, ties, order, last = rules.sizes, rules.prior, rules.ties, turns.order, turns.last
    scores, seen, members, known, counts, sums, facts, at, weights = counters
    number_of, label_of, stage_of, times, words, visited, powers = ranked
    logs, inverse_logs, inverses, steps = tables
    depth, within, n_members = order.shape[2], rules.kind != PLAIN, 0
    for q in range(hits.shape[0]):
        right = right_classes(correct, offsets, q)
        nothing = np.int64(right.size - 1)
        if count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
            continue
        different = _rank_samples(q, codes, lengths, nothing, bests, number_of, label_of, stage_of)
        different = different and not replays.replacement
        for number in range(replays.n):
            r = number % BATCH
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state = word(tie_keys[q], replays.first + number)
            stops_at = np.int64(ends[q, number]) if ends.shape[1] > 0 else depth + 1
            winner, n, counted = nothing, 0, -1
            for b in range(sizes.shape[1]):
                final = last[r, b]
                if final == SETTLED:
                    continue
                if final != counted or steps_back(b, final, stops_at, sizes, at):
                    clear(n_members, within, known, scores, members, counts, sums, facts)
                    winner, n_members, n, counted = nothing, 0, 0, final
                    words[:] = 0
                    times[:] = 0
                    at[:] = 0
                before = n
                for i in range(final + 1):
                    to = min(sizes[i, b], stops_at)
                    for j in range(at[i], to):
                        s = order[r, i, j]
                        c = np.int64(codes[i, q, s])
                        if c >= 0:
                            rank, n = bests.ranks[i, q, s], n + 1
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
                hits[q, b] += right[winner]


def voted(
    recorded: Recorded,
    rules: Rules,
    bests: Bests,
    ends: NDArray[np.uint16],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy that takes the likeliest best of m, at all budgets; as weighted_votes.voted."""
    n_stages, n_ranks, most = (
        len(rules.sizes),
        len(rules.sizes) * recorded.codes.shape[2],
        int(rules.sizes.max(axis=1).sum()),
    )
    hits, stopped = results(rules, recorded)
    turns = turns_of(rules, recorded, replays, spending)
    memory, tables = counters(n_stages, turns.tally.size), logarithms(most + 1)
    memory.weights[:] = rules.prior
    ranked = Ranked(
        number_of=np.zeros(n_ranks),
        label_of=np.zeros(n_ranks, np.uint16),
        stage_of=np.zeros(n_ranks, np.int64),
        times=np.zeros(n_ranks, np.int64),
        words=np.zeros((n_ranks >> 6) + 1, np.uint64),
        visited=np.zeros(n_ranks, np.int64),
        powers=(np.arange(most + 1) / max(most, 1)) ** bests.m,
    )
    _voted(recorded, rules, bests, ends, replays, turns, memory, tables, ranked, hits, stopped)
    return hits, stopped
