"""When one model stops: the number of draws after which a rule says so, in every replay.

The replays proper draw the same samples again, which costs less than carrying the rules into each of them.
"""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import UNIT, load, logarithms

_SLACK = 1e-9  # entropies closer than this are equal
_AT_ONCE = 8  # draws taken together: most replays stop early


@inlined
def _window_agrees(order, end, window, nothing):
    """Whether the window that ends before draw `end` agrees."""
    answer, same = order[0, end - window], 1
    while same < window and order[0, end - window + same] == answer:
        same += 1
    return same == window and answer != nothing


@inlined
def _scatters_little(n, ordered, distinct, threshold, logs, inverse_logs):
    """Whether the entropy of n draws, over its maximum, is at most the threshold."""
    if distinct > 1:
        scatter = (logs[n] - ordered * UNIT / n) * inverse_logs[distinct]
    else:  # all agree: an imagined draw of another answer is counted too
        scatter = logs[n + 1] - n * logs[n] / (n + 1)
    return scatter <= threshold + _SLACK


@compiled
def ends(recorded, depth, table, replays):
    """Draws after which one model stops.

    recorded : Recorded, of which the first stage is used
    depth    : most draws
    table    : StopTable for that many draws
    replays  : Replays

    Returns uint16 [question, replay]: depth + 1 where the rule does not stop.
    """
    by_second, by_draws, threshold, window = table.by_second, table.by_draws, table.entropy, table.window
    _, n_questions, width = recorded.codes.shape
    found = np.full((n_questions, replays.n), depth + 1, np.uint16)
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    logs, inverse_logs, _, steps = logarithms(depth + 1)
    counts = np.zeros(np.max(recorded.offsets[1:] - recorded.offsets[:-1]) + 1, np.int64)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        n = recorded.lengths[0, q]
        load(recorded.codes[0, q], n, nothing, samples, scratch, 0)
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            first, second, distinct, ordered = np.int64(0), np.int64(0), 0, np.int64(0)
            drawn = 0
            done: bool | np.bool_ = False
            for j in range(depth):
                if j == drawn:
                    drawn = min(depth, drawn + _AT_ONCE)
                    draw_more(order, 0, j, drawn, targets, scratch, 0, n, state, replays.replacement)
                if window > 0:
                    done = (j + 1) % window == 0 and _window_agrees(order, j + 1, window, nothing)
                else:
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
                    done = first > 0 and first >= by_second[second] and first >= by_draws[j + 1]
                    if done and threshold < np.inf:
                        done = _scatters_little(j + 1, ordered, distinct, threshold, logs, inverse_logs)
                if done:
                    found[q, r] = j + 1
                    break
            for j in range(drawn):
                counts[order[0, j]] = 0
            put_back(drawn, targets, scratch, samples, 0, replays.replacement)
    return found
