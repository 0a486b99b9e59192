"""Replays of votes that depend on the rank of a draw's number among all draws: Borda weights, and the top share.

The drawn samples are kept as integers, sorted by number, the highest first, then by stage and draw. An integer holds
the level of the number among all of its question, stage, draw and class. A vote visits them from the best one down.

A further draw changes scores by a limited amount, so a leader remains the leader for some draws. Until then, draws are
neither sorted nor counted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bundles import Rules, results
from mssim.kernels.compiling import compiled, inlined
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.stage_votes import PLAIN
from mssim.kernels.streams import word
from mssim.kernels.tally import HIGHER, Recorded, Replays, logarithms, right_classes
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of
from mssim.kernels.weighted_votes import CLOSE, SUM, clear, count_within, counters, note, steps_back, top, weigh

_DRAW, _STAGE, _LEVEL = 16, 31, 41  # first bits of the draw, the stage and the level of a key; before them the class
_CLASSES, _DRAWS, _STAGES = np.int64(0xFFFF), np.int64(0x7FFF), np.int64(0x3FF)
_WHEN = _DRAWS | (_STAGES << (_STAGE - _DRAW))
_LAST = np.int64(2**63 - 1)  # after all keys
_TINY = 1e-9  # added to the number of kept draws before it is rounded down


class Ranking(NamedTuple):
    """How draws count by rank."""

    numbers: NDArray[np.float64]  # [stage, question, sample]; those of kept draws are from 0 to 1
    levels: NDArray[np.int32]  # the same shape: 0 for the highest number of a question, the same for equal numbers
    keep: float  # share of the voting draws that count their number; 0: all count by rank
    power: float  # rank r of n draws counts (n - r + 1)^power


class Ranked(NamedTuple):
    """Draws of one replay by rank, and tables."""

    keys: NDArray[np.int64]  # draws, sorted
    number_of: NDArray[np.float64]  # [level]
    tied: NDArray[np.uint16]  # classes of kept draws
    parts: NDArray[np.float64]  # [class, 2], of scores; 0 between votes
    powers: NDArray[np.float64]  # [draws], what the best of them counts
    limits: NDArray[np.float64]  # [draws], by how much scores can have changed since there was no draw


@compiled
def _look_up(q, lengths, ranking, number_of):
    """Write the numbers of a question by level; return whether they are all different."""
    most, n = np.int64(-1), np.int64(0)
    for i in range(lengths.shape[0]):
        for s in range(lengths[i, q]):
            level = np.int64(ranking.levels[i, q, s])
            number_of[level] = ranking.numbers[i, q, s]
            most, n = max(most, level), n + 1
    return most + 1 == n


@inlined
def _insert(n, most, key, keys):
    """Insert a key among n sorted ones unless `most` are better; return how many are left."""
    if n >= most and keys[most - 1] >> _LEVEL < key >> _LEVEL:
        return n
    keys[n] = _LAST
    for k in range(n, 0, -1):  # without a branch, several keys at a time
        keys[k] = max(keys[k - 1], min(key, keys[k]))
    keys[0] = min(key, keys[0])
    n += 1
    while n > most and keys[most - 1] >> _LEVEL < keys[n - 1] >> _LEVEL:
        n -= 1
    return n


@inlined
def _n_kept(n, held, keep, keys):
    """Return the number of n draws that count: a share, and all that are equal to the last of them."""
    if keep == 0.0 or n == 0:
        return n
    kept = 1 + np.int64(keep * (n - 1) + _TINY)
    while kept < held and keys[kept] >> _LEVEL == keys[kept - 1] >> _LEVEL:
        kept += 1
    return kept


@inlined
def _add_up(n, kept, by_rank, n_members, members, keys, number_of, powers, weights, parts, scores):
    """Score all classes by the kept ones of n draws; return the leading class, its score and the second score.

    No branch depends on a class, and two sums of a class do not wait for each other.
    """
    for k in range(kept):
        key = keys[k]
        ballot = powers[n - k] if by_rank else number_of[key >> _LEVEL]
        parts[2 * (key & _CLASSES) + (k & 1)] += weights[(key >> _STAGE) & _STAGES] * ballot
    best, second, leader = -1.0, 0.0, np.int64(-1)
    for place in range(n_members):
        c = np.int64(members[place])
        score = parts[2 * c] + parts[2 * c + 1]
        parts[2 * c] = parts[2 * c + 1] = 0.0
        scores[c] = score
        leader = c if score > best else leader
        second = max(second, min(best, score))
        best = max(best, score)
    return leader, best, second


@compiled
def _first_of_tied(kept, nothing, keys, scores, seen, tied, right, ties, tie_state):
    """Return the winner where scores are too close: of equal ones the class seen first among the kept draws."""
    for k in range(kept):
        seen[keys[k] & _CLASSES] = -1
    n_tied = 0
    for k in range(kept):
        c, when = keys[k] & _CLASSES, (keys[k] >> _DRAW) & _WHEN
        if c != nothing and seen[c] < 0:
            tied[n_tied], seen[c] = c, when
            n_tied += 1
        seen[c] = min(seen[c], when)
    return top(n_tied, tied, scores, seen, 0.0, right, ties, tie_state)


@compiled
def _voted(recorded, rules, ranking, ends, replays, turns, counters, tables, ranked, hits, stopped):
    codes, lengths, offsets, correct, _, tie_keys = recorded
    sizes, prior, ties, order, last = rules.sizes, rules.prior, rules.ties, turns.order, turns.last
    scores, seen, members, known, counts, sums, facts, at, weights = counters
    keys, number_of, tied, parts, powers, limits = ranked
    logs, inverse_logs, inverses, steps = tables
    levels, keep, by_rank = ranking.levels, ranking.keep, ranking.keep == 0.0
    depth, most, within, n_members = order.shape[2], powers.size, rules.kind != PLAIN, 0
    if not by_rank:
        most = 1 + np.int64(keep * (powers.size - 2) + _TINY)  # draws that a vote can keep
    for q in range(hits.shape[0]):
        right = right_classes(correct, offsets, q)
        nothing = np.int64(right.size - 1)
        if count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
            continue
        different = _look_up(q, lengths, ranking, number_of) and not replays.replacement
        parts[:] = 0.0  # the class after the last one stands for "no answer", and may be a class of the next question
        limited = not within and (by_rank or different)
        for number in range(replays.n):
            r = number % BATCH
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state = word(tie_keys[q], replays.first + number)
            stops_at = np.int64(ends[q, number]) if ends.shape[1] > 0 else depth + 1
            winner, n, n_keys, kept, before, counted, safe = nothing, 0, 0, 0, np.int64(0), -1, -1.0
            for b in range(sizes.shape[1]):
                final = last[r, b]
                if final == SETTLED:
                    continue
                if final != counted or steps_back(b, final, stops_at, sizes, at):
                    clear(n_members, within, known, scores, members, counts, sums, facts)
                    winner, n_members, n, n_keys, kept, before = nothing, 0, 0, 0, 0, np.int64(0)
                    counted, safe = final, -1.0
                    at[:] = 0
                drawn = np.int64(0)
                for i in range(final + 1):
                    drawn += max(at[i], min(sizes[i, b], stops_at))
                if drawn > before and limits[drawn] * HIGHER >= safe:
                    before, changed = drawn, by_rank or within
                    for i in range(final + 1):
                        to = min(sizes[i, b], stops_at)
                        for j in range(at[i], to):
                            s = order[r, i, j]
                            c = np.int64(codes[i, q, s])
                            if c >= 0:
                                n_members = note(c, 0, n_members, known, seen, members)
                                if within:
                                    count_within(i, c, 1.0, SUM, counts, sums, facts, steps)
                            elif not by_rank:
                                continue
                            else:
                                c = nothing
                            key = (np.int64(levels[i, q, s]) << _LEVEL) | (np.int64(i) << _STAGE)
                            key |= (np.int64(j) << _DRAW) | c
                            changed |= kept == 0 or key < keys[kept - 1]
                            n_keys = _insert(n_keys, most, key, keys)
                            n += 1
                        at[i] = max(at[i], to)
                    if within:
                        weigh(final, rules.kind, prior, at, facts, weights, logs, inverse_logs, inverses)
                    was_kept = kept
                    kept = _n_kept(n, n_keys, keep, keys)
                    if n_members > 0 and (changed or kept != was_kept):
                        winner, best, second = _add_up(
                            n, kept, by_rank, n_members, members, keys, number_of, powers, weights, parts, scores
                        )
                        safe = best - second + limits[drawn] if limited else -1.0
                        if not best - second > CLOSE * best:
                            winner = _first_of_tied(kept, nothing, keys, scores, seen, tied, right, ties, tie_state)
                hits[q, b] += right[winner]


def voted(
    recorded: Recorded,
    rules: Rules,
    ranking: Ranking,
    ends: NDArray[np.uint16],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy whose votes count by rank, at all budgets; as weighted_votes.voted."""
    n_stages, most = len(rules.sizes), int(rules.sizes.max(axis=1).sum())
    hits, stopped = results(rules, recorded)
    turns = turns_of(rules, recorded, replays, spending)
    memory, tables = counters(n_stages, turns.tally.size), logarithms(int(rules.sizes.max()) + 1)
    memory.weights[:] = rules.prior
    powers = (np.arange(most + 1) / max(most, 1)) ** ranking.power
    powers[0] = 0.0
    # One draw more adds the largest weight in total, or moves one draw in and one out, each of which counts 1 at most.
    limits = np.cumsum(powers if ranking.keep == 0 else np.where(np.arange(most + 1) > 0, 2.0, 0.0))
    ranked = Ranked(
        keys=np.zeros(most + 1, np.int64),
        number_of=np.zeros(n_stages * recorded.codes.shape[2]),
        tied=np.zeros(turns.tally.size, np.uint16),
        parts=np.zeros(2 * turns.tally.size),
        powers=powers,
        limits=limits,
    )
    _voted(recorded, rules, ranking, ends, replays, turns, memory, tables, ranked, hits, stopped)
    return hits, stopped
