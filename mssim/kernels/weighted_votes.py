"""Replays of votes in which draws count differently: by a recorded number, or by how short they are.

A draw is a sample, whose number is looked up, and not only a class. From one budget to the next, votes are added to
those counted before. If a stage has fewer draws than before, or if other stages vote, all votes are counted anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bundles import Rules, results
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.stage_votes import DISTINCT, ORDERED, PLAIN, VALID, within_weight
from mssim.kernels.streams import word
from mssim.kernels.tally import FIRST, Recorded, Replays, logarithms, right_classes, wins
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of

SUM, MAX, SHORTEST, FREQUENT = 0, 1, 2, 3
CLOSE = 1e-9  # scores that are relatively closer than this are equal


class Ballots(NamedTuple):
    """Contribution of each draw to a vote."""

    numbers: NDArray[np.float64]  # [stage, question, sample]; infinite where a length is not known
    kind: int  # SUM or MAX of the numbers, one each for the m SHORTEST, or their mean for FREQUENT classes
    m: int
    alpha: float  # share of the draws that a frequent class has
    close: float  # scores that are absolutely closer than this are equal


class Counters(NamedTuple):
    """Votes of one replay."""

    scores: NDArray[np.float64]  # [class]
    seen: NDArray[np.int64]  # [class], when it was first seen: stages in order, then draws
    members: NDArray[np.uint16]  # classes in the order in which they were counted
    known: NDArray[np.bool_]  # [class], whether it is among them
    counts: NDArray[np.int64]  # [stage, class], votes
    sums: NDArray[np.float64]  # [stage, class], sum or maximum of the votes' numbers
    facts: NDArray[np.int64]  # [stage, fact], see stage_votes
    at: NDArray[np.int64]  # [stage], draws counted
    weights: NDArray[np.float64]  # [stage], prior times within-model weight


@compiled
def _shorten(i, number, label, most, keys, labels, held):
    """Insert a draw among the `most` smallest numbers of stage i, after equal ones; return whether it was inserted."""
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
def note(c, when, n_members, known, seen, members):
    """Note that class c was seen; return how many classes were."""
    if known[c]:
        seen[c] = min(seen[c], when)
        return n_members
    known[c], seen[c] = True, when
    members[n_members] = c
    return n_members + 1


@inlined
def count_within(i, c, number, kind, counts, sums, facts, steps):
    """Count a draw of class c for stage i only."""
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
def clear(n_members, within, known, scores, members, counts, sums, facts):
    """Reset all votes."""
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
def beats(c, other, scores, seen, close, right, ties, tie_state):
    """Return whether class c has a higher score than another class, or wins their tie."""
    score, top = scores[c], scores[other]
    slack = max(close, CLOSE * max(abs(score), abs(top)))
    if score > top + slack:
        return True
    if score < top - slack:
        return False
    return seen[c] < seen[other] if ties == FIRST else wins(ties, right, tie_state, c, other)


@compiled
def top(n_members, members, scores, seen, close, right, ties, tie_state):
    """Return the class with the highest score, or the number after the last class if none has votes."""
    winner = np.int64(right.size - 1)
    for place in range(n_members):
        c = np.int64(members[place])
        if place == 0 or beats(c, winner, scores, seen, close, right, ties, tie_state):
            winner = c
    return winner


@compiled
def total(n_members, members, weights, final, best_of, counts, sums, scores):
    """Score every class over stages 0..final, each with its weight."""
    for place in range(n_members):
        c = members[place]
        score = -np.inf if best_of else 0.0
        for k in range(final + 1):
            if counts[k, c] > 0:
                part = weights[k] * sums[k, c]
                score = max(score, part) if best_of else score + part
        scores[c] = score


def counters(n_stages: int, n_classes: int) -> Counters:
    """Allocate the memory for the votes of one replay; doing so in Python saves compile time."""
    return Counters(
        np.zeros(n_classes),
        np.zeros(n_classes, np.int64),
        np.zeros(n_classes, np.uint16),
        np.zeros(n_classes, np.bool_),
        np.zeros((n_stages, n_classes), np.int64),
        np.zeros((n_stages, n_classes)),
        np.zeros((n_stages, 4), np.int64),
        np.zeros(n_stages, np.int64),
        np.ones(n_stages),
    )


@inlined
def steps_back(b, final, stops_at, sizes, at):
    """Return whether a stage has fewer draws at budget b than were counted."""
    back = False
    for i in range(final + 1):
        back |= min(sizes[i, b], stops_at) < at[i]
    return back


@inlined
def weigh(final, kind, prior, at, facts, weights, logs, inverse_logs, inverses):
    """Update the weights of the stages."""
    for i in range(final + 1):
        ordered, distinct, valid = facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID]
        weights[i] = prior[i] * within_weight(kind, at[i], ordered, distinct, valid, logs, inverse_logs, inverses)


@compiled
def _frequent(n_members, members, votes, enough, frequent):
    """List the classes that have enough votes, or else the most votes; return their number."""
    most, n = 0.0, 0
    for place in range(n_members):
        most = max(most, votes[members[place]])
    enough = min(enough, (1.0 - CLOSE) * most)
    for place in range(n_members):
        c = members[place]
        if votes[c] >= enough:
            frequent[n] = c
            n += 1
    return n


@compiled
def _second(n, frequent, winner, means):
    """Return the highest mean of the other classes."""
    second = -np.inf
    for place in range(n):
        if frequent[place] != winner:
            second = max(second, means[frequent[place]])
    return second


@compiled
def _count_shortest(final, depth, nothing, prior, within, labels, held, counters, steps):
    """Count one vote for each of the shortest draws; return how many classes have votes."""
    scores, seen, members, known, counts, sums, facts, _, _ = counters
    n_members = 0
    for i in range(final + 1):
        for place in range(held[i]):
            c = np.int64(labels[i, place])
            if c != nothing:
                n_members = note(c, i * depth + place, n_members, known, seen, members)
                scores[c] += prior[i]
                if within:
                    count_within(i, c, 1.0, SHORTEST, counts, sums, facts, steps)
    return n_members


@compiled
def _voted(recorded, rules, ballots, ends, replays, turns, counters, tables, shortest, gate, hits, stopped):
    codes, _, offsets, correct, _, tie_keys = recorded
    numbers, kind, most, alpha, close = ballots
    sizes, prior, ties, order, last = rules.sizes, rules.prior, rules.ties, turns.order, turns.last
    scores, seen, members, known, counts, sums, facts, at, weights = counters
    (keys, labels, held), (votes, means, frequent), (logs, inverse_logs, inverses, steps) = shortest, gate, tables
    depth, within, n_members = order.shape[2], rules.kind != PLAIN, 0
    later = np.zeros(sizes.shape[1], np.int64)
    for q in range(hits.shape[0]):
        right = right_classes(correct, offsets, q)
        nothing = np.int64(right.size - 1)
        if count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
            continue
        for number in range(replays.n):
            r = number % BATCH
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state = word(tie_keys[q], replays.first + number)
            stops_at = np.int64(ends[q, number]) if ends.shape[1] > 0 else depth + 1
            winner, counted, second = nothing, -1, -np.inf
            n_open = min(turns.settled[stops_at] + 1, sizes.shape[1])
            for b in range(n_open):
                final = last[r, b]
                if final == SETTLED:
                    continue
                if final != counted or steps_back(b, final, stops_at, sizes, at):
                    clear(n_members, within, known, scores, members, counts, sums, facts)
                    winner, n_members, counted = nothing, 0, final
                    at[:] = 0
                    held[:] = 0
                    votes[:] = 0.0
                # The winner is followed draw by draw, unless all must be looked at.
                changed, look = False, within or kind == SHORTEST
                for i in range(final + 1):
                    to = min(sizes[i, b], stops_at)
                    for j in range(at[i], to):
                        s = order[r, i, j]
                        c, number = np.int64(codes[i, q, s]), numbers[i, q, s]
                        if kind == SHORTEST:
                            changed |= _shorten(i, number, c if c >= 0 else nothing, most, keys, labels, held)
                        elif c >= 0:
                            changed, before = True, n_members
                            n_members = note(c, i * depth + j, n_members, known, seen, members)
                            if within:
                                count_within(i, c, number, kind, counts, sums, facts, steps)
                                continue
                            number *= prior[i]
                            if kind == FREQUENT:
                                scores[c] += number
                                votes[c] += prior[i]
                                means[c] = scores[c] / votes[c]
                                if c != winner:
                                    second = max(second, means[c])
                                continue
                            if kind == SUM:
                                scores[c] += number
                            elif n_members > before or number > scores[c]:
                                scores[c] = number
                            if c == winner:
                                look |= number < 0.0 and kind == SUM
                            elif winner == nothing or beats(c, winner, scores, seen, close, right, ties, tie_state):
                                winner = c
                    at[i] = max(at[i], to)
                if changed and kind == SHORTEST:
                    clear(n_members, within, known, scores, members, counts, sums, facts)
                    n_members = _count_shortest(final, depth, nothing, prior, within, labels, held, counters, steps)
                if kind == FREQUENT and n_members > 1:
                    enough = 0.0
                    for i in range(final + 1):
                        enough += (alpha - CLOSE) * prior[i] * at[i]
                    # The others are looked at only if one of them may have passed the winner since they were.
                    leads = winner != nothing and votes[winner] >= enough
                    if not (leads and means[winner] > second + 2.0 * CLOSE):
                        n = _frequent(n_members, members, votes, enough, frequent)
                        winner = top(n, frequent, means, seen, close, right, ties, tie_state)
                        second = _second(n, frequent, winner, means)
                elif kind == FREQUENT:
                    winner = np.int64(members[0]) if n_members > 0 else nothing
                if changed and within:
                    weigh(final, rules.kind, prior, at, facts, weights, logs, inverse_logs, inverses)
                    total(n_members, members, weights, final, kind == MAX, counts, sums, scores)
                if changed and look:
                    winner = top(n_members, members, scores, seen, close, right, ties, tie_state)
                hits[q, b] += right[winner]
            if n_open < sizes.shape[1] and last[r, n_open] != SETTLED:
                later[n_open] += right[winner]  # the same at all further budgets
        for b in range(1, sizes.shape[1]):
            later[b] += later[b - 1]
            hits[q, b] += later[b]
        later[:] = 0


def voted(
    recorded: Recorded,
    rules: Rules,
    ballots: Ballots,
    ends: NDArray[np.uint16],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose vote depends on each sample, at all budgets.

    The `kind` of rules is the within-model weight. ends is uint16 [question, replay], draws after which the only stage
    stops (see stops.ends); without columns it never does. The totals of `spending` are added up.

    Returns int64 hits [question, budget] and stopped [question, stage, budget], as stages.staged.
    """
    depth = int(rules.sizes.max())
    most = min(ballots.m, depth) if ballots.kind == SHORTEST else 0
    ballots = ballots._replace(m=most)
    hits, stopped = results(rules, recorded)
    n_stages, turns = len(rules.sizes), turns_of(rules, recorded, replays, spending)
    memory, tables = counters(n_stages, turns.tally.size), logarithms(depth + 1)
    held, keys = np.zeros(n_stages, np.int64), np.zeros((n_stages, most + 1))
    shortest = keys, np.zeros((n_stages, most + 1), np.uint16), held
    gate = np.zeros(turns.tally.size), np.zeros(turns.tally.size), np.zeros(turns.tally.size, np.uint16)
    _voted(recorded, rules, ballots, ends, replays, turns, memory, tables, shortest, gate, hits, stopped)
    return hits, stopped
