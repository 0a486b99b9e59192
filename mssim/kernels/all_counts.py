"""When one model stops by the votes of all its answers: the chance that another answer leads, against a bar.

Answers have independent Gamma variables (their shares are Dirichlet), and the leader fails if another one is larger.
Its chance to fail is at least the largest of its chances to fail against one answer, and at most 1 minus the product of
its chances to hold, because all of these grow with its own variable (Chebyshev's inequality). Few decisions are left,
which are taken on the exact chance and remembered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import draw_more, put_back, word
from mssim.kernels.tally import Recorded, Replays, most_classes

_AT_ONCE = 8  # draws taken together: most replays stop early
_CLEARLY = 1.0 - 1e-11  # bounds decide only with a margin above their rounding
_REMEMBERED = 1 << 14  # decisions


@inlined
def _bounded(first, second, distinct, answers_with, holds, bars):
    """Return 1 if the bounds let the rule stop, 0 if they do not, and -1 if they leave it open."""
    bar = bars[distinct]  # of the logarithm of the chance that the leader holds
    least = holds[first, 0]  # against an answer that was not seen
    if second > 0:
        least = min(least, holds[first, second])
    if least * _CLEARLY < bar:
        return 0
    total = holds[first, 0]
    for votes in range(1, second + 1):
        total += answers_with[votes] * holds[first, votes]
    if first == second:
        total -= holds[first, first]  # the leader itself
    return 1 if total >= bar * _CLEARLY else -1


@compiled
def _fails(first, second, answers_with, below, density, begins, ends, product):
    """Return the chance that another answer has a larger variable than the leader: a sum over nodes."""
    begin, end = begins[first], ends[first]
    for k in range(begin, end):
        product[k] = below[0, k]
    for votes in range(1, second + 1):
        times = answers_with[votes] - (votes == first)
        if times > 0:
            for k in range(begin, end):
                product[k] += times * below[votes, k]
    chance = 0.0
    for k in range(begin, end):
        chance -= density[first, k] * np.expm1(product[k])
    return chance


@compiled
def _ends(recorded, depth, table, replays, memory, found):
    holds, bars, below, density, begins, ends, looks = table
    counts, answers_with, words, product, known, decided = memory
    _, n_questions, width = recorded.codes.shape
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    for votes in range(1, depth + 1):
        words[votes] = word(np.uint64(0), votes)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        n = recorded.lengths[0, q]
        for s in range(n):
            c = recorded.codes[0, q, s]
            samples[0, s] = scratch[0, s] = c if c >= 0 else nothing
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            first, second, distinct = np.int64(0), np.int64(0), np.int64(0)
            hashed, drawn, found[q, r] = np.uint64(0), 0, depth + 1
            changed = False  # whether the leader gained or there is another answer; else the rule cannot stop now
            for j in range(depth):
                if j == drawn:
                    drawn = min(depth, drawn + _AT_ONCE)
                    draw_more(order, 0, j, drawn, targets, scratch, 0, n, state, replays.replacement)
                c = order[0, j]
                if c != nothing:
                    votes = counts[c] + 1
                    counts[c] = votes
                    hashed += words[votes] - words[votes - 1]
                    answers_with[votes - 1] -= 1
                    answers_with[votes] += 1
                    if votes == 1:
                        distinct += 1
                        changed = True
                    if votes > first:
                        first = votes
                        changed = True
                    elif votes > second:
                        second = votes
                if not changed or (looks.size > 0 and not looks[j + 1]):
                    continue
                changed = False
                stop = _bounded(first, second, distinct, answers_with, holds, bars)
                if stop < 0:
                    place = np.int64(hashed & np.uint64(_REMEMBERED - 1))
                    if known[place] != hashed:
                        chance = _fails(first, second, answers_with, below, density, begins, ends, product)
                        known[place], decided[place] = hashed, chance <= -np.expm1(bars[distinct])
                    stop = np.int64(decided[place])
                if stop > 0:
                    found[q, r] = j + 1
                    break
            for j in range(drawn):
                counts[order[0, j]] = 0
            for votes in range(first + 1):
                answers_with[votes] = 0
            put_back(drawn, targets, scratch, samples, 0, replays.replacement)


def ends(recorded: Recorded, depth: int, table: Any, replays: Replays) -> NDArray[np.uint16]:
    """Compute the draws after which one model stops, as stops.ends. table is the CountsTable of a rule."""
    found = np.empty((recorded.codes.shape[1], replays.n), np.uint16)
    memory = (
        np.zeros(most_classes(recorded.offsets) + 1, np.int64),  # [class], votes
        np.zeros(depth + 1, np.int64),  # [votes], answers that have so many
        np.zeros(depth + 1, np.uint64),  # [votes], random words: their sum over the answers stands for all counts
        np.empty(table.density.shape[1]),  # [node]
        np.zeros(_REMEMBERED, np.uint64),  # sums of words whose decision is remembered
        np.zeros(_REMEMBERED, np.bool_),
    )
    _ends(recorded, depth, table, replays, memory, found)
    return found
