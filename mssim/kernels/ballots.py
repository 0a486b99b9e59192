"""Replays of votes in which draws count differently: by a recorded number, its rank, or how short they are.

The stages are those of staged.py; what differs is that a draw is a sample, whose number is looked up, and not only a
class. From one budget to the next, votes are added to those counted before; where a stage has fewer draws than before,
or other stages vote, all are forgotten and counted anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim.kernels.bits import bit, lowest
from mssim.kernels.staged import AT, DISTINCT, ORDERED, PLAIN, SETTLED, VALID, deepest, settle, within_weight
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, LANES, buffers, inlined, lead, logarithms, right_classes, start, wins

SUM, MAX, SHORTEST, BESTS = 0, 1, 2, 3
_CLOSE = 1e-9  # scores that are relatively closer than this are equal
_TINY = 1e-290


class Ballots(NamedTuple):
    """What a draw counts in a vote."""

    numbers: NDArray[np.float64]  # [stage, question, sample], finite
    ranks: NDArray[np.int32]  # the same shape: place among all of a question, the highest number first; for BESTS only
    kind: int  # SUM or MAX of the numbers, one each for the m SHORTEST, or the chance to be the BEST of m
    m: int
    close: float  # scores that are absolutely closer than this are equal


@njit(nogil=True, cache=True)
def _shorten(i, number, label, most, keys, labels, held):
    """Put a draw among the `most` smallest numbers of stage i, in order, after equal ones; whether it found a place."""
    n = held[i]
    if n == most and not number < keys[i, n - 1]:
        return False
    place = n if n < most else n - 1
    while place > 0 and number < keys[i, place - 1]:
        keys[i, place], labels[i, place] = keys[i, place - 1], labels[i, place - 1]
        place -= 1
    keys[i, place], labels[i, place] = number, label
    held[i] = min(n + 1, most)
    return True


@inlined
def _note(c, when, n_members, known, seen, members):
    """Note that class c was seen; returns how many classes were."""
    if known[c]:
        seen[c] = min(seen[c], when)
        return n_members
    known[c], seen[c] = True, when
    members[n_members] = c
    return n_members + 1


@inlined
def _count_within(i, c, number, kind, counts, sums, facts, steps):
    """Count a draw of class c for stage i alone."""
    n = counts[i, c]
    counts[i, c] = n + 1
    facts[i, ORDERED] += steps[n]
    facts[i, VALID] += 1
    facts[i, DISTINCT] += n == 0
    if n == 0:
        sums[i, c] = number
    else:
        sums[i, c] = max(sums[i, c], number) if kind == MAX else sums[i, c] + number


@inlined
def _clear(n_members, within, known, scores, members, counts, sums, facts):
    """Forget all votes."""
    for place in range(n_members):
        c = members[place]
        known[c] = False
        scores[c] = 0.0
        if within:
            for i in range(counts.shape[0]):
                counts[i, c] = 0
                sums[i, c] = 0.0
    if within:
        facts[:] = 0


@inlined
def _beats(c, other, scores, seen, close, right, ties, tie_state):
    """Whether class c has a higher score than another one, or wins their tie."""
    score, top = scores[c], scores[other]
    slack = max(close, _CLOSE * max(abs(score), abs(top)))
    if score > top + slack:
        return True
    if score < top - slack:
        return False
    return seen[c] < seen[other] if ties == FIRST else wins(ties, right, tie_state, c, other)


@njit(nogil=True, cache=True)
def _top(n_members, members, scores, seen, close, right, ties, tie_state):
    """The class with the highest score; the number after the last class if none has votes."""
    winner = np.int64(right.size - 1)
    for place in range(n_members):
        c = np.int64(members[place])
        if place == 0 or _beats(c, winner, scores, seen, close, right, ties, tie_state):
            winner = c
    return winner


@njit(nogil=True, cache=True)
def _total(n_members, members, weights, final, best_of, counts, sums, scores):
    """Score every class over stages 0..final, each with its weight."""
    for place in range(n_members):
        c = members[place]
        score = -np.inf if best_of else 0.0
        for k in range(final + 1):
            if counts[k, c] > 0:
                part = weights[k] * sums[k, c]
                score = max(score, part) if best_of else score + part
        scores[c] = score


@njit(nogil=True, cache=True)
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
            decided = top - second > rest + _CLOSE * top
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
            if top - second > rest + _CLOSE * top:
                return leader
    return np.int64(-1)


@njit(nogil=True, cache=True)
def _rank_samples(q, codes, lengths, nothing, ballots, number_of, label_of, stage_of):
    """Look up the samples of a question by rank; returns whether all their numbers are different."""
    for i in range(codes.shape[0]):
        for s in range(lengths[i, q]):
            rank = ballots.ranks[i, q, s]
            number_of[rank] = ballots.numbers[i, q, s]
            label_of[rank] = codes[i, q, s] if codes[i, q, s] >= 0 else nothing
            stage_of[rank] = i
    n = lengths[:, q].sum()
    return n == number_of.size and (number_of[1:] != number_of[:-1]).all()


@njit(nogil=True, cache=True)
def voted(recorded, rules, ballots, ends, replays):
    """Replay one strategy whose vote looks at each sample, at all budgets.

    recorded : Recorded
    rules    : Rules, of which `kind` is the within-model weight
    ballots  : Ballots
    ends     : uint16 [question, replay], draws after which the only stage stops (see stops.ends); no columns: never
    replays  : Replays

    Returns int64 hits [question, budget] and stopped [question, stage, budget], as staged.staged.
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    sizes, need, prior, ties, skip = rules.sizes, rules.need, rules.prior, rules.ties, rules.skip
    numbers, kind, m, close = ballots.numbers, ballots.kind, ballots.m, ballots.close
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depths = deepest(sizes)
    depth, total = depths.max(), depths.sum()
    samples, scratch, order, targets, tally, best = buffers(n_stages, width, depth + skip.max(), offsets)
    answers = np.empty((order.shape[0], depth), np.uint16)
    logs, inverse_logs, inverses, steps = logarithms(total + 1)
    last = np.empty((LANES, n_budgets), np.int64)
    n_classes, most = tally.shape[1], min(m, depth) if kind == SHORTEST else 0
    scores, seen = np.zeros(n_classes), np.zeros(n_classes, np.int64)
    members, known = np.zeros(n_classes, np.uint16), np.zeros(n_classes, np.bool_)
    counts, sums = np.zeros((n_stages, n_classes), np.int64), np.zeros((n_stages, n_classes))
    facts = np.zeros((n_stages, 4), np.int64)
    # For SHORTEST: the smallest numbers of each stage in order, and their classes.
    shortest, labels = np.zeros((n_stages, most + 1)), np.zeros((n_stages, most + 1), np.uint16)
    held = np.zeros(n_stages, np.int64)
    # For BESTS: the samples of a question by rank, how often each was drawn, and as bits whether it was.
    n_ranks = n_stages * width if kind == BESTS else 0
    number_of, label_of, stage_of = np.zeros(n_ranks), np.zeros(n_ranks, np.uint16), np.zeros(n_ranks, np.int64)
    times, words = np.zeros(n_ranks, np.int64), np.zeros((n_ranks >> 6) + 1, np.uint64)
    visited, powers = np.zeros(n_ranks, np.int64), (np.arange(total + 1) / max(total, 1)) ** m
    weights, at = prior.copy(), np.zeros(n_stages, np.int64)
    within, tests = rules.kind != PLAIN, (need <= sizes).any()
    for i in range(n_stages):
        for s in range(width):
            samples[i, s] = s
            scratch[i, s] = s
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        nothing = right.size - 1
        different = False
        if kind == BESTS:
            different = _rank_samples(q, codes, lengths, nothing, ballots, number_of, label_of, stage_of)
            different = different and not replays.replacement
        for r in range(replays.first, replays.first + replays.n, LANES):
            live = min(LANES, replays.first + replays.n - r)
            last[:] = n_stages
            n_open = live * n_budgets
            for i in range(n_stages):
                if n_open == 0:
                    break
                for lane in range(LANES):
                    row, state = i * LANES + lane, word(keys[i, q], r + lane)
                    to = skip[i] + depths[i]
                    draw(order, row, to, targets, scratch, samples, i, lengths[i, q], state, replays.replacement)
                    for j in range(depths[i]):
                        s = order[row, skip[i] + j]
                        order[row, j] = s
                        answers[row, j] = codes[i, q, s] if codes[i, q, s] >= 0 else nothing
                    if tests:
                        start(tally, answers, row, depths[i], right, ties, word(tie_keys[q], r + lane))
                if tests:
                    lead(i * LANES, depths[i], answers, tally, best)
                    n_open = 0
                    for lane in range(live):
                        n_open += settle(q, i, lane, sizes, need, rules.adopt, best, last, hits, stopped)
            for lane in range(live):
                tie_state, stops_at = word(tie_keys[q], r + lane), depth + 1
                if ends.shape[1] > 0:
                    stops_at = np.int64(ends[q, r - replays.first + lane])
                winner, done, n_members, n_valid, counted = np.int64(nothing), False, 0, 0, -1
                for b in range(n_budgets):
                    final = min(last[lane, b], n_stages - 1)
                    if final == SETTLED:
                        continue
                    if done:
                        hits[q, b] += right[winner]
                        continue
                    anew = final != counted
                    for i in range(final + 1):
                        anew |= min(sizes[i, b], stops_at) < at[i]
                    if anew:
                        _clear(n_members, within, known, scores, members, counts, sums, facts)
                        if kind == BESTS:
                            words[:] = 0
                            times[:] = 0
                        winner, n_members, n_valid, counted = np.int64(nothing), 0, 0, final
                        at[:] = 0
                        held[:] = 0
                    changed, look = False, within or kind >= SHORTEST
                    for i in range(final + 1):
                        row, to = i * LANES + lane, min(sizes[i, b], stops_at)
                        for j in range(at[i], to):
                            c, s = np.int64(answers[row, j]), order[row, j]
                            if kind == SHORTEST:
                                changed |= _shorten(i, numbers[i, q, s], c, most, shortest, labels, held)
                                continue
                            if c == nothing:
                                continue
                            changed, before = True, n_members
                            n_members = _note(c, i * depth + j, n_members, known, seen, members)
                            if kind == BESTS:
                                rank, n_valid = ballots.ranks[i, q, s], n_valid + 1
                                words[rank >> 6] |= bit(rank)
                                times[rank] += 1
                            if within:
                                _count_within(i, c, numbers[i, q, s], kind, counts, sums, facts, steps)
                            elif kind < SHORTEST:
                                number = prior[i] * numbers[i, q, s]
                                if kind == SUM:
                                    scores[c] += number
                                elif n_members > before or number > scores[c]:
                                    scores[c] = number
                                if winner == nothing:
                                    winner = c
                                elif c == winner:
                                    look |= number < 0.0 and kind == SUM
                                elif _beats(c, winner, scores, seen, close, right, ties, tie_state):
                                    winner = c
                        at[i] = max(at[i], to)
                    if changed and kind == SHORTEST:
                        _clear(n_members, within, known, scores, members, counts, sums, facts)
                        n_members = 0
                        for i in range(final + 1):
                            for place in range(held[i]):
                                c = np.int64(labels[i, place])
                                if c != nothing:
                                    n_members = _note(c, i * depth + place, n_members, known, seen, members)
                                    scores[c] += prior[i]
                                    if within:
                                        _count_within(i, c, 1.0, kind, counts, sums, facts, steps)
                    if changed and within:
                        for i in range(final + 1):
                            facts[i, AT] = at[i]
                            weights[i] = prior[i] * within_weight(rules.kind, facts, i, logs, inverse_logs, inverses)
                    if changed and look and n_members == 1:
                        winner = np.int64(members[0])
                    elif changed and look:
                        winner = np.int64(-1)
                        if kind == BESTS:
                            for place in range(n_members):
                                scores[members[place]] = 0.0
                            table = powers if powers[n_valid] > _TINY else _from_logs(n_valid, m, logs)
                            if different:
                                winner = _likeliest_of_different(
                                    n_valid, table, weights, scores, label_of, stage_of, words
                                )
                            else:
                                winner = _likeliest_best(
                                    n_valid,
                                    table,
                                    weights,
                                    scores,
                                    number_of,
                                    label_of,
                                    stage_of,
                                    times,
                                    words,
                                    visited,
                                )
                        elif within:
                            _total(n_members, members, weights, final, kind == MAX, counts, sums, scores)
                        if winner < 0:
                            winner = _top(n_members, members, scores, seen, close, right, ties, tie_state)
                    done = sizes[0, b] >= stops_at
                    if done and rules.adopt:
                        winner = np.int64(answers[lane, stops_at - 1])
                    hits[q, b] += right[winner]
                _clear(n_members, within, known, scores, members, counts, sums, facts)
                if kind == BESTS:
                    words[:] = 0
                    times[:] = 0
                at[:] = 0
                held[:] = 0
    return hits, stopped
