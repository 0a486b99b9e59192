"""Replays of strategies that ask one model: whole curves, every budget of a replay in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled
from mssim.kernels.lanes import draw_tallies, labels, larger
from mssim.kernels.spending import NOTHING, Spending, count_draws
from mssim.kernels.tally import LANES, Recorded, Replays, most_classes

_LANES = np.uint32(LANES)


@compiled
def _add_up(seen, depth, live, best, right):
    """Add to right, [draw, lane], whether the leader after every draw is right; best[0] of every lane is 0."""
    for k in range(LANES * depth):
        leads = larger(best[np.uint32(k)], seen[np.uint32(k)])
        best[np.uint32(k) + _LANES] = leads
        right[np.uint32(k)] += leads & 1
    for lane in range(live, LANES):  # replays that nobody asked for
        for j in range(depth):
            right[LANES * j + lane] -= best[LANES * (j + 1) + lane] & 1


@compiled
def _curve(recorded, ties, depth, replays, spending):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    values, starts, _, plain, sizes, spent, numbers, drawn, running, _, pending, _, sums = spending
    totals, histogram, lowest, span = spent
    _, n_questions, width = codes.shape
    hits = np.zeros((n_questions, depth), np.int64)
    samples, scratch = np.empty(width, np.uint16), np.empty(width * LANES, np.uint16)
    seen, best = np.empty(depth * LANES, np.int64), np.zeros((depth + 1) * LANES, np.int64)
    right = np.zeros(depth * LANES, np.int64)
    most = 2 * most_classes(offsets) + 1
    places, tally = np.empty(depth * LANES, np.uint32), np.zeros(most * LANES, np.int64)
    for q in range(n_questions):
        known = correct[offsets[q] : offsets[q + 1]]
        labels(codes[0, q], lengths[0, q], known, samples, scratch, 0)
        for r in range(0, replays.n, LANES):
            live = min(LANES, replays.n - r)
            draw_tallies(
                seen, 0, 0, depth, lengths[0, q], known, samples, scratch, 0,
                places, tally, keys[0, q], tie_keys[q], ties, replays.first + r, replays.replacement,
            )  # fmt: skip
            _add_up(seen, depth, live, best, right)
            if plain.shape[0] > 0:
                count_draws(
                    q, n_questions, r, live, replays.n, depth, places, replays.replacement, sizes,
                    values, starts, plain, numbers, drawn, running, pending, sums, totals, histogram, lowest, span,
                )  # fmt: skip
        for j in range(depth):
            for k in range(LANES * j, LANES * (j + 1)):
                hits[q, j] += right[k]
                right[k] = 0
    return hits


def curve(
    recorded: Recorded, ties: int, depth: int, replays: Replays, spending: Spending = NOTHING
) -> NDArray[np.int64]:
    """Replay the plurality of one model after every number of draws up to `depth`.

    Of recorded the first stage is used. ties is FIRST, RANDOM or WRONG. The totals of `spending` are added up.

    Returns int64 hits [question, draws - 1], replays whose answer after k + 1 draws is right.
    """
    return np.asarray(_curve(recorded, ties, depth, replays, spending))
