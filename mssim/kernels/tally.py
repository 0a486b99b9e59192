"""Tallies: what the replays of every strategy share.

Classes are numbered per question; inside these kernels the number after the last class stands for "no answer".
A tally is one integer per class, `votes << SHIFT | tag << 17 | class << 1 | right`, so that the largest tally belongs
to the class that leads: by votes first, then by the tie rule's tag; its lowest bit says whether that class is right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import word

FIRST, RANDOM, WRONG = 0, 1, 2
TIE_RULES = {"first": FIRST, "random": RANDOM, "wrong": WRONG}

SHIFT = 47
LANES = 4
CLASS_BITS = np.int64(0x1FFFE)
LABEL = CLASS_BITS + 1
TAG_MASK = (np.int64(1) << SHIFT) - (np.int64(1) << 17)
HIGHER = 1.0 + 1e-9  # scores closer than this are equal: only the order of floating-point sums tells them apart
UNIT = 2.0**-40  # of sums of n log2 n
VOTE = np.int64(1) << SHIFT
NO_ANSWER = -(np.int64(1) << 62)  # a tally that never leads
_TAG_BITS = np.uint64(64 - 30)


class Recorded(NamedTuple):
    """What was recorded of a block of questions, by the models of a strategy."""

    codes: NDArray[np.int16]  # [stage, question, sample], -1 = no answer
    lengths: NDArray[np.int32]  # [stage, question], recorded samples
    offsets: NDArray[np.int64]  # [question + 1], where a question's classes begin in `correct`
    correct: NDArray[np.bool_]  # [class], whether the class is right
    keys: NDArray[np.uint64]  # [stage, question], of the streams of draws
    tie_keys: NDArray[np.uint64]  # [question], of the streams that break ties


class Replays(NamedTuple):
    """Which replays to run: numbers first to first + n - 1."""

    first: int
    n: int
    replacement: bool


@compiled
def tie_rank(ties, right, tie_state, c):
    """Rank of class c among tied ones: under "random" a hash of replay and class, under "wrong" wrong ones first."""
    if ties == RANDOM:
        return np.int64(word(tie_state, c) >> _TAG_BITS)
    return np.int64(1) - right


@compiled
def wins(ties, right, tie_state, c, other):
    """Whether class c wins a tie against another class."""
    return tie_rank(ties, right[c], tie_state, c) > tie_rank(ties, right[other], tie_state, other)


@compiled
def right_classes(correct, offsets, q):
    """Whether each class of question q is right, and a last, wrong one for "no answer"."""
    right = np.zeros(offsets[q + 1] - offsets[q] + 1, np.int64)
    right[:-1] = correct[offsets[q] : offsets[q + 1]]
    return right


@compiled
def load(codes, n, nothing, samples, scratch, source):
    """Copy the recorded classes of one question, giving "no answer" its number."""
    for s in range(n):
        c = codes[s] if codes[s] >= 0 else nothing
        samples[source, s] = c
        scratch[source, s] = c


@inlined
def start(tally, order, row, depth, right, ties, tie_state):
    """Start the tally of every drawn class; its earliest draw is written last and stays."""
    for j in range(depth - 1, -1, -1):
        c = order[row, j]
        tag = depth - j if ties == FIRST else tie_rank(ties, right[c], tie_state, c)
        tally[row, c] = (tag << 17) + (np.int64(c) << 1) + right[c]
    tally[row, right.size - 1] = NO_ANSWER


@compiled
def buffers(n_stages, width, depth, offsets):
    """Memory for one question's samples and LANES replays; row i * LANES + lane belongs to stage i of a lane."""
    rows, most = n_stages * LANES, np.max(offsets[1:] - offsets[:-1]) + 1
    samples, scratch = np.empty((n_stages, width), np.uint16), np.empty((n_stages, width), np.uint16)
    order, targets = np.empty((rows, depth), np.uint16), np.empty(depth, np.uint32)
    # Rows of an odd length do not compete for one set of the cache.
    tally, best = np.empty((rows, most + 1 - most % 2), np.int64), np.zeros((rows, depth + 1), np.int64)
    return samples, scratch, order, targets, tally, best


@inlined
def lead(row, depth, order, tally, best):
    """Fill best[row, m] with the leading tally after m draws (0 = no answer yet), for LANES rows.

    Replays run side by side because each waits for its own last tally.
    """
    for lane in range(row, row + LANES):
        best[lane, 0] = 0
    for j in range(depth):
        for lane in range(row, row + LANES):
            c = order[lane, j]
            tally[lane, c] += VOTE
            best[lane, j + 1] = max(best[lane, j], tally[lane, c])


@compiled
def logarithms(depth):
    """Tables over n votes of log2 n, 1 / log2 n, 1 / n, and what vote n + 1 adds to n log2 n.

    The last is in units of 2**-40: whole numbers, whose sum is the same in any order.
    """
    logs, inverse_logs, inverses = np.zeros(depth + 1), np.zeros(depth + 1), np.ones(depth + 1)
    steps, before = np.zeros(depth, np.int64), np.int64(0)
    for n in range(2, depth + 1):
        logs[n], inverses[n] = np.log2(n), 1.0 / n
        inverse_logs[n] = 1.0 / logs[n]
        term = np.int64(np.rint(n * logs[n] / UNIT))
        steps[n - 1] = term - before
        before = term
    return logs, inverse_logs, inverses, steps
