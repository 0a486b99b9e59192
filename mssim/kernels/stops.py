"""When one model stops: the number of draws after which a rule says so, in every replay.

The replays proper draw the same samples again, which costs less than carrying the rules into each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import UNIT, Recorded, Replays, logarithms, most_classes

_SLACK = 1e-9  # entropies closer than this are equal
_AT_ONCE = 8  # draws taken together: most replays stop early


@inlined
def _window_agrees(order, end, window, nothing):
    """Return whether the window that ends before draw `end` agrees."""
    answer, same = order[0, end - window], 1
    while same < window and order[0, end - window + same] == answer:
        same += 1
    return same == window and answer != nothing


@inlined
def _scatters_little(n, ordered, distinct, threshold, logs, inverse_logs):
    """Return whether the entropy of n draws, over its maximum, is at most the threshold."""
    if distinct > 1:
        scatter = (logs[n] - ordered * UNIT / n) * inverse_logs[distinct]
    else:  # all agree: an imagined draw of another answer is counted too
        scatter = logs[n + 1] - n * logs[n] / (n + 1)
    return scatter <= threshold + _SLACK


@compiled
def _ends(recorded, depth, table, looks, replays, tables, found):
    by_second, by_draws, threshold, window = table.by_second, table.by_draws, table.entropy, table.window
    give_up, by_votes, kinds = table.give_up, table.by_votes, table.kinds
    _, n_questions, width = recorded.codes.shape
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    logs, inverse_logs, _, steps = tables
    counts = np.zeros(most_classes(recorded.offsets) + 1, np.int64)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        n, kind = recorded.lengths[0, q], kinds[q]
        for s in range(n):
            c = recorded.codes[0, q, s]
            samples[0, s] = scratch[0, s] = c if c >= 0 else nothing
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            first, second, distinct, ordered = np.int64(0), np.int64(0), 0, np.int64(0)
            drawn, voted, found[q, r] = 0, 0, depth + 1
            done: bool | np.bool_ = False
            for j in range(depth):
                if j == drawn:
                    drawn = min(depth, drawn + _AT_ONCE)
                    draw_more(order, 0, j, drawn, targets, scratch, 0, n, state, replays.replacement)
                if window > 0:
                    done = looks[j + 1] and (j + 1) % window == 0 and _window_agrees(order, j + 1, window, nothing)
                else:
                    c = order[0, j]
                    if c == nothing:
                        distinct += 1  # an answer that no other draw shares
                    else:
                        votes = counts[c] + 1
                        counts[c] = votes
                        voted += 1
                        ordered += steps[votes - 1]
                        distinct += votes == 1
                        if votes > first:
                            first = votes
                        elif votes > second:
                            second = votes
                    if by_votes.shape[0] > 0:
                        done = looks[j + 1] and by_votes[kind, voted, second, first]
                    else:
                        done = first >= by_second[second] and first >= by_draws[j + 1]
                        done = (done or first <= give_up[second]) and first > 0 and looks[j + 1]
                        if done and threshold < np.inf:
                            done = _scatters_little(j + 1, ordered, distinct, threshold, logs, inverse_logs)
                if done:
                    found[q, r] = j + 1
                    break
            for j in range(drawn):
                counts[order[0, j]] = 0
            put_back(drawn, targets, scratch, samples, 0, replays.replacement)


def ends(recorded: Recorded, depth: int, table: Any, looks: NDArray[np.bool_], replays: Replays) -> NDArray[np.uint16]:
    """Compute the draws after which one model stops.

    Of recorded the first stage is used. table is the StopTable of a rule for `depth` draws, the most, with the kinds of
    these questions. looks [draws] says after how many draws the rule is asked.

    Returns uint16 [question, replay]: depth + 1 where the rule does not stop.
    """
    found = np.empty((recorded.codes.shape[1], replays.n), np.uint16)
    never = np.full(depth // 2 + 1, -1) if table.give_up is None else table.give_up
    by_votes = np.zeros((0, 0, 0, 0), bool) if table.by_votes is None else table.by_votes
    kinds = np.zeros(len(found), np.int64) if table.kinds is None else table.kinds
    table = table._replace(give_up=never, by_votes=by_votes, kinds=kinds)
    _ends(recorded, depth, table, looks, replays, logarithms(depth + 1), found)
    return found
