"""Whether enough of the draws of one model are right: the chance in closed form, and replays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, compiled_like_numpy
from mssim.kernels.lanes import draw_tallies, labels
from mssim.kernels.spending import NOTHING, Spending, count_draws
from mssim.kernels.streams import HIGH, word
from mssim.kernels.tally import FIRST, LANES, Recorded, Replays, most_classes

_NEGLIGIBLE = 1e-30  # share of a sum that even thousands of smaller terms do not change


@compiled_like_numpy
def _odds(j, total, right, draws, replacement):
    """Return how much more likely j + 1 right draws are than j."""
    if replacement:
        return (draws - j) * float(right) / ((j + 1.0) * (total - right))
    return (right - j) * float(draws - j) / ((j + 1.0) * (total - right - draws + j + 1))


@compiled_like_numpy
def _score(j, draws, least, raised):
    """Return the chance that j right draws are enough."""
    if j < least:
        return 0.0
    return min(1.0, 2.0 * (j - least + 1) / draws) if raised else 1.0


@compiled_like_numpy
def _chance(total, right, draws, least, raised, replacement):
    """Return the chance that enough draws are right, from the weights of all numbers of right draws.

    Weights are relative to that of the most likely number, so that none overflows. All terms are positive, so nothing
    cancels, and what is certain is exactly 1.
    """
    if replacement:
        low, high = draws if right == total else 0, draws if right > 0 else 0
        mode = (draws + 1.0) * (right / total)
    else:
        low, high = max(0, draws - (total - right)), min(right, draws)
        mode = (draws + 1.0) * ((right + 1.0) / (total + 2.0))
    start = min(max(int(mode), low), high)
    enough, short, weight = 0.0, 0.0, 1.0
    for j in range(start, low - 1, -1):
        score = _score(j, draws, least, raised)
        enough += weight * score
        short += weight * (1.0 - score)
        if weight < _NEGLIGIBLE:
            break
        if j > low:
            weight /= _odds(j - 1, total, right, draws, replacement)
    weight = 1.0
    for j in range(start, high):
        weight *= _odds(j, total, right, draws, replacement)
        if weight == 0.0 or weight < _NEGLIGIBLE * enough:
            break
        score = _score(j + 1, draws, least, raised)
        enough += weight * score
        short += weight * (1.0 - score)
    return enough / (enough + short)


@compiled_like_numpy
def enough_right(total, right, draws, least, raised, replacement):
    """Compute the probability that at least `least` draws are right.

    total, right : int64 [question], recorded samples and right ones among them
    draws, least : int64 [pair]
    raised       : whether `least` is raised by t // 2, t being a random number from 0 to draws - 1

    Returns float64 [question, pair]; NaN where fewer samples were recorded.
    """
    found = np.full((total.size, draws.size), np.nan)
    for q in range(total.size):
        for p in range(draws.size):
            if total[q] > 0 and (replacement or draws[p] <= total[q]):
                found[q, p] = _chance(total[q], right[q], draws[p], least[p], raised, replacement)
    return found


@compiled
def _replayed(recorded, sizes, least, raised, replays, spending):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    values, starts, _, plain, _, spent, numbers, drawn, running, _, pending, _, sums = spending
    totals, histogram, lowest, span = spent
    _, n_questions, width = codes.shape
    depth, n_budgets = np.int64(0), sizes.shape[1]
    for b in range(n_budgets):
        depth = max(depth, sizes[0, b])
    hits = np.zeros((n_questions, n_budgets), np.int64)
    samples, scratch = np.empty(width, np.uint16), np.empty(width * LANES, np.uint16)
    seen, places = np.empty(depth * LANES, np.int64), np.empty(depth * LANES, np.uint32)
    tally = np.zeros((2 * most_classes(offsets) + 1) * LANES, np.int64)
    n_right = np.zeros((depth + 1) * LANES, np.int64)
    for q in range(n_questions):
        known = correct[offsets[q] : offsets[q + 1]]
        labels(codes[0, q], lengths[0, q], known, samples, scratch, 0)
        for number in range(0, replays.n, LANES):
            r, live = replays.first + number, min(LANES, replays.n - number)
            draw_tallies(
                seen, 0, 0, depth, lengths[0, q], known, samples, scratch, 0,
                places, tally, keys[0, q], tie_keys[q], FIRST, r, replays.replacement,
            )  # fmt: skip
            if plain.shape[0] > 0:
                count_draws(
                    q, n_questions, number, live, replays.n, depth, places, replays.replacement, sizes,
                    values, starts, plain, numbers, drawn, running, pending, sums, totals, histogram, lowest, span,
                )  # fmt: skip
            for k in range(LANES * depth):
                n_right[k + LANES] = n_right[k] + (seen[k] & 1)  # the lowest bit says whether the draw is right
            for lane in range(live):
                lot = word(tie_keys[q], r + lane) >> HIGH
                for b in range(n_budgets):
                    raise_by = np.int64((lot * np.uint64(sizes[0, b])) >> HIGH) // 2 if raised else np.int64(0)
                    hits[q, b] += n_right[LANES * sizes[0, b] + lane] >= least[b] + raise_by
    return hits


def replayed(
    recorded: Recorded,
    sizes: NDArray[np.int64],
    least: NDArray[np.int64],
    raised: bool,
    replays: Replays,
    spending: Spending = NOTHING,
) -> NDArray[np.int64]:
    """Replay the draws of one model, and count the replays in which enough are right at every budget.

    Of recorded the first stage is used. sizes and least are int64 [budget], draws and right ones that are enough.
    raised is as in `enough_right`; t depends on the stream that breaks ties. The totals of `spending` are added up.

    Returns int64 hits [question, budget].
    """
    return np.asarray(_replayed(recorded, sizes.reshape(1, -1), least, raised, replays, spending))
