"""Turns of the models where a vote looks at samples: what every replay draws, and how many stages vote.

Votes that only count answers need no samples; see `stages` and `one_model`, which replay several times as fast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bundles import Rules
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.lanes import larger
from mssim.kernels.spending import NOTHING, Spending, count_turns
from mssim.kernels.streams import draw, word
from mssim.kernels.tally import FIRST, NO_ANSWER, SHIFT, VOTE, Recorded, Replays, most_classes, right_classes, tie_rank

SETTLED = -1
BATCH = 64  # replays at a time: what they draw stays in the processor's cache


class Turns(NamedTuple):
    """Results of `take_turns` for up to BATCH replays of one question, and its memory."""

    order: NDArray[np.uint16]  # [replay, stage, draw], drawn samples; only of stages that vote at some budget
    last: NDArray[np.int64]  # [replay, budget], last stage that votes; SETTLED = an answer was counted already
    depths: NDArray[np.int64]  # [stage], most draws
    tested: NDArray[np.bool_]  # [stage], whether it could agree at some budget
    samples: NDArray[np.uint16]  # [1, sample], their own numbers, so that what is drawn are samples and not classes
    scratch: NDArray[np.uint16]  # the same
    line: NDArray[np.uint16]  # [1, draw], with skipped draws
    targets: NDArray[np.uint32]  # [draw]
    classes: NDArray[np.uint16]  # [draw]
    tally: NDArray[np.int64]  # [class], the last for no answer
    best: NDArray[np.int64]  # [draws], leading tally; 0 after no draws
    reached: NDArray[np.int64]  # [replay, budget], last stage that draws
    settled: NDArray[
        np.int64
    ]  # [draws], budgets from which on a stop of the only stage after so many draws settles all
    spending: Spending


def turns_of(rules: Rules, recorded: Recorded, replays: Replays, spending: Spending = NOTHING) -> Turns:
    """Allocate the memory of `take_turns`; doing so in Python saves compile time."""
    n_stages, n_budgets = rules.sizes.shape
    width, depth, skipped = recorded.codes.shape[2], int(rules.sizes.max()), int(rules.skip.max())
    places = np.zeros((1, width), np.uint16)
    places[0] = np.arange(width)
    return Turns(
        order=np.empty((min(replays.n, BATCH), n_stages, depth), np.uint16),
        last=np.zeros((min(replays.n, BATCH), n_budgets), np.int64),
        depths=rules.sizes.max(axis=1),
        tested=np.any(rules.need <= rules.sizes, axis=1),
        samples=places,
        scratch=places.copy(),
        line=np.empty((1, depth + skipped), np.uint16),
        targets=np.empty(depth + skipped, np.uint32),
        classes=np.zeros(depth, np.uint16),
        tally=np.zeros(most_classes(recorded.offsets) + 1, np.int64),
        best=np.zeros(depth + 1, np.int64),
        reached=np.zeros((min(replays.n, BATCH), n_budgets), np.int64),
        settled=np.searchsorted(np.minimum.accumulate(rules.sizes[0, ::-1])[::-1], np.arange(depth + 2)),
        spending=spending,
    )


@inlined
def _lead(codes, i, q, line, begin, depth, right, ties, tie_state, classes, tally, best):
    """Fill best with the leading tally after every draw of a line."""
    nothing = right.size - 1
    for j in range(depth - 1, -1, -1):  # the earliest draw of a class is written last and remains
        c = np.int64(codes[i, q, line[0, begin + j]])
        c = c if c >= 0 else nothing
        tag = depth - j if ties == FIRST else tie_rank(ties, right[c], tie_state, c)
        classes[j], tally[c] = c, (tag << 17) + (c << 1) + right[c]
    tally[nothing], leader = NO_ANSWER, np.int64(0)
    for j in range(depth):
        votes = tally[classes[j]] + VOTE
        tally[classes[j]] = votes
        leader = larger(leader, votes)
        best[j + 1] = leader


@inlined
def _settle(q, r, i, sizes, need, adopt, best, last, reached, hits, stopped):
    """Settle the budgets of a replay at which stage i agrees; return how many are still open."""
    n_open, n_stages = 0, sizes.shape[0]
    for b in range(sizes.shape[1]):
        if last[r, b] == n_stages:
            leader = best[sizes[i, b]]
            if leader >> SHIFT < need[i, b]:
                n_open += 1
                continue
            stopped[q, i, b] += 1
            reached[r, b] = i
            last[r, b] = SETTLED if adopt else i
            if adopt:
                hits[q, b] += leader & 1
    return n_open


@compiled
def take_turns(q, first, recorded, rules, ends, replays, turns, hits, stopped):
    """Let the models take their turns in up to BATCH replays of question q, from number `first` on.

    ends : uint16 [question, replay], draws after which the only stage stops (see stops.ends); no columns: never

    Writes `order` and `last` of turns, and counts what is spent. Adds right answers to hits [question, budget] where a
    stage gives the answer alone, and replays in which a stage agrees to stopped [question, stage, budget].
    """
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    sizes, need, skip, adopt = rules.sizes, rules.need, rules.skip, rules.adopt
    order, last, depths, tested, samples, scratch, line, targets, classes, tally, best, reached, _, spending = turns
    n_stages, n_budgets = sizes.shape
    right = right_classes(correct, offsets, q)
    for r in range(min(BATCH, replays.n - first)):
        n_open, number = n_budgets, replays.first + first + r
        for b in range(n_budgets):
            last[r, b], reached[r, b] = n_stages, n_stages - 1
        for i in range(n_stages):
            if n_open == 0:
                break
            depth, state = depths[i], word(keys[i, q], number)
            if ends.shape[1] > 0:  # what follows the stop is not looked at
                depth = min(depth, np.int64(ends[q, first + r]))
            to = skip[i] + depth
            draw(line, 0, to, targets, scratch, samples, 0, lengths[i, q], state, replays.replacement)
            for j in range(depth):
                order[r, i, j] = line[0, skip[i] + j]
            if tested[i]:
                tie_state = word(tie_keys[q], number)
                _lead(codes, i, q, line, skip[i], depths[i], right, rules.ties, tie_state, classes, tally, best)
                n_open = _settle(q, r, i, sizes, need, adopt, best, last, reached, hits, stopped)
        stops_at = np.int64(ends[q, first + r]) if ends.shape[1] > 0 else depths[0] + 1
        for b in range(n_budgets):
            last[r, b] = min(last[r, b], n_stages - 1)
            # Under `adopt` the last draw before a stop is the answer.
            if adopt and last[r, b] != SETTLED and sizes[0, b] >= stops_at:
                c = codes[0, q, order[r, 0, stops_at - 1]]
                hits[q, b] += c >= 0 and right[c]
                last[r, b] = SETTLED
    if spending.plain.shape[0] > 0:
        values, starts, joins, plain, _, spent, _, drawn, running, base, pending, still, sums = spending
        totals, histogram, lowest, span = spent
        count_turns(
            q, first, min(BATCH, replays.n - first), replays.n, order, reached, ends, depths, sizes,
            values, starts, joins, plain, drawn, running, base, pending, still, sums, totals, histogram, lowest, span,
        )  # fmt: skip


@compiled
def count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
    """Count the replays of question q if its samples have one answer and no stage can stop; return whether it is so."""
    if ends.shape[1] > 0 or turns.tested.any():
        return False
    codes, lengths = recorded.codes, recorded.lengths
    c = np.int64(codes[0, q, 0])
    for i in range(codes.shape[0]):
        for s in range(lengths[i, q]):
            if codes[i, q, s] != c:
                return False
    if turns.spending.plain.shape[0] > 0:
        for first in range(0, replays.n, BATCH):
            take_turns(q, first, recorded, rules, ends, replays, turns, hits, stopped)
    if c >= 0:
        hits[q] += replays.n * right[c]
    return True
