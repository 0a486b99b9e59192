"""When one model stops by a rule that reads a recorded number of each draw, in every replay.

The votes draw the same samples again (see `stops.curve_until` and `turns`). A draw is a sample and not only a class,
because its number is looked up. Draws without an answer leave every rule as it was.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, compiled_like_numpy, inlined
from mssim.kernels.streams import draw_next, put_numbers_back, word
from mssim.kernels.tally import Recorded, Replays, most_classes

Numbers = NDArray[np.float64]
Looks = NDArray[np.bool_]

STEPS = 32  # entries of a table of weights per vote
_SLACK = 1e-12  # chances that are so close to the threshold reach it
_NEAR = 1e-9  # weights that are so close to what is enough are decided by the chance itself
_EXACT = 1e-16


@compiled_like_numpy
def chance_ahead(first, second):
    """Return P[theta > 1/2] for theta ~ Beta(first + 1, second + 1), at real first >= second >= 0.

    The complement is the regularised incomplete beta function at 1/2, computed by its continued fraction
    (https://dlmf.nist.gov/8.17.E22) with Lentz's method. The fraction converges fast as its first argument is the
    larger one.
    """
    a, b = first + 1.0, second + 1.0
    upper, lower = 1.0, 1.0 / (1.0 - 0.5 * (a + b) / (a + 1.0))
    fraction, change, m = lower, 0.0, 0.0
    while abs(change - 1.0) > _EXACT * 4.0:
        m += 1.0
        even = 0.5 * m * (b - m) / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        odd = -0.5 * (a + m) * (a + b + m) / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        lower, upper = 1.0 / (1.0 + even * lower), 1.0 + even / upper
        fraction *= lower * upper
        lower, upper = 1.0 / (1.0 + odd * lower), 1.0 + odd / upper
        change = lower * upper
        fraction *= change
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - (a + b) * math.log(2.0)
    return 1.0 - math.exp(log_scale) * fraction / a


@inlined
def _is_ahead(first, second, threshold, enough):
    """Return whether the chance that the leader is ahead reaches the threshold: by the table unless it is close."""
    place = int(second * STEPS)
    if place + 1 < enough.size:
        if first >= enough[place + 1] + _NEAR:
            return True
        if first < enough[place] - _NEAR:
            return False
    return chance_ahead(first, second) >= threshold - _SLACK


@compiled
def _weighted_lead_ends(recorded, numbers, weights, depth, table, looks, replays, found):
    threshold, gate, enough = table.threshold, table.gate, table.enough
    codes, width = recorded.codes, recorded.codes.shape[2]
    places, targets, order = np.empty(width, np.uint16), np.empty(depth, np.uint32), np.empty(depth, np.uint16)
    scores = np.zeros(most_classes(recorded.offsets) + 1)
    for s in range(width):
        places[s] = s
    for q in range(found.shape[0]):
        n = recorded.lengths[0, q]
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            first, second, leader, changed = 0.0, 0.0, np.int64(-1), False
            drawn, found[q, r] = 0, depth + 1
            for j in range(depth):
                drawn, s = j + 1, draw_next(j, n, state, places, targets, replays.replacement)
                order[j] = s
                c = np.int64(codes[0, q, s])
                if c >= 0:
                    changed, score = True, scores[c] + weights[q, s]
                    scores[c] = score
                    if c == leader:
                        first = score
                    elif score > first:
                        second, first, leader = first, score, c
                    elif score > second:
                        second = score
                if changed and looks[j + 1]:
                    if _is_ahead(first, second, threshold, enough) or (j == 0 and numbers[q, s] >= gate):
                        found[q, r] = j + 1
                        break
                    changed = False
            for j in range(drawn):
                c = codes[0, q, order[j]]
                if c >= 0:
                    scores[c] = 0.0
            put_numbers_back(drawn, targets, places)


@inlined
def _is_likely(n_seen, unseen, members, scores, votes, log_others, top, other, most, least):
    """Return whether the likeliest answer has 1 / most of the probability; an unseen one counts if `other`."""
    peak = max(top, 0.0) if other and unseen > 0 else top
    if unseen > 0 and peak < least:  # not even against an unseen answer alone
        return False
    total = unseen * math.exp(-peak)
    place = 0
    while total <= most and place < n_seen:
        c = members[place]
        behind = peak - (scores[c] + votes[c] * log_others)
        if 0.0 < behind < least:  # nor against this answer alone
            return False
        total += math.exp(-behind)
        place += 1
    return total <= most


@compiled
def _posterior_ends(recorded, log_odds, depth, table, looks, replays, found):
    answers, other, most = table.answers, table.other, 1.0 / (table.threshold - _SLACK)
    least = -np.inf if other or most >= 2.0 else -math.log(most - 1.0)  # log odds of an answer that stops
    codes, width, n_classes = recorded.codes, recorded.codes.shape[2], most_classes(recorded.offsets)
    places, targets = np.empty(width, np.uint16), np.empty(depth, np.uint32)
    scores, logs = np.zeros(n_classes + 1), np.zeros(max(n_classes, answers) + 1)
    for k in range(1, logs.size):
        logs[k] = math.log(k)
    votes, members = np.zeros(n_classes + 1, np.int64), np.zeros(n_classes + 1, np.int64)
    for s in range(width):
        places[s] = s
    for q in range(found.shape[0]):
        n = recorded.lengths[0, q]
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            n_seen, unseen, leader, top, log_others = 0, max(answers, 1), np.int64(-1), 0.0, 0.0
            drawn, changed, found[q, r] = 0, False, depth + 1
            for j in range(depth):
                drawn, s = j + 1, draw_next(j, n, state, places, targets, replays.replacement)
                c = np.int64(codes[0, q, s])
                if c >= 0:
                    votes[c] += 1
                    scores[c] += log_odds[q, s]
                    changed, fresh = True, votes[c] == 1
                    if fresh:  # every other answer is less likely, as there may be one more
                        members[n_seen] = c
                        n_seen += 1
                        unseen = max(answers - n_seen, 0) if answers > 0 else 1
                        log_others = logs[n_seen + unseen - 1]
                    score = scores[c] + votes[c] * log_others
                    if fresh or (c == leader and score < top):
                        top = -np.inf
                        for place in range(n_seen):
                            other_score = scores[members[place]] + votes[members[place]] * log_others
                            if other_score > top:
                                top, leader = other_score, members[place]
                    elif c == leader or score > top:
                        top, leader = score, c
                if changed and looks[j + 1]:
                    if _is_likely(n_seen, unseen, members, scores, votes, log_others, top, other, most, least):
                        found[q, r] = j + 1
                        break
                    changed = False
            for place in range(n_seen):
                votes[members[place]], scores[members[place]] = 0, 0.0
            put_numbers_back(drawn, targets, places)


@inlined
def _gains_little(k, best, mean, squares, horizon, price, shares, lowest, per_step, gains):
    """Return whether the index of k numbers is at most the price, both in predictive scales."""
    if k >= horizon or squares <= 0.0:
        return True
    scale = math.sqrt(squares * shares[k])
    last = gains.shape[1] - 2
    place = min(max(((best - mean) / scale - lowest[k]) * per_step[k], 0.0), last + 1.0)
    i = min(int(place), last)
    return (gains[k, i] + (place - i) * (gains[k, i + 1] - gains[k, i])) * scale <= price


@compiled
def _gain_ends(recorded, numbers, depth, table, looks, replays, found):
    horizon, least, price, shares, lowest, per_step, gains = table
    codes, width, most = recorded.codes, recorded.codes.shape[2], price * (1.0 + _SLACK)
    places, targets = np.empty(width, np.uint16), np.empty(depth, np.uint32)
    for s in range(width):
        places[s] = s
    for q in range(found.shape[0]):
        n = recorded.lengths[0, q]
        for r in range(replays.n):
            state = word(recorded.keys[0, q], replays.first + r)
            k, best, mean, squares, changed = 0, -np.inf, 0.0, 0.0, False
            drawn, found[q, r] = 0, depth + 1
            for j in range(depth):
                drawn, s = j + 1, draw_next(j, n, state, places, targets, replays.replacement)
                if codes[0, q, s] >= 0:
                    number = numbers[q, s]
                    k += 1
                    step = number - mean
                    mean += step / k
                    squares += step * (number - mean)  # of differences from the mean (Welford 1962)
                    best = max(best, number)
                    changed = k >= least
                if changed and looks[j + 1]:
                    if _gains_little(k, best, mean, squares, horizon, most, shares, lowest, per_step, gains):
                        found[q, r] = j + 1
                        break
                    changed = False
            put_numbers_back(drawn, targets, places)


def weighted_lead_ends(
    recorded: Recorded, depth: int, table: Any, looks: Looks, replays: Replays, seen: Numbers
) -> NDArray[np.uint16]:
    """Compute the draws after which weighted votes are enough, as stops.ends; table is a `WeightedLead`.

    seen is float64 [column, stage, question, sample], of which the first column of the first stage is read.
    """
    found = _empty(recorded, replays)
    numbers = seen[0, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # of samples without an answer
        weights = np.maximum(1.0, np.exp(table.rate * (numbers - table.centre)))
    _weighted_lead_ends(recorded, numbers, weights, depth, table, looks, replays, found)
    return found


def posterior_ends(
    recorded: Recorded, depth: int, table: Any, looks: Looks, replays: Replays, seen: Numbers
) -> NDArray[np.uint16]:
    """Compute the draws after which an answer is likely enough, as weighted_lead_ends; table is a `Posterior`."""
    found = _empty(recorded, replays)
    numbers = seen[0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # of samples without an answer
        log_odds = np.log(numbers / (1.0 - numbers))
    _posterior_ends(recorded, log_odds, depth, table, looks, replays, found)
    return found


def gain_ends(
    recorded: Recorded, depth: int, table: Any, looks: Looks, replays: Replays, seen: Numbers
) -> NDArray[np.uint16]:
    """Compute the draws after which another is not worth its price, as weighted_lead_ends; table is a `GainIndex`."""
    found = _empty(recorded, replays)
    _gain_ends(recorded, seen[0, 0], depth, table, looks, replays, found)
    return found


def _empty(recorded: Recorded, replays: Replays) -> NDArray[np.uint16]:
    """Allocate the result; doing so in Python saves compile time."""
    return np.empty((recorded.codes.shape[1], replays.n), np.uint16)
