"""Replays in which all questions share one budget: the next sample goes where the leading answer is least certain."""

from __future__ import annotations

import numpy as np

from mssim.kernels.bits import bit, lowest
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import GOLDEN, mix, word
from mssim.kernels.tally import FIRST, SHIFT, right_classes, tie_rank

_NONE = -1
_VOTE = np.int64(1) << SHIFT
_HIGH = np.uint64(32)


@inlined
def _mark(level, words, above, top):
    """Mark a level as waited at, in three layers of bits."""
    words[level >> 6] |= bit(level)
    above[level >> 12] |= bit(level >> 6)
    top[level >> 18] |= bit(level >> 12)


@inlined
def _unmark(level, words, above, top):
    """Take the mark off again."""
    words[level >> 6] &= ~bit(level)
    if words[level >> 6] == 0:
        above[level >> 12] &= ~bit(level >> 6)
        if above[level >> 12] == 0:
            top[level >> 18] &= ~bit(level >> 12)


@inlined
def _least(words, above, top):
    """The lowest level that is marked; there is one."""
    i = 0
    while top[i] == 0:
        i += 1
    j = (i << 6) + lowest(top[i])
    k = (j << 6) + lowest(above[j])
    return (k << 6) + lowest(words[k])


@inlined
def _queue(q, level, head, tail, after):
    """Let a question wait behind those at its level; returns whether it is the only one there."""
    alone = head[level] == _NONE
    after[q] = _NONE
    if alone:
        head[level] = q
    else:
        after[tail[level]] = q
    tail[level] = q
    return alone


@inlined
def _next(q, j, high, n, replacement, left):
    """The class of draw j of a question, of n samples; without replacement as one step of a Fisher-Yates shuffle."""
    if replacement:
        return left[q, (high * np.uint64(n)) >> _HIGH]
    t = j + np.int64((high * np.uint64(n - j)) >> _HIGH)
    c = left[q, t]
    left[q, t] = left[q, j]
    return c


@compiled
def shared(recorded, ties, budgets, caps, levels, replays):
    """Replay one model whose total budget goes to the questions whose leader is least certain.

    recorded : Recorded, of which the first stage is used
    ties     : FIRST, RANDOM or WRONG
    budgets  : int64 [budget], ascending: mean samples per question
    caps     : int64 [question], most samples of a question
    levels   : int64 [votes of the second, votes of the first], from 0, the least certain
    replays  : Replays

    Returns int64 hits [question, budget] and drawn [question, budget], sums over the replays.
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    _, n_questions, width = codes.shape
    hits, drawn = np.zeros((2, n_questions, budgets.size), np.int64)
    most = np.max(offsets[1:] - offsets[:-1]) + 1
    n_levels = levels.max() + 1
    words = np.zeros((n_levels >> 6) + 1, np.uint64)
    above, top = np.zeros((n_levels >> 12) + 1, np.uint64), np.zeros((n_levels >> 18) + 1, np.uint64)
    head, tail = np.full(n_levels, _NONE, np.int32), np.full(n_levels, _NONE, np.int32)
    after = np.empty(n_questions, np.int32)
    pool, left = np.empty((n_questions, width), np.int16), np.empty((n_questions, width), np.int16)
    tally, best = np.zeros((n_questions, most), np.int64), np.zeros(n_questions, np.int64)
    n, first, second = np.zeros((3, n_questions), np.int64)
    states, tie_states = np.empty(n_questions, np.uint64), np.empty(n_questions, np.uint64)
    rights = np.zeros((n_questions, most), np.int64)
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        rights[q, : right.size] = right
        for s in range(lengths[0, q]):
            pool[q, s] = codes[0, q, s]
    for r in range(replays.first, replays.first + replays.n):
        left[:] = pool
        tally[:] = 0
        best[:] = 0
        n[:] = 0
        first[:] = 0
        second[:] = 0
        head[:] = _NONE
        words[:] = 0
        above[:] = 0
        top[:] = 0
        for q in range(n_questions):
            states[q], tie_states[q] = word(keys[0, q], r), word(tie_keys[q], r)
            _queue(q, 0, head, tail, after)
        _mark(0, words, above, top)
        spent = 0
        for b in range(budgets.size):
            while spent < budgets[b] * n_questions:
                level = _least(words, above, top)
                q = head[level]
                head[level] = after[q]
                if head[level] == _NONE:
                    _unmark(level, words, above, top)
                states[q] += GOLDEN
                j = n[q]
                c = np.int64(_next(q, j, mix(states[q]) >> _HIGH, lengths[0, q], replays.replacement, left))
                n[q] += 1
                spent += 1
                if c >= 0:
                    if tally[q, c] == 0:
                        tag = caps[q] - j if ties == FIRST else tie_rank(ties, rights[q, c], tie_states[q], c)
                        tally[q, c] = (tag << 17) + (c << 1) + rights[q, c]
                    tally[q, c] += _VOTE
                    votes = tally[q, c] >> SHIFT
                    best[q] = max(best[q], tally[q, c])
                    if votes > first[q]:
                        first[q] = votes
                    elif votes > second[q]:
                        second[q] = votes
                if n[q] < caps[q]:
                    level = levels[second[q], first[q]]
                    if _queue(q, level, head, tail, after):
                        _mark(level, words, above, top)
            for q in range(n_questions):
                hits[q, b] += best[q] & 1
                drawn[q, b] += n[q]
    return hits, drawn
