"""Replays of strategies that ask models in turn: whole curves, every budget of a replay in one pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim.kernels.streams import draw, word
from mssim.kernels.tally import (
    CLASS_BITS,
    FIRST,
    HIGHER,
    LANES,
    SHIFT,
    TAG_MASK,
    UNIT,
    buffers,
    inlined,
    lead,
    load,
    logarithms,
    right_classes,
    start,
    wins,
)

# What a stage's votes count in the final vote: 1, an entropy weight, 1 / draws; or whether any draw is right.
PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE, COVERAGE = 0, 1, 2, 3, 4
# What a vote knows of a stage: draws counted, sum of n log2 n over its classes (see logarithms), distinct answers,
# valid answers.
AT, ORDERED, DISTINCT, VALID = 0, 1, 2, 3

SETTLED = -1


class Rules(NamedTuple):
    """What a strategy does at every budget."""

    sizes: NDArray[np.int64]  # [stage, budget], samples that a stage draws; 0 = the stage is left out
    need: NDArray[np.int64]  # [stage, budget], votes of the leading answer that stop the replay after this stage
    prior: NDArray[np.float64]  # [stage], positive weight of the stage's model in a vote
    kind: int  # PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE or COVERAGE
    highest: bool  # whether the stage whose leader scores highest gives the answer; else votes add up
    ties: int  # FIRST, RANDOM or WRONG
    adopt: bool  # whether a stage that stops gives the answer alone; else all drawn so far vote
    skip: NDArray[np.int64]  # [stage], draws of the stage's model that earlier stages took


@njit(nogil=True, cache=True)
def deepest(sizes):
    """The most draws of every stage."""
    depths = np.zeros(sizes.shape[0], np.int64)
    for i in range(sizes.shape[0]):
        depths[i] = sizes[i].max()
    return depths


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


@inlined
def _common_leader(best, lane, sizes, b, last):
    """The tally of the answer that leads every stage with an answer, or 0 if their leaders differ.

    Such an answer wins under any positive weights, and its ties are decided as in the stages.
    """
    leader = np.int64(0)
    for i in range(last + 1):
        other = best[i * LANES + lane, sizes[i, b]]
        if other > 0 and leader > 0 and (leader ^ other) & CLASS_BITS:
            return np.int64(0)
        leader = leader if leader > 0 else other
    return leader


@inlined
def _count(i, row, to, order, nothing, counts, members, facts, steps):
    """Make counts[i], facts[i] and members[i] (distinct classes, as they came) hold the first `to` draws of a row."""
    ordered, distinct, valid = facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID]
    for j in range(facts[i, AT], to):
        c = order[row, j]
        if c != nothing:
            n = np.int64(counts[i, c])
            counts[i, c] += 1.0
            ordered += steps[n]
            members[i, distinct] = c
            distinct += n == 0
            valid += 1
    for j in range(facts[i, AT] - 1, to - 1, -1):
        c = order[row, j]
        if c != nothing:
            n = np.int64(counts[i, c])
            counts[i, c] -= 1.0
            ordered -= steps[n - 1]
            distinct -= n == 1
            valid -= 1
    facts[i, AT], facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID] = to, ordered, distinct, valid


@inlined
def _forget(counts, members, facts):
    """Undo all counting of a replay."""
    for i in range(counts.shape[0]):
        for place in range(facts[i, DISTINCT]):
            counts[i, members[i, place]] = 0.0
        facts[i] = 0


@inlined
def within_weight(kind, facts, i, logs, inverse_logs, inverses):
    """The within-model weight: 1, 1 / draws, or 1/m + (1 - 1/m)(1 - H / normaliser), H = log2 m - sum(n log2 n) / m."""
    distinct, valid = facts[i, DISTINCT], facts[i, VALID]
    if kind == SHARE:
        return inverses[facts[i, AT]]
    if kind == PLAIN or distinct <= 1:
        return 1.0
    share = inverses[valid]
    entropy = logs[valid] - facts[i, ORDERED] * UNIT * share
    return share + (1.0 - share) * (1.0 - entropy * inverse_logs[distinct if kind == ENTROPY_DISTINCT else valid])


@inlined
def _vote(counts, weights, members, facts, last, leader, right, ties, tie_state):
    """Whether the class with the most weighted votes over stages 0..last is right.

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win. Of
    the classes that only the last stage saw, none can beat that stage's leader.
    """
    top, bar, winner = 0.0, 0.0, np.int64(right.size - 1)
    for i in range(last + 1):
        n_places = facts[i, DISTINCT] if i < last else 1
        for place in range(n_places):
            c = np.int64(members[i, place]) if i < last else leader
            score = 0.0
            for k in range(last + 1):
                score += weights[k] * counts[k, c]
            if score > bar:
                top, bar, winner = score, score * HIGHER, c
            elif ties != FIRST and 0.0 < top <= score * HIGHER and wins(ties, right, tie_state, c, winner):
                winner = c
    return right[winner]


@inlined
def _highest(best, lane, sizes, b, last, weights, ties):
    """The tally of the stage whose leader scores highest; of equals the earlier stage's, or by the rule's tags."""
    top, winner = 0.0, np.int64(0)
    for i in range(last + 1):
        other = best[i * LANES + lane, sizes[i, b]]
        score = weights[i] * (other >> SHIFT)
        if score > top * HIGHER:
            top, winner = score, other
        elif ties != FIRST and 0.0 < top <= score * HIGHER and other & TAG_MASK > winner & TAG_MASK:
            winner = other
    return winner


@inlined
def _covered(order, lane, right, sizes, b):
    """Whether any draw is right (1) or none (0)."""
    for i in range(sizes.shape[0]):
        for j in range(sizes[i, b]):
            if right[order[i * LANES + lane, j]]:
                return np.int64(1)
    return np.int64(0)


@njit(nogil=True, cache=True)
def staged(recorded, rules, replays):
    """Replay one strategy that asks its models in turn, at all budgets.

    recorded : Recorded
    rules    : Rules
    replays  : Replays

    Returns two int64 arrays: hits [question, budget], replays with a right answer; stopped
    [question, stage, budget], replays in which the stage agreed.
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    need, prior, kind, ties, adopt = rules.need, rules.prior, rules.kind, rules.ties, rules.adopt
    skip, highest = rules.skip, rules.highest
    sizes = rules.sizes.astype(np.uint32)  # as indices, unsigned numbers need no check for being negative
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depths = deepest(rules.sizes)
    depth = depths.max()
    samples, scratch, order, targets, tally, best = buffers(n_stages, width, depth + skip.max(), offsets)
    logs, inverse_logs, inverses, steps = logarithms(depth)
    last = np.empty((LANES, n_budgets), np.int64)  # the stage that agreed, n_stages if none did, or SETTLED
    counts, members = np.zeros((n_stages, tally.shape[1])), np.zeros((n_stages, depth + 1), np.uint16)
    facts, weights = np.zeros((n_stages, 4), np.int64), np.zeros(n_stages)
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        nothing = right.size - 1
        for i in range(n_stages):
            load(codes[i, q], lengths[i, q], nothing, samples, scratch, i)
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
                    if skip[i] > 0:
                        for j in range(depths[i]):
                            order[row, j] = order[row, skip[i] + j]
                    start(tally, order, row, depths[i], right, ties, word(tie_keys[q], r + lane))
                lead(i * LANES, depths[i], order, tally, best)
                n_open = 0
                for lane in range(live):
                    n_open += settle(q, i, lane, sizes, need, adopt, best, last, hits, stopped)
            for lane in range(live):
                for b in range(n_budgets):
                    end = min(last[lane, b], n_stages - 1)
                    if end == SETTLED:
                        continue
                    if kind == COVERAGE:
                        hits[q, b] += _covered(order, lane, right, sizes, b)
                        continue
                    leader = _common_leader(best, lane, sizes, b, end)
                    if leader > 0:
                        hits[q, b] += leader & 1
                        continue
                    for i in range(end + 1):
                        if facts[i, AT] != sizes[i, b]:
                            _count(i, i * LANES + lane, sizes[i, b], order, nothing, counts, members, facts, steps)
                            weights[i] = prior[i] * within_weight(kind, facts, i, logs, inverse_logs, inverses)
                    if highest:
                        hits[q, b] += _highest(best, lane, sizes, b, end, weights, ties) & 1
                        continue
                    leader = (best[end * LANES + lane, sizes[end, b]] & CLASS_BITS) >> 1
                    tie_state = word(tie_keys[q], r + lane)
                    hits[q, b] += _vote(counts, weights, members, facts, end, leader, right, ties, tie_state)
                _forget(counts, members, facts)
    return hits, stopped
