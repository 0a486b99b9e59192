"""Replays of votes in which draws count differently: by a recorded number, or by how short they are.

The stages are those of staged.py; what differs is that a draw is a sample, whose number is looked up, and not only a
class. From one budget to the next, votes are added to those counted before; where a stage has fewer draws than before,
or other stages vote, all are forgotten and counted anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.stages import DISTINCT, ORDERED, PLAIN, VALID, deepest, within_weight
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, LANES, SHIFT, buffers, lead, logarithms, right_classes, start, wins

SUM, MAX, SHORTEST = 0, 1, 2
CLOSE = 1e-9  # scores that are relatively closer than this are equal
SETTLED = -1


class Ballots(NamedTuple):
    """What a draw counts in a vote."""

    numbers: NDArray[np.float64]  # [stage, question, sample]; infinite where a length is not known
    kind: int  # SUM or MAX of the numbers, or one each for the m SHORTEST
    m: int
    close: float  # scores that are absolutely closer than this are equal


@compiled
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
def note(c, when, n_members, known, seen, members):
    """Note that class c was seen; returns how many classes were."""
    if known[c]:
        seen[c] = min(seen[c], when)
        return n_members
    known[c], seen[c] = True, when
    members[n_members] = c
    return n_members + 1


@inlined
def count_within(i, c, number, kind, counts, sums, facts, steps):
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
def clear(n_members, within, known, scores, members, counts, sums, facts):
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
def beats(c, other, scores, seen, close, right, ties, tie_state):
    """Whether class c has a higher score than another one, or wins their tie."""
    score, top = scores[c], scores[other]
    slack = max(close, CLOSE * max(abs(score), abs(top)))
    if score > top + slack:
        return True
    if score < top - slack:
        return False
    return seen[c] < seen[other] if ties == FIRST else wins(ties, right, tie_state, c, other)


@compiled
def top(n_members, members, scores, seen, close, right, ties, tie_state):
    """The class with the highest score; the number after the last class if none has votes."""
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


@compiled
def counters(n_stages, n_classes):
    """Memory for the votes of one replay, empty: scores, seen, members and known; counts, sums and facts of stages."""
    return (
        np.zeros(n_classes),
        np.zeros(n_classes, np.int64),
        np.zeros(n_classes, np.uint16),
        np.zeros(n_classes, np.bool_),
        np.zeros((n_stages, n_classes), np.int64),
        np.zeros((n_stages, n_classes)),
        np.zeros((n_stages, 4), np.int64),
    )


@compiled
def places(samples, scratch):
    """Make samples their own places, so that a draw is a sample and not its class."""
    for i in range(samples.shape[0]):
        for s in range(samples.shape[1]):
            samples[i, s] = s
            scratch[i, s] = s


@inlined
def settle(q, i, lane, sizes, need, adopt, best, last, hits, stopped):
    """Settle the budgets of a lane at which stage i agrees; returns how many are still open."""
    row, n_open = i * LANES + lane, 0
    for b in range(last.shape[1]):
        if last[lane, b] == sizes.shape[0]:
            tally = best[row, sizes[i, b]]
            if tally >> SHIFT >= need[i, b]:
                stopped[q, i, b] += 1
                last[lane, b] = SETTLED if adopt else i
                if adopt:
                    hits[q, b] += tally & 1
            else:
                n_open += 1
    return n_open


@compiled
def ask(q, r, live, recorded, rules, replays, right, depths, memory, answers, last, hits, stopped):
    """Let the models take their turns in `live` replays from number r, until all budgets are settled.

    Writes the drawn samples into the order of `memory` (see tally.buffers), their classes into `answers`, and for every
    lane and budget which stage agreed into `last`: n_stages if none did, or SETTLED.
    """
    codes, lengths, _, _, keys, tie_keys = recorded
    sizes, need, skip = rules.sizes, rules.need, rules.skip
    samples, scratch, order, targets, tally, best = memory
    n_stages, n_budgets = sizes.shape
    nothing, tests = right.size - 1, (need <= sizes).any()
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
                start(tally, answers, row, depths[i], right, rules.ties, word(tie_keys[q], r + lane))
        if tests:
            lead(i * LANES, depths[i], answers, tally, best)
            n_open = 0
            for lane in range(live):
                n_open += settle(q, i, lane, sizes, need, rules.adopt, best, last, hits, stopped)


@inlined
def steps_back(b, final, stops_at, sizes, at):
    """Whether a stage has fewer draws at budget b than were counted."""
    back = False
    for i in range(final + 1):
        back |= min(sizes[i, b], stops_at) < at[i]
    return back


@inlined
def weigh(final, kind, prior, at, facts, weights, logs, inverse_logs, inverses):
    """Bring the weights of the stages up to date."""
    for i in range(final + 1):
        ordered, distinct, valid = facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID]
        weights[i] = prior[i] * within_weight(kind, at[i], ordered, distinct, valid, logs, inverse_logs, inverses)


@inlined
def _count_shortest(
    final, depth, nothing, prior, within, labels, held, scores, seen, members, known, counts, sums, facts, steps
):
    """Count one vote for each of the shortest draws; returns how many classes have any."""
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
def voted(recorded, rules, ballots, ends, replays):
    """Replay one strategy whose vote looks at each sample, at all budgets.

    recorded : Recorded
    rules    : Rules, of which `kind` is the within-model weight
    ballots  : Ballots
    ends     : uint16 [question, replay], draws after which the only stage stops (see stops.ends); no columns: never
    replays  : Replays

    Returns int64 hits [question, budget] and stopped [question, stage, budget], as staged.staged.
    """
    codes, _, offsets, correct, _, tie_keys = recorded
    sizes, prior, ties, skip = rules.sizes, rules.prior, rules.ties, rules.skip
    numbers, kind, close = ballots.numbers, ballots.kind, ballots.close
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depths = deepest(sizes)
    depth = depths.max()
    memory = buffers(n_stages, width, depth + skip.max(), offsets)
    samples, scratch, order, _, tally, _ = memory
    places(samples, scratch)
    answers, last = np.empty((order.shape[0], depth), np.uint16), np.empty((LANES, n_budgets), np.int64)
    logs, inverse_logs, inverses, steps = logarithms(depth + 1)
    scores, seen, members, known, counts, sums, facts = counters(n_stages, tally.shape[1])
    most = min(ballots.m, depth) if kind == SHORTEST else 0
    shortest, labels = np.zeros((n_stages, most + 1)), np.zeros((n_stages, most + 1), np.uint16)
    held, at, weights = np.zeros(n_stages, np.int64), np.zeros(n_stages, np.int64), prior.copy()
    within = rules.kind != PLAIN
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        nothing = right.size - 1
        for r in range(replays.first, replays.first + replays.n, LANES):
            live = min(LANES, replays.first + replays.n - r)
            ask(q, r, live, recorded, rules, replays, right, depths, memory, answers, last, hits, stopped)
            for lane in range(live):
                tie_state, stops_at = word(tie_keys[q], r + lane), depth + 1
                if ends.shape[1] > 0:
                    stops_at = np.int64(ends[q, r - replays.first + lane])
                winner, done, n_members, counted = np.int64(nothing), False, 0, -1
                for b in range(n_budgets):
                    final = min(last[lane, b], n_stages - 1)
                    if final == SETTLED:
                        continue
                    if done:
                        hits[q, b] += right[winner]
                        continue
                    if final != counted or steps_back(b, final, stops_at, sizes, at):
                        clear(n_members, within, known, scores, members, counts, sums, facts)
                        winner, n_members, counted = np.int64(nothing), 0, final
                        at[:] = 0
                        held[:] = 0
                    # The winner is followed draw by draw, unless all must be looked at.
                    changed, look = False, within or kind == SHORTEST
                    for i in range(final + 1):
                        row, to = i * LANES + lane, min(sizes[i, b], stops_at)
                        for j in range(at[i], to):
                            c, number = np.int64(answers[row, j]), numbers[i, q, order[row, j]]
                            if kind == SHORTEST:
                                changed |= _shorten(i, number, c, most, shortest, labels, held)
                            elif c != nothing:
                                changed, before = True, n_members
                                n_members = note(c, i * depth + j, n_members, known, seen, members)
                                if within:
                                    count_within(i, c, number, kind, counts, sums, facts, steps)
                                    continue
                                number *= prior[i]
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
                        n_members = _count_shortest(
                            final,
                            depth,
                            nothing,
                            prior,
                            within,
                            labels,
                            held,
                            scores,
                            seen,
                            members,
                            known,
                            counts,
                            sums,
                            facts,
                            steps,
                        )
                    if changed and within:
                        weigh(final, rules.kind, prior, at, facts, weights, logs, inverse_logs, inverses)
                        total(n_members, members, weights, final, kind == MAX, counts, sums, scores)
                    if changed and look:
                        winner = top(n_members, members, scores, seen, close, right, ties, tie_state)
                    done = sizes[0, b] >= stops_at
                    if done and rules.adopt:
                        winner = np.int64(answers[lane, stops_at - 1])
                    hits[q, b] += right[winner]
                clear(n_members, within, known, scores, members, counts, sums, facts)
                at[:] = 0
                held[:] = 0
    return hits, stopped
