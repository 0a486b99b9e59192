"""Replays of strategies that ask models in turn: whole curves of several plans, every budget of a replay in one pass.

Replays run in groups of LANES. What a group finds, such as whether a leader is right, is kept as one bit per group, so
that the results of up to GROUPS groups are counted for each plan in a few operations on whole words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bits import count
from mssim.kernels.bundles import Bundle, Layout, layout_of
from mssim.kernels.compiling import compiled
from mssim.kernels.lanes import draw_tallies, labels, larger
from mssim.kernels.spending import NOTHING, Spending, add_stage, close_replays, run_up
from mssim.kernels.stage_votes import N_FACTS, decide
from mssim.kernels.tally import CLASS_BITS, LANES, Recorded, Replays, logarithms, most_classes

GROUPS = 64

_LANES = np.uint32(LANES)


class Memory(NamedTuple):
    """Arrays of one question, flat, the lane as the last axis. Allocated in Python to compile less."""

    samples: NDArray[np.uint16]  # [row, sample], labels (see lanes)
    scratch: NDArray[np.uint16]  # [row, sample, lane], the same
    places: NDArray[np.uint32]  # [draw, lane], of a unit, with skipped draws
    tally: NDArray[np.int64]  # [label, lane]
    seen: NDArray[np.int64]  # [unit, draw, lane], tally of the class of each draw after it
    best: NDArray[np.int64]  # [draws, lane], leading tally of a unit; 0 after no draws
    answers: NDArray[np.int64]  # [answer, budget, lane], leading tallies, then winners; the lowest bit: right
    agrees: NDArray[np.int64]  # [test, budget, lane], -1 where the leader has enough votes, else 0
    differ: NDArray[np.int64]  # [contest, budget, lane], bits in which leaders differ where a winner is needed
    some: NDArray[np.int64]  # [budget, lane], the same of any contest
    wanted: NDArray[np.int64]  # [budget, lane], -1 where a plan needs the winner of a contest, else 0
    asked: NDArray[np.int64]  # [budget, lane], -1 if the replay was asked for, else 0
    still: NDArray[np.int64]  # [budget, lane], -1 where no stage of the first plan agreed yet, else 0
    drawn: NDArray[np.bool_]  # [unit], whether it was drawn
    fails: NDArray[np.bool_]  # [test], whether it fails in any lane at any budget
    going: NDArray[np.bool_]  # [plan], whether it continues in any lane at any budget


class Bits(NamedTuple):
    """Results of up to GROUPS groups, a bit for each."""

    right: NDArray[np.int64]  # [answer, budget, lane]
    agreed: NDArray[np.int64]  # [test, budget, lane]
    asked: NDArray[np.int64]  # [budget, lane], replays that were asked for
    still: NDArray[np.int64]  # [budget, lane], replays of a plan that no stage stopped yet
    hit: NDArray[np.int64]  # [plan, budget, lane], replays in which a plan is right


class Counted(NamedTuple):
    """Counts of one replay for a vote. Allocated in Python, which saves compile time."""

    begins: NDArray[np.int64]  # [track], where its draws begin
    counts: NDArray[np.float64]  # [track, label], votes
    members: NDArray[np.int64]  # [track, class], labels in the order in which they were seen
    facts: NDArray[np.int64]  # [track, fact]
    within: NDArray[np.float64]  # [track, kind], weights
    places: NDArray[np.int64]  # [stage], tracks of a vote
    weights: NDArray[np.float64]  # [stage], of a vote
    todo: NDArray[np.int64]  # budgets at which tracks must vote


class Replayed(NamedTuple):
    """Numbers of replays."""

    hits: NDArray[np.int64]  # [plan, question, budget], with a right answer
    stopped: NDArray[np.int64]  # [plan, question, stage, budget], in which the stage agreed
    control_hits: NDArray[np.int64]  # [plan, question, budget], with a right answer of the control
    both: NDArray[np.int64]  # [plan, question, budget], with right answers of plan and control


def _memory(recorded, layout):
    n_rows, _, width = recorded.codes.shape
    (n_tracks, n_budgets), n_units, n_plans = layout.sizes.shape, len(layout.unit_rows), len(layout.plan_units)
    n_lanes, n_tests = LANES * n_budgets, layout.need.size // (LANES * n_budgets)
    n_votes, n_contests, n_stages = len(layout.vote_ties), len(layout.contest_ends), layout.plan_units.shape[1]
    most, depth = 2 * most_classes(recorded.offsets) + 1, max(int(layout.sizes.max()), 1)
    memory = Memory(
        samples=np.empty(n_rows * width, np.uint16),
        scratch=np.empty(n_rows * width * LANES, np.uint16),
        places=np.empty((depth + np.max(layout.unit_skip)) * LANES, np.uint32),
        tally=np.zeros(most * LANES, np.int64),
        seen=np.empty(layout.unit_begins[-1] * LANES, np.int64),
        best=np.zeros((depth + 1) * LANES, np.int64),
        answers=np.zeros((n_tracks + n_votes) * n_lanes, np.int64),
        agrees=np.zeros(n_tests * n_lanes, np.int64),
        differ=np.zeros(n_contests * n_lanes, np.int64),
        some=np.zeros(n_lanes, np.int64),
        wanted=np.zeros(n_lanes, np.int64),
        asked=np.zeros(n_lanes, np.int64),
        still=np.zeros(n_lanes, np.int64),
        drawn=np.zeros(n_units, np.bool_),
        fails=np.zeros(n_tests, np.bool_),
        going=np.zeros(n_plans, np.bool_),
    )
    bits = Bits(
        right=np.zeros((n_tracks + n_votes) * n_lanes, np.int64),
        agreed=np.zeros(n_tests * n_lanes, np.int64),
        asked=np.zeros(n_lanes, np.int64),
        still=np.zeros(n_lanes, np.int64),
        hit=np.zeros(n_plans * n_lanes, np.int64),
    )
    counted = Counted(
        begins=layout.unit_begins[layout.track_units] * LANES,
        counts=np.zeros(n_tracks * most),
        members=np.zeros(n_tracks * depth, np.int64),
        facts=np.zeros(n_tracks * N_FACTS, np.int64),
        within=np.ones(n_tracks * len(layout.kinds)),
        places=np.zeros(n_stages, np.int64),
        weights=np.ones(n_stages),
        todo=np.zeros(n_budgets + 1, np.int64),
    )
    return memory, bits, counted


@compiled
def _lead(seen, begin, depth, covers, best):
    """Fill best, [draw + 1, lane], with the leading tally of a unit after every draw (0 = no answer yet).

    With `covers` only right answers count.
    """
    if covers:
        for k in range(LANES * depth):
            seen[np.uint32(begin + k)] &= -(seen[np.uint32(begin + k)] & 1)
    for k in range(LANES * depth):
        best[np.uint32(k) + _LANES] = larger(best[np.uint32(k)], seen[np.uint32(begin + k)])


@compiled
def _at_budgets(t, best, sizes, answers):
    """Look up the leading tallies of track t at every budget, answers[t]."""
    begin = LANES * t * sizes.shape[1]
    for b in range(sizes.shape[1]):
        for lane in range(LANES):
            answers[np.uint32(begin + LANES * b + lane)] = best[np.uint32(LANES * sizes[t, b] + lane)]


@compiled
def _note(first, end, n_lanes, group, answers, right):
    """Note where answers first to end - 1 are right."""
    for k in range(first * n_lanes, end * n_lanes):
        right[np.uint32(k)] |= (answers[np.uint32(k)] & 1) << group


@compiled
def _test(t, e, group, answers, need, asked, agrees, agreed):
    """Let test e compare the leaders of track t; return whether it fails at any budget of any lane."""
    left, of_track, of_test = np.int64(0), np.uint32(t * asked.size), np.uint32(e * asked.size)
    for k in range(asked.size):
        at = of_test + np.uint32(k)
        found = ~((answers[of_track + np.uint32(k)] - need[at]) >> 63)
        agrees[at] = found
        agreed[at] |= (found & 1) << group
        left |= ~found & asked[k]
    return left != 0


@compiled
def _want(first, end, use_tests, use_stops, agrees, asked, still, wanted):
    """Fill `wanted` with where a plan needs the winner of a contest, by uses first to end - 1."""
    wanted[:] = 0
    for use in range(first, end):
        still[:] = asked
        for test in use_tests[use]:
            if test >= 0:
                for k in range(asked.size):
                    still[k] &= ~agrees[np.uint32(test * asked.size + k)]
        stop = use_stops[use]
        for k in range(asked.size):
            wanted[k] |= still[k] & (agrees[np.uint32(stop * asked.size + k)] if stop >= 0 else -1)


@compiled
def _compare(c, tracks, first, end, covers, wanted, answers, differ, some):
    """Fill differ[c] with the bits in which the leaders of contest c differ, where the winner is wanted.

    Where they do not differ, the leader is the winner of votes first to end - 1: a class that leads every stage wins
    under any positive weights, and its ties are decided as in the stages. Stages without an answer agree with any.
    """
    n = wanted.size
    at, of_vote = np.uint32(c * n), np.uint32(first * n)
    for k in range(n):
        differ[at + np.uint32(k)], answers[of_vote + np.uint32(k)] = 0, 0
    for t in tracks:
        if t >= 0:
            for k in range(n):
                lead, leader = answers[np.uint32(t * n + k)], answers[of_vote + np.uint32(k)]
                differ[at + np.uint32(k)] |= (leader ^ lead) & (-leader >> 63) & (-lead >> 63)
                answers[of_vote + np.uint32(k)] = leader | lead
    relevant = np.int64(0) if covers else CLASS_BITS
    for k in range(n):
        differs = differ[at + np.uint32(k)] & wanted[k] & relevant
        differ[at + np.uint32(k)] = differs
        some[k] |= differs
    for k in range(n, n * (end - first)):
        answers[of_vote + np.uint32(k)] = answers[of_vote + np.uint32(k - n)]


@compiled
def _settle(p, tests, right, agreed, asked, still, hit, answers, hits, stopped):
    """Count the replays of plan p in the noted groups: hits [budget] and stopped [stage, budget]."""
    n = asked.size
    for k in range(n):
        still[k], hit[np.uint32(p * n + k)] = asked[k], 0
    for i in range(tests.size + 1):
        test = tests[i] if i < tests.size else np.int64(-1)
        if test < 0 and i < tests.size:
            continue
        for k in range(n):
            stops = still[k] & (agreed[np.uint32(test * n + k)] if test >= 0 else -1)
            still[k] ^= stops
            hit[np.uint32(p * n + k)] |= stops & right[np.uint32(answers[i] * n + k)]
            if test >= 0:
                stopped[i, k // LANES] += count(stops)
    for k in range(n):
        hits[k // LANES] += count(hit[np.uint32(p * n + k)])


@compiled
def _staged(recorded, layout, sizes, replays, memory, bits, counted, tables, spending, hits, stopped, both):
    codes, lengths, offsets, correct, keys, tie_keys = recorded
    (
        unit_rows, unit_skip, unit_ties, unit_covers, unit_begins, unit_tracks, track_units, track_tests, track_sizes,
        slots, need, contest_tracks, contest_ends, contest_uses, use_tests, use_stops, contest_votes, vote_kinds,
        vote_prior, vote_highest, vote_ties, kinds, plan_units, plan_tests, plan_answers, controls,
    ) = layout  # fmt: skip
    (
        samples, scratch, places, tally, seen, best, answers, agrees, differ, some, wanted, asked, still, drawn, fails,
        going,
    ) = memory  # fmt: skip
    right, agreed, noted, open_, hit = bits
    begins, counts, members, facts, within, voters, weights, todo = counted
    logs, inverse_logs, inverses, steps = tables
    values, starts, joins, plain, _, spent, numbers, drawn_numbers, running, base, pending, _, _ = spending
    totals, histogram, lowest, span = spent
    (n_plans, n_stages), n_tracks, width, n = plan_units.shape, len(track_units), codes.shape[2], asked.size
    spends, end = plain.shape[0] > 0, replays.first + replays.n
    for q in range(hits.shape[1]):
        known = correct[offsets[q] : offsets[q + 1]]
        for m in range(len(codes)):
            labels(codes[m, q], lengths[m, q], known, samples, scratch, m * width)
        group = np.int64(0)
        for r in range(replays.first, end, LANES):
            live = min(LANES, end - r)
            for k in range(n):
                asked[k] = -np.int64(k % LANES < live)
                noted[k] |= (asked[k] & 1) << group
                still[k], some[k] = asked[k], 0
            drawn[:] = False
            going[:] = True
            for i in range(n_stages):
                for p in range(n_plans):
                    u = plan_units[p, i]
                    if u < 0 or not going[p]:
                        continue
                    if not drawn[u]:
                        drawn[u] = True
                        row, skip, begin = unit_rows[u], unit_skip[u], unit_begins[u]
                        depth = unit_begins[u + 1] - begin
                        draw_tallies(
                            seen, begin * LANES, skip, depth, lengths[row, q], known, samples, scratch, row * width,
                            places, tally, keys[row, q], tie_keys[q], unit_ties[u], r, replays.replacement,
                        )  # fmt: skip
                        _lead(seen, begin * LANES, depth, unit_covers[u], best)
                        for t in range(unit_tracks[u], unit_tracks[u + 1]):
                            _at_budgets(t, best, track_sizes, answers)
                            for e in range(track_tests[t], track_tests[t + 1]):
                                fails[e] = _test(t, e, group, answers, need, asked, agrees, agreed)
                        _note(unit_tracks[u], unit_tracks[u + 1], n, group, answers, right)
                        if spends and p == 0:
                            run_up(
                                i, q, hits.shape[1], skip, depth, sizes.shape[1] == 1, places, replays.replacement,
                                values, starts, plain, numbers, drawn_numbers, running,
                            )  # fmt: skip
                            add_stage(i, r - replays.first, sizes, joins, still, running, base, pending)
                    e = plan_tests[p, i]
                    if e >= 0:
                        going[p] = fails[e]
                        for k in range(n if spends and p == 0 else 0):
                            still[k] &= ~agrees[np.uint32(e * n + k)]
            if spends:
                close_replays(q, r - replays.first + live, replays.n, pending, totals, histogram, lowest, span)
            for c in range(len(contest_ends)):
                ready = True
                for i in range(contest_ends[c]):
                    ready &= drawn[track_units[contest_tracks[c, i]]]
                if ready:
                    first, last = n_tracks + contest_votes[c], n_tracks + contest_votes[c + 1]
                    _want(contest_uses[c], contest_uses[c + 1], use_tests, use_stops, agrees, asked, still, wanted)
                    covers = unit_covers[track_units[contest_tracks[c, 0]]]
                    _compare(c, contest_tracks[c], first, last, covers, wanted, answers, differ, some)
                else:
                    differ[c * n : (c + 1) * n] = 0
            if some.any():
                decide(
                    live, r, tie_keys[q], track_sizes, slots, begins, contest_tracks, contest_ends, contest_votes,
                    vote_kinds, vote_prior, vote_highest, vote_ties, kinds, seen, answers, differ, some, counts,
                    members, facts, within, voters, weights, todo, logs, inverse_logs, inverses, steps,
                )  # fmt: skip
            _note(n_tracks, n_tracks + len(vote_ties), n, group, answers, right)
            group += 1
            if group == GROUPS or live < LANES or r + LANES >= end:
                for p in range(n_plans):
                    _settle(
                        p, plan_tests[p], right, agreed, noted, open_, hit,
                        plan_answers[p], hits[p, q], stopped[p, q],
                    )  # fmt: skip
                for p in range(len(controls)):
                    for k in range(n):
                        control = controls[p, k // LANES]
                        if control >= 0:
                            both[p, q, k // LANES] += count(hit[p * n + k] & hit[control * n + k])
                right[:] = 0
                agreed[:] = 0
                noted[:] = 0
                group = np.int64(0)


def staged(
    recorded: Recorded,
    bundle: Bundle,
    replays: Replays,
    spending: Spending = NOTHING,
    layout: Layout | None = None,
) -> Replayed:
    """Replay plans that ask their models in turn, on the same draws at all budgets.

    What draws spend is counted for a bundle of one plan: the totals of `spending` are added up.
    """
    layout, (n_plans, n_stages, n_budgets) = layout or layout_of(bundle), bundle.sizes.shape
    memory, bits, counted = _memory(recorded, layout)
    n_all, n_questions = len(layout.plan_units), recorded.codes.shape[1]
    hits, both = (
        np.zeros((n_all, n_questions, n_budgets), np.int64),
        np.zeros((n_plans, n_questions, n_budgets), np.int64),
    )
    stopped = np.zeros((n_all, n_questions, n_stages, n_budgets), np.int64)
    tables, sizes = logarithms(max(int(bundle.sizes.max()), 1)), np.ascontiguousarray(bundle.sizes[0])
    _staged(recorded, layout, sizes, replays, memory, bits, counted, tables, spending, hits, stopped, both)
    control_hits = np.zeros_like(both)
    for p, b in zip(*np.nonzero(layout.controls >= 0), strict=True):
        control_hits[p, :, b] = hits[layout.controls[p, b], :, b]
    return Replayed(hits[:n_plans], stopped[:n_plans], control_hits, both)
