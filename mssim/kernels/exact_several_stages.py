"""Closed forms: the chance that the plurality of several stages' draws is right, for all numbers of draws at once.

As in `exact_one_stage`, but a polynomial has one variable per stage, and what is compared is a score: the sum over the
stages of votes times the prior weight of the stage's model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.draw_weights import fill_weights, most_votes
from mssim.kernels.tally import FIRST, HIGHER, WRONG


class Grid(NamedTuple):
    """Numbers of draws of all stages; a row is one choice for all stages but the last.

    A cell (row, j) adds j draws of the last stage. Level 0 is the lowest positive score.
    """

    sizes: NDArray[np.int64]  # [stage], most draws
    digits: NDArray[np.int64]  # [row, stage but the last], draws
    fits: NDArray[np.bool_]  # [row, row], whether both together stay within the sizes; their sum is then the row
    levels: NDArray[np.int64]  # [row, last size + 1], rank of the cell's score; -1 = no draws
    rivals: NDArray[np.int64]  # [level], how many others can reach this score with the remaining draws
    scores: NDArray[np.float64]  # [level]
    prior: NDArray[np.float64]  # [stage]


class _Classes(NamedTuple):
    """Classes of one question with samples."""

    votes: NDArray[np.int64]  # [stage, class]
    no_answer: NDArray[np.int64]  # [stage]
    totals: NDArray[np.int64]  # [stage], all recorded samples
    right: NDArray[np.bool_]  # [class]


class _Weights(NamedTuple):
    """Weights and limits of the draws of one question."""

    rates: NDArray[np.float64]  # [stage], of the weights
    reach: NDArray[np.float64]  # [class], the highest score it may get
    held: NDArray[np.bool_]  # [class], whether it could get as many votes as no class may have
    outer: NDArray[np.float64]  # [class, row], weight of the draws of all stages but the last
    inner: NDArray[np.float64]  # [class, draws of the last stage]


@compiled_like_numpy
def _classes(counts, q):
    """Gather the classes of question q with samples."""
    first, last, n_stages = counts.offsets[q], counts.offsets[q + 1], counts.no_answer.shape[0]
    votes, right = np.empty((n_stages, last - first), np.int64), np.empty(last - first, np.bool_)
    no_answer, totals = np.empty(n_stages, np.int64), np.empty(n_stages, np.int64)
    n = 0
    for c in range(first, last):
        recorded = 0
        for m in range(n_stages):
            votes[m, n] = counts.votes[m, c]
            recorded += counts.votes[m, c]
        if recorded > 0:
            right[n] = counts.correct[c]
            n += 1
    for m in range(n_stages):
        no_answer[m] = totals[m] = counts.no_answer[m, q]
        for c in range(n):
            totals[m] += votes[m, c]
    return _Classes(votes, no_answer, totals, right[:n])


@compiled_like_numpy
def _weights(classes, grid, sizes, need, replacement):
    """Compute weights and limits of one question, for up to `sizes` draws."""
    n_stages, n_classes, rows, cells = sizes.size, classes.right.size, grid.digits.shape[0], sizes[-1] + 1
    rates, reach, held = np.empty(n_stages), np.zeros(n_classes), np.zeros(n_classes, np.bool_)
    outer, inner = np.empty((n_classes, rows)), np.empty((n_classes, cells))
    outer[:] = 1.0
    for m in range(n_stages):
        # As long as `digits` are large, whatever was recorded: draws beyond that have the weight 0.
        n_draws = (sizes if m == n_stages - 1 else grid.sizes)[m] + 1
        draws = np.empty(n_draws)
        rates[m] = (sizes[m] + 2.0) / (2.0 * (classes.totals[m] + 1.0))  # half way
        for c in range(n_classes):
            most = most_votes(classes.votes[m, c], classes.totals[m], sizes[m], replacement)
            reach[c] += grid.prior[m] * most
            held[c] |= most >= need[m]
            fill_weights(draws, n_draws, classes.votes[m, c], rates[m], replacement)
            for j in range(need[m], n_draws):
                draws[j] = 0.0
            for j in range(cells if m == n_stages - 1 else 0):
                inner[c, j] = draws[j]
            for r in range(rows if m < n_stages - 1 else 0):
                outer[c, r] *= draws[grid.digits[r, m]]
    return _Weights(rates, reach, held, outer, inner)


@compiled_like_numpy
def _together(state, grid, rates, numbers, n_nodes, replacement):
    """Fill state[row, draws of the last stage * node] with the polynomials of `numbers` samples per stage."""
    last, width, most = numbers.size - 1, state.shape[1] // n_nodes, 0
    digits = grid.digits
    for m in range(last):
        most = max(most, grid.sizes[m] + 1)
    weights = np.empty(max(most, width))
    state[:] = 1.0
    for m in range(numbers.size):
        fill_weights(weights, grid.sizes[m] + 1 if m < last else width, numbers[m], rates[m], replacement)
        for r in range(digits.shape[0]):
            for j in range(width):
                weight = weights[digits[r, m] if m < last else j]
                for y in range(n_nodes):
                    state[r, j * n_nodes + y] *= weight


@compiled_like_numpy
def _numbers(classes, weights, winner, score):
    """Count samples [stage] without an answer, and of classes other than the winner that cannot reach the score."""
    numbers = np.empty(classes.no_answer.size, np.int64)
    for m in range(numbers.size):
        numbers[m] = classes.no_answer[m]
        for c in range(classes.right.size):
            if c != winner and weights.reach[c] < score and not weights.held[c]:
                numbers[m] += classes.votes[m, c]
    return numbers


@compiled_like_numpy
def _rivals(state, right, weights, fits, winner, score, rule, strict, power, powers, width):
    """Multiply polynomials by those of each rival that can reach a score, cut off at this score.

    state : float64 [row, draws of the last stage * node], the polynomials of all other samples
    right : bool [class]
    strict : int64 [row], how many numbers of draws of the last stage leave a rival below the score
    power : int64 [row], which row of `powers` a tie carries; -1 = none can be, or none may be
    powers : float64 [power, draws of the last stage * node]

    Returns float64 [row, draws of the last stage * node].
    """
    reach, held, outer, inner = weights.reach, weights.held, weights.outer, weights.inner
    rows, n_nodes = fits.shape[0], powers.shape[1] // width
    product, partial = np.empty((rows, width * n_nodes)), np.empty((rows, width * n_nodes))
    highest = 0
    for r in range(rows):
        highest = max(highest, strict[r])
    # Unsigned numbers as indices need no check for being negative, so the loops over x are vectorised. (Views would be
    # too, but counting the references to them takes longer than such a loop; so would a function for this.)
    node, cells = np.uint64(n_nodes), np.uint64(width * n_nodes)
    for c in range(right.size):
        if c == winner or (reach[c] < score and not held[c]):
            continue
        product[:] = 0.0
        partial[:] = 0.0
        for j in range(highest):
            shift, weight = np.uint64(j) * node, inner[c, j]
            for r in range(rows if weight > 0.0 and shift < cells else 0):
                for x in range(cells - shift):
                    partial[r, x + shift] += weight * state[r, x]
            for o in range(rows):
                weight = outer[c, o]
                for r in range(rows - o if strict[o] == j + 1 and weight > 0.0 else 0):
                    if fits[r, o]:
                        for x in range(cells):
                            product[r + o, x] += weight * partial[r, x]
        for o in range(rows if rule != WRONG or right[c] else 0):
            if power[o] >= 0:
                shift, weight = np.uint64(strict[o]) * node, outer[c, o] * inner[c, strict[o]]
                for r in range(rows - o if weight > 0.0 and shift < cells else 0):
                    if fits[r, o]:
                        for x in range(cells - shift):
                            product[r + o, x + shift] += weight * powers[power[o], x] * state[r, x]
        state, product = product, state
    return state


@compiled_like_numpy
def _decided(digits, strict, at_score, stage, nodes, weights, n_nodes, width):
    """Compute the factors of ties if a stage shows the first tied answer; with stage -1, if all have equal chances.

    Of tied answers with s votes in that stage and none before it, one with i of them is seen first with chance i / s,
    each of the s draws being as likely to come first. This is the integral of i y^(i - 1) y^(s - i) over y from 0 to 1.

    Returns power [row], powers [power, draws of the last stage * node] and shares [row, node] of the winner.
    """
    n_outer, most = digits.shape[1], -1
    alike = stage == -1 or stage == n_outer  # in the last stage all tied answers have equally many votes
    power, shares = np.empty(strict.size, np.int64), np.zeros((strict.size, n_nodes))
    for r in range(strict.size):
        before = 0
        for m in range(stage):
            before += digits[r, m]
        power[r] = -1
        if at_score[r] and before == 0:
            power[r] = 1 if alike else digits[r, stage]
            for y in range(n_nodes):
                shares[r, y] = weights[y] * power[r] * (1.0 if power[r] < 2 else nodes[y] ** (power[r] - 1))
        most = max(most, power[r])
    powers = np.empty((most + 1, width * n_nodes))
    for e in range(powers.shape[0]):
        for y in range(n_nodes):
            factor = nodes[y] ** e
            for x in range(width):
                powers[e, x * n_nodes + y] = factor
    return power, powers, shares


@compiled_like_numpy
def _collect(table, rivals, weights, winner, grid, first, last, shares):
    """Add the probabilities of winners with first[row] to last[row] - 1 draws of the last stage."""
    outer, inner, fits = weights.outer, weights.inner, grid.fits
    n_nodes = shares.shape[1]
    for c in range(first.size):
        for j in range(first[c], last[c]):
            weight = outer[winner, c] * inner[winner, j]
            for r in range(rivals.shape[0] - c if weight > 0.0 else 0):
                if fits[r, c]:
                    for x in range(table.shape[1] - j):
                        chance = 0.0
                        for y in range(n_nodes):
                            chance += shares[c, y] * rivals[r, x * n_nodes + y]
                        table[r + c, x + j] += weight * chance


@compiled_like_numpy
def n_nodes(sizes, prior, stage, score, n_tied):
    """Count the Gauss-Legendre nodes that integrate exactly over what `_decided` describes, n_tied rivals at a score.

    n nodes are exact to degree 2 n - 1. Where all tied answers have the same chance each rival carries y, so the degree
    is n_tied; in the last stage all have equally many votes, together at most the draws of the stage. Where the first
    of them is seen in an earlier stage, a rival with j votes there carries y^j and the winner with i carries y^(i - 1):
    the degree is one less than all their votes in the stage, of which each has no more than make up the score.
    """
    if stage == -1:
        return n_tied // 2 + 1
    votes = int(score / prior[stage] * HIGHER)
    if stage == sizes.size - 1:
        degree = min(n_tied, sizes[stage] // max(votes, 1) - 1)
    else:
        degree = min(sizes[stage], (n_tied + 1) * votes) - 1
    return max(degree, 0) // 2 + 1


def most_nodes(grid: Grid, rule: int, n_classes: int) -> int:
    """Bound the nodes that a question of up to n_classes classes needs at any score: `n_nodes` at its largest.

    It grows with sizes and n_tied; draws of a question are no more than grid.sizes, and its tied rivals no more than
    grid.rivals nor than its other classes.
    """
    needed, stages = [1], range(*_stages(grid.sizes.size, rule, 1))
    for score, rivals in zip(grid.scores, np.minimum(grid.rivals, n_classes - 1), strict=True):
        if rivals > 0:
            needed += [n_nodes(grid.sizes, grid.prior, stage, score, rivals) for stage in stages]
    return max(needed)


@compiled_like_numpy
def _stages(n_stages, rule, n_tied):
    """Return first and end of the stages that can decide a tie by the first answer seen; (-1, 0) if none can."""
    return (0, n_stages) if rule == FIRST and n_tied > 0 else (-1, 0)


@compiled_like_numpy
def _add_wins(table, classes, weights, grid, sizes, winner, ties, replacement):
    """Add the probabilities that one class wins to `table`."""
    right, reach, levels = classes.right, weights.reach, grid.levels
    rows, cells = levels.shape[0], weights.inner.shape[1]
    strict, end, at_score = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    strict[0] = 1  # no draws at all have no score
    rivalled = grid.rivals.size
    while rivalled > 0 and grid.rivals[rivalled - 1] < 1:
        rivalled -= 1
    for level in range(rivalled + 1):
        alone = level == rivalled  # with this score and the higher ones no rival has the draws to reach the winner
        score = np.inf if alone else grid.scores[level]
        if not alone and score > reach[winner] * HIGHER:
            return
        n_tied = 0
        if not alone:
            for c in range(right.size):
                n_tied += c != winner and reach[c] * HIGHER >= score and (ties.rule != WRONG or right[c])
            n_tied = min(n_tied, grid.rivals[level])
        for r in range(rows):
            at_score[r] = not alone and strict[r] < cells and levels[r, strict[r]] == level
            end[r] = cells if alone else strict[r] + at_score[r]
        score /= HIGHER
        numbers = _numbers(classes, weights, winner, score)
        first, last = _stages(sizes.size, ties.rule, n_tied)
        for stage in range(first, last):
            at = 0
            while not alone and ties.orders[at] < n_nodes(sizes, grid.prior, stage, grid.scores[level], n_tied):
                at += 1
            nodes, node_weights, n = ties.nodes[at], ties.weights[at], ties.orders[at]
            power, powers, shares = _decided(grid.digits, strict, at_score, stage, nodes, node_weights, n, cells)
            if alone:
                shares[:] = 1.0
            state, below = np.empty((rows, cells * n)), end if alone else strict
            _together(state, grid, weights.rates, numbers, n, replacement)
            state = _rivals(state, right, weights, grid.fits, winner, score, ties.rule, below, power, powers, cells)
            _collect(table, state, weights, winner, grid, strict, end, shares)
        for r in range(rows):
            strict[r] = end[r]


@compiled_like_numpy
def plurality(counts, grid, need, ties):
    """Compute the probability that the plurality is correct and no class has `need` votes in a stage.

    counts : Counts
    grid   : Grid
    need   : int64 [stage]
    ties   : Ties

    Returns float64 [question, row, draws of the last stage]; NaN beyond what was recorded.
    """
    n_questions, n_stages, rows = counts.offsets.size - 1, grid.sizes.size, grid.digits.shape[0]
    found, replacement = np.empty((n_questions, rows, grid.sizes[-1] + 1)), counts.replacement
    sizes = np.empty(n_stages, np.int64)
    for q in range(n_questions):
        classes = _classes(counts, q)
        for m in range(n_stages):
            sizes[m] = grid.sizes[m] if replacement else min(grid.sizes[m], classes.totals[m])
        found[q] = np.nan
        found[q, 0, 0] = 0.0
        if sizes[-1] < 1:
            continue
        weights = _weights(classes, grid, sizes, need, replacement)
        table, divisors = np.zeros((rows, sizes[-1] + 1)), np.empty((rows, sizes[-1] + 1))
        for c in range(classes.right.size):
            if classes.right[c]:
                _add_wins(table, classes, weights, grid, sizes, c, ties, replacement)
        _together(divisors, grid, weights.rates, classes.totals, 1, replacement)
        for r in range(rows):
            for j in range(sizes[-1] + 1):
                found[q, r, j] = table[r, j] / divisors[r, j]
    return found
