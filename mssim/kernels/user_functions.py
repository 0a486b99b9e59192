"""Replays that ask a user's own function, compiled with Numba or plain Python.

The kernels call a compiled function through a pointer, so they are compiled once and not again for every function. Only
the few lines around a function are compiled for each: `_counts_stop` and the four that follow. A plain function is
called by the same code as plain Python. That code converts its unsigned numbers explicitly, because Python's own
integers would be read as signed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numba import njit, typeof, types
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.stages import Rules, results
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, Recorded, Replays, right_classes, wins
from mssim.kernels.turns import BATCH, SETTLED, take_turns, turns_of

_CLOSE = 1e-9
_NEW = -1  # votes of a class that was not seen in this replay
_COMPILING = Lock()  # threads begin together, and would compile the same function

_Function = Callable[..., Any]
_INTEGERS, _TABLE = types.int64[::1], types.int64[:, ::1]
_FLOATS, _NUMBERS = types.float64[::1], types.float64[:, ::1]
# (answers, numbers, counts, looks) -> draws after which it stops, and
# (counts, prior, n, stages, answers, numbers, score) -> number of scores; see the functions below.
_STOP = types.int64(_INTEGERS, _NUMBERS, _INTEGERS, types.boolean[::1])
_SCORE = types.int64(_TABLE, _FLOATS, types.int64, _INTEGERS, _INTEGERS, _NUMBERS, _FLOATS)


def _counts_stop(function: _Function) -> _Function:
    """Make the loop over one replay around a stop function that reads votes only."""

    def stop(answers, numbers, counts, looks):
        for j in range(answers.size):
            if answers[j] >= 0:
                counts[answers[j]] += 1
            if looks[j + 1] and function(counts, j + 1):
                return j + 1
        return answers.size + 1

    return stop


def _draws_stop(function: _Function) -> _Function:
    """Make the loop over one replay around a stop function that also reads recorded numbers."""

    def stop(answers, numbers, counts, looks):
        for j in range(answers.size):
            if answers[j] >= 0:
                counts[answers[j]] += 1
            if looks[j + 1] and function(counts, answers[: j + 1], numbers[:, : j + 1]):
                return j + 1
        return answers.size + 1

    return stop


def _rule_stops(function: _Function) -> _Function:
    """Make the loop over one replay around a rule that is defined by its draws."""

    def stop(answers, numbers, counts, looks):
        for j in range(answers.size):
            if looks[j + 1] and function(answers[: j + 1], numbers[:, : j + 1]):
                return j + 1
        return answers.size + 1

    return stop


def _counts_score(function: _Function) -> _Function:
    """Make what fills `score` by a vote function that reads votes only."""

    def fill(counts, prior, n, stages, answers, numbers, score):
        given = np.asarray(function(counts, prior))
        for c in range(min(len(given), score.size)):
            score[c] = given[c]
        return len(given)

    return fill


def _draws_score(function: _Function) -> _Function:
    """Make what fills `score` by a vote function that also reads recorded numbers."""

    def fill(counts, prior, n, stages, answers, numbers, score):
        given = np.asarray(function(counts, prior, stages[:n], answers[:n], numbers[:, :n]))
        for c in range(min(len(given), score.size)):
            score[c] = given[c]
        return len(given)

    return fill


@lru_cache(maxsize=32)
def _pointer(make: Any, function: _Function, signature: Any) -> Any:  # pragma: no cover (needs compiled functions)
    """Return what `make` puts around a compiled function, compiled to be called through a pointer."""
    return njit(signature, nogil=True)(make(function))


def _run(kernel: Any, arguments: tuple[Any, ...], make: Any, function: _Function, signature: Any) -> None:
    """Run a kernel whose last argument is what `make` puts around a user's function, compiled or plain."""
    if hasattr(function, "py_func"):  # pragma: no cover (needs compiled functions)
        # Called with the function itself, Numba would compile the kernel again for every function.
        run = kernel.compile((*map(typeof, arguments), types.FunctionType(signature)))
        with _COMPILING:
            pointer = _pointer(make, function, signature)
        run(*arguments, pointer)
    else:
        getattr(kernel, "py_func", kernel)(*arguments, make(function))


@compiled
def _ends(recorded, seen, depth, looks, replays, found, stop):
    """Write the draws after which the function stops into found [question, replay]; depth + 1 if it never does."""
    width = recorded.codes.shape[2]
    samples, scratch = np.empty((1, width), np.uint16), np.empty((1, width), np.uint16)
    order, targets = np.empty((1, depth), np.uint16), np.empty(depth, np.uint32)
    answers, numbers = np.empty(depth, np.int64), np.empty((seen.shape[0], depth))
    for s in range(width):
        samples[0, s], scratch[0, s] = s, s
    for q in range(found.shape[0]):
        n_classes = recorded.offsets[q + 1] - recorded.offsets[q]
        counts, length = np.zeros(max(n_classes, 1), np.int64), recorded.lengths[0, q]
        for r in range(replays.n):
            state = np.uint64(word(np.uint64(recorded.keys[0, q]), replays.first + r))
            draw(order, 0, depth, targets, scratch, samples, 0, length, state, replays.replacement)
            counts[:] = 0
            for j in range(depth):
                place = np.int64(order[0, j])
                answers[j] = recorded.codes[0, q, place]
                for column in range(numbers.shape[0]):
                    numbers[column, j] = seen[column, 0, q, place]
            found[q, r] = stop(answers, numbers, counts, looks)


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


@compiled
def _voted(recorded, rules, ends, replays, turns, listed, seen, hits, stopped, fill):
    codes, sizes, prior, ties = recorded.codes, rules.sizes, rules.prior, rules.ties
    stages, answers, numbers = listed
    n_stages, depth = sizes.shape[0], turns.order.shape[2]
    for q in range(hits.shape[0]):
        right = right_classes(recorded.correct, recorded.offsets, q)
        nothing = right.size - 1
        counts, first = np.zeros((n_stages, nothing), np.int64), np.zeros((n_stages, nothing), np.int64)
        given, totals = np.zeros((n_stages, nothing), np.int64), np.zeros(nothing, np.int64)
        members, at = np.zeros(nothing, np.int64), np.zeros(n_stages, np.int64)
        score = np.zeros(nothing)
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
                    if fill(given, prior, n, stages, answers, numbers, score) != nothing:
                        raise ValueError("it must return one number per answer class, and returned fewer or more")
                    classes = members[:n_members]
                    winner = np.int64(_winner(score, classes, totals, counts, first, depth, right, ties, tie_state))
                hits[q, b] += right[winner]


def ends(
    recorded: Recorded,
    depth: int,
    function: _Function,
    seen: NDArray[np.float64],
    looks: NDArray[np.bool_],
    replays: Replays,
) -> NDArray[np.uint16]:
    """Compute the draws after which a user's function stops one model, as stops.ends.

    seen is float64 [column, stage, question, sample], the recorded numbers that the function reads.
    """
    return _found(recorded, depth, _draws_stop if seen.shape[0] else _counts_stop, function, seen, looks, replays)


def rule_ends(
    recorded: Recorded,
    depth: int,
    rule: _Function,
    seen: NDArray[np.float64],
    looks: NDArray[np.bool_],
    replays: Replays,
) -> NDArray[np.uint16]:
    """Compute the draws after which a plain function of answers and numbers stops one model, as stops.ends."""
    return _found(recorded, depth, _rule_stops, rule, seen, looks, replays)


def _found(
    recorded: Recorded,
    depth: int,
    make: Any,
    function: _Function,
    seen: NDArray[np.float64],
    looks: NDArray[np.bool_],
    replays: Replays,
) -> NDArray[np.uint16]:
    found = np.empty((recorded.codes.shape[1], replays.n), np.uint16)
    _run(_ends, (recorded, seen, depth, looks, replays, found), make, function, _STOP)
    return found


def voted(
    recorded: Recorded,
    rules: Rules,
    ends: NDArray[np.uint16],
    function: _Function,
    seen: NDArray[np.float64],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose vote is a user's function, as weighted_votes.voted."""
    hits, stopped = results(rules, recorded)
    turns = turns_of(rules, recorded, replays, spending)
    n_listed = len(rules.sizes) * turns.order.shape[2] if seen.shape[0] else 0
    listed = np.empty(n_listed, np.int64), np.empty(n_listed, np.int64), np.empty((seen.shape[0], n_listed))
    rules = rules._replace(prior=rules.prior.copy())  # the function may write into it
    arguments = recorded, rules, ends, replays, turns, listed, seen, hits, stopped
    _run(_voted, arguments, _draws_score if seen.shape[0] else _counts_score, function, _SCORE)
    return hits, stopped
