"""Closed forms: the chance that the plurality of one stage's draws is right, for every number of draws at once.

Chances are coefficients of products of polynomials (see `draw_weights`). For each number of votes that the winner may
have, the polynomials of its rivals are cut off below that number. A tie contributes a factor y: integrating over y
from 0 to 1 with Gauss-Legendre nodes, enough of them to be exact, turns y^t into 1 / (1 + t), the chance to be first of
t tied rivals and the winner.

Votes of several stages are in `exact_several_stages`, of which this is the special case that takes a quarter of the
time to compile. The code uses loops instead of NumPy's functions of whole arrays, each of which takes 0.1 to 0.5 s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.draw_weights import fill_weights, last_of_block, most_draws, most_votes
from mssim.kernels.tally import WRONG


class Ties(NamedTuple):
    """Tie rule with the Gauss-Legendre rules on 0..1 for its integrals."""

    rule: int  # FIRST (several stages only), RANDOM or WRONG
    orders: NDArray[np.int64]  # [rule], numbers of nodes, increasing
    nodes: NDArray[np.float64]  # [rule, node]
    weights: NDArray[np.float64]  # [rule, node]


@compiled_like_numpy
def _gather(counts, q, votes, right):
    """Copy the classes of question q with samples; return their number and the number of recorded samples."""
    n, total = 0, counts.no_answer[0, q]
    for c in range(counts.offsets[q], counts.offsets[q + 1]):
        if counts.votes[0, c] > 0:
            votes[n], right[n] = counts.votes[0, c], counts.correct[c]
            total += votes[n]
            n += 1
    return n, total


@compiled_like_numpy
def _multiply(product, state, weights, c, below, tied, factors, n_nodes):
    """Multiply state [draws * node] by the polynomial of class c with fewer than `below` draws.

    If `tied`, as many draws count too, and carry the factors [draws * node].
    """
    # Unsigned numbers as indices need no check for being negative, so the loops over x are vectorised.
    width = np.uint64(state.size)
    for x in range(width):
        product[x] = 0.0
    for j in range(below + tied):
        shift, weight = np.uint64(j * n_nodes), weights[c, j]
        if weight > 0.0 and shift < width:
            if j < below:
                for x in range(width - shift):
                    product[x + shift] += weight * state[x]
            else:
                for x in range(width - shift):
                    product[x + shift] += weight * factors[x] * state[x]


@compiled_like_numpy
def _add_wins(table, votes, right, no_answer, weights, reach, need, limits, winner, ties, rate, replacement):
    """Add the probabilities that one class wins to table [draws].

    votes, right, reach : [class], recorded samples, whether they are right, and the most votes they may get
    weights : float64 [class, draws]
    limits : int64 [votes], the most draws in which no class has more votes
    """
    rule, orders, nodes, node_weights = ties
    cells = table.size
    line, last = np.empty(cells), cells - 1
    while last > 0 and limits[last] < 2 * last:
        last -= 1
    for v in range(1, last + 2):
        # With more than `last` votes the winner has no rivals, so these numbers are taken together.
        alone = v > last
        if not alone and v > reach[winner]:
            return
        below, together, n_tied, width = cells if alone else v, no_answer, 0, cells
        for c in range(votes.size):
            if c != winner and reach[c] < below and reach[c] < need:
                together += votes[c]
            n_tied += c != winner and reach[c] >= below and (rule != WRONG or right[c])
        if not alone:
            n_tied, width = min(n_tied, limits[v] // v - 1), limits[v] - v + 1
        at = 0
        while orders[at] < n_tied // 2 + 1:
            at += 1
        n_nodes = orders[at]
        state, product, factors = np.empty(width * n_nodes), np.empty(width * n_nodes), np.empty(width * n_nodes)
        fill_weights(line, width, together, rate, replacement)
        for x in range(width):
            for y in range(n_nodes):
                state[x * n_nodes + y], factors[x * n_nodes + y] = line[x], nodes[at, y]
        for c in range(votes.size):
            if c != winner and (reach[c] >= below or reach[c] >= need):
                tied = not alone and (rule != WRONG or right[c])
                _multiply(product, state, weights, c, below, tied, factors, n_nodes)
                state, product = product, state
        for j in range(v, cells if alone else v + 1):
            weight = weights[winner, j]
            for x in range(min(limits[j] - j + 1, cells - j) if weight > 0.0 else 0):
                chance = 0.0
                for y in range(n_nodes):
                    chance += node_weights[at, y] * state[x * n_nodes + y]
                table[x + j] += weight * chance


@compiled_like_numpy
def plurality(counts, most, need, ties):
    """Compute the probability that the plurality of up to `most` draws is correct and no class has `need` votes.

    counts : Counts of one stage
    most   : most draws
    need   : votes that no class may have
    ties   : Ties, RANDOM or WRONG

    Returns float64 [question, draws]; NaN beyond what was recorded.
    """
    replacement, n_questions = counts.replacement, counts.no_answer.shape[1]
    found = np.empty((n_questions, most + 1))
    all_votes, all_right = np.empty(counts.correct.size, np.int64), np.empty(counts.correct.size, np.bool_)
    for q in range(n_questions):
        n_classes, total = _gather(counts, q, all_votes, all_right)
        votes, right = all_votes[:n_classes], all_right[:n_classes]
        most_recorded, reach = np.int64(0), np.empty(n_classes, np.int64)
        for c in range(n_classes):
            most_recorded = max(most_recorded, votes[c])
        for j in range(most + 1):
            found[q, j] = 0.0 if j == 0 else np.nan
        low, end = np.int64(1), most if replacement else min(most, total)
        while low <= end:
            high = last_of_block(total, low, end, replacement)
            rate = (low + high + 1.0) / (2.0 * (total + 1.0))  # half way
            table, line, limits = np.zeros(high + 1), np.empty(high + 1), np.zeros(high + 1, np.int64)
            weights = np.empty((n_classes, high + 1))
            for v in range(1, high + 1):
                limits[v] = most_draws(most_recorded, total, v, high)
            for c in range(n_classes):
                reach[c] = most_votes(votes[c], total, high, replacement)
                fill_weights(line, high + 1, votes[c], rate, replacement)
                for j in range(high + 1):
                    weights[c, j] = line[j] if j < need else 0.0
            for c in range(n_classes):
                if right[c]:
                    _add_wins(
                        table,
                        votes,
                        right,
                        counts.no_answer[0, q],
                        weights,
                        reach,
                        need,
                        limits,
                        c,
                        ties,
                        rate,
                        replacement,
                    )
            fill_weights(line, high + 1, total, rate, replacement)
            for j in range(low, high + 1):
                found[q, j] = table[j] / line[j]
            low = high + 1
    return found
