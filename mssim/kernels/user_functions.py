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

from mssim.kernels.stages import Rules
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, Recorded, Replays, right_classes, wins

_CLOSE = 1e-9
_NEW = -1  # votes of a class that was not seen in this replay


def _ask_counts(function, counts, n, answers, numbers):
    """Ask a stop function that sees votes alone."""
    return function(counts, n)


def _ask_draws(function, counts, n, answers, numbers):
    """Ask a stop function that sees recorded numbers too."""
    return function(counts, answers[:n], numbers[:, :n])


def _ask_rule(function, counts, n, answers, numbers):
    """Ask a rule that is defined by its draws."""
    return function(answers[:n], numbers[:, :n])


def _score_counts(function, counts, prior, n, stages, answers, numbers):
    """Ask a vote function that sees votes alone."""
    return function(counts, prior)


def _score_draws(function, counts, prior, n, stages, answers, numbers):
    """Ask a vote function that sees recorded numbers too."""
    return function(counts, prior, stages[:n], answers[:n], numbers[:, :n])


def _ends(recorded, seen, depth, replays, function, ask):
    """Draws after which the function says stop, uint16 [question, replay]; depth + 1 where it never does."""
    _, n_questions, width = recorded.codes.shape
    found = np.empty((n_questions, replays.n), np.uint16)
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    answers, numbers = np.empty(depth, np.int64), np.empty((seen.shape[0], depth))
    for s in range(width):
        samples[0, s], scratch[0, s] = s, s
    for q in range(n_questions):
        n_classes = recorded.offsets[q + 1] - recorded.offsets[q]
        counts, length = np.zeros(max(n_classes, 1), np.int64), recorded.lengths[0, q]
        for r in range(replays.n):
            state = np.uint64(word(np.uint64(recorded.keys[0, q]), replays.first + r))
            draw(order, 0, depth, targets, scratch, samples, 0, length, state, replays.replacement)
            counts[:] = 0
            end = np.int64(depth + 1)
            for j in range(depth):
                place = np.int64(order[0, j])
                answers[j] = recorded.codes[0, q, place]
                for column in range(numbers.shape[0]):
                    numbers[column, j] = seen[column, 0, q, place]
                if answers[j] >= 0:
                    counts[answers[j]] += 1
                if ask(function, counts, j + 1, answers, numbers):
                    end = np.int64(j + 1)
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


def _first_seen(counts, seen, c, depth):
    """When class c, which has votes, was first seen: stages in order, then draws."""
    i = 0
    while counts[i, c] == 0:
        i += 1
    return i * depth + seen[i, c]


def _winner(score, members, n_members, totals, counts, seen, depth, first_seen, right, ties, tie_state):
    """The class with the highest score among those with votes; the number after the last class if there is none."""
    top, winner = -np.inf, totals.size
    for place in range(n_members):
        c = members[place]
        if totals[c] > 0 and score[c] > top:
            top, winner = score[c], c
    bar = top - _CLOSE * abs(top) if top > -np.inf else top
    for place in range(n_members):
        c = members[place]
        if score[c] >= bar and c != winner and totals[c] > 0:
            if winner == totals.size:  # all scores are -inf
                winner = c
            elif ties == FIRST:
                earlier = first_seen(counts, seen, c, depth) < first_seen(counts, seen, winner, depth)
                winner = c if earlier else winner
            else:
                winner = c if wins(ties, right, tie_state, c, winner) else winner
    return winner


def _count(i, at, to, begin, n_members, order, members, totals, counts, seen):
    """Make row i of `counts` hold the first `to` draws of a stage, not `at`; returns the classes seen so far."""
    if to < at:
        for place in range(n_members):
            c = members[place]
            totals[c] -= counts[i, c]
            counts[i, c] = 0
        at = 0
    for j in range(at, to):
        c = order[i, begin + j]
        if c < totals.size:
            if totals[c] == _NEW:
                totals[c] = 0
                members[n_members] = c
                n_members += 1
            if counts[i, c] == 0:
                seen[i, c] = j
            counts[i, c] += 1
            totals[c] += 1
    return n_members


def _gather(q, at, skip, order, codes, seen, stages, answers, numbers):
    """List the draws that vote, stages in order, then draws in order; returns how many there are."""
    n = 0
    for i in range(at.size):
        for j in range(skip[i], skip[i] + at[i]):
            place = np.int64(order[i, j])
            stages[n], answers[n] = i, codes[i, q, place]
            for column in range(numbers.shape[0]):
                numbers[column, n] = seen[column, i, q, place]
            n += 1
    return n


def _voted(recorded, rules, ends, replays, seen, function, ask, count, leader, decide, first_seen, gather):
    """Replay one strategy with the function as its vote, at all budgets; as stages.staged."""
    sizes, need, prior, ties, skip = rules.sizes, rules.need, rules.prior.copy(), rules.ties, rules.skip
    n_stages, n_budgets = sizes.shape
    _, n_questions, width = recorded.codes.shape
    hits = np.zeros((n_questions, n_budgets), np.int64)
    stopped = np.zeros((n_questions, n_stages, n_budgets), np.int64)
    depth, most = np.max(sizes), np.max(sizes) + np.max(skip)
    samples, scratch = np.empty((n_stages, width), np.uint16), np.empty((n_stages, width), np.uint16)
    order, targets = np.empty((n_stages, most), np.uint16), np.empty(width + depth, np.uint32)
    classes = np.empty((n_stages, most), np.uint16)
    drawn, at = np.empty(n_stages, np.bool_), np.empty(n_stages, np.int64)
    n_listed = n_stages * depth if seen.shape[0] > 0 else 0
    stages, answers = np.empty(n_listed, np.int64), np.empty(n_listed, np.int64)
    numbers = np.empty((seen.shape[0], n_listed))
    for i in range(n_stages):
        for s in range(width):
            samples[i, s], scratch[i, s] = s, s
    for q in range(n_questions):
        right = right_classes(recorded.correct, recorded.offsets, q)
        nothing = right.size - 1
        counts, first = np.zeros((n_stages, nothing), np.int64), np.zeros((n_stages, nothing), np.int64)
        given, totals = np.zeros((n_stages, nothing), np.int64), np.zeros(nothing, np.int64)
        members = np.zeros(nothing, np.int64)
        for r in range(replays.n):
            tie_state = np.uint64(word(np.uint64(recorded.tie_keys[q]), replays.first + r))
            drawn[:] = False
            counts[:] = 0
            totals[:] = _NEW
            at[:] = 0
            n_members = 0
            for b in range(n_budgets):
                last, winner = n_stages, np.int64(-1)
                for i in range(n_stages):
                    if last < n_stages:  # no turn any more
                        n_members = count(i, at[i], 0, 0, n_members, classes, members, totals, counts, first)
                        at[i] = 0
                        continue
                    if not drawn[i]:
                        state = np.uint64(word(np.uint64(recorded.keys[i, q]), replays.first + r))
                        to, n = skip[i] + np.max(sizes[i]), recorded.lengths[i, q]
                        draw(order, i, to, targets, scratch, samples, i, n, state, replays.replacement)
                        for j in range(to):
                            c = recorded.codes[i, q, order[i, j]]
                            classes[i, j] = c if c >= 0 else nothing
                        drawn[i] = True
                    size = sizes[i, b]
                    stops = ends.shape[1] > 0 and ends[q, r] <= size
                    if stops:
                        size = np.int64(ends[q, r])
                    n_members = count(i, at[i], size, skip[i], n_members, classes, members, totals, counts, first)
                    at[i] = size
                    if stops and rules.adopt:
                        winner = np.int64(classes[i, size - 1])
                    elif need[i, b] <= sizes[i, b]:
                        leading, votes = leader(counts, first, i, right, ties, tie_state)
                        if votes >= need[i, b]:
                            stopped[q, i, b] += 1
                            last = i
                            if rules.adopt:
                                winner = np.int64(leading)
                if winner < 0 and n_members <= 1:
                    winner = np.int64(members[0] if n_members > 0 and totals[members[0]] > 0 else nothing)
                elif winner < 0:
                    given[:] = counts  # the function may write into it
                    n = 0
                    if n_listed > 0:
                        n = gather(q, at, skip, order, recorded.codes, seen, stages, answers, numbers)
                    score = ask(function, given, prior, n, stages, answers, numbers)
                    if len(score) != nothing:
                        raise ValueError("it must return one number per answer class, and returned fewer or more")
                    winner = np.int64(
                        decide(
                            score, members, n_members, totals, counts, first, depth, first_seen, right, ties, tie_state
                        )
                    )
                hits[q, b] += right[winner]
    return hits, stopped


_compiled_ends, _compiled_voted = njit(nogil=True)(_ends), njit(nogil=True)(_voted)
_helpers = (_count, _leader, _winner, _first_seen, _gather)
_compiled_helpers = tuple(njit(nogil=True, forceinline=True)(helper) for helper in _helpers)
_COMPILED = {
    ask: njit(nogil=True, forceinline=True)(ask) for ask in (_ask_counts, _ask_draws, _score_counts, _score_draws)
}


def ends(
    recorded: Recorded, depth: int, function: Callable[..., Any], seen: NDArray[np.float64], replays: Replays
) -> NDArray[np.uint16]:
    """Draws after which one model stops because a user's function says so: as stops.ends.

    seen is float64 [column, stage, question, sample], the recorded numbers that the function reads.
    """
    ask = _ask_draws if seen.shape[0] else _ask_counts
    run, ask = (_compiled_ends, _COMPILED[ask]) if _is_compiled(function) else (_ends, ask)
    return np.asarray(run(recorded, seen, depth, replays, function, ask))


def rule_ends(
    recorded: Recorded, depth: int, rule: Callable[..., Any], seen: NDArray[np.float64], replays: Replays
) -> NDArray[np.uint16]:
    """Draws after which a rule stops that is a plain function of answers and numbers: as stops.ends."""
    return np.asarray(_ends(recorded, seen, depth, replays, rule, _ask_rule))


def voted(
    recorded: Recorded,
    rules: Rules,
    ends: NDArray[np.uint16],
    function: Callable[..., Any],
    seen: NDArray[np.float64],
    replays: Replays,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose vote is a user's function: as weighted_votes.voted."""
    ask = _score_draws if seen.shape[0] else _score_counts
    compiled = (_compiled_voted, _COMPILED[ask], *_compiled_helpers)
    run, *helpers = compiled if _is_compiled(function) else (_voted, ask, *_helpers)
    hits, stopped = run(recorded, rules, ends, replays, seen, function, *helpers)
    return hits, stopped


def _is_compiled(function: Callable[..., Any]) -> bool:
    return hasattr(function, "py_func")
