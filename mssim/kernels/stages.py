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
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.lanes import draw_tallies, labels, larger
from mssim.kernels.spending import NOTHING, Spending, add_stage, close_replays, run_up
from mssim.kernels.stage_votes import N_FACTS, decide
from mssim.kernels.tally import CLASS_BITS, LANES, Recorded, Replays, logarithms, most_classes

GROUPS = 64

_LANES = np.uint32(LANES)
_ONE, _TWO, _THREE = np.uint32(1), np.uint32(2), np.uint32(3)


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
    asked: NDArray[np.int64]  # [budget, lane], -1 if the replay was asked for, else 0
    still: NDArray[np.int64]  # [budget, lane], -1 where no stage of the first plan agreed yet, else 0
    drawn: NDArray[np.bool_]  # [unit], whether it was drawn
    fails: NDArray[np.bool_]  # [test], whether it fails in any lane at any budget
    going: NDArray[np.bool_]  # [plan], whether it continues in any lane at any budget
    tracks: NDArray[np.int64]  # tracks of drawn units
    contests: NDArray[np.int64]  # contests of such tracks


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
        asked=np.zeros(n_lanes, np.int64),
        still=np.zeros(n_lanes, np.int64),
        drawn=np.zeros(n_units, np.bool_),
        fails=np.zeros(n_tests, np.bool_),
        going=np.zeros(n_plans, np.bool_),
        tracks=np.zeros(n_tracks, np.int64),
        contests=np.zeros(n_contests, np.int64),
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
    a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)  # one per lane, in registers
    for j in range(depth):
        at, here = np.uint32(begin + LANES * j), np.uint32(LANES * (j + 1))
        a, b = larger(a, seen[at]), larger(b, seen[at + _ONE])
        c, d = larger(c, seen[at + _TWO]), larger(d, seen[at + _THREE])
        best[here], best[here + _ONE], best[here + _TWO], best[here + _THREE] = a, b, c, d


@compiled
def _at_budgets(t, best, sizes, group, answers, right):
    """Look up the leading tallies of track t at every budget, answers[t], and note where they are right."""
    for b in range(sizes.shape[1]):
        at, here = np.uint32(LANES * sizes[t, b]), np.uint32(LANES * (t * sizes.shape[1] + b))
        for lane in range(_LANES):
            lead = best[at + lane]
            answers[here + lane] = lead
            right[here + lane] |= (lead & 1) << group


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


@inlined
def _meet(leader, lead):
    """Return the bits in which two leaders differ; stages without an answer agree with any."""
    return (leader ^ lead) & (-leader >> 63) & (-lead >> 63)


@compiled
def _compare(c, n_tracks, tracks, tests, stops, votes, relevant, asked, agrees, answers, differ, some):
    """Fill differ[c] with the bits in which the leaders of contest c differ, where a plan needs the winner.

    Where they do not differ, the leader is the winner of its votes: a class that leads every stage wins under any
    positive weights, and its ties are decided as in the stages. Return whether any differ.
    """
    n = asked.size
    mine, of_vote = np.uint32(c * n), np.uint32((n_tracks + votes[c]) * n)
    first, second = np.uint32(tracks[c, 0] * n), np.uint32(tracks[c, 1] * n)
    for k in range(np.uint32(n)):
        leader, lead = answers[first + k], answers[second + k]
        differ[mine + k] = _meet(leader, lead) & asked[k] & relevant
        answers[of_vote + k] = leader | lead
    for i in range(2, tracks.shape[1]):
        other = np.uint32(tracks[c, i] * n)
        for k in range(np.uint32(n if tracks[c, i] >= 0 else 0)):
            leader, lead = answers[of_vote + k], answers[other + k]
            differ[mine + k] |= _meet(leader, lead) & asked[k] & relevant
            answers[of_vote + k] = leader | lead
    for i in range(tests.shape[1]):
        of_test = np.uint32(tests[c, i] * n)
        for k in range(np.uint32(n if tests[c, i] >= 0 else 0)):
            differ[mine + k] &= ~agrees[of_test + k]
    of_test = np.uint32(stops[c] * n)
    for k in range(np.uint32(n if stops[c] >= 0 else 0)):
        differ[mine + k] &= agrees[of_test + k]
    found = np.int64(0)
    for k in range(np.uint32(n)):
        some[k] |= differ[mine + k]
        found |= differ[mine + k]
    for k in range(np.uint32(n), np.uint32(n * (votes[c + 1] - votes[c]))):
        answers[of_vote + k] = answers[of_vote + k - np.uint32(n)]
    return found != 0


@compiled
def _note(first, end, n_lanes, group, answers, right):
    """Note where answers first to end - 1 are right."""
    for k in range(np.uint32(first * n_lanes), np.uint32(end * n_lanes)):
        right[k] |= (answers[k] & 1) << group


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
        counted_sizes, slots, need, contest_tracks, contest_ends, contest_tests, contest_stops, contest_votes,
        vote_kinds, vote_prior, vote_highest, vote_ties, kinds, plan_units, plan_tests, plan_answers, controls,
    ) = layout  # fmt: skip
    (
        samples, scratch, places, tally, seen, best, answers, agrees, differ, some, asked, still, drawn, fails, going,
        tracks, contests,
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
        asked[:], group = -1, np.int64(0)
        for r in range(replays.first, end, LANES):
            live = min(LANES, end - r)
            for k in range(n if live < LANES else 0):
                asked[k] = -np.int64(k % LANES < live)
            n_drawn = 0
            for u in range(drawn.size):
                drawn[u] = False
            for p in range(n_plans):
                going[p] = True
            for k in range(n if spends else 0):
                still[k] = asked[k]
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
                            _at_budgets(t, best, track_sizes, group, answers, right)
                            for e in range(track_tests[t], track_tests[t + 1]):
                                fails[e] = _test(t, e, group, answers, need, asked, agrees, agreed)
                            tracks[n_drawn] = t
                            n_drawn += 1
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
            n_ready, n_differ = 0, 0
            for c in range(len(contest_ends)):
                waits = False
                for i in range(contest_ends[c]):
                    waits |= not drawn[track_units[contest_tracks[c, i]]]
                if not waits:
                    relevant = np.int64(0) if unit_covers[track_units[contest_tracks[c, 0]]] else CLASS_BITS
                    n_differ += _compare(
                        c, n_tracks, contest_tracks, contest_tests, contest_stops, contest_votes, relevant, asked,
                        agrees, answers, differ, some,
                    )  # fmt: skip
                    contests[n_ready] = c
                    n_ready += 1
            if n_differ > 0:
                decide(
                    live, r, tie_keys[q], n_drawn, tracks, n_ready, contests, counted_sizes, slots, begins,
                    contest_tracks, contest_ends, contest_votes, vote_kinds, vote_prior, vote_highest, vote_ties, kinds,
                    seen, answers, differ, some, counts, members, facts, within, voters, weights, todo,
                    logs, inverse_logs, inverses, steps,
                )  # fmt: skip
            for place in range(n_ready):
                c = contests[place]
                _note(n_tracks + contest_votes[c], n_tracks + contest_votes[c + 1], n, group, answers, right)
            group += 1
            if group == GROUPS or r + LANES >= end:
                for k in range(n):
                    noted[k] = (np.int64(2) << (group - 1)) - 1 ^ (~asked[k] & 1) << (group - 1)
                for p in range(n_plans):
                    _settle(
                        p, plan_tests[p], right, agreed, noted, open_, hit, plan_answers[p], hits[p, q], stopped[p, q]
                    )
                for p in range(len(controls)):
                    for k in range(n):
                        control = controls[p, k // LANES]
                        if control >= 0:
                            both[p, q, k // LANES] += count(hit[p * n + k] & hit[control * n + k])
                right[:], agreed[:], group = 0, 0, np.int64(0)


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
