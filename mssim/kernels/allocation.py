"""Replays in which all questions share one budget: the next sample goes where the leading answer is least certain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bits import bit, lowest
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, Spending, count_bins
from mssim.kernels.streams import GOLDEN, draw, mix, word
from mssim.kernels.tally import FIRST, SHIFT, Recorded, Replays, most_classes, right_classes, tie_rank

_NONE = -1
_VOTE = np.int64(1) << SHIFT
_HIGH = np.uint64(32)


@inlined
def _mark(level, words, above, top):
    """Mark a level at which questions wait, in three layers of bits."""
    words[level >> 6] |= bit(level)
    above[level >> 12] |= bit(level >> 6)
    top[level >> 18] |= bit(level >> 12)


@inlined
def _unmark(level, words, above, top):
    """Remove the mark."""
    words[level >> 6] &= ~bit(level)
    if words[level >> 6] == 0:
        above[level >> 12] &= ~bit(level >> 6)
        if above[level >> 12] == 0:
            top[level >> 18] &= ~bit(level >> 12)


@inlined
def _least(words, above, top):
    """Return the lowest marked level. At least one level must be marked."""
    i = 0
    while top[i] == 0:
        i += 1
    j = (i << 6) + lowest(top[i])
    k = (j << 6) + lowest(above[j])
    return (k << 6) + lowest(words[k])


@inlined
def _queue(q, level, head, tail, after):
    """Append a question to the queue of its level; return whether it is alone there."""
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
    """Return the class of draw j of n samples; without replacement this is one step of a Fisher-Yates shuffle."""
    if replacement:
        return left[q, (high * np.uint64(n)) >> _HIGH]
    t = j + np.int64((high * np.uint64(n - j)) >> _HIGH)
    c = left[q, t]
    left[q, t] = left[q, j]
    return c


class Shared(NamedTuple):
    """Memory of `count_shared`."""

    counts: NDArray[np.int64]  # [budget, question], draws of a replay
    found: NDArray[np.int64]  # [budget, question], totals, flat
    running: NDArray[np.int64]  # [draws], totals of a question; 0 after no draws
    line: NDArray[np.uint16]  # [1, draw], samples
    targets: NDArray[np.uint32]  # [draw]
    samples: NDArray[np.uint16]  # [1, sample], their own numbers
    scratch: NDArray[np.uint16]  # the same


def shared_of(n_budgets: int, n_questions: int, width: int, cap: int) -> Shared:
    """Allocate the memory of `count_shared` for at most `cap` draws of a question."""
    samples = np.arange(width, dtype=np.uint16).reshape(1, -1)
    return Shared(
        counts=np.zeros((n_budgets, n_questions), np.int64),
        found=np.zeros(n_budgets * n_questions, np.int64),
        running=np.zeros(cap + 1, np.int64),
        line=np.empty((1, cap), np.uint16),
        targets=np.empty(cap, np.uint32),
        samples=samples,
        scratch=samples.copy(),
    )


@compiled
def count_shared(r, keys, lengths, replacement, memory, values, spent):
    """Count the totals of replay r, in which question q took the first counts[b, q] draws until budget b."""
    counts, found, running, line, targets, samples, scratch = memory
    totals, histogram, lowest, span = spent
    n_quantities, n_questions, n_budgets = totals.shape
    n_bins, flat = histogram.shape[2], histogram.reshape(-1)
    for k in range(n_quantities):
        for q in range(n_questions):
            depth, begin = np.int64(0), (k * n_questions + q) * samples.shape[1]
            for b in range(n_budgets):
                depth = max(depth, counts[b, q])
            draw(line, 0, depth, targets, scratch, samples, 0, lengths[0, q], word(keys[0, q], r), replacement)
            for j in range(depth):
                running[j + 1] = running[j] + values[begin + line[0, j]]
            for b in range(n_budgets):
                total = running[counts[b, q]]
                totals[k, q, b] += total
                found[b * n_questions + q] = total
        for b in range(n_budgets if n_bins > 0 else 0):
            row = k * n_budgets + b
            first, last = count_bins(row, found, b * n_questions, n_questions, n_bins, lowest[k], flat)
            span[k, b, 0], span[k, b, 1] = min(span[k, b, 0], first), max(span[k, b, 1], last)


class _Memory(NamedTuple):
    """Arrays of a block of questions. They are allocated in Python, which saves compile time."""

    words: NDArray[np.uint64]  # bits of the levels at which questions wait
    above: NDArray[np.uint64]  # bits of the words that are not 0
    top: NDArray[np.uint64]  # bits of those
    head: NDArray[np.int32]  # [level], first question that waits there
    tail: NDArray[np.int32]  # [level], last question
    after: NDArray[np.int32]  # [question], next question at the same level
    pool: NDArray[np.int16]  # [question, sample], recorded classes
    left: NDArray[np.int16]  # [question, sample], the same as they are drawn
    tally: NDArray[np.int64]  # [question, class]
    rights: NDArray[np.int64]  # [question, class], whether it is right
    best: NDArray[np.int64]  # [question], leading tally
    n: NDArray[np.int64]  # [question], draws
    first: NDArray[np.int64]  # [question], votes of the leading answer
    second: NDArray[np.int64]  # [question], votes of the next
    states: NDArray[np.uint64]  # [question], of the stream of draws
    tie_states: NDArray[np.uint64]  # [question]


def _memory(recorded, levels):
    _, n_questions, width = recorded.codes.shape
    n_levels, most = int(levels.max()) + 1, most_classes(recorded.offsets) + 1
    return _Memory(
        words=np.zeros((n_levels >> 6) + 1, np.uint64),
        above=np.zeros((n_levels >> 12) + 1, np.uint64),
        top=np.zeros((n_levels >> 18) + 1, np.uint64),
        head=np.full(n_levels, _NONE, np.int32),
        tail=np.full(n_levels, _NONE, np.int32),
        after=np.empty(n_questions, np.int32),
        pool=np.empty((n_questions, width), np.int16),
        left=np.empty((n_questions, width), np.int16),
        tally=np.zeros((n_questions, most), np.int64),
        rights=np.zeros((n_questions, most), np.int64),
        best=np.zeros(n_questions, np.int64),
        n=np.zeros(n_questions, np.int64),
        first=np.zeros(n_questions, np.int64),
        second=np.zeros(n_questions, np.int64),
        states=np.empty(n_questions, np.uint64),
        tie_states=np.empty(n_questions, np.uint64),
    )


@compiled
def _shared(recorded, ties, budgets, caps, levels, replays, memory, spending, of_shared, hits, drawn):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    words, above, top, head, tail, after, pool, left, tally, rights, best, n, first, second, states, tie_states = memory
    n_questions = codes.shape[1]
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
            _queue(q, levels[0, 0], head, tail, after)
        _mark(levels[0, 0], words, above, top)
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
                of_shared.counts[b, q] = n[q]
        if spending.plain.shape[0] > 0:
            count_shared(r, keys, lengths, replays.replacement, of_shared, spending.values, spending.spent)


def shared(
    recorded: Recorded,
    ties: int,
    budgets: NDArray[np.int64],
    caps: NDArray[np.int64],
    levels: NDArray[np.int64],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one model whose total budget goes to the questions whose leader is least certain.

    Parameters
    ----------
    recorded : Recorded
        The first stage is used.
    ties : int
        FIRST, RANDOM or WRONG.
    budgets : ndarray of int64, shape (n_budgets,)
        Mean samples per question, ascending.
    caps : ndarray of int64, shape (n_questions,)
        Most samples of each question.
    levels : ndarray of int64, shape (votes of the second answer, votes of the first)
        Level of certainty from 0, the least certain.
    replays : Replays
    spending : Spending
        The draws of a question follow one another. Their totals are added up.

    Returns
    -------
    hits, drawn : ndarray of int64, shape (n_questions, n_budgets)
        Sums over the replays of right answers and of draws.
    """
    _, n_questions, width = recorded.codes.shape
    hits, drawn = np.zeros((2, n_questions, budgets.size), np.int64)
    memory, of_shared = _memory(recorded, levels), shared_of(budgets.size, n_questions, width, int(caps.max()))
    _shared(recorded, ties, budgets, caps, levels, replays, memory, spending, of_shared, hits, drawn)
    return hits, drawn
