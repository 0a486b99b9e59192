"""Windows of one model's draws, in closed form: what inclusion and exclusion over agreeing windows needs.

The weights are those of `exact`. A class that fills s given windows of w draws and j - s w places besides has the
weight of s w samples in order, over s!, times that of j - s w of the samples it has left.
"""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.draw_weights import fill_weights, most_draws, most_votes
from mssim.kernels.tally import WRONG


@compiled_like_numpy
def _filled(n, total, window, most, replacement):
    """Return the weights of s windows filled from n samples, for s from 0 to `most`."""
    weights = np.ones(most + 1)
    for s in range(1, most + 1):
        weights[s] = weights[s - 1] / s
        for i in range((s - 1) * window, s * window):
            weights[s] *= (n if replacement else max(n - i, 0)) / total
    return weights


@compiled_like_numpy
def _besides(out, filled, n, window, rate, most, replacement):
    """Fill out[s, j] with the weight of j draws of a class, up to `most`, s given windows among them."""
    out[:] = 0.0
    for s in range(out.shape[0]):
        if s * window <= most and filled[s] > 0.0:
            left = n if replacement else n - s * window
            fill_weights(out[s, s * window :], most + 1 - s * window, left, rate, replacement)
            out[s] *= filled[s]


@compiled_like_numpy
def _join(state, product, terms, below, may_tie, factors, n_nodes):
    """Multiply state [windows, draws * node] by the polynomial of a class with fewer than `below` draws."""
    width, node = np.uint64(state.shape[1]), np.uint64(n_nodes)
    product[:] = 0.0
    for s in range(terms.shape[0]):
        for j in range(min(below + may_tie, terms.shape[1])):
            weight, shift = terms[s, j], np.uint64(j) * node
            if weight > 0.0 and shift < width:
                for r in range(state.shape[0] - s):
                    if j < below:
                        for x in range(width - shift):
                            product[r + s, x + shift] += weight * state[r, x]
                    else:
                        for x in range(width - shift):
                            product[r + s, x + shift] += weight * factors[x] * state[r, x]


@compiled_like_numpy
def _add_wins(table, terms, no_answer, right, reach, winner, limits, ties):
    """Add the weights of one class winning while given windows agree to table [windows, draws]."""
    n_rows, depth = table.shape[0], table.shape[1] - 1
    settled = np.zeros(right.size, np.bool_)
    base, spare, none = np.zeros_like(table), np.zeros_like(table), np.zeros(0)
    base[0] = no_answer
    for v in range(1, reach[winner] + 1):
        n_tied = 0
        for c in range(right.size):
            if c == winner or settled[c]:
                continue
            settled[c] = reach[c] < v or 2 * v > depth  # from here on it cannot reach the winner
            if settled[c]:
                _join(base, spare, terms[c], depth + 1, False, none, 1)
                base, spare = spare, base
            n_tied += not settled[c] and (ties.rule != WRONG or right[c])
        n_tied = max(min(n_tied, limits[v] // v - 1), 0)
        at = np.searchsorted(ties.orders, n_tied // 2 + 1)
        n_nodes, width = ties.orders[at], limits[v] - v + 1
        state, factors = np.empty((n_rows, width * n_nodes)), np.empty(width * n_nodes)
        for x in range(width):
            for y in range(n_nodes):
                state[:, x * n_nodes + y] = base[:, x]
                factors[x * n_nodes + y] = ties.nodes[at, y]
        product = np.empty_like(state)
        for c in range(right.size):
            if c != winner and not settled[c]:
                _join(state, product, terms[c], v, ties.rule != WRONG or right[c], factors, n_nodes)
                state, product = product, state
        for s in range(n_rows):
            for r in range(n_rows - s if terms[winner, s, v] > 0.0 else 0):
                for x in range(width):
                    for y in range(n_nodes):
                        chance = ties.weights[at, y] * state[r, x * n_nodes + y]
                        table[r + s, x + v] += terms[winner, s, v] * chance


@compiled_like_numpy
def _agreeing(filled, value):
    """Return the weights of s agreeing windows, and the same times the sum of the values of their classes."""
    every, summed = np.zeros(filled.shape[1]), np.zeros(filled.shape[1])
    every[0] = 1.0
    for c in range(value.size):
        more, larger = np.zeros_like(every), np.zeros_like(summed)
        for s in range(every.size):
            for r in range(every.size - s):
                more[r + s] += filled[c, s] * every[r]
                larger[r + s] += filled[c, s] * (summed[r] + value[c] * (s * every[r]))
        every, summed = more, larger
    return every, summed


@compiled_like_numpy
def windows(counts, window, depth, ties):
    """Compute probabilities of agreement for given windows of the first `depth` draws of a single stage.

    counts : Counts of one stage
    window : draws of a window
    ties   : Ties, RANDOM or WRONG

    Returns float64 agree [question, windows], that so many given windows agree; agree_right [question, windows], that
    they agree and one given among them is right; and plurality_right [question, windows, draws], that they agree and
    the plurality of all draws is right. Impossible ones are 0.
    """
    n_questions, most = counts.offsets.size - 1, int(depth // window)
    agree, agree_right = np.zeros((n_questions, most + 1)), np.zeros((n_questions, most + 1))
    plurality_right = np.zeros((n_questions, most + 1, depth + 1))
    for q in range(n_questions):
        first, last = counts.offsets[q], counts.offsets[q + 1]
        known = first + np.nonzero(counts.votes[0, first:last])[0]
        votes, right, replacement = counts.votes[0, known], counts.correct[known], counts.replacement
        total = votes.sum() + counts.no_answer[0, q]
        rate = (depth + 2.0) / (2.0 * (total + 1.0))
        limits, reach = np.zeros(depth + 1, np.int64), np.zeros(votes.size, np.int64)
        for v in range(depth + 1 if votes.size else 0):
            limits[v] = most_draws(votes.max(), total, v, depth)
        filled, terms = np.zeros((votes.size, most + 1)), np.zeros((votes.size, most + 1, depth + 1))
        for c in range(votes.size):
            reach[c] = most_votes(votes[c], total, depth, replacement)
            filled[c] = _filled(votes[c], total, window, most, replacement)
            _besides(terms[c], filled[c], votes[c], window, rate, reach[c], replacement)
        no_answer = np.zeros(depth + 1)
        table, all_terms = np.zeros((most + 1, depth + 1)), np.zeros((most + 1, depth + 1))
        fill_weights(no_answer, depth + 1, counts.no_answer[0, q], rate, replacement)
        for winner in np.nonzero(right)[0]:
            _add_wins(table, terms, no_answer, right, reach, winner, limits, ties)
        all_filled = _filled(total, total, window, most, replacement)
        _besides(all_terms, all_filled, total, window, rate, depth, replacement)
        every, good = _agreeing(filled, right.astype(np.float64))
        for s in range(most + 1):
            agree[q, s] = every[s] / all_filled[s]
            agree_right[q, s] = good[s] / (max(s, 1) * all_filled[s])
            for k in range(s * window, depth + 1):
                plurality_right[q, s, k] = table[s, k] / all_terms[s, k]
    return agree, agree_right, plurality_right


@compiled_like_numpy
def agreeing_amounts(votes, offsets, recorded, amounts, window, most):
    """Compute what classes cost that fill given windows without replacement.

    votes : int64 [class], recorded samples of each class
    offsets : int64 [question + 1], where a question's classes begin
    recorded : int64 [question], all recorded samples
    amounts : float64 [class], what a sample of each class costs on average
    window, most : draws of a window, and most windows

    Returns float64 agree [question, windows], the probability that so many given windows agree, and spent [question,
    windows], the expectation of the sum of their classes' amounts where they agree and of 0 elsewhere.
    """
    n_questions = offsets.size - 1
    agree, spent = np.zeros((n_questions, most + 1)), np.zeros((n_questions, most + 1))
    for q in range(n_questions):
        fills = offsets[q] + np.nonzero(votes[offsets[q] : offsets[q + 1]] >= window)[0]
        filled = np.zeros((fills.size, most + 1))
        for c in range(fills.size):
            filled[c] = _filled(votes[fills[c]], recorded[q], window, most, False)
        everything = _filled(recorded[q], recorded[q], window, most, False)
        every, summed = _agreeing(filled, amounts[fills])
        for s in range(most + 1):
            if everything[s] > 0.0:
                agree[q, s], spent[q, s] = every[s] / everything[s], summed[s] / everything[s]
    return agree, spent
