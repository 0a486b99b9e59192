"""Tallies: what the replays of every strategy share.

Classes are numbered per question; inside these kernels the number after the last class stands for "no answer".
A tally is one integer per class, `votes << SHIFT | tag << 17 | class << 1 | right`, so that the largest tally belongs
to the class that leads: by votes first, then by the tie rule's tag; its lowest bit says whether that class is right.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled
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
    """Recorded samples of a block of questions, by the models of a strategy."""

    codes: NDArray[np.int16]  # [stage, question, sample], -1 = no answer
    lengths: NDArray[np.int32]  # [stage, question], recorded samples
    offsets: NDArray[np.int64]  # [question + 1], where a question's classes begin in `correct`
    correct: NDArray[np.bool_]  # [class], whether the class is right
    keys: NDArray[np.uint64]  # [stage, question], of the streams of draws
    tie_keys: NDArray[np.uint64]  # [question], of the streams that break ties


class Replays(NamedTuple):
    """Numbers of the replays to run: first to first + n - 1."""

    first: int
    n: int
    replacement: bool


@compiled
def tie_rank(ties, right, tie_state, c):
    """Return the rank of class c in a tie: a hash of replay and class ("random"), or wrong classes first ("wrong")."""
    if ties == RANDOM:
        return np.int64(word(tie_state, c) >> _TAG_BITS)
    return np.int64(1) - right


@compiled
def wins(ties, right, tie_state, c, other):
    """Return whether class c wins a tie against another class."""
    return tie_rank(ties, right[c], tie_state, c) > tie_rank(ties, right[other], tie_state, other)


@compiled
def right_classes(correct, offsets, q):
    """Return whether each class of question q is correct, followed by 0 for "no answer"."""
    first, n_classes = offsets[q], offsets[q + 1] - offsets[q]
    right = np.zeros(n_classes + 1, np.int64)
    for c in range(n_classes):
        right[c] = correct[first + c]
    return right


@compiled
def most_classes(offsets):
    """Return the largest number of classes of a question."""
    most = np.int64(0)
    for q in range(offsets.size - 1):
        most = max(most, offsets[q + 1] - offsets[q])
    return most


class Logarithms(NamedTuple):
    """Tables of functions of n votes."""

    logs: NDArray[np.float64]  # log2 n
    inverse_logs: NDArray[np.float64]  # 1 / log2 n
    inverses: NDArray[np.float64]  # 1 / n
    steps: NDArray[np.int64]  # what vote n + 1 adds to n log2 n, in units of 2**-40: their sum is the same in any order


@lru_cache(maxsize=8)
def logarithms(depth: int) -> Logarithms:
    """Tabulate up to `depth` votes with the C library's logarithms, because NumPy's can differ in the last bit."""
    tables = Logarithms(np.zeros(depth + 1), np.zeros(depth + 1), np.ones(depth + 1), np.zeros(depth, np.int64))
    before = 0
    for n in range(2, depth + 1):
        tables.logs[n], tables.inverses[n] = math.log2(n), 1.0 / n
        tables.inverse_logs[n] = 1.0 / math.log2(n)
        term = round(n * math.log2(n) / UNIT)
        tables.steps[n - 1] = term - before
        before = term
    return tables
