"""Replays of strategies that ask one model: whole curves, every budget of a replay in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from mssim.kernels.streams import draw, word
from mssim.kernels.tally import LANES, buffers, lead, load, right_classes, start


@njit(nogil=True, cache=True)
def curve(recorded, ties, depth, ends, adopt, replays):
    """Plurality of one model after every number of draws up to `depth`, unless it stopped before.

    recorded : Recorded, of which the first stage is used
    ties     : FIRST, RANDOM or WRONG
    ends     : uint16 [question, replay], draws after which a replay stops (see stops.ends); no columns: none does
    adopt    : whether the last draw before a stop is the answer, or the plurality of all until then
    replays  : Replays

    Returns int64 hits [question, draws - 1], replays whose answer after k + 1 draws is right.
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, depth), np.int64)
    samples, scratch, order, targets, tally, best = buffers(1, width, depth, offsets)
    for q in range(n_questions):
        right = right_classes(correct, offsets, q)
        load(codes[0, q], lengths[0, q], right.size - 1, samples, scratch, 0)
        for r in range(replays.first, replays.first + replays.n, LANES):
            until = depth
            if ends.shape[1] > 0:
                until = min(depth, np.int64(ends[q, r - replays.first : r - replays.first + LANES].max()))
            for lane in range(LANES):
                state = word(keys[0, q], r + lane)
                draw(order, lane, until, targets, scratch, samples, 0, lengths[0, q], state, replays.replacement)
                start(tally, order, lane, until, right, ties, word(tie_keys[q], r + lane))
            lead(0, until, order, tally, best)
            for lane in range(min(LANES, replays.first + replays.n - r)):
                end = depth
                if ends.shape[1] > 0 and ends[q, r - replays.first + lane] <= depth:
                    end = np.int64(ends[q, r - replays.first + lane]) - 1
                    answer = right[order[lane, end]] if adopt else best[lane, end + 1] & 1
                    for j in range(end, depth):
                        hits[q, j] += answer
                for j in range(end):
                    hits[q, j] += best[lane, j + 1] & 1
    return hits
