"""Votes of several stages: what a vote knows of the draws of each, and who wins."""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.streams import word
from mssim.kernels.tally import FIRST, HIGHER, LABEL, LANES, SHIFT, TAG_MASK, UNIT, tie_rank

# What a stage's votes count in the final vote: 1, an entropy weight, 1 / draws; or whether any draw is right.
PLAIN, ENTROPY_DISTINCT, ENTROPY_SAMPLES, SHARE, COVERAGE = 0, 1, 2, 3, 4
# What a vote knows of a stage: draws counted, sum of n log2 n over its classes (see logarithms), distinct answers,
# valid answers; here also the most votes of a class, those of the second, and the label of the first.
AT, ORDERED, DISTINCT, VALID, MOST, SECOND, LEADER = 0, 1, 2, 3, 4, 5, 6
N_FACTS = 8


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


@inlined
def _forget(t, most, depth, counts, members, facts):
    """Undo the counting of track t."""
    for place in range(t * depth, t * depth + facts[t * N_FACTS + DISTINCT]):
        counts[np.uint32(t * most + members[np.uint32(place)])] = 0.0
    for k in range(t * N_FACTS, (t + 1) * N_FACTS):
        facts[k] = 0


@inlined
def _count(t, begin, to, most, depth, seen, counts, members, facts, steps):
    """Count the first draws of a track, seen[begin::LANES], in counts[t * most:], members[t * depth:] and facts."""
    mine = t * N_FACTS
    ordered, distinct, valid = facts[mine + ORDERED], facts[mine + DISTINCT], facts[mine + VALID]
    first, second, leader = facts[mine + MOST], facts[mine + SECOND], facts[mine + LEADER]
    for j in range(begin + LANES * facts[mine + AT], begin + LANES * to, LANES):
        tally = seen[np.uint32(j)]
        if tally > 0:
            label, n = tally & LABEL, tally >> SHIFT
            counts[np.uint32(t * most + label)] = n
            members[np.uint32(t * depth + distinct)] = label
            ordered += steps[np.uint32(n - 1)]
            distinct += n == 1
            valid += 1
            second = max(second, min(n, first) if label != leader else np.int64(0))
            leader = label if n > first else leader
            first = max(first, n)
    facts[mine + AT], facts[mine + ORDERED], facts[mine + DISTINCT] = to, ordered, distinct
    facts[mine + VALID], facts[mine + MOST], facts[mine + SECOND] = valid, first, second
    facts[mine + LEADER] = leader


@inlined
def _vote(end, most, depth, places, counts, weights, members, facts, ties, tie_state):
    """Return the label with the most weighted votes over the tracks at places[:end].

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win.
    """
    top, bar, winner = 0.0, 0.0, np.int64(0)
    for i in range(end):
        t = places[i]
        for place in range(t * depth, t * depth + facts[t * N_FACTS + DISTINCT]):
            label, score = members[np.uint32(place)], 0.0
            for k in range(end):
                score += weights[k] * counts[np.uint32(places[k] * most + label)]
            if score > bar:
                top, bar, winner = score, score * HIGHER, label
            elif ties != FIRST and 0.0 < top <= score * HIGHER:
                rank = tie_rank(ties, label & 1, tie_state, label >> 1)
                if rank > tie_rank(ties, winner & 1, tie_state, winner >> 1):
                    winner = label
    return winner


@inlined
def _clear_winner(end, most, places, counts, weights, facts):
    """Return the label that is certain to win a vote, or -1.

    A class that leads no stage has in each at most the votes of the second.
    """
    top, other, rest, winner = 0.0, 0.0, 0.0, np.int64(-1)
    for i in range(end):
        label, score = facts[places[i] * N_FACTS + LEADER], 0.0
        for k in range(end):
            score += weights[k] * counts[np.uint32(places[k] * most + label)]
        if score > top:
            top, other, winner = score, max(top, other), label
        elif label != winner:
            other = max(other, score)
        rest += weights[i] * facts[places[i] * N_FACTS + SECOND]
    return winner if top > max(other, rest) * HIGHER else np.int64(-1)


@inlined
def _highest(end, k, n_lanes, tracks, answers, weights, ties):
    """Return the tally of the stage with the highest leader; ties go to the earlier stage or by the rule's tags."""
    top, winner = 0.0, np.int64(0)
    for i in range(end):
        other = answers[np.uint32(tracks[i] * n_lanes + k)]
        score = weights[i] * (other >> SHIFT)
        if score > top * HIGHER:
            top, winner = score, other
        elif ties != FIRST and 0.0 < top <= score * HIGHER and other & TAG_MASK > winner & TAG_MASK:
            winner = other
    return winner


@compiled
def decide(
    live, r, tie_key, sizes, slots, begins, contest_tracks, ends, contest_votes, vote_kinds, vote_prior, vote_highest,
    vote_ties, kinds, seen, answers, differ, some, counts, members, facts, within, places, weights, todo,
    logs, inverse_logs, inverses, steps,
):  # fmt: skip
    """Let the tracks of each contest vote in every lane at the budgets at which their leaders differ.

    begins is int64 [track], where the draws of the track begin. For the other arrays see Layout and Memory.
    """
    # 29 parameters: a tuple adds counting of references per call, and replays take 6 % longer.
    n_tracks, n_budgets = sizes.shape
    n_lanes, n_kinds = LANES * n_budgets, kinds.size
    most, depth = counts.size // n_tracks, members.size // n_tracks
    for lane in range(live):
        n_todo = 0
        for b in range(n_budgets):
            todo[np.uint32(n_todo)] = b
            n_todo += some[np.uint32(LANES * b + lane)] != 0
        for turn in range(n_todo):
            b = todo[np.uint32(turn)]
            k = LANES * b + lane
            for c in range(ends.size):
                if differ[np.uint32(c * n_lanes + k)] == 0:
                    continue
                end = ends[c]
                for i in range(end):
                    t = slots[contest_tracks[c, i], b]
                    to, mine = sizes[t, b], t * N_FACTS
                    places[i] = t
                    if to == facts[mine + AT]:
                        continue
                    if to < facts[mine + AT]:
                        _forget(t, most, depth, counts, members, facts)
                    _count(t, begins[t] + lane, to, most, depth, seen, counts, members, facts, steps)
                    ordered, distinct, valid = facts[mine + ORDERED], facts[mine + DISTINCT], facts[mine + VALID]
                    for kind in range(n_kinds):
                        within[t * n_kinds + kind] = within_weight(
                            kinds[kind], to, ordered, distinct, valid, logs, inverse_logs, inverses
                        )
                for v in range(contest_votes[c], contest_votes[c + 1]):
                    for i in range(end):
                        weights[i] = vote_prior[v, i] * within[places[i] * n_kinds + vote_kinds[v]]
                    if vote_highest[v]:
                        winner = _highest(end, k, n_lanes, contest_tracks[c], answers, weights, vote_ties[v])
                    else:
                        winner = _clear_winner(end, most, places, counts, weights, facts)
                        if winner < 0:
                            tie_state = word(tie_key, r + lane)
                            winner = _vote(
                                end, most, depth, places, counts, weights, members, facts, vote_ties[v], tie_state
                            )
                    answers[np.uint32((n_tracks + v) * n_lanes + k)] = winner
        for t in range(n_tracks if n_todo > 0 else 0):
            if facts[t * N_FACTS + AT] > 0:
                _forget(t, most, depth, counts, members, facts)
                for kind in range(n_kinds):
                    within[t * n_kinds + kind] = 1.0
