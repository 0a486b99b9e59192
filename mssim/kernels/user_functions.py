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
from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types
from numpy.typing import NDArray

from mssim.kernels.bundles import Rules, results
from mssim.kernels.compiling import compiled, inlined, unowned
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, Recorded, Replays, right_classes, wins
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of

_CLOSE = 1e-9
_NEVER = np.int64(2**62)  # draw of a class that was not drawn
_MOST_TABLES, _MOST_CELLS = 64, 8192  # of votes, which stay in the processor's cache
_COMPILING = Lock()  # threads begin together, and would compile the same function

_Function = Callable[..., Any]
_INTEGERS, _PAIRS, _TABLES = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_FLOATS, _NUMBERS = types.float64[::1], types.float64[:, ::1]
# (answers, numbers, counts, looks) -> draws after which it stops, and
# (tables, states, members, prior, n, stages, answers, numbers, scores, winners) -> tables for which the function
# returned one score per class; see the functions below.
_STOP = types.int64(_INTEGERS, _NUMBERS, _INTEGERS, types.boolean[::1])
_SCORE = types.int64(
    _TABLES, _PAIRS, _INTEGERS, _FLOATS, types.int64, _INTEGERS, _INTEGERS, _NUMBERS, _NUMBERS, _INTEGERS
)


@inlined
def _clear_winner(score, members, state):
    """Return the class that leads by more than rounding, or -1 if none does or some members may have lost their votes.

    No branch depends on a score.
    """
    best, second, winner = -np.inf, -np.inf, np.int64(-1)
    for place in range(state[0]):
        c = np.uint32(members[np.uint32(place)])
        found = float(score[c])
        if found > best:
            best, second, winner = found, best, np.int64(c)
        elif found > second:
            second = found
    return np.int64(-1) if state[1] or not second < best - _CLOSE * abs(best) else winner


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
    """Make what fills `winners`, and `scores` where these are not clear, by a vote function that reads votes only."""

    def fill(tables, states, members, prior, n, stages, answers, numbers, scores, winners):
        tables, prior = unowned(tables), unowned(prior)
        for k in range(len(tables)):
            given = np.asarray(function(tables[k], prior))
            if len(given) != scores.shape[1]:
                return k
            winner = _clear_winner(given, members, states[k])
            winners[k] = winner
            if winner < 0:
                for c in range(len(given)):
                    scores[k, c] = given[c]
        return len(tables)

    return fill


def _draws_score(function: _Function) -> _Function:
    """Make what does the same by a function that also reads recorded numbers; there is one table at a time."""

    def fill(tables, states, members, prior, n, stages, answers, numbers, scores, winners):
        given = np.asarray(function(tables[0], prior, stages[:n], answers[:n], numbers[:, :n]))
        if len(given) != scores.shape[1]:
            return 0
        winners[0] = _clear_winner(given, members, states[0])
        for c in range(len(given) if winners[0] < 0 else 0):
            scores[0, c] = given[c]
        return 1

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


class _Counted(NamedTuple):
    """Votes of one replay at some budgets, in tables of each of which the function is asked once.

    A class has votes of a stage if its first draw is before the end of the stage's draws.
    """

    tables: NDArray[np.int64]  # [table, stage, class], votes; the last one is kept until others are filled
    ats: NDArray[np.int64]  # [table, stage], draws counted
    states: NDArray[np.int64]  # [table, 2], members, and 1 if a stage had more draws at an earlier budget
    table_of: NDArray[np.int64]  # [budget]; SETTLED without one
    first: NDArray[np.int64]  # [stage, class], first draw; _NEVER if it was not counted in this replay
    members: NDArray[np.int64]  # classes in the order in which they were counted
    known: NDArray[np.bool_]  # [class], whether it is among them
    at: NDArray[np.int64]  # [stage], draws counted
    state: NDArray[np.int64]  # as `states`


@compiled
def _forget(counted):
    """Reset the votes for another replay."""
    tables, _, _, _, first, members, known, at, state = counted
    for place in range(state[0]):
        c = members[place]
        known[c] = False
        for i in range(at.size):
            tables[len(tables) - 1, i, c], first[i, c] = 0, _NEVER
    at[:] = 0
    state[:] = 0


@inlined
def _copy(source, target, size, cells):
    """Copy a table of votes to another one; both are given by their first cells."""
    old, new = cells[source : source + size], cells[target : target + size]
    for cell in range(size):
        new[cell] = old[cell]


@compiled
def _tabulate(b, q, last, sizes, stops_at, codes, order, right, counted, hits):
    """Count the votes from budget b on until all tables are filled; return the next budget and the number of tables.

    Where fewer than two classes have votes, there is no table, and hits [question, budget] are counted.
    """
    tables, ats, states, table_of, first, members, known, at, state = counted
    most, n_stages, n_classes = len(tables) - 1, at.size, known.size
    cells, size, n_members, table, used = unowned(tables.reshape(-1)), n_stages * n_classes, state[0], 0, False
    kept = most * size
    _copy(kept, 0, size, cells)
    while b < last.size:
        final = last[b]
        table_of[b] = SETTLED
        for i in range(n_stages if final != SETTLED else 0):
            to = min(sizes[i, b], stops_at) if i <= final else 0
            if to == at[i]:
                continue
            if used and table + 1 == most:
                _copy(table * size, kept, size, cells)
                state[0] = n_members
                return b, most
            if used:
                _copy(table * size, (table + 1) * size, size, cells)
                table, used = table + 1, False
            if to < at[i]:
                tables[table, i, :] = 0
                at[i], state[1] = 0, 1
            for j in range(at[i], to):
                answer = np.int64(codes[i, q, order[i, np.uint32(j)]])
                if answer >= 0:
                    c = np.uint32(answer)  # signed places are checked for being negative
                    if not known[c]:
                        known[c] = True
                        members[n_members] = answer
                        n_members += 1
                    first[i, c] = min(first[i, c], j)
                    cells[np.uint32(table * size + i * n_classes) + c] += 1
            at[i] = to
        if final != SETTLED and n_members > 1:
            if not used:
                used = True
                states[table, 0], states[table, 1] = n_members, state[1]
                for i in range(n_stages):
                    ats[table, i] = at[i]
            table_of[b] = table
        elif final != SETTLED and n_members == 1:
            for i in range(n_stages):
                if first[i, members[0]] < at[i]:
                    hits[q, b] += right[members[0]]
                    break
        b += 1
    state[0] = n_members
    return b, table + used


@compiled
def _winner(score, members, first, at, depth, right, ties, tie_state):
    """Return the class with votes that has the highest score, or the number after the last class."""
    nothing = right.size - 1
    top, winner, when = -np.inf, nothing, _NEVER
    for leads in (True, False):
        bar = top - _CLOSE * abs(top) if top > -np.inf else top
        for c in members:
            seen = _NEVER
            for i in range(at.size - 1, -1, -1):
                seen = i * depth + first[i, c] if first[i, c] < at[i] else seen
            if seen == _NEVER:
                continue
            if leads and score[c] > top:
                top, winner, when = score[c], c, seen
            elif not leads and score[c] >= bar and c != winner:
                earlier = seen < when if ties == FIRST or winner == nothing else wins(ties, right, tie_state, c, winner)
                winner, when = (c, seen) if earlier else (winner, when)
    return winner


@compiled
def _decide(q, start, end, n_tables, scores, counted, depth, right, ties, tie_state, winners, hits):
    """Add the correct answers at the budgets from start to end to hits [question, budget], given the tables' scores."""
    _, ats, states, table_of, first, members, _, _, _ = counted
    for k in range(n_tables):
        if winners[k] < 0:
            among = members[: states[k, 0]]
            winners[k] = _winner(scores[k], among, first, ats[k], depth, right, ties, tie_state)
    for b in range(start, end):
        if table_of[b] != SETTLED:
            hits[q, b] += right[np.uint32(winners[np.uint32(table_of[b])])]


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
    n_stages, n_budgets = sizes.shape
    depth = turns.order.shape[2]
    for q in range(hits.shape[0]):
        right = right_classes(recorded.correct, recorded.offsets, q)
        n = right.size - 1
        if count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
            continue
        # A function that reads draws is asked about one table at a time.
        most = 1 if stages.size > 0 else max(min(_MOST_TABLES, n_budgets, _MOST_CELLS // max(n_stages * n, 1)), 1)
        counted = _Counted(
            np.zeros((most + 1, n_stages, n), np.int64),
            np.zeros((most, n_stages), np.int64),
            np.zeros((most, 2), np.int64),
            np.zeros(n_budgets, np.int64),
            np.full((n_stages, n), _NEVER),
            np.zeros(n, np.int64),
            np.zeros(n, np.bool_),
            np.zeros(n_stages, np.int64),
            np.zeros(2, np.int64),
        )
        scores, winners = np.zeros((most, n)), np.zeros(most, np.int64)
        for number in range(replays.n):
            r, b = number % BATCH, 0
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state, order = np.uint64(word(np.uint64(recorded.tie_keys[q]), replays.first + number)), turns.order[r]
            stops_at = np.int64(ends[q, number]) if ends.shape[1] > 0 else np.int64(depth)
            _forget(counted)
            while b < n_budgets:
                start = b
                b, n_tables = _tabulate(b, q, turns.last[r], sizes, stops_at, codes, order, right, counted, hits)
                if n_tables > 0:
                    at = counted.ats[0]
                    n = _gather(q, at, order, codes, seen, stages, answers, numbers) if stages.size > 0 else 0
                    # The function may write into the tables.
                    tables, states, members = counted.tables[:n_tables], counted.states, counted.members
                    filled = fill(tables, states, members, prior, n, stages, answers, numbers, scores, winners)
                    if filled != n_tables:
                        raise ValueError("it must return one number per answer class, and returned fewer or more")
                    _decide(q, start, b, n_tables, scores, counted, depth, right, ties, tie_state, winners, hits)


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
