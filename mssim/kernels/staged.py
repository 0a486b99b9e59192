"""Replays of strategies that draw model by model: whole curves, every budget of a replay in one pass.

Classes are numbered per question; inside these kernels the number after the last class stands for "no answer".
A tally is one integer per class, `votes << SHIFT | tag << 17 | class << 1 | right`, so that the largest tally belongs
to the class that leads: by votes first, then by the tie rule's tag; its lowest bit says whether that class is right.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mssim.kernels.streams import draw, word

FIRST, RANDOM, WRONG = 0, 1, 2  # tie rules
PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, COVERAGE = 0, 1, 2, 3  # what the final vote counts
# What a vote knows of a stage: draws counted, sum of n log2 n over its classes (see _logarithms), distinct answers,
# valid answers.
AT, ORDERED, DISTINCT, VALID = 0, 1, 2, 3

SHIFT = 47
_VOTE = np.int64(1) << SHIFT
_NEVER = -(np.int64(1) << 62)
_TAG_BITS = np.uint64(64 - 30)
_CLASS_BITS = np.int64(0x1FFFE)
_LANES = 4
_UNIT = 2.0**-40
_HIGHER = 1.0 + 1e-9  # scores closer than this are equal: only the order of floating-point sums tells them apart


@njit(nogil=True, cache=True)
def _tag(ties, right, tie_state, c):
    """Rank of class c among tied ones: under "random" a hash of replay and class, under "wrong" wrong ones first."""
    if ties == RANDOM:
        return np.int64(word(tie_state, c) >> _TAG_BITS)
    return np.int64(1) - right


@njit(nogil=True, cache=True)
def _logarithms(depth):
    """log2 n, its inverse, and n log2 n in units of 2**-40: whole numbers, whose sum is the same in any order."""
    logs, inverse_logs, terms = np.zeros(depth + 1), np.zeros(depth + 1), np.zeros(depth + 1, np.int64)
    for n in range(2, depth + 1):
        logs[n] = np.log2(n)
        inverse_logs[n] = 1.0 / logs[n]
        terms[n] = np.int64(np.rint(n * logs[n] / _UNIT))
    return logs, inverse_logs, terms


@njit(nogil=True, cache=True)
def _right_classes(correct, offsets, q):
    """Whether each class of question q is right, and a last, wrong one for "no answer"."""
    right = np.zeros(offsets[q + 1] - offsets[q] + 1, np.int64)
    right[:-1] = correct[offsets[q] : offsets[q + 1]]
    return right


@njit(nogil=True, cache=True)
def _load(codes, n, nothing, samples, scratch, source):
    """Copy the recorded classes of one question, giving "no answer" its number."""
    for s in range(n):
        c = codes[s] if codes[s] >= 0 else nothing
        samples[source, s] = c
        scratch[source, s] = c


@njit(nogil=True, cache=True)
def _start(tally, order, row, depth, right, ties, tie_state):
    """Start the tally of every drawn class; its earliest draw is written last and stays."""
    for j in range(depth - 1, -1, -1):
        c = order[row, j]
        tag = depth - j if ties == FIRST else _tag(ties, right[c], tie_state, c)
        tally[row, c] = (tag << 17) + (np.int64(c) << 1) + right[c]
    tally[row, right.size - 1] = _NEVER


@njit(nogil=True, cache=True)
def curve(codes, lengths, offsets, correct, keys, tie_keys, ties, depth, first, n_replays, replacement):
    """Plurality of one model after every number of draws up to `depth`.

    codes     : int16 [question, sample], -1 = no answer
    lengths   : int32 [question], recorded samples
    offsets   : int64 [question + 1], where a question's classes begin in `correct`
    correct   : bool [class], whether the class is right
    keys      : uint64 [question]; tie_keys likewise
    first     : number of the first replay

    Returns int64 [depth, question]: in how many of the replays the plurality of the first k + 1 draws is right.
    """
    n_questions, width = codes.shape
    result = np.zeros((depth, n_questions), np.int64)
    most = np.max(offsets[1:] - offsets[:-1]) + 1
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((_LANES, depth), np.uint16), np.empty(depth, np.uint32)
    # Replays run side by side because each waits for its own last tally; an odd width keeps the rows off one cache set.
    tally = np.empty((_LANES, most + 1 - most % 2), np.int64)
    best, live = np.empty(_LANES, np.int64), np.empty(_LANES, np.int64)
    hits = np.empty(depth, np.int64)
    for q in range(n_questions):
        right = _right_classes(correct, offsets, q)
        _load(codes[q], lengths[q], right.size - 1, samples, scratch, 0)
        hits[:] = 0
        for r in range(first, first + n_replays, _LANES):
            for lane in range(_LANES):
                state = word(keys[q], r + lane)
                draw(order, lane, depth, targets, scratch, samples, 0, lengths[q], state, replacement)
                _start(tally, order, lane, depth, right, ties, word(tie_keys[q], r + lane))
                best[lane] = 0
                live[lane] = r + lane < first + n_replays
            for j in range(depth):
                hit = np.int64(0)
                for lane in range(_LANES):
                    c = order[lane, j]
                    tally[lane, c] += _VOTE
                    best[lane] = max(best[lane], tally[lane, c])
                    hit += best[lane] & live[lane]
                hits[j] += hit
        result[:, q] = hits
    return result


@njit(nogil=True, cache=True)
def _lead(tally, order, i, depth, best):
    """Fill best[i, m] with the leading tally after m draws of stage i (0 = no answer yet)."""
    top = np.int64(0)
    for j in range(depth):
        tally[i, order[i, j]] += _VOTE
        top = max(top, tally[i, order[i, j]])
        best[i, j + 1] = top


@njit(nogil=True, cache=True)
def _stop(i, sizes, need, best, last):
    """Note stage i as the last one at the budgets at which it agrees; returns how many are still open."""
    n_open = 0
    for b in range(last.size):
        agreed = best[i, sizes[i, b]] >> SHIFT >= need[i, b]
        last[b] = min(last[b], i if agreed else sizes.shape[0])
        n_open += last[b] == sizes.shape[0]
    return n_open


@njit(nogil=True, cache=True)
def _common_leader(best, sizes, b, last):
    """The tally of the answer that leads every stage with an answer, or 0 if their leaders differ.

    Such an answer wins under any positive weights, and its ties are decided as in the stages.
    """
    leader = np.int64(0)
    for i in range(last + 1):
        other = best[i, sizes[i, b]]
        if other > 0 and leader > 0 and (leader ^ other) & _CLASS_BITS:
            return np.int64(0)
        leader = leader if leader > 0 else other
    return leader


@njit(nogil=True, cache=True)
def _count(i, to, order, nothing, counts, members, facts, terms):
    """Make counts[i], facts[i] and members[i] (distinct classes, as they came) hold the first `to` draws of stage i."""
    ordered, distinct, valid = facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID]
    for j in range(facts[i, AT], to):
        c = order[i, j]
        if c != nothing:
            n = np.int64(counts[i, c])
            counts[i, c] += 1.0
            ordered += terms[n + 1] - terms[n]
            members[i, distinct] = c
            distinct += n == 0
            valid += 1
    for j in range(facts[i, AT] - 1, to - 1, -1):
        c = order[i, j]
        if c != nothing:
            n = np.int64(counts[i, c])
            counts[i, c] -= 1.0
            ordered -= terms[n] - terms[n - 1]
            distinct -= n == 1
            valid -= 1
    facts[i, AT], facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID] = to, ordered, distinct, valid


@njit(nogil=True, cache=True)
def _weight(kind, ordered, distinct, valid, logs, inverse_logs):
    """The within-model weight: 1, or 1/m + (1 - 1/m)(1 - H / normaliser) with H = log2 m - sum(n log2 n) / m bits."""
    if kind == PLAIN or distinct <= 1:
        return 1.0
    share = 1.0 / valid
    entropy = logs[valid] - ordered * _UNIT * share
    return share + (1.0 - share) * (1.0 - entropy * inverse_logs[distinct if kind == ENTROPY_DISTINCT else valid])


@njit(nogil=True, cache=True)
def _wins(ties, right, tie_state, c, other):
    """Whether class c wins a tie against another class."""
    return _tag(ties, right[c], tie_state, c) > _tag(ties, right[other], tie_state, other)


@njit(nogil=True, cache=True)
def _vote(counts, weights, members, facts, last, leader, right, ties, tie_state):
    """Whether the class with the most weighted votes over stages 0..last is right.

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win. Of
    the classes that only the last stage saw, none can beat that stage's leader.
    """
    top, winner = 0.0, np.int64(right.size - 1)
    for i in range(last + 1):
        n_places = facts[i, DISTINCT] if i < last else 1
        for place in range(n_places):
            c = np.int64(members[i, place]) if i < last else leader
            score = 0.0
            for k in range(last + 1):
                score += weights[k] * counts[k, c]
            if score > top * _HIGHER:
                top, winner = score, c
            elif ties != FIRST and 0.0 < top <= score * _HIGHER and _wins(ties, right, tie_state, c, winner):
                winner = c
    return right[winner]


@njit(nogil=True, cache=True)
def _covered(order, right, sizes, b):
    """Whether any draw is right (1) or none (0)."""
    for i in range(sizes.shape[0]):
        for j in range(sizes[i, b]):
            if right[order[i, j]]:
                return np.int64(1)
    return np.int64(0)


@njit(nogil=True, cache=True)
def staged(
    codes,
    lengths,
    offsets,
    correct,
    keys,
    tie_keys,
    sizes,
    need,
    prior,
    kind,
    ties,
    adopt,
    first,
    n_replays,
    replacement,
):
    """Replay one strategy that asks its models in turn, at all budgets.

    codes     : int16 [stage, question, sample], -1 = no answer
    lengths   : int32 [stage, question], recorded samples
    offsets   : int64 [question + 1], where a question's classes begin in `correct`
    correct   : bool [class], whether the class is right
    keys      : uint64 [stage, question]; tie_keys uint64 [question]
    sizes     : int64 [stage, budget], samples that a stage draws; 0 = the stage is left out
    need      : int64 [stage, budget], votes of the leading answer that stop the replay after this stage
    prior     : float64 [stage], positive weight of the stage's model in a vote
    kind      : PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES or COVERAGE
    adopt     : whether a stage that stops gives the answer alone; else all drawn so far vote
    first     : number of the first replay

    Returns two int64 arrays: hits [budget, question], replays with a right answer; stopped
    [stage, budget, question], replays in which the stage was the last one asked.
    """
    n_stages, n_budgets = sizes.shape
    n_questions, width = codes.shape[1:]
    hits = np.zeros((n_budgets, n_questions), np.int64)
    stopped = np.zeros((n_stages, n_budgets, n_questions), np.int64)
    depths = np.zeros(n_stages, np.int64)
    for i in range(n_stages):
        depths[i] = sizes[i].max()
    depth = depths.max()
    most = np.max(offsets[1:] - offsets[:-1])
    logs, inverse_logs, terms = _logarithms(depth)
    samples, scratch = np.empty((n_stages, width), np.uint16), np.empty((n_stages, width), np.uint16)
    order, targets = np.empty((n_stages, depth), np.uint16), np.empty(depth, np.uint32)
    tally, members = np.zeros((n_stages, most + 1), np.int64), np.zeros((n_stages, depth + 1), np.uint16)
    best = np.zeros((n_stages, depth + 1), np.int64)
    counts, weights, facts = np.zeros((n_stages, most + 1)), np.zeros(n_stages), np.zeros((n_stages, 4), np.int64)
    hit, stops = np.zeros(n_budgets, np.int64), np.zeros((n_stages, n_budgets), np.int64)
    last = np.zeros(n_budgets, np.int64)  # the stage that agreed, or n_stages
    for q in range(n_questions):
        right = _right_classes(correct, offsets, q)
        hit[:], stops[:] = 0, 0
        for i in range(n_stages):
            _load(codes[i, q], lengths[i, q], right.size - 1, samples, scratch, i)
        for r in range(first, first + n_replays):
            tie_state = word(tie_keys[q], r)
            last[:], n_open = n_stages, n_budgets
            for i in range(n_stages):
                if n_open > 0:
                    state = word(keys[i, q], r)
                    draw(order, i, depths[i], targets, scratch, samples, i, lengths[i, q], state, replacement)
                    _start(tally, order, i, depths[i], right, ties, tie_state)
                    _lead(tally, order, i, depths[i], best)
                    n_open = _stop(i, sizes, need, best, last)
            for b in range(n_budgets):
                end = min(last[b], n_stages - 1)
                stops[end, b] += 1
                if kind == COVERAGE:
                    hit[b] += _covered(order, right, sizes, b)
                    continue
                if adopt and last[b] < n_stages:
                    hit[b] += best[end, sizes[end, b]] & 1
                    continue
                leader = _common_leader(best, sizes, b, end)
                if leader > 0:
                    hit[b] += leader & 1
                    continue
                for i in range(end + 1):
                    _count(i, sizes[i, b], order, right.size - 1, counts, members, facts, terms)
                    weights[i] = prior[i] * _weight(
                        kind, facts[i, ORDERED], facts[i, DISTINCT], facts[i, VALID], logs, inverse_logs
                    )
                leader = (best[end, sizes[end, b]] & _CLASS_BITS) >> 1
                hit[b] += _vote(counts, weights, members, facts, end, leader, right, ties, tie_state)
            for i in range(n_stages):
                for place in range(facts[i, DISTINCT]):
                    counts[i, members[i, place]] = 0.0
                facts[i] = 0
        hits[:, q], stopped[:, :, q] = hit, stops
    return hits, stopped
