"""Replays of strategies that ask one model: whole curves, every budget of a replay in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from mssim.kernels.streams import draw, word
from mssim.kernels.tally import LANES, buffers, inlined, lead, load, right_classes, start


@inlined
def _first_agreement(order, row, window, n_windows, nothing):
    """The first window whose draws all give the same answer; n_windows if none does."""
    for t in range(n_windows):
        answer, same = order[row, t * window], 1
        while same < window and order[row, t * window + same] == answer:
            same += 1
        if same == window and answer != nothing:
            return t
    return n_windows


@njit(nogil=True, cache=True)
def curve(recorded, ties, depth, window, replays):
    """Plurality of one model after every number of draws up to `depth`, unless a window of draws agreed before.

    recorded : Recorded, of which the first stage is used
    ties     : FIRST, RANDOM or WRONG
    window   : draws of a window; 0 = none stops
    replays  : Replays

    Returns int64 hits [question, draws - 1], replays whose answer after k + 1 draws is right; and stopped
    [question, window], replays in which a window was the first to agree.
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, depth), np.int64)
    n_windows = depth // window if window > 0 else 0
    stopped = np.zeros((n_questions, n_windows), np.int64)
    samples, scratch, order, targets, tally, best = buffers(1, width, depth, offsets)
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        load(codes[0, q], lengths[0, q], right.size - 1, samples, scratch, 0)
        for r in range(replays.first, replays.first + replays.n, LANES):
            for lane in range(LANES):
                state = word(keys[0, q], r + lane)
                draw(order, lane, depth, targets, scratch, samples, 0, lengths[0, q], state, replays.replacement)
                start(tally, order, lane, depth, right, ties, word(tie_keys[q], r + lane))
            lead(0, depth, order, tally, best)
            for lane in range(min(LANES, replays.first + replays.n - r)):
                agreed = _first_agreement(order, lane, window, n_windows, right.size - 1)
                end = depth
                if agreed < n_windows:
                    stopped[q, agreed] += 1
                    end = (agreed + 1) * window - 1
                    for j in range(end, depth):
                        hits[q, j] += right[order[lane, end]]
                for j in range(end):
                    hits[q, j] += best[lane, j + 1] & 1
    return hits, stopped
