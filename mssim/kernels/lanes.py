"""Replays side by side: LANES of them draw at once, because each waits for its own last tally.

Arrays of lanes are flat, with the lane as their last axis; a second axis would cost a multiplication per access.
A sample is known by its label, class << 1 | right; the last label, 2 x classes, stands for "no answer".
"""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import GOLDEN, HIGH, mix, word
from mssim.kernels.tally import FIRST, LABEL, LANES, NO_ANSWER, VOTE, tie_rank

_LANES = np.uint32(LANES)  # unsigned numbers need no check for being negative when they are indices


@inlined
def larger(a, b):
    """Return the larger of two numbers without a branch, which would be mispredicted half the time."""
    more = b - a
    return a + (more & ~(more >> 63))


@compiled
def labels(codes, n, correct, samples, scratch, begin):
    """Write the labels of a question's n samples into samples[begin:], and into scratch for every lane."""
    nothing = 2 * correct.size
    for s in range(n):
        c = np.int64(codes[s])
        label = nothing if c < 0 else (c << 1) + correct[c]
        samples[begin + s] = label
        for lane in range(LANES):
            scratch[(begin + s) * LANES + lane] = label


@compiled
def _places(places, depth, n, key, r, replacement):
    """Fill places [draw, lane] with the positions that replays r to r + LANES - 1 draw, as streams.draw_more."""
    state0, state1, state2, state3 = word(key, r), word(key, r + 1), word(key, r + 2), word(key, r + 3)
    for j in range(depth):
        begin, among = (np.uint32(0), np.uint64(n)) if replacement else (np.uint32(j), np.uint64(n - j))
        state0 += GOLDEN
        state1 += GOLDEN
        state2 += GOLDEN
        state3 += GOLDEN
        places[LANES * j] = begin + np.uint32(((mix(state0) >> HIGH) * among) >> HIGH)
        places[LANES * j + 1] = begin + np.uint32(((mix(state1) >> HIGH) * among) >> HIGH)
        places[LANES * j + 2] = begin + np.uint32(((mix(state2) >> HIGH) * among) >> HIGH)
        places[LANES * j + 3] = begin + np.uint32(((mix(state3) >> HIGH) * among) >> HIGH)


@compiled
def _clear(tally, n_labels, seen, at, depth):
    """Reset a tally to 0: all of it, or the drawn labels if these are fewer."""
    if n_labels < 4 * depth:
        for k in range(n_labels * LANES):  # a slice would count references, which takes as long as several draws
            tally[np.uint32(k)] = 0
        return
    for j in range(depth):
        for lane in range(LANES):
            label = seen[at + LANES * j + lane] & LABEL
            tally[label * LANES + lane] = 0
    for k in range((n_labels - 1) * LANES, n_labels * LANES):
        tally[np.uint32(k)] = 0


@compiled
def draw_tallies(
    seen, at, skip, depth, n, correct, samples, scratch, begin, places, tally, key, tie_key, ties, r, replacement
):
    """Fill seen[at:], [draw, lane], with the tally of the class of every draw after it; negative for no answer.

    Draws skip to skip + depth - 1 of replays r to r + LANES - 1, of the n samples at samples[begin:] whose copies in
    `scratch` are swapped and put back (see streams.draw). `tally` is 0 on entry and on return.
    """
    # 16 parameters: replays take 3 to 12 % longer if the five arrays of memory are handed over as one tuple.
    total, nothing = skip + depth, 2 * correct.size
    _places(places, total, n, key, r, replacement)
    for k in range(nothing * LANES, (nothing + 1) * LANES):
        tally[np.uint32(k)] = NO_ANSWER
    first = np.uint32(begin)
    for j in range(skip if not replacement else 0):
        for lane in range(LANES):
            here = (first + places[np.uint32(j) * _LANES + np.uint32(lane)]) * _LANES + np.uint32(lane)
            scratch[here] = scratch[(first + np.uint32(j)) * _LANES + np.uint32(lane)]
    for j in range(depth):
        earliest, place = np.int64(depth - j) << 17, np.uint32(skip + j)
        for lane in range(LANES):
            here = (first + places[place * _LANES + np.uint32(lane)]) * _LANES + np.uint32(lane)
            label = scratch[here]
            scratch[here] = scratch[here if replacement else (first + place) * _LANES + np.uint32(lane)]
            mine = np.uint32(label) * _LANES + np.uint32(lane)
            votes, tag = tally[mine], earliest
            if ties != FIRST and votes == 0:
                tag = tie_rank(ties, np.int64(label) & 1, word(tie_key, r + lane), label >> 1) << 17
            votes = (tag + np.int64(label) if votes == 0 else votes) + VOTE
            tally[mine] = votes
            seen[np.uint32(at + LANES * j + lane)] = votes
    for j in range(total):
        for lane in range(LANES):
            place = first + places[np.uint32(j) * _LANES + np.uint32(lane)]
            scratch[place * _LANES + np.uint32(lane)] = samples[place]
    _clear(tally, nothing + 1, seen, at, depth)
