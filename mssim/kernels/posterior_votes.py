"""Replays of votes for the likeliest answer: a draw's weight depends on how many different answers were drawn.

The score of a class is the sum of its draws' log odds, plus log(K - 1) for each of them, K the number of possible
answers. As K changes with every new answer, both sums are kept apart. Votes are counted as in weighted_votes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.bundles import Rules, results
from mssim.kernels.compiling import compiled
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.streams import word
from mssim.kernels.tally import Recorded, Replays, right_classes
from mssim.kernels.turns import BATCH, SETTLED, count_same, take_turns, turns_of
from mssim.kernels.weighted_votes import CLOSE, beats, note, steps_back


class Chances(NamedTuple):
    """Log odds of the samples, and how many answers there are."""

    log_odds: NDArray[np.float64]  # [stage, question, sample]
    answers: int  # 0: those that were drawn and one other
    logs: NDArray[np.float64]  # [other answers], their logarithm


class Likelihoods(NamedTuple):
    """Votes of one replay."""

    odds: NDArray[np.float64]  # [class], sum of log odds
    weights: NDArray[np.float64]  # [class], sum of weights
    scores: NDArray[np.float64]  # [class]
    seen: NDArray[np.int64]  # [class], when it was first seen: stages in order, then draws
    members: NDArray[np.uint16]  # classes in the order in which they were counted
    known: NDArray[np.bool_]  # [class], whether it is among them
    at: NDArray[np.int64]  # [stage], draws counted


@compiled
def _voted(recorded, rules, chances, ends, replays, turns, likelihoods, hits, stopped):
    codes, _, offsets, correct, _, tie_keys = recorded
    log_odds, answers, logs = chances
    sizes, prior, ties, order, last = rules.sizes, rules.prior, rules.ties, turns.order, turns.last
    odds, weights, scores, seen, members, known, at = likelihoods
    depth, n_members, log_others = order.shape[2], 0, 0.0
    later = np.zeros(sizes.shape[1], np.int64)
    for q in range(hits.shape[0]):
        right = right_classes(correct, offsets, q)
        nothing = np.int64(right.size - 1)
        if count_same(q, recorded, rules, ends, replays, turns, right, hits, stopped):
            continue
        for number in range(replays.n):
            r = number % BATCH
            if r == 0:
                take_turns(q, number, recorded, rules, ends, replays, turns, hits, stopped)
            tie_state = word(tie_keys[q], replays.first + number)
            stops_at = np.int64(ends[q, number]) if ends.shape[1] > 0 else depth + 1
            winner, counted, n_open = nothing, -1, min(turns.settled[stops_at] + 1, sizes.shape[1])
            for b in range(n_open):
                final = last[r, b]
                if final == SETTLED:
                    continue
                if final != counted or steps_back(b, final, stops_at, sizes, at):
                    for place in range(n_members):
                        c = np.int64(members[place])
                        known[c], odds[c], weights[c] = False, 0.0, 0.0
                    winner, n_members, counted = nothing, 0, final
                    at[:] = 0
                # The winner is followed draw by draw, unless all must be looked at.
                look, before = False, n_members
                for i in range(final + 1):
                    to = min(sizes[i, b], stops_at)
                    for j in range(at[i], to):
                        s = order[r, i, j]
                        c = np.int64(codes[i, q, s])
                        if c < 0:
                            continue
                        n_members = note(c, i * depth + j, n_members, known, seen, members)
                        odds[c] += prior[i] * log_odds[i, q, s]
                        weights[c] += prior[i]
                        if look or n_members > before:
                            look = True
                            continue
                        score = odds[c] + weights[c] * log_others
                        look = c == winner and score < scores[c]
                        scores[c] = score
                        if c != winner and beats(c, winner, scores, seen, CLOSE, right, ties, tie_state):
                            winner = c
                    at[i] = max(at[i], to)
                if look:
                    log_others = logs[max(n_members + (answers == 0), answers) - 1]
                    for place in range(n_members):
                        c = np.int64(members[place])
                        scores[c] = odds[c] + weights[c] * log_others
                        if place == 0 or beats(c, winner, scores, seen, CLOSE, right, ties, tie_state):
                            winner = c
                hits[q, b] += right[winner]
            if n_open < sizes.shape[1] and last[r, n_open] != SETTLED:
                later[n_open] += right[winner]  # the same at all further budgets
        for b in range(1, sizes.shape[1]):
            later[b] += later[b - 1]
            hits[q, b] += later[b]
        later[:] = 0


def voted(
    recorded: Recorded,
    rules: Rules,
    log_odds: NDArray[np.float64],
    answers: int,
    ends: NDArray[np.uint16],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Replay one strategy that votes for the likeliest answer, as weighted_votes.voted.

    log_odds is float64 [stage, question, sample], answers the number of possible ones or 0 if it is not known.
    """
    hits, stopped = results(rules, recorded)
    n_stages, turns = len(rules.sizes), turns_of(rules, recorded, replays, spending)
    n_classes = turns.tally.size
    logs = np.zeros(max(n_classes, answers) + 1)
    logs[1:] = np.log(np.arange(1, logs.size))
    likelihoods = Likelihoods(
        np.zeros(n_classes),
        np.zeros(n_classes),
        np.zeros(n_classes),
        np.zeros(n_classes, np.int64),
        np.zeros(n_classes, np.uint16),
        np.zeros(n_classes, np.bool_),
        np.zeros(n_stages, np.int64),
    )
    chances = Chances(log_odds, answers, logs)
    _voted(recorded, rules, chances, ends, replays, turns, likelihoods, hits, stopped)
    return hits, stopped
