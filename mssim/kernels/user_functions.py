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

from mssim.kernels.compiling import compiled
from mssim.kernels.stages import Rules, results
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, Recorded, Replays, right_classes, wins
from mssim.kernels.turns import BATCH, SETTLED, take_turns, turns_of

_CLOSE = 1e-9
_NEW = -1  # votes of a class that was not seen in this replay


def _ask_counts(function, counts, n, answers, numbers):
    """Call a stop function that reads votes only."""
    return function(counts, n)


def _ask_draws(function, counts, n, answers, numbers):
    """Call a stop function that also reads recorded numbers."""
    return function(counts, answers[:n], numbers[:, :n])


def _ask_rule(function, counts, n, answers, numbers):
    """Call a rule that is defined by its draws."""
    return function(answers[:n], numbers[:, :n])


def _score_counts(function, counts, prior, n, stages, answers, numbers):
    """Call a vote function that reads votes only."""
    return function(counts, prior)


def _score_draws(function, counts, prior, n, stages, answers, numbers):
    """Call a vote function that also reads recorded numbers."""
    return function(counts, prior, stages[:n], answers[:n], numbers[:, :n])


def _ends(recorded, seen, depth, replays, function, ask):
    """Return the draws after which the function stops, uint16 [question, replay]; depth + 1 if it never does."""
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


@compiled
def _first_seen(counts, seen, c, depth):
    """Return when class c, which has votes, was first seen: stages in order, then draws."""
    i = 0
    while counts[i, c] == 0:
        i += 1
    return i * depth + seen[i, c]


@compiled
def _winner(score, members, totals, counts, seen, depth, right, ties, tie_state):
    """Return the class with votes that has the highest score, or the number after the last class."""
    top, winner = -np.inf, totals.size
    for c in members:
        if totals[c] > 0 and score[c] > top:
            top, winner = score[c], c
    bar = top - _CLOSE * abs(top) if top > -np.inf else top
    for c in members:
        if score[c] >= bar and c != winner and totals[c] > 0:
            if winner == totals.size:  # all scores are -inf
                winner = c
            elif ties == FIRST:
                earlier = _first_seen(counts, seen, c, depth) < _first_seen(counts, seen, winner, depth)
                winner = c if earlier else winner
            else:
                winner = c if wins(ties, right, tie_state, c, winner) else winner
    return winner


@compiled
def _count(i, at, to, n_members, codes, order, members, totals, counts, seen):
    """Count the first `to` draws of stage i instead of `at`; return how many classes were seen."""
    if to < at:
        for place in range(n_members):
            c = members[place]
            totals[c] -= counts[i, c]
            counts[i, c] = 0
        at = 0
    for j in range(at, to):
        c = codes[order[j]]
        if c >= 0:
            if totals[c] == _NEW:
                totals[c] = 0
                members[n_members] = c
                n_members += 1
            if counts[i, c] == 0:
                seen[i, c] = j
            counts[i, c] += 1
            totals[c] += 1
    return n_members


@compiled
def _gather(q, at, order, codes, seen, stages, answers, numbers):
    """List the draws that vote, stages in order, then draws in order; return their number."""
    n = 0
    for i in range(at.size):
        for j in range(at[i]):
            place = np.int64(order[i, j])
            stages[n], answers[n] = i, codes[i, q, place]
            for column in range(numbers.shape[0]):
                numbers[column, n] = seen[column, i, q, place]
            n += 1
    return n


def _voted(recorded, rules, ends, replays, turns, listed, seen, hits, stopped, function, ask):
    codes, sizes, prior, ties = recorded.codes, rules.sizes, rules.prior.copy(), rules.ties
    stages, answers, numbers = listed
    n_stages, depth = sizes.shape[0], turns.order.shape[2]
    for q in range(hits.shape[0]):
        right = right_classes(recorded.correct, recorded.offsets, q)
        nothing = right.size - 1
        counts, first = np.zeros((n_stages, nothing), np.int64), np.zeros((n_stages, nothing), np.int64)
        given, totals = np.zeros((n_stages, nothing), np.int64), np.zeros(nothing, np.int64)
        members, at = np.zeros(nothing, np.int64), np.zeros(n_stages, np.int64)
        for number in range(replays.n):
            r, n_members = number % BATCH, 0
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state, order = np.uint64(word(np.uint64(recorded.tie_keys[q]), replays.first + number)), turns.order[r]
            counts[:] = 0
            totals[:] = _NEW
            at[:] = 0
            for b in range(sizes.shape[1]):
                final = turns.last[r, b]
                if final == SETTLED:
                    continue
                for i in range(n_stages):
                    to = sizes[i, b] if i <= final else 0
                    if ends.shape[1] > 0:
                        to = min(to, np.int64(ends[q, number]))
                    n_members = _count(i, at[i], to, n_members, codes[i, q], order[i], members, totals, counts, first)
                    at[i] = to
                if n_members <= 1:
                    winner = np.int64(members[0] if n_members > 0 and totals[members[0]] > 0 else nothing)
                else:
                    given[:] = counts  # the function may write into it
                    n = _gather(q, at, order, codes, seen, stages, answers, numbers) if stages.size > 0 else 0
                    score = np.asarray(ask(function, given, prior, n, stages, answers, numbers))
                    if len(score) != nothing:
                        raise ValueError("it must return one number per answer class, and returned fewer or more")
                    classes = members[:n_members]
                    winner = np.int64(_winner(score, classes, totals, counts, first, depth, right, ties, tie_state))
                hits[q, b] += right[winner]


_compiled_ends, _compiled_voted = njit(nogil=True)(_ends), njit(nogil=True)(_voted)
_COMPILED = {
    ask: njit(nogil=True, forceinline=True)(ask) for ask in (_ask_counts, _ask_draws, _score_counts, _score_draws)
}


def ends(
    recorded: Recorded, depth: int, function: Callable[..., Any], seen: NDArray[np.float64], replays: Replays
) -> NDArray[np.uint16]:
    """Compute the draws after which a user's function stops one model, as stops.ends.

    seen is float64 [column, stage, question, sample], the recorded numbers that the function reads.
    """
    ask = _ask_draws if seen.shape[0] else _ask_counts
    run, ask = (_compiled_ends, _COMPILED[ask]) if _is_compiled(function) else (_ends, ask)
    return np.asarray(run(recorded, seen, depth, replays, function, ask))


def rule_ends(
    recorded: Recorded, depth: int, rule: Callable[..., Any], seen: NDArray[np.float64], replays: Replays
) -> NDArray[np.uint16]:
    """Compute the draws after which a plain function of answers and numbers stops one model, as stops.ends."""
    return np.asarray(_ends(recorded, seen, depth, replays, rule, _ask_rule))


def voted(
    recorded: Recorded,
    rules: Rules,
    ends: NDArray[np.uint16],
    function: Callable[..., Any],
    seen: NDArray[np.float64],
    replays: Replays,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose vote is a user's function, as weighted_votes.voted."""
    ask = _score_draws if seen.shape[0] else _score_counts
    run, ask = (_compiled_voted, _COMPILED[ask]) if _is_compiled(function) else (_voted, ask)
    hits, stopped = results(rules, recorded)
    turns = turns_of(rules, recorded, replays)
    n_listed = len(rules.sizes) * turns.order.shape[2] if seen.shape[0] else 0
    listed = np.empty(n_listed, np.int64), np.empty(n_listed, np.int64), np.empty((seen.shape[0], n_listed))
    run(recorded, rules, ends, replays, turns, listed, seen, hits, stopped, function, ask)
    return hits, stopped


def _is_compiled(function: Callable[..., Any]) -> bool:
    return hasattr(function, "py_func")
