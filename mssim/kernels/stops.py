"""When one model stops: the number of draws after which a rule says so, in every replay.

The replays proper draw the same samples again, which costs less than carrying the rules into each of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mssim.kernels.streams import draw, word
from mssim.kernels.tally import UNIT, inlined, load, logarithms

_SLACK = 1e-9  # entropies closer than this are equal


@inlined
def _after_window(order, depth, window, nothing):
    """Draws up to the end of the first window that agrees; depth + 1 if none does."""
    for end in range(window, depth + 1, window):
        answer, same = order[0, end - window], 1
        while same < window and order[0, end - window + same] == answer:
            same += 1
        if same == window and answer != nothing:
            return end
    return depth + 1


@inlined
def _after_table(order, depth, nothing, by_second, by_draws, entropy, counts, logs, inverse_logs, steps):
    """Draws after which the table says stop; depth + 1 if it never does. `counts` is 0 on entry and on return."""
    first, second, distinct, ordered, end = np.int64(0), np.int64(0), 0, np.int64(0), depth + 1
    for j in range(depth):
        c = order[0, j]
        if c == nothing:
            distinct += 1  # an answer that no other draw shares
        else:
            votes = counts[c] + 1
            counts[c] = votes
            ordered += steps[votes - 1]
            distinct += votes == 1
            if votes > first:
                first = votes
            elif votes > second:
                second = votes
        if first == 0 or first < by_second[second] or first < by_draws[j + 1]:
            continue
        n, scatter = j + 1, -np.inf
        if entropy < np.inf and distinct > 1:
            scatter = (logs[n] - ordered * UNIT / n) * inverse_logs[distinct]
        elif entropy < np.inf:  # all agree: an imagined draw of another answer is counted too
            scatter = logs[n + 1] - n * logs[n] / (n + 1)
        if scatter <= entropy + _SLACK:
            end = n
            break
    for j in range(min(end, depth)):
        counts[order[0, j]] = 0
    return end


@njit(nogil=True, cache=True)
def ends(recorded, depth, table, replays):
    """Draws after which one model stops.

    recorded : Recorded, of which the first stage is used
    depth    : most draws
    table    : StopTable for that many draws
    replays  : Replays

    Returns uint16 [question, replay]: depth + 1 where the rule does not stop.
    """
    _, n_questions, width = recorded.codes.shape
    n = replays.n
    found = np.empty((n_questions, n), np.uint16)
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    logs, inverse_logs, _, steps = logarithms(depth + 1)
    most = np.max(recorded.offsets[1:] - recorded.offsets[:-1]) + 1
    counts = np.zeros(most, np.int64)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        length = recorded.lengths[0, q]
        load(recorded.codes[0, q], length, nothing, samples, scratch, 0)
        for r in range(n):
            state = word(recorded.keys[0, q], replays.first + r)
            draw(order, 0, depth, targets, scratch, samples, 0, length, state, replays.replacement)
            if table.window > 0:
                found[q, r] = _after_window(order, depth, table.window, nothing)
            else:
                found[q, r] = _after_table(
                    order,
                    depth,
                    nothing,
                    table.by_second,
                    table.by_draws,
                    table.entropy,
                    counts,
                    logs,
                    inverse_logs,
                    steps,
                )
    return found
