"""Replays of votes in which draws count differently: by a recorded number, its rank, or how short they are.

The stages are those of staged.py; what differs is that a draw is a sample, whose number is looked up, and not only a
class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim.kernels.staged import AT, DISTINCT, ORDERED, SETTLED, VALID, deepest, settle, within_weight
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, LANES, buffers, inlined, lead, logarithms, right_classes, start, wins

SUM, MAX, SHORTEST, BESTS = 0, 1, 2, 3
_CLOSE = 1e-9  # scores that are relatively closer than this are equal
_TINY = 1e-290


class Ballots(NamedTuple):
    """What a draw counts in a vote."""

    numbers: NDArray[np.float64]  # [stage, question, sample], finite
    kind: int  # SUM or MAX of the numbers, one each for the m SHORTEST, or the chance to be the BEST of m
    m: int
    close: float  # scores that are absolutely closer than this are equal


@inlined
def _insert(i, key, label, most, keys, labels, held):
    """Put a draw among the `most` smallest keys of stage i, in order, after equal ones; whether it found a place."""
    n = held[i]
    if n == most and not key < keys[i, n - 1]:
        return False
    place = n if n < most else n - 1
    while place > 0 and key < keys[i, place - 1]:
        keys[i, place], labels[i, place] = keys[i, place - 1], labels[i, place - 1]
        place -= 1
    keys[i, place], labels[i, place] = key, label
    held[i] = min(n + 1, most)
    return True


@inlined
def _clear(i, counts, sums, members, facts):
    """Forget the votes of stage i."""
    for place in range(facts[i, DISTINCT]):
        counts[i, members[i, place]] = 0
        sums[i, members[i, place]] = 0.0
    facts[i] = 0


@inlined
def _add(i, c, number, kind, counts, sums, members, facts, steps):
    """Count a draw of class c."""
    n = counts[i, c]
    counts[i, c] = n + 1
    facts[i, ORDERED] += steps[n]
    facts[i, VALID] += 1
    if n == 0:
        members[i, facts[i, DISTINCT]] = c
        facts[i, DISTINCT] += 1
        sums[i, c] = number
    else:
        sums[i, c] = max(sums[i, c], number) if kind == MAX else sums[i, c] + number


@njit(nogil=True, cache=True)
def _power(x, n, m, powers, logs):
    """(x / n)^m, from powers of x / depth; where these vanish, by logarithms."""
    if powers[n] > _TINY:
        return powers[x] / powers[n]
    return 2.0 ** (m * (logs[x] - logs[n])) if x > 0 else 0.0


@njit(nogil=True, cache=True)
def _total(sums, counts, weights, members, facts, last, best_of, scores):
    """Every class's score over stages 0..last, into scores[0]."""
    for i in range(last + 1):
        for place in range(facts[i, DISTINCT]):
            c = members[i, place]
            score = -np.inf if best_of else 0.0
            for k in range(last + 1):
                if counts[k, c] > 0:
                    part = weights[k] * sums[k, c]
                    score = max(score, part) if best_of else score + part
            scores[0, c] = score


@njit(nogil=True, cache=True)
def _top(scores, members, facts, last, close, right, ties, tie_state):
    """The class with the highest score in scores[0], visiting classes in the order in which they were seen."""
    top, winner = -np.inf, np.int64(right.size - 1)
    for i in range(last + 1):
        for place in range(facts[i, DISTINCT]):
            c = np.int64(members[i, place])
            score = scores[0, c]
            if top == -np.inf:
                top, winner = score, c
                continue
            slack = max(close, _CLOSE * max(abs(score), abs(top)))
            if score > top + slack:
                top, winner = score, c
            elif ties != FIRST and score >= top - slack and wins(ties, right, tie_state, c, winner):
                winner = c
    return winner


@njit(nogil=True, cache=True)
def _likeliest_best(last, m, keys, labels, held, weights, scores, powers, logs):
    """Give every class the chance that it has the best of m draws, from the best draw down, in `scores`.

    Returns the leading class, or -1 where others come so near that a tie must be looked at. Stops as soon as what is
    left cannot change the leader.
    """
    place = np.zeros(last + 1, np.int64)
    n = np.int64(0)
    for i in range(last + 1):
        n += held[i]
    top, second, leader, left = 0.0, 0.0, np.int64(-1), n
    while left > 0:
        key = np.inf
        for i in range(last + 1):
            if place[i] < held[i]:
                key = min(key, keys[i, place[i]])
        same = np.int64(0)
        for i in range(last + 1):
            at = place[i]
            while at < held[i] and keys[i, at] == key:
                at += 1
            same += at - place[i]
        rest = _power(left - same, n, m, powers, logs)
        chance = (_power(left, n, m, powers, logs) - rest) / same
        for i in range(last + 1):
            while place[i] < held[i] and keys[i, place[i]] == key:
                c = np.int64(labels[i, place[i]])
                scores[0, c] += weights[i] * chance
                if c == leader:
                    top = scores[0, c]
                elif scores[0, c] > top:
                    top, second, leader = scores[0, c], top, c
                else:
                    second = max(second, scores[0, c])
                place[i] += 1
        left -= same
        if top - second > rest + _CLOSE * top:
            return leader
    return np.int64(-1)


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
    kind, m, close = ballots.kind, ballots.m, ballots.close
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depths = deepest(sizes)
    depth = depths.max()
    samples, scratch, order, targets, tally, best = buffers(n_stages, width, depth + skip.max(), offsets)
    answers = np.empty((order.shape[0], depth), np.uint16)
    logs, inverse_logs, inverses, steps = logarithms(max(depths.sum(), 1) + 1)
    powers = (np.arange(depths.sum() + 1) / max(depths.sum(), 1)) ** m
    last = np.empty((LANES, n_budgets), np.int64)
    counts, sums = np.zeros((n_stages, tally.shape[1]), np.int64), np.zeros((n_stages, tally.shape[1]))
    scores = np.zeros((1, tally.shape[1]))
    members = np.zeros((n_stages, depth + 1), np.uint16)
    facts, weights, held = np.zeros((n_stages, 4), np.int64), np.zeros(n_stages), np.zeros(n_stages, np.int64)
    at = np.zeros(n_stages, np.int64)
    most = min(m, depth) if kind == SHORTEST else depth
    sorted_keys, labels = np.zeros((n_stages, most + 1)), np.zeros((n_stages, most + 1), np.uint16)
    tests = (need <= sizes).any()
    for i in range(n_stages):
        for s in range(width):
            samples[i, s] = s
            scratch[i, s] = s
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        nothing = right.size - 1
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
                tie_state = word(tie_keys[q], r + lane)
                stops_at = depth + 1
                if ends.shape[1] > 0:
                    stops_at = np.int64(ends[q, r - replays.first + lane])
                winner, done = np.int64(-1), False
                for b in range(n_budgets):
                    final = min(last[lane, b], n_stages - 1)
                    if final == SETTLED:
                        continue
                    if rules.adopt and sizes[0, b] >= stops_at:
                        winner, done = np.int64(answers[lane, stops_at - 1]), True
                    if done and sizes[0, b] >= stops_at:
                        hits[q, b] += right[winner]
                        continue
                    for i in range(final + 1):
                        row, to = i * LANES + lane, min(sizes[i, b], stops_at)
                        if to < at[i]:  # what was added in floating point is not taken off again
                            _clear(i, counts, sums, members, facts)
                            at[i], held[i] = 0, 0
                        fresh = at[i] < to
                        for j in range(at[i], to):
                            c, number = answers[row, j], ballots.numbers[i, q, order[row, j]]
                            if kind == SHORTEST:
                                _insert(i, number, c, most, sorted_keys, labels, held)
                            elif c != nothing:
                                if kind == BESTS:
                                    _insert(i, -number, c, most, sorted_keys, labels, held)
                                _add(i, c, number, kind, counts, sums, members, facts, steps)
                        at[i] = to
                        if fresh and kind == SHORTEST:
                            _clear(i, counts, sums, members, facts)
                            for place in range(held[i]):
                                if labels[i, place] != nothing:
                                    _add(i, labels[i, place], 1.0, kind, counts, sums, members, facts, steps)
                        if fresh:
                            facts[i, AT] = to
                            weights[i] = prior[i] * within_weight(rules.kind, facts, i, logs, inverse_logs, inverses)
                    if kind == BESTS:
                        scores[:] = 0.0
                        winner = _likeliest_best(final, m, sorted_keys, labels, held, weights, scores, powers, logs)
                    elif final == 0:  # a weight that all classes share decides nothing
                        winner = _top(sums, members, facts, final, close, right, ties, tie_state)
                    else:
                        _total(sums, counts, weights, members, facts, final, kind == MAX, scores)
                        winner = np.int64(-1)
                    if winner < 0:
                        winner = _top(scores, members, facts, final, close, right, ties, tie_state)
                    hits[q, b] += right[winner]
                    done = sizes[0, b] >= stops_at
                for i in range(n_stages):
                    _clear(i, counts, sums, members, facts)
                    at[i], held[i] = 0, 0
    return hits, stopped
