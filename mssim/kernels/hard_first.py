"""Replays in which questions are ordered by difficulty: the easy ones draw once, and hard ones predict their needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.allocation import count_shared, shared_of
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import FIRST, SHIFT, VOTE, Recorded, Replays, most_classes, tie_rank


@compiled
def _predict(n_seen, before, window, sums, looks):
    """Fill looks [budget] with the draws of the first look: the mean of the last totals, halves to even windows."""
    if n_seen < before:
        looks[:] = window
        return
    parts = np.float64(before * window)
    for b in range(looks.size):  # whole numbers below 2**31: the quotient is a half only if it is one
        if b > 0 and sums[b] == sums[b - 1]:
            looks[b] = looks[b - 1]
        else:
            looks[b] = max(np.int64(np.rint(np.float64(sums[b]) / parts)), 1) * window


@compiled
def _remember(totals, sums, last, place):
    """Replace one of the last totals, last[place] [budget], and update their sums."""
    for b in range(totals.size):
        sums[b] += totals[b] - last[place, b]
        last[place, b] = totals[b]


@inlined
def _agreed(order, n, nothing):
    """Return how many of the first n draws agree, from the first one on; 0 if it has no answer."""
    same = 0
    while same < n and order[0, same] == order[0, 0] and order[0, 0] != nothing:
        same += 1
    return same


@compiled
def _find_borders(r, recorded, replacement, places, easy, samples, scratch, order, targets, runs, borders):
    """Fill borders[n] with the number of hard questions if a look at n draws decides; places are the hardest first."""
    n_windows = borders.size - 1
    borders[:] = places.size
    runs[:] = 0
    found = 0
    for p in range(places.size):
        q = places[p]
        nothing, state = recorded.offsets[q + 1] - recorded.offsets[q], word(recorded.keys[0, q], r)
        draw_more(order, 0, 0, n_windows, targets, scratch, q, recorded.lengths[0, q], state, replacement)
        put_back(n_windows, targets, scratch, samples, q, replacement)
        same = _agreed(order, n_windows, nothing)
        for n in range(1, n_windows + 1):
            runs[n] = runs[n] + 1 if same >= n else 0
            if runs[n] >= easy and borders[n] == places.size:
                borders[n] = p + 1
                found += 1
        if found == n_windows:
            return


@compiled
def _replayed(recorded, ties, sizes, places, rule, enough, replays, memory, spending, of_shared, hits, drawn):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    samples, scratch, order, targets, tally, stops, right, runs, borders, looks, totals, sums, last = memory
    window, easy, before = rule
    n_questions, n_budgets, n_windows = places.size, sizes.size, borders.size - 1
    spends = spending.plain.shape[0] > 0
    for q in range(n_questions):
        for s in range(lengths[0, q]):
            c = codes[0, q, s]
            samples[q, s] = scratch[q, s] = c if c >= 0 else offsets[q + 1] - offsets[q]
    for r in range(replays.first, replays.first + replays.n):
        _find_borders(
            r, recorded, replays.replacement, places, easy, samples, scratch, order, targets, runs, borders
        )  # fmt: skip
        sums[:] = 0
        last[:] = 0
        seen = 0  # hard questions. Budgets below a window have others, but their totals do not depend on them.
        for p in range(n_questions - 1, -1, -1):
            q = places[p]
            nothing, state, tie_state = offsets[q + 1] - offsets[q], word(keys[0, q], r), word(tie_keys[q], r)
            at, look, first, second, best = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            # A look at fewer draws finds at least as many easy questions.
            hard = p < borders[n_windows]
            if hard:
                _predict(seen, before, window, sums, looks)
            for b in range(n_budgets if hard else 1):
                size = sizes[b]
                if not hard or (size < n_windows and p >= borders[size]):
                    look, size = np.int64(1), np.int64(1)
                elif b == 0 or not window <= sizes[b - 1] <= size or looks[b] != looks[b - 1]:
                    look = looks[b]  # else continue where the budget before ended
                while True:
                    to = min(look, size)
                    if to > at:
                        ahead = min(look, order.shape[1])  # where the next budget looks
                        draw_more(order, 0, at, ahead, targets, scratch, q, lengths[0, q], state, replays.replacement)
                        for j in range(at, ahead):
                            c = np.int64(order[0, j])
                            if c != nothing:
                                known = np.int64(correct[offsets[q] + c])
                                if tally[c] == 0:
                                    tag = order.shape[1] - j if ties == FIRST else tie_rank(ties, known, tie_state, c)
                                    tally[c] = (tag << 17) + known
                                tally[c] += VOTE
                                votes = tally[c] >> SHIFT
                                best = max(best, tally[c])
                                if votes > first:
                                    first = votes
                                elif votes > second:
                                    second = votes
                            stops[j + 1] = first > 0 and first >= enough[second]
                            right[j + 1] = best & 1
                        at = ahead
                    if look >= size or stops[look]:
                        break
                    look += window
                totals[b] = to
            if hard:
                _remember(totals, sums, last, seen % before)
                seen += 1
            else:
                totals[:] = 1
            for b in range(n_budgets):
                hits[q, b] += right[totals[b]]
                drawn[q, b] += totals[b]
                if spends:
                    of_shared.counts[b, q] = totals[b]
            for j in range(at):
                tally[order[0, j]] = 0
            put_back(at, targets, scratch, samples, q, replays.replacement)
        if spends:
            count_shared(r, keys, lengths, replays.replacement, of_shared, spending.values, spending.spent)


def replayed(
    recorded: Recorded,
    ties: int,
    sizes: NDArray[np.int64],
    places: NDArray[np.int64],
    rule: Any,
    enough: NDArray[np.int64],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one model whose questions are ordered by difficulty.

    Parameters
    ----------
    recorded : Recorded
        The first stage is used.
    ties : int
        FIRST, RANDOM or WRONG.
    sizes : ndarray of int64, shape (n_budgets,)
        Most samples of a question.
    places : ndarray of int64, shape (n_questions,)
        Questions, the hardest first.
    rule : tuple of int
        window, easy and before of `Ordered`.
    enough : ndarray of int64, shape (votes of the second answer,)
        Votes of the leader with which a hard question stops.
    replays : Replays
    spending : Spending
        The draws of a question follow one another. Their totals are added up.

    Returns
    -------
    hits, drawn : ndarray of int64, shape (n_questions, n_budgets)
        Sums over the replays of right answers and of draws.
    """
    _, n_questions, width = recorded.codes.shape
    depth, (window, _, before) = int(sizes.max()), rule
    hits, drawn = np.zeros((2, n_questions, sizes.size), np.int64)
    n_windows = min(window, depth)
    memory = (
        np.zeros((n_questions, width), np.uint16),  # classes
        np.zeros((n_questions, width), np.uint16),  # the same
        np.zeros((1, depth), np.uint16),  # [draw], classes
        np.zeros(depth, np.uint32),
        np.zeros(most_classes(recorded.offsets) + 1, np.int64),  # [class], tally
        np.zeros(depth + 1, np.bool_),  # [draws], whether the leader is certain
        np.zeros(depth + 1, np.int64),  # [draws], whether it is right
        np.zeros(n_windows + 1, np.int64),  # [draws looked at], questions in a row whose draws agree
        np.zeros(n_windows + 1, np.int64),  # [draws looked at], hard questions
        np.zeros(sizes.size, np.int64),  # [budget], draws of the first look
        np.zeros(sizes.size, np.int64),  # [budget], draws of a question
        np.zeros(sizes.size, np.int64),  # [budget], sum of the totals of the last hard questions
        np.zeros((before, sizes.size), np.int64),  # [question, budget], these
    )
    of_shared = shared_of(sizes.size, n_questions, width, depth)
    _replayed(recorded, ties, sizes, places, rule, enough, replays, memory, spending, of_shared, hits, drawn)
    return hits, drawn
