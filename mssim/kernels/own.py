"""Replays that ask a user's own function, compiled with Numba or plain Python.

The code below is compiled for a compiled function and runs as it stands for a plain one, so it says its unsigned
numbers out loud: Python's own would be read as signed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim.kernels.staged import Rules
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, Recorded, Replays, load, right_classes, wins

_CLOSE = 1e-9


def _ends(recorded, depth, replays, function):
    """Draws after which the function says stop, uint16 [question, replay]; depth + 1 where it never does."""
    _, n_questions, width = recorded.codes.shape
    found = np.empty((n_questions, replays.n), np.uint16)
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    for q in range(n_questions):
        nothing = recorded.offsets[q + 1] - recorded.offsets[q]
        length = recorded.lengths[0, q]
        load(recorded.codes[0, q], length, nothing, samples, scratch, 0)
        for r in range(replays.n):
            state = np.uint64(word(np.uint64(recorded.keys[0, q]), replays.first + r))
            draw(order, 0, depth, targets, scratch, samples, 0, length, state, replays.replacement)
            counts = np.zeros(nothing, np.int64)
            end = depth + 1
            for j in range(depth):
                c = order[0, j]
                if c != nothing:
                    counts[c] += 1
                if function(counts, j + 1):
                    end = j + 1
                    break
            found[q, r] = end
    return found


def _leader(counts, seen, i, right, ties, tie_state):
    """The class with the most votes of a stage and its votes; the number after the last class if it has none."""
    winner, top = counts.shape[1], 0
    for c in range(counts.shape[1]):
        if counts[i, c] > top:
            winner, top = c, counts[i, c]
        elif counts[i, c] == top and top > 0:
            earlier = seen[i, c] < seen[i, winner]
            if earlier if ties == FIRST else wins(ties, right, tie_state, c, winner):
                winner = c
    return winner, top


def _winner(score, counts, seen, last, depth, right, ties, tie_state):
    """The class with the highest score among those with votes in stages 0..last."""
    winner, top, first = counts.shape[1], -np.inf, 0
    for c in range(counts.shape[1]):
        when = -1
        for i in range(last, -1, -1):
            if counts[i, c] > 0:
                when = i * depth + seen[i, c]
        if when < 0:
            continue
        slack = _CLOSE * max(abs(score[c]), abs(top)) if top > -np.inf else 0.0
        if score[c] > top + slack:
            winner, top, first = c, score[c], when
            continue
        wins_tie = when < first if ties == FIRST else wins(ties, right, tie_state, c, winner)
        if score[c] >= top - slack and wins_tie:
            winner, first = c, when
    return winner


def _voted(recorded, rules, ends, replays, function, leader, decide):
    """Replay one strategy with the function as its vote, at all budgets; as staged.staged."""
    sizes, need, ties = rules.sizes, rules.need, rules.ties
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = recorded.codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depth = np.max(sizes)
    samples, scratch = np.empty((n_stages, width), np.uint16), np.empty((n_stages, width), np.uint16)
    order, targets = np.empty((n_stages, depth + np.max(rules.skip)), np.uint16), np.empty(width + depth, np.uint32)
    drawn = np.empty(n_stages, np.int64)
    for q in range(n_questions):
        right = right_classes(recorded.correct, recorded.offsets, q)
        nothing = right.size - 1
        for i in range(n_stages):
            load(recorded.codes[i, q], recorded.lengths[i, q], nothing, samples, scratch, i)
        for r in range(replays.n):
            tie_state = np.uint64(word(np.uint64(recorded.tie_keys[q]), replays.first + r))
            drawn[:] = 0
            for b in range(n_budgets):
                counts, seen = np.zeros((n_stages, nothing), np.int64), np.zeros((n_stages, nothing), np.int64)
                last, winner = n_stages - 1, np.int64(-1)
                for i in range(n_stages):
                    if drawn[i] == 0:
                        state = np.uint64(word(np.uint64(recorded.keys[i, q]), replays.first + r))
                        to = rules.skip[i] + np.max(sizes[i])
                        length = recorded.lengths[i, q]
                        draw(order, i, to, targets, scratch, samples, i, length, state, replays.replacement)
                        drawn[i] = 1
                    size = sizes[i, b]
                    stops = ends.shape[1] > 0 and ends[q, r] <= size
                    if stops:
                        size = np.int64(ends[q, r])
                    for j in range(size - 1, -1, -1):
                        c = order[i, rules.skip[i] + j]
                        if c != nothing:
                            counts[i, c] += 1
                            seen[i, c] = j
                    if stops and rules.adopt:
                        winner = np.int64(order[i, size - 1])
                        break
                    if need[i, b] <= sizes[i, b]:
                        first, votes = leader(counts, seen, i, right, ties, tie_state)
                        if votes >= need[i, b]:
                            stopped[q, i, b] += 1
                            last = i
                            if rules.adopt:
                                winner = first
                            break
                if winner < 0:
                    score = function(counts, rules.prior)
                    winner = decide(score, counts, seen, last, depth, right, ties, tie_state)
                hits[q, b] += right[winner]
    return hits, stopped


_compiled_ends, _compiled_voted = njit(nogil=True)(_ends), njit(nogil=True)(_voted)
_compiled_leader, _compiled_winner = njit(nogil=True)(_leader), njit(nogil=True)(_winner)


def ends(recorded: Recorded, depth: int, function: Callable[..., Any], replays: Replays) -> NDArray[np.uint16]:
    """Draws after which one model stops because a user's function says so: as stops.ends."""
    run = _compiled_ends if _is_compiled(function) else _ends
    found: NDArray[np.uint16] = run(recorded, depth, replays, function)
    return found


def voted(
    recorded: Recorded, rules: Rules, ends: NDArray[np.uint16], function: Callable[..., Any], replays: Replays
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose vote is a user's function: as ballots.voted."""
    run, helpers = _voted, (_leader, _winner)
    if _is_compiled(function):
        run, helpers = _compiled_voted, (_compiled_leader, _compiled_winner)
    hits, stopped = run(recorded, rules, ends, replays, function, *helpers)
    return hits, stopped


def _is_compiled(function: Callable[..., Any]) -> bool:
    return hasattr(function, "py_func")
