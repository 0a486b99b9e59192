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
AT, ORDERED, DISTINCT, VALID, MOST, SECOND, LEADER = map(np.uint32, range(7))
N_FACTS = 8

_ONE = np.uint32(1)


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
    mine = np.uint32(t * N_FACTS)
    for place in range(t * depth, t * depth + facts[mine + DISTINCT]):
        counts[np.uint32(t * most + members[np.uint32(place)])] = 0.0
    for k in range(N_FACTS):
        facts[mine + np.uint32(k)] = 0


@inlined
def _count(t, begin, to, most, depth, seen, counts, members, facts, steps):
    """Count the first draws of a track, seen[begin::LANES], in counts[t * most:], members[t * depth:] and facts."""
    mine = np.uint32(t * N_FACTS)
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
def _two_vote(i, j, most, depth, v, w, members, counts, facts, ties, tie_state):
    """Return the label with the most votes over tracks i and j with weights v and w.

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win.
    """
    top, bar, winner = 0.0, 0.0, np.int64(0)
    of_i, of_j = np.uint32(i * most), np.uint32(j * most)
    for t in (i, j):
        first = t * depth
        for place in range(first, first + facts[np.uint32(t * N_FACTS + DISTINCT)]):
            label = members[np.uint32(place)]
            score = v * counts[of_i + np.uint32(label)] + w * counts[of_j + np.uint32(label)]
            higher = score > bar  # no branch: it would be mispredicted
            top, bar = score if higher else top, score * HIGHER if higher else bar
            winner = label if higher else winner
            if ties != FIRST and not higher and 0.0 < top <= score * HIGHER:
                rank = tie_rank(ties, label & 1, tie_state, label >> 1)
                if rank > tie_rank(ties, winner & 1, tie_state, winner >> 1):
                    winner = label
    return winner


@inlined
def _vote(end, most, depth, places, counts, weights, members, facts, ties, tie_state):
    """Return the label with the most weighted votes over the tracks at places[:end].

    Classes are visited in the order in which they were seen, so under "first" a later one must score higher to win.
    """
    top, bar, winner = 0.0, 0.0, np.int64(0)
    for i in range(end):
        first = places[i] * depth
        for place in range(first, first + facts[places[i] * N_FACTS + DISTINCT]):
            label, score = members[np.uint32(place)], 0.0
            for k in range(end):
                score += weights[k] * counts[np.uint32(places[k] * most + label)]
            higher = score > bar  # no branch: it would be mispredicted
            top, bar = score if higher else top, score * HIGHER if higher else bar
            winner = label if higher else winner
            if ties != FIRST and not higher and 0.0 < top <= score * HIGHER:
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
def _highest(end, k, n_lanes, c, tracks, answers, weights, ties):
    """Return the tally of the stage with the highest leader; ties go to the earlier stage or by the rule's tags."""
    top, winner = 0.0, np.int64(0)
    for i in range(end):
        other = answers[np.uint32(tracks[c, i] * n_lanes + k)]
        score = weights[i] * (other >> SHIFT)
        if score > top * HIGHER:
            top, winner = score, other
        elif ties != FIRST and 0.0 < top <= score * HIGHER and other & TAG_MASK > winner & TAG_MASK:
            winner = other
    return winner


@inlined
def _two(i, j, most, v, w, counts, facts):
    """Do the same for two tracks with weights v and w."""
    a, b = facts[np.uint32(i * N_FACTS + LEADER)], facts[np.uint32(j * N_FACTS + LEADER)]
    x = v * counts[np.uint32(i * most + a)] + w * counts[np.uint32(j * most + a)]
    y = v * counts[np.uint32(i * most + b)] + w * counts[np.uint32(j * most + b)]
    rest = v * facts[np.uint32(i * N_FACTS + SECOND)] + w * facts[np.uint32(j * N_FACTS + SECOND)]
    top, other = max(x, y), min(x, y) if a != b else 0.0
    return (a if x > y else b) if top > max(other, rest) * HIGHER else np.int64(-1)


@compiled
def decide(
    live, r, tie_key, n_drawn, drawn, n_ready, ready, sizes, slots, begins, contest_tracks, ends, contest_votes,
    vote_kinds, prior, vote_highest, vote_ties, kinds, seen, answers, differ, some, counts, members, facts, within,
    places, weights, todo, logs, inverse_logs, inverses, steps,
):  # fmt: skip
    """Let the tracks of each contest vote in every lane at the budgets at which their leaders differ.

    drawn[:n_drawn] are the drawn tracks, and ready[:n_ready] the contests of such tracks. sizes is [budget, track]
    (Layout.counted) and begins int64 [track], where the draws of a track begin. For the others see Layout and Memory.
    """
    # 33 parameters: a tuple adds counting of references per call, and replays take 6 % longer.
    n_budgets, n_tracks = sizes.shape
    n_lanes, n_kinds, n_stages = LANES * n_budgets, kinds.size, contest_tracks.shape[1]
    most, depth = counts.size // n_tracks, members.size // n_tracks
    for lane in range(live):
        n_todo = 0
        for b in range(n_budgets):
            at = np.uint32(LANES * b + lane)
            todo[np.uint32(n_todo)] = b
            n_todo += some[at] != 0
            some[at] = 0
        for turn in range(n_todo):
            b = todo[np.uint32(turn)]
            k = LANES * b + lane
            for place in range(n_drawn):
                t = drawn[np.uint32(place)]
                to, at = sizes[np.uint32(b), np.uint32(t)], facts[np.uint32(t * N_FACTS + AT)]
                if to == at or to < 0:
                    continue
                if to < at:
                    _forget(t, most, depth, counts, members, facts)
                _count(t, begins[t] + lane, to, most, depth, seen, counts, members, facts, steps)
                mine = np.uint32(t * N_FACTS)
                ordered, distinct, valid = facts[mine + ORDERED], facts[mine + DISTINCT], facts[mine + VALID]
                for kind in range(n_kinds):
                    within[np.uint32(t * n_kinds + kind)] = within_weight(
                        kinds[kind], to, ordered, distinct, valid, logs, inverse_logs, inverses
                    )
            for place in range(n_ready):
                c = ready[np.uint32(place)]
                if differ[np.uint32(c * n_lanes + k)] == 0:
                    continue
                mine, end = np.uint32((c * n_budgets + b) * n_stages), ends[np.uint32(c)]
                i, j = slots[mine], slots[mine + _ONE]
                for v in range(contest_votes[np.uint32(c)], contest_votes[np.uint32(c + 1)]):
                    kind, of_vote, ties = vote_kinds[np.uint32(v)], np.uint32(v * n_stages), vote_ties[np.uint32(v)]
                    if end == 2 and not vote_highest[np.uint32(v)]:
                        x = prior[of_vote] * within[np.uint32(i * n_kinds + kind)]
                        y = prior[of_vote + _ONE] * within[np.uint32(j * n_kinds + kind)]
                        winner = _two(i, j, most, x, y, counts, facts)
                        if winner < 0:
                            tie_state = word(tie_key, r + lane)
                            winner = _two_vote(i, j, most, depth, x, y, members, counts, facts, ties, tie_state)
                    else:
                        for m in range(end):
                            places[m] = slots[mine + np.uint32(m)]
                            weights[m] = prior[of_vote + np.uint32(m)] * within[places[m] * n_kinds + kind]
                        if vote_highest[np.uint32(v)]:
                            winner = _highest(end, k, n_lanes, c, contest_tracks, answers, weights, ties)
                        else:
                            winner = _clear_winner(end, most, places, counts, weights, facts)
                        if winner < 0:
                            tie_state = word(tie_key, r + lane)
                            winner = _vote(end, most, depth, places, counts, weights, members, facts, ties, tie_state)
                    answers[np.uint32((n_tracks + v) * n_lanes + k)] = winner
        for place in range(n_drawn if n_todo > 0 else 0):
            t = drawn[np.uint32(place)]
            if facts[np.uint32(t * N_FACTS + AT)] > 0:
                _forget(t, most, depth, counts, members, facts)
                for kind in range(n_kinds):
                    within[np.uint32(t * n_kinds + kind)] = 1.0
