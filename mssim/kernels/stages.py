"""Replays of strategies that ask models in turn: whole curves, every budget of a replay in one pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.lanes import draw_tallies, labels, larger
from mssim.kernels.spending import NOTHING, Spending, add_stage, close_replays, run_up
from mssim.kernels.streams import word
from mssim.kernels.tally import (
    CLASS_BITS,
    FIRST,
    HIGHER,
    LABEL,
    LANES,
    SHIFT,
    TAG_MASK,
    UNIT,
    Recorded,
    Replays,
    logarithms,
    most_classes,
    tie_rank,
)

# What a stage's votes count in the final vote: 1, an entropy weight, 1 / draws; or whether any draw is right.
PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE, COVERAGE = 0, 1, 2, 3, 4
# What a vote knows of a stage: draws counted, sum of n log2 n over its classes (see logarithms), distinct answers,
# valid answers; here also the most votes of a class, those of the second, and the label of the first.
AT, ORDERED, DISTINCT, VALID, MOST, SECOND, LEADER = 0, 1, 2, 3, 4, 5, 6
N_FACTS = 7

_LANES = np.uint32(LANES)
_MOST_VOTES = np.int64(1) << 15


class Rules(NamedTuple):
    """Rules of a strategy at every budget."""

    sizes: NDArray[np.int64]  # [stage, budget], samples that a stage draws; 0 = the stage is left out
    need: NDArray[np.int64]  # [stage, budget], votes of the leading answer that stop the replay after this stage
    prior: NDArray[np.float64]  # [stage], positive weight of the stage's model in a vote
    kind: int  # PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE or COVERAGE
    highest: bool  # whether the stage whose leader scores highest gives the answer; else votes add up
    ties: int  # FIRST, RANDOM or WRONG
    adopt: bool  # whether a stage that stops gives the answer alone; else all drawn so far vote
    skip: NDArray[np.int64]  # [stage], draws of the stage's model that earlier stages took


class Memory(NamedTuple):
    """Arrays of LANES replays of one question, flat, the lane as the last axis. Allocated in Python to compile less."""

    depths: NDArray[np.int64]  # [stage], most draws
    samples: NDArray[np.uint16]  # [stage, sample], labels (see lanes)
    scratch: NDArray[np.uint16]  # [stage, sample, lane], the same
    places: NDArray[np.uint32]  # [draw, lane], of a stage, with skipped draws
    tally: NDArray[np.int64]  # [label, lane]
    seen: NDArray[np.int64]  # [stage, draw, lane], tally of the class of each draw after it
    best: NDArray[np.int64]  # [draws, lane], leading tally of a stage; 0 after no draws
    leads: NDArray[np.int64]  # [stage, budget, lane], leading tallies
    need: NDArray[np.int64]  # [stage, budget, lane], tallies that stop
    agreed: NDArray[np.int64]  # [stage, budget, lane], less 1 for each replay in which the stage agreed
    still: NDArray[np.int64]  # [budget, lane], -1 where no stage agreed yet, else 0
    common: NDArray[np.int64]  # [budget, lane], the leaders' tallies or-ed
    differ: NDArray[np.int64]  # [budget, lane], bits in which the leaders differ
    last: NDArray[np.int64]  # [budget, lane], number of stages that vote
    right: NDArray[np.int64]  # [budget, lane], replays with a right answer


class Counted(NamedTuple):
    """Counts of one replay for a vote. Allocated in Python, which saves compile time."""

    counts: NDArray[np.float64]  # [stage, label], votes
    members: NDArray[np.int64]  # [stage, class], labels in the order in which they were seen
    facts: NDArray[np.int64]  # [stage, fact]
    weights: NDArray[np.float64]  # [stage], of a vote
    todo: NDArray[np.int64]  # budgets at which the stages must vote


def _memory(recorded, rules):
    n_stages, n_budgets = rules.sizes.shape
    width, most = recorded.codes.shape[2], 2 * most_classes(recorded.offsets) + 1
    depth, n_lanes = max(int(rules.sizes.max()), 1), LANES * n_budgets
    of_budget, of_stage = np.zeros((5, n_lanes), np.int64), np.zeros((3, n_stages * n_lanes), np.int64)
    needed = np.minimum(rules.need, _MOST_VOTES) << SHIFT
    memory = Memory(
        depths=np.max(rules.sizes, axis=1),
        samples=np.empty(n_stages * width, np.uint16),
        scratch=np.empty(n_stages * width * LANES, np.uint16),
        places=np.empty((depth + np.max(rules.skip)) * LANES, np.uint32),
        tally=np.zeros(most * LANES, np.int64),
        seen=np.empty(n_stages * depth * LANES, np.int64),
        best=np.zeros((depth + 1) * LANES, np.int64),
        leads=of_stage[0],
        need=np.repeat(needed.reshape(-1), LANES),
        agreed=of_stage[1],
        still=of_budget[0],
        common=of_budget[1],
        differ=of_budget[2],
        last=of_budget[3],
        right=of_budget[4],
    )
    counted = Counted(
        counts=np.zeros(n_stages * most),
        members=np.zeros(n_stages * depth, np.int64),
        facts=np.zeros(n_stages * N_FACTS, np.int64),
        weights=rules.prior.copy(),
        todo=np.zeros(n_budgets + 1, np.int64),
    )
    return memory, counted


def results(rules: Rules, recorded: Recorded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Allocate the counters of replays: hits [question, budget] and stopped [question, stage, budget]."""
    n_questions, (n_stages, n_budgets) = recorded.codes.shape[1], rules.sizes.shape
    return np.zeros((n_questions, n_budgets), np.int64), np.zeros((n_questions, n_stages, n_budgets), np.int64)


@compiled
def within_weight(kind, at, ordered, distinct, valid, logs, inverse_logs, inverses):
    """Return 1, 1 / draws, or 1/m + (1 - 1/m)(1 - H / normaliser) with H = log2 m - sum(n log2 n) / m."""
    if kind == SHARE:
        return inverses[at]
    if kind == PLAIN or distinct <= 1:
        return 1.0
    share = inverses[valid]
    entropy = logs[valid] - ordered * UNIT * share
    return share + (1.0 - share) * (1.0 - entropy * inverse_logs[distinct if kind == ENTROPY_DISTINCT else valid])


@compiled
def _lead(seen, begin, depth, covers, best):
    """Fill best, [draw + 1, lane], with the leading tally of a stage after every draw (0 = no answer yet).

    With `covers` only right answers count.
    """
    if covers:
        for k in range(LANES * depth):
            seen[np.uint32(begin + k)] &= -(seen[np.uint32(begin + k)] & 1)
    for k in range(LANES * depth):
        best[np.uint32(k) + _LANES] = larger(best[np.uint32(k)], seen[np.uint32(begin + k)])


@compiled
def _at_budgets(best, sizes, leads, begin):
    """Look up the leading tallies of a stage at every budget, leads[begin:] [budget, lane]."""
    for b in range(sizes.size):
        for lane in range(LANES):
            leads[np.uint32(begin + LANES * b + lane)] = best[np.uint32(LANES * sizes[b] + lane)]


@compiled
def _settle(i, leads, need, adopt, still, common, differ, last, agreed):
    """Test the agreement of stage i at every budget of every lane; return whether any continues. Arrays: see Memory."""
    left, begin = np.int64(0), np.uint32(i * still.size)
    adopts = np.int64(-1) if adopt else np.int64(0)
    if not adopt:
        for k in range(still.size):
            at = begin + np.uint32(k)
            if still[k] and leads[at] >= need[at]:
                last[k] = i + 1
    for k in range(still.size):
        at = begin + np.uint32(k)
        lead, going, leader = leads[at], still[k], common[k]
        agrees = going & ~((lead - need[at]) >> 63)
        keep = ~(agrees & adopts)
        both = (-leader >> 63) & (-lead >> 63)  # stages without an answer agree with any
        differ[k] = (differ[k] | (going & (leader ^ lead) & both)) & keep
        common[k] = (leader & keep) | (going & lead)
        still[k] = going & ~agrees
        agreed[at] += agrees
        left |= going & ~agrees
    return left != 0


@compiled
def _add_up(common, differ, covers, right):
    """Count correct answers where the leaders do not differ; return whether any differ. Arrays are [budget, lane].

    A class that leads every stage wins under any positive weights, and its ties are decided as in the stages.
    """
    some, relevant = np.int64(0), np.int64(0) if covers else CLASS_BITS
    for k in range(right.size):
        differs = differ[k] & relevant
        right[k] += common[k] & 1 & ~(-differs >> 63)
        differ[k] = differs
        some |= differs
    return some != 0


@inlined
def _forget(i, most, depth, counts, members, facts):
    """Undo the counting of a stage."""
    for place in range(i * depth, i * depth + facts[i * N_FACTS + DISTINCT]):
        counts[np.uint32(i * most + members[np.uint32(place)])] = 0.0
    for k in range(i * N_FACTS, (i + 1) * N_FACTS):
        facts[k] = 0


@inlined
def _count(i, lane, to, most, depth, seen, counts, members, facts, steps):
    """Count the first draws of a lane in counts[i * most:], members[i * depth:] (labels, as first seen) and facts."""
    mine = i * N_FACTS
    ordered, distinct, valid = facts[mine + ORDERED], facts[mine + DISTINCT], facts[mine + VALID]
    first, second, leader = facts[mine + MOST], facts[mine + SECOND], facts[mine + LEADER]
    begin = i * depth * LANES + lane
    for j in range(begin + LANES * facts[mine + AT], begin + LANES * to, LANES):
        tally = seen[np.uint32(j)]
        if tally > 0:
            label, n = tally & LABEL, tally >> SHIFT
            counts[np.uint32(i * most + label)] = n
            members[np.uint32(i * depth + distinct)] = label
            ordered += steps[np.uint32(n - 1)]
            distinct += n == 1
            valid += 1
            if label == leader:
                first = n
            elif n > first:
                first, second, leader = n, first, label
            else:
                second = max(second, n)
    facts[mine + AT], facts[mine + ORDERED], facts[mine + DISTINCT] = to, ordered, distinct
    facts[mine + VALID], facts[mine + MOST], facts[mine + SECOND] = valid, first, second
    facts[mine + LEADER] = leader


@inlined
def _vote(end, most, depth, counts, weights, members, facts, ties, tie_state):
    """Return the label with the most weighted votes over stages 0..end - 1.

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win.
    """
    top, bar, winner = 0.0, 0.0, np.int64(0)
    for i in range(end):
        for place in range(i * depth, i * depth + facts[i * N_FACTS + DISTINCT]):
            label, score = members[np.uint32(place)], 0.0
            for k in range(end):
                score += weights[k] * counts[np.uint32(k * most + label)]
            if score > bar:
                top, bar, winner = score, score * HIGHER, label
            elif ties != FIRST and 0.0 < top <= score * HIGHER:
                rank = tie_rank(ties, label & 1, tie_state, label >> 1)
                if rank > tie_rank(ties, winner & 1, tie_state, winner >> 1):
                    winner = label
    return winner


@inlined
def _clear_winner(end, most, counts, weights, facts):
    """Return the label that is certain to win a vote, or -1.

    A class that leads no stage has in each at most the votes of the second.
    """
    top, other, rest, winner = 0.0, 0.0, 0.0, np.int64(-1)
    for i in range(end):
        label, score = facts[i * N_FACTS + LEADER], 0.0
        for k in range(end):
            score += weights[k] * counts[np.uint32(k * most + label)]
        if score > top:
            top, other, winner = score, max(top, other), label
        elif label != winner:
            other = max(other, score)
        rest += weights[i] * facts[i * N_FACTS + SECOND]
    return winner if top > max(other, rest) * HIGHER else np.int64(-1)


@inlined
def _highest(end, b, lane, leads, weights, ties):
    """Return the tally of the stage with the highest leader; ties go to the earlier stage or by the rule's tags."""
    top, winner = 0.0, np.int64(0)
    width = leads.size // weights.size
    for i in range(end):
        other = leads[i * width + LANES * b + lane]
        score = weights[i] * (other >> SHIFT)
        if score > top * HIGHER:
            top, winner = score, other
        elif ties != FIRST and 0.0 < top <= score * HIGHER and other & TAG_MASK > winner & TAG_MASK:
            winner = other
    return winner


@compiled
def _decide(
    live, sizes, prior, kind, highest, ties, tie_key, r, seen, leads, differ, last, right, counts, members, facts,
    weights, todo, logs, inverse_logs, inverses, steps,
):  # fmt: skip
    """Let the stages of each lane vote at the budgets at which their leaders differ."""
    # 22 parameters: a tuple adds counting of references per call, and replays take 6 % longer.
    n_stages, depth = sizes.shape[0], members.size // sizes.shape[0]
    most = counts.size // n_stages
    for lane in range(live):
        n_todo = 0
        for b in range(sizes.shape[1]):
            todo[np.uint32(n_todo)] = b
            n_todo += differ[np.uint32(LANES * b + lane)] != 0
        for place in range(n_todo):
            b = todo[np.uint32(place)]
            end = last[np.uint32(LANES * b + lane)]
            for i in range(end):
                to, mine = sizes[i, b], i * N_FACTS
                if to == facts[mine + AT]:
                    continue
                if to < facts[mine + AT]:
                    _forget(i, most, depth, counts, members, facts)
                _count(i, lane, to, most, depth, seen, counts, members, facts, steps)
                ordered, distinct, valid = facts[mine + ORDERED], facts[mine + DISTINCT], facts[mine + VALID]
                weights[i] = prior[i] * within_weight(kind, to, ordered, distinct, valid, logs, inverse_logs, inverses)
            if highest:
                winner = _highest(end, b, lane, leads, weights, ties)
            else:
                winner = _clear_winner(end, most, counts, weights, facts)
                if winner < 0:
                    tie_state = word(tie_key, r + lane)
                    winner = _vote(end, most, depth, counts, weights, members, facts, ties, tie_state)
            right[np.uint32(LANES * b + lane)] += winner & 1
        for i in range(n_stages if n_todo > 0 else 0):
            _forget(i, most, depth, counts, members, facts)
            weights[i] = prior[i]


@compiled
def _sum_lanes(q, right, agreed, hits, stopped):
    """Add up the replays of question q and reset their counters to 0."""
    for k in range(right.size):
        hits[q, k // LANES] += right[k]
        right[k] = 0
    for i in range(stopped.shape[1]):
        for k in range(right.size):
            stopped[q, i, k // LANES] -= agreed[i * right.size + k]
            agreed[i * right.size + k] = 0


@compiled
def _staged(recorded, rules, replays, memory, counted, tables, spending, hits, stopped):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    depths, samples, scratch, places, tally, seen, best, leads, need, agreed, still, common, differ, last, right = (
        memory
    )
    counts, members, facts, weights, todo = counted
    logs, inverse_logs, inverses, steps = tables
    values, starts, joins, plain, _, spent, numbers, drawn_numbers, running, base, pending, _, _ = spending
    totals, histogram, lowest, span = spent
    sizes, prior, skip, ties = rules.sizes, rules.prior, rules.skip, rules.ties
    n_stages, n_lanes, width, depth = sizes.shape[0], still.size, codes.shape[2], best.size // LANES - 1
    covers = rules.kind == COVERAGE
    for q in range(hits.shape[0]):
        known = correct[offsets[q] : offsets[q + 1]]
        for m in range(n_stages):
            labels(codes[m, q], lengths[m, q], known, samples, scratch, m * width)
        for r in range(replays.first, replays.first + replays.n, LANES):
            live = min(LANES, replays.first + replays.n - r)
            for k in range(n_lanes):
                still[k] = -np.int64(k % LANES < live)
                common[k], differ[k], last[k] = 0, 0, n_stages
            i, goes_on = np.int64(0), True  # 0 alone would compile _settle for that number, and again for others
            while goes_on and i < n_stages:
                begin, drawn = i * depth * LANES, depths[i]
                draw_tallies(
                    seen, begin, skip[i], drawn, lengths[i, q], known, samples, scratch, i * width,
                    places, tally, keys[i, q], tie_keys[q], ties, r, replays.replacement,
                )  # fmt: skip
                _lead(seen, begin, drawn, covers, best)
                _at_budgets(best, sizes[i], leads, i * n_lanes)
                if plain.shape[0] > 0:
                    run_up(
                        i, q, hits.shape[0], skip[i], drawn, sizes.shape[1] == 1, places, replays.replacement,
                        values, starts, plain, numbers, drawn_numbers, running,
                    )  # fmt: skip
                    add_stage(i, r - replays.first, sizes, joins, still, running, base, pending)
                goes_on = _settle(i, leads, need, rules.adopt, still, common, differ, last, agreed)
                i += 1
            if plain.shape[0] > 0:
                end = r - replays.first + live
                close_replays(q, end, replays.n, pending, totals, histogram, lowest, span)
            if _add_up(common, differ, covers, right):
                _decide(
                    live, sizes, prior, rules.kind, rules.highest, ties, tie_keys[q], r, seen, leads, differ, last,
                    right, counts, members, facts, weights, todo, logs, inverse_logs, inverses, steps,
                )  # fmt: skip
        _sum_lanes(q, right, agreed, hits, stopped)


def staged(
    recorded: Recorded, rules: Rules, replays: Replays, spending: Spending = NOTHING
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy that asks its models in turn, at all budgets. The totals of `spending` are added up.

    Returns two int64 arrays: hits [question, budget], replays with a right answer; stopped [question, stage, budget],
    replays in which the stage agreed.
    """
    hits, stopped = results(rules, recorded)
    memory, counted = _memory(recorded, rules)
    tables = logarithms(max(int(rules.sizes.max()), 1))
    _staged(recorded, rules, replays, memory, counted, tables, spending, hits, stopped)
    return hits, stopped
