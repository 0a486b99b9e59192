"""When one model stops by the votes of all its answers: the chance that another answer leads, against a bar.

Answers have independent Gamma variables (their shares are Dirichlet), and the leader fails if another one is larger. A
table has the chance that this is the next answer or one not seen yet. It is a lower bound, and exact for two answers.
Other decisions are taken on the exact chance, and remembered by 64 bits of random words that stand for all votes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled
from mssim.kernels.streams import draw_next, put_numbers_back, word
from mssim.kernels.tally import Recorded, Replays, most_classes

_REMEMBERED = 1 << 14  # decisions, a power of two
_CLOSE = 1e-3  # the sum over every other node is more accurate, up to 1,000 answers by a factor of 200


@compiled
def _decide(n, first, distinct, order, nothing, counts, answers_with, table, product):
    """Return whether the rule stops after n draws, whose votes are counted."""
    answers_with[: first + 1] = 0
    for j in range(n):
        if order[j] != nothing:
            answers_with[counts[order[j]]] += 1
    for votes in range(2, first + 1):
        answers_with[votes] //= votes  # every draw of an answer counted it
    answers_with[first] -= 1  # the leader itself
    begin, end, bar = table.begins[first], table.ends[first], table.bars[distinct]
    for stride in (2, 1):  # every other node is enough unless the sum is close to the bar
        for k in range(begin, end, stride):
            product[k] = table.below[0, k]
        for votes in range(1, first + 1):
            if answers_with[votes] > 0:
                for k in range(begin, end, stride):
                    product[k] += answers_with[votes] * table.below[votes, k]
        fails = 0.0
        for k in range(begin, end, stride):
            fails -= stride * table.density[first, k] * np.expm1(product[k])
        if abs(fails - bar) > _CLOSE * bar:
            break
    return fails <= bar


@compiled
def _ends(recorded, depth, table, looks, replays, memory, found):
    least, bars = table.least, table.bars
    counts, answers_with, steps, product, known, decided = memory
    _, n_questions, width = recorded.codes.shape
    places, classes = np.empty(width, np.uint16), np.empty(width, np.uint16)
    order, targets = np.empty(depth, np.uint16), np.empty(depth, np.uint32)
    for s in range(width):
        places[s] = s
    for votes in range(1, depth + 1):
        steps[votes] = word(np.uint64(0), votes)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        n = recorded.lengths[0, q]
        for s in range(n):
            c = recorded.codes[0, q, s]
            classes[s] = c if c >= 0 else nothing
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            first, second, distinct = np.int64(0), np.int64(0), np.int64(0)
            hashed, drawn, found[q, r] = np.uint64(0), 0, depth + 1
            changed = False  # whether the leader gained or there is another answer; else the rule cannot stop now
            for j in range(depth):
                drawn, c = j + 1, classes[draw_next(j, n, state, places, targets, replays.replacement)]
                order[j] = c
                if c != nothing:
                    votes = counts[c] + 1
                    counts[c] = votes
                    hashed += steps[votes]
                    if votes == 1:
                        distinct += 1
                        changed = True
                    if votes > first:
                        first = votes
                        changed = True
                    elif votes > second:
                        second = votes
                if not changed or not looks[j + 1]:
                    continue
                changed = False
                if least[first, second] > bars[distinct]:
                    continue
                place = np.int64(hashed & np.uint64(known.size - 1))
                if distinct > 2 and known[place] != hashed:
                    known[place] = hashed
                    decided[place] = _decide(
                        j + 1, first, distinct, order, nothing, counts, answers_with, table, product
                    )
                if distinct <= 2 or decided[place]:
                    found[q, r] = j + 1
                    break
            for j in range(drawn):
                counts[order[j]] = 0
            put_numbers_back(drawn, targets, places)


def ends(recorded: Recorded, depth: int, table: Any, looks: NDArray[np.bool_], replays: Replays) -> NDArray[np.uint16]:
    """Compute the draws after which one model stops, as stops.ends. table is the CountsTable of a rule."""
    found = np.empty((recorded.codes.shape[1], replays.n), np.uint16)
    memory = (
        np.zeros(most_classes(recorded.offsets) + 1, np.int64),  # [class], votes
        np.zeros(depth + 1, np.int64),  # [votes], answers that have so many
        np.zeros(depth + 1, np.uint64),  # [votes], random words: their sum over all votes stands for the counts
        np.empty(table.density.shape[1]),  # [node]
        np.zeros(_REMEMBERED, np.uint64),  # sums of words of which the decision is remembered
        np.zeros(_REMEMBERED, np.bool_),
    )
    _ends(recorded, depth, table, looks, replays, memory, found)
    return found
