"""Replays of one model that stops: when a rule says so, and the answer after every number of draws, in one pass.

A rule is looked up in tables by the votes of the two leading answers, which change by one per draw. Rules that no table
holds find their stops first (see `all_counts`, `number_stops` and `user_functions`), and are followed here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.lanes import larger
from mssim.kernels.spending import NOTHING, PENDING, Spending, count_turns
from mssim.kernels.streams import draw_next, put_numbers_back, word
from mssim.kernels.tally import (
    FIRST,
    NO_ANSWER,
    SHIFT,
    UNIT,
    VOTE,
    Recorded,
    Replays,
    logarithms,
    most_classes,
    tie_rank,
)

Ends = NDArray[np.uint16]

LEAD, SPREAD, WINDOW, VOTES, GIVEN = 0, 1, 2, 3, 4
_SLACK = 1e-9  # entropies closer than this are equal


class Rule(NamedTuple):
    """When a replay stops; of the arrays that a kind does not read, the first axis may have no entries."""

    kind: int  # LEAD: by by_second and by_draws alone; SPREAD: also by the entropy or give_up; or as `StopTable` says
    looks: NDArray[np.bool_]  # [draws], whether the rule is asked
    by_second: NDArray[np.int64]  # these as in `StopTable`
    by_draws: NDArray[np.int64]
    entropy: float
    window: int
    give_up: NDArray[np.int64]
    by_votes: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    ends: Ends  # [question, replay], of a GIVEN rule


class Memory(NamedTuple):
    """Memory of the replays of one question."""

    order: NDArray[np.uint16]  # [replay, 1, draw], drawn samples; of PENDING replays if what they spend is counted
    targets: NDArray[np.uint32]  # [draw], where they were drawn
    numbers: NDArray[np.uint16]  # [sample], numbers of the samples, which are swapped and put back
    labels: NDArray[np.uint16]  # [sample], class << 1 | right; the last label stands for "no answer"
    tally: NDArray[np.int64]  # [label], see tally
    kept: NDArray[np.int64]  # [draw], right answers that are kept from a draw on
    reached: NDArray[np.int64]  # [replay, budget], 0: all replays draw from the first stage, and no other
    depths: NDArray[np.int64]  # [1], most draws


@inlined
def _scatters_little(n, ordered, distinct, most, logs):
    """Return whether the entropy of n draws, log2 n - ordered / n, is at most `most` times its maximum."""
    if distinct > 1:
        return n * (logs[n] - most * logs[distinct]) <= ordered * UNIT
    return logs[n + 1] - n * logs[n] / (n + 1) <= most  # all agree: an imagined draw of another answer is counted too


@compiled
def _follow(recorded, ties, adopt, rule, replays, tables, spending, memory, ends, hits):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    kind, looks, by_second, by_draws, threshold, window, give_up, by_votes, kinds, given = rule
    values, starts, joins, plain, sizes, spent, _, drawn, running, base, pending, still, sums = spending
    totals, histogram, lowest, span = spent
    order, targets, numbers, labels, tally, kept, reached, depths = memory
    logs, _, _, steps = tables
    depth, counted = hits.shape[1], plain.shape[0] > 0
    for q in range(hits.shape[0]):
        n, right, table_of = lengths[0, q], hits[q], kinds[q]
        nothing = 2 * (offsets[q + 1] - offsets[q])
        for s in range(n):
            c = np.int64(codes[0, q, s])
            labels[s] = nothing if c < 0 else (c << 1) + correct[offsets[q] + c]
        for r in range(replays.n):
            state, tie_state = word(keys[0, q], replays.first + r), word(tie_keys[q], replays.first + r)
            at, j, end = r % PENDING if counted else 0, 0, depth + 1
            leader, votes, second = np.int64(0), np.int64(0), np.int64(0)
            voted, distinct, ordered, last, same = np.int64(0), np.int64(0), np.int64(0), np.int64(-1), 0
            tally[nothing] = NO_ANSWER
            while j < depth:
                s = draw_next(j, n, state, numbers, targets, replays.replacement)
                order[at, 0, np.uint32(j)] = s
                label = np.int64(labels[s])
                before, tag = tally[np.uint32(label)], np.int64(depth - j) << 17
                if ties != FIRST:  # also of classes that were seen: whether a class is new is not predictable
                    tag = tie_rank(ties, label & 1, tie_state, label >> 1) << 17
                votes = (tag + label if before == 0 else before) + VOTE
                tally[np.uint32(label)] = votes
                first, mine = leader >> SHIFT, votes >> SHIFT
                leader = larger(leader, votes)
                if mine <= first and mine > second:
                    second = mine
                first = leader >> SHIFT
                j += 1
                done: bool | np.bool_ = False
                if kind == LEAD:
                    done = first >= by_second[second] and first >= by_draws[j]
                elif kind == GIVEN:
                    done = j == given[q, r]
                elif kind == WINDOW:
                    same, last = same + 1 if label == last else 1, label
                    done = looks[j] and same >= window and label != nothing
                elif kind == VOTES:
                    voted += mine >= 0
                    done = looks[j] and by_votes[table_of, voted, second, first]
                else:
                    distinct += mine == 1 or mine < 0  # no other draw shares the answer of a draw without one
                    if mine > 0:
                        ordered += steps[mine - 1]
                    done = (first >= by_second[second] and first >= by_draws[j]) or first <= give_up[second]
                    done = done and looks[j] and first > 0
                    if done and threshold < np.inf:
                        done = _scatters_little(j, ordered, distinct, threshold + _SLACK, logs)
                if done:
                    end = j
                    kept[j - 1] += (votes if adopt else leader) & 1
                    break
                right[np.uint32(j - 1)] += leader & 1
            ends[q, r] = end
            put_numbers_back(j, targets, numbers)
            for k in range(j):
                tally[np.uint32(labels[order[at, 0, np.uint32(k)]])] = 0
            if counted and (at == PENDING - 1 or r == replays.n - 1):
                count_turns(
                    q, r - at, at + 1, replays.n, order, reached, ends, depths, sizes,
                    values, starts, joins, plain, drawn, running, base, pending, still, sums, totals, histogram,
                    lowest, span,
                )  # fmt: skip
        tally[nothing] = 0
        stopped = np.int64(0)  # replays that stopped with a right answer
        for k in range(depth):
            stopped += kept[k]
            right[k] += stopped
            kept[k] = 0


def _rule(table: Any, looks: NDArray[np.bool_], depth: int, n_questions: int) -> Rule:
    """Return the rule of a StopTable."""
    by_second, by_draws, give_up, kind = table.by_second, table.by_draws, table.give_up, SPREAD
    if table.window > 0:  # windows follow one another
        kind, looks = WINDOW, looks & (np.arange(looks.size) % table.window == 0)
    elif table.by_votes is not None:
        kind = VOTES
    elif give_up is None and table.entropy == np.inf:  # the other conditions become part of the arrays
        by_second, by_draws = np.maximum(by_second, 1), np.where(looks, by_draws[: looks.size], depth + 1)
        kind = LEAD
    return Rule(
        kind,
        looks,
        by_second,
        by_draws,
        table.entropy,
        table.window,
        np.full(depth // 2 + 1, -1) if give_up is None else give_up,
        np.zeros((0, 0, 0, 0), np.bool_) if table.by_votes is None else table.by_votes,
        np.zeros(n_questions, np.int64) if table.kinds is None else table.kinds,
        np.zeros((0, 0), np.uint16),
    )


def _given(ends: Ends) -> Rule:
    """Return the rule that stops at given ends."""
    nothing = np.zeros(0, np.int64)
    votes, kinds = np.zeros((0, 0, 0, 0), np.bool_), np.zeros(len(ends), np.int64)
    return Rule(GIVEN, np.zeros(0, np.bool_), nothing, nothing, np.inf, 0, nothing, votes, kinds, ends)


def _followed(
    recorded: Recorded, ties: int, depth: int, adopt: bool, rule: Rule, replays: Replays, spending: Spending
) -> tuple[NDArray[np.int64], Ends]:
    """Allocate the results and the memory, and follow the replays; doing so in Python saves compile time."""
    _, n_questions, width = recorded.codes.shape
    memory = Memory(
        order=np.empty((PENDING if len(spending.plain) else 1, 1, depth), np.uint16),
        targets=np.empty(depth, np.uint32),
        numbers=np.arange(width, dtype=np.uint16),
        labels=np.empty(width, np.uint16),
        tally=np.zeros(2 * most_classes(recorded.offsets) + 1, np.int64),
        kept=np.zeros(depth, np.int64),
        reached=np.zeros((PENDING, spending.sizes.shape[1]), np.int64),
        depths=np.array([depth]),
    )
    found, hits = np.empty((n_questions, replays.n), np.uint16), np.zeros((n_questions, depth), np.int64)
    _follow(recorded, ties, adopt, rule, replays, logarithms(depth + 1), spending, memory, found, hits)
    return hits, found


def curve(
    recorded: Recorded,
    ties: int,
    depth: int,
    adopt: bool,
    table: Any,
    looks: NDArray[np.bool_],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], Ends]:
    """Replay one model that stops by a rule, after every number of draws up to `depth`.

    Of recorded the first stage is used. ties is FIRST, RANDOM or WRONG. adopt says whether the last draw before a stop
    is the answer, or the plurality of all until then. table is the StopTable of a rule for `depth` draws, the most,
    with the kinds of these questions. looks [draws] says after how many draws the rule is asked. The totals of
    `spending` are added up.

    Returns int64 hits [question, draws - 1], replays whose answer after k + 1 draws, or at a stop before, is right; and
    uint16 ends [question, replay], the draws after which a replay stops, depth + 1 where it does not.
    """
    rule = _rule(table, looks, depth, recorded.codes.shape[1])
    return _followed(recorded, ties, depth, adopt, rule, replays, spending)


def curve_until(
    recorded: Recorded,
    ties: int,
    depth: int,
    adopt: bool,
    ends: Ends,
    replays: Replays,
    spending: Spending = NOTHING,
) -> NDArray[np.int64]:
    """Replay the same with given ends, and return the hits."""
    return _followed(recorded, ties, depth, adopt, _given(ends), replays, spending)[0]


def ends(recorded: Recorded, depth: int, table: Any, looks: NDArray[np.bool_], replays: Replays) -> Ends:
    """Compute only the ends, for other votes; see `curve`."""
    return curve(recorded, FIRST, depth, False, table, looks, replays)[1]
