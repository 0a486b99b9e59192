"""Closed forms: the chance that the plurality of some draws is right, for every number of draws at once.

Drawing k of N recorded samples gives the classes of an answer the votes that independent Binomial(n_c, p) counts would
have if they happened to add up to k, whatever p is; with replacement the counts are Poisson. So every chance here is a
coefficient of a product of polynomials, one per class, divided by the same coefficient for all samples together. All
terms are positive: nothing cancels, and p is chosen so that nothing underflows.

For each score that the winner may have, rivals are kept below it by cutting off their polynomials, and a tie carries a
factor y: integrating over y from 0 to 1 with Gauss-Legendre nodes, enough of them to be exact, turns y^t into
1 / (1 + t), the chance to come first among t tied rivals.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim.kernels.tally import FIRST, HIGHER, WRONG, inlined

_RARE = 46.0  # what has a chance below exp(-46) = 1e-20 is left out
_UNDERFLOW = -600.0  # logarithm of the smallest chance that may be divided by


class Counts(NamedTuple):
    """What was recorded of a block of questions, by the models of a strategy."""

    votes: NDArray[np.int64]  # [stage, class], recorded samples of each class
    silent: NDArray[np.int64]  # [stage, question], recorded samples without an answer
    offsets: NDArray[np.int64]  # [question + 1], where a question's classes begin
    correct: NDArray[np.bool_]  # [class]
    replacement: bool


class Grid(NamedTuple):
    """All numbers of draws that the stages can share; a row is one choice for all stages but the last.

    A cell (row, j) adds j draws of the last stage. Level 0 is the lowest positive score.
    """

    sizes: NDArray[np.int64]  # [stage], most draws
    digits: NDArray[np.int64]  # [row, stage but the last], draws
    fits: NDArray[np.bool_]  # [row, row], whether both together stay within the sizes; their sum is then the row
    levels: NDArray[np.int64]  # [row, last size + 1], rank of the cell's score; -1 = no draws
    rivals: NDArray[np.int64]  # [level], how many others can reach this score with the draws that are left
    scores: NDArray[np.float64]  # [level]
    prior: NDArray[np.float64]  # [stage]


@njit(nogil=True, cache=True)
def _log_weight(n, j, rate, replacement):
    """Logarithm of the weight of j draws from n samples."""
    if replacement:
        return j * math.log(n * rate) - n * rate - math.lgamma(j + 1.0)
    choose = math.lgamma(n + 1.0) - math.lgamma(j + 1.0) - math.lgamma(n - j + 1.0)
    return choose + j * math.log(rate) + (n - j) * math.log1p(-rate)


@njit(nogil=True, cache=True)
def ballots(out, n, rate, replacement):
    """Fill out[j] with the weight of j draws from n samples: Binomial(n, rate), with replacement Poisson(n * rate)."""
    out[:] = 0.0
    most = out.size - 1 if replacement else min(n, out.size - 1)
    if n == 0:
        out[0] = 1.0
        return
    mode, start = 0, -n * rate if replacement else n * math.log1p(-rate)
    if start < _UNDERFLOW:
        mode = min(int(n * rate), most)
        start = _log_weight(n, mode, rate, replacement)
    out[mode] = math.exp(start)
    odds = n * rate if replacement else rate / (1.0 - rate)
    for j in range(mode, most):
        out[j + 1] = out[j] * (odds if replacement else odds * (n - j)) / (j + 1)
    for j in range(mode, 0, -1):
        out[j - 1] = out[j] * j / (odds if replacement else odds * (n - j + 1))


@njit(nogil=True, cache=True)
def _rare(votes, draws, share):
    """Whether a class of this share gets so many votes, or so few, in less than one of 10^20 cases.

    Where a share f is expected, the chance of a share a, or one still further off on the same side, is at most
    exp(-draws KL(a, f)), with and without replacement (Hoeffding 1963, doi:10.1080/01621459.1963.10500830).
    """
    if share >= 1.0:
        return votes < draws
    a = votes / draws
    divergence = (a * math.log(a / share) if a > 0.0 else 0.0) - (
        (1.0 - a) * math.log((1.0 - share) / (1.0 - a)) if a < 1.0 else 0.0
    )
    return draws * divergence > _RARE


@njit(nogil=True, cache=True)
def most_votes(n, total, draws, replacement):
    """The most votes that a class of n among `total` samples may get."""
    if n == 0:
        return 0
    high = draws if replacement else min(n, draws)
    low = min(int(n / total * draws), high)
    while low < high:
        votes = (low + high + 1) // 2
        if _rare(votes, draws, n / total):
            high = votes - 1
        else:
            low = votes
    return high


@njit(nogil=True, cache=True)
def most_draws(n, total, votes, draws):
    """The most draws, no more than `draws`, in which such a class may get no more than `votes`."""
    low, high = votes, draws
    while low < high:
        k = (low + high + 1) // 2
        if votes < k * (n / total) and _rare(votes, k, n / total):
            high = k - 1
        else:
            low = k
    return high


@inlined
def add(to, what, weight):
    """Add `weight` times an array to another of its size; over views, so that the loop is vectorised."""
    for x in range(to.size):
        to[x] += weight * what[x]


@njit(nogil=True, cache=True)
def _multiply(state, product, partial, outer, inner, fits, strict, power, powers, may_tie, n_nodes, cells):
    """Multiply the polynomials in `state` by that of one class which stays below a score, or ties with it.

    state, product, partial : float64 [row, draws of the last stage * n_nodes + node]; the result is in `product`
    outer, inner : weights of the class, [row] and [draws of the last stage]
    strict : int64 [row], how many numbers of draws of the last stage leave the class below the score
    power : int64 [row], which row of `powers` a tie carries; -1 = none can be, or none may be
    """
    rows = state.shape[0]
    product[:] = 0.0
    partial[:] = 0.0
    for j in range(strict.max()):
        shift = j * n_nodes
        if inner[j] > 0.0 and shift < cells:
            for r in range(rows):
                add(partial[r, shift:], state[r, : cells - shift], inner[j])
        for c in range(rows):
            if strict[c] == j + 1 and outer[c] > 0.0:
                for r in range(rows - c):
                    if fits[r, c]:
                        add(product[r + c], partial[r], outer[c])
    for c in range(rows):
        weight, shift = outer[c] * inner[min(strict[c], inner.size - 1)], strict[c] * n_nodes
        if may_tie and power[c] >= 0 and weight > 0.0 and shift < cells:
            for r in range(rows - c):
                if fits[r, c]:
                    to, what, factors = product[r + c, shift:], state[r, : cells - shift], powers[power[c]]
                    for x in range(to.size):
                        to[x] += weight * factors[x] * what[x]


class _Question(NamedTuple):
    """One question: its classes with any samples, and the weights of their draws."""

    sizes: NDArray[np.int64]  # [stage], most draws
    votes: NDArray[np.int64]  # [stage, class]
    silent: NDArray[np.int64]  # [stage]
    right: NDArray[np.bool_]  # [class]
    rates: NDArray[np.float64]  # [stage], of the weights
    reach: NDArray[np.float64]  # [class], the highest score it may get
    held: NDArray[np.bool_]  # [class], whether it could get as many votes as no class may have
    outer: NDArray[np.float64]  # [class, row], weight of the draws of all stages but the last
    inner: NDArray[np.float64]  # [class, draws of the last stage]
    widths: NDArray[np.int64]  # [level], how many numbers of the rivals' draws in the last stage matter
    rivals: NDArray[np.int64]  # [level], how many rivals could reach the winner's score with the draws that are left
    replacement: bool


class Ties(NamedTuple):
    """A tie rule, and Gauss-Legendre rules on 0..1 to integrate over what it asks for."""

    rule: int  # FIRST, RANDOM or WRONG
    orders: NDArray[np.int64]  # [rule], numbers of nodes, increasing
    nodes: NDArray[np.float64]  # [rule, node]
    weights: NDArray[np.float64]  # [rule, node]


@njit(nogil=True, cache=True)
def _question(counts, q, grid, sizes, need, low):
    """Weights and limits of one question, for draws from `low` to `sizes`."""
    first, last = counts.offsets[q], counts.offsets[q + 1]
    n_stages, rows = sizes.size, grid.digits.shape[0]
    known = first + np.nonzero(counts.votes[:, first:last].sum(axis=0))[0]
    votes, silent, right = counts.votes[:, known], counts.silent[:, q].copy(), counts.correct[known]
    totals = votes.sum(axis=1) + silent
    rates = (low + sizes + 1.0) / (2.0 * (totals + 1.0))  # half way
    reach, held = np.zeros(known.size), np.zeros(known.size, np.bool_)
    outer, inner = np.ones((known.size, rows)), np.zeros((known.size, sizes[-1] + 1))
    for m in range(n_stages):
        draws = np.zeros(sizes[m] + 1)
        for c in range(known.size):
            most = most_votes(votes[m, c], totals[m], sizes[m], counts.replacement)
            reach[c] += grid.prior[m] * most
            held[c] |= most >= need[m]
            ballots(draws, votes[m, c], rates[m], counts.replacement)
            draws[min(need[m], draws.size) :] = 0.0
            if m == n_stages - 1:
                inner[c] = draws
            else:
                for r in range(rows):
                    outer[c, r] *= draws[grid.digits[r, m]]
    widths, rivals = np.full(grid.scores.size, sizes[-1] + 1), grid.rivals
    if n_stages == 1:
        # Beyond so many draws some other class has more votes. With several stages no such limit is worth its while.
        rivals, top = np.zeros_like(widths), votes.max() if known.size else 0
        for level in range(sizes[0]):
            limit = most_draws(top, totals[0], level + 1, sizes[0])
            widths[level], rivals[level] = limit - level, limit // (level + 1) - 1
    return _Question(sizes, votes, silent, right, rates, reach, held, outer, inner, widths, rivals, counts.replacement)


@njit(nogil=True, cache=True)
def _together(state, question, digits, numbers, n_nodes, width):
    """Fill state[row, draws of the last stage * node] with the polynomials of `numbers` samples per stage."""
    last = numbers.size - 1
    weights = np.empty(question.sizes.max() + 1)
    state[:, : width * n_nodes] = 1.0
    for m in range(numbers.size):
        most = question.sizes[m] + 1 if m < last else width
        ballots(weights[:most], numbers[m], question.rates[m], question.replacement)
        for r in range(digits.shape[0]):
            for j in range(width):
                weight = weights[digits[r, m] if m < last else j]
                for y in range(n_nodes):
                    state[r, j * n_nodes + y] *= weight


@njit(nogil=True, cache=True)
def _rivals(question, grid, winner, score, rule, strict, power, powers, n_nodes, width):
    """Polynomials of all samples but the winner's where no rival exceeds a score."""
    n_classes, cells = question.right.size, width * n_nodes
    numbers = question.silent.copy()
    for c in range(n_classes):
        if c != winner and question.reach[c] < score and not question.held[c]:
            for m in range(numbers.size):
                numbers[m] += question.votes[m, c]
    state = np.empty((grid.digits.shape[0], cells))
    product, partial = np.empty_like(state), np.empty_like(state)
    _together(state, question, grid.digits, numbers, n_nodes, width)
    for c in range(n_classes):
        if c != winner and (question.reach[c] >= score or question.held[c]):
            may_tie = rule != WRONG or question.right[c]
            outer, inner = question.outer[c], question.inner[c]
            _multiply(state, product, partial, outer, inner, grid.fits, strict, power, powers, may_tie, n_nodes, cells)
            state, product = product, state
    return state


@njit(nogil=True, cache=True)
def _decided(digits, strict, at_score, stage, nodes, weights, width):
    """What ties carry if the first tied answer is seen in a stage; or, with stage -1, if each has the same chance.

    Of tied answers with s votes in that stage and none before it, one with i of them is seen first with chance i / s,
    each of the s draws being as likely to come first. This is the integral of i y^(i - 1) y^(s - i) over y from 0 to 1.

    Returns power [row], powers [power, draws of the last stage * node] and shares [row, node] of the winner.
    """
    n_outer = digits.shape[1]
    alike = stage == -1 or stage == n_outer  # in the last stage all tied answers have equally many votes
    power, shares = np.full(strict.size, -1), np.zeros((strict.size, nodes.size))
    for c in range(strict.size):
        if at_score[c] and digits[c, : max(stage, 0)].sum() == 0:
            power[c] = 1 if alike else digits[c, stage]
            for y in range(nodes.size):
                shares[c, y] = weights[y] * power[c] * (1.0 if power[c] < 2 else nodes[y] ** (power[c] - 1))
    powers = np.ones((power.max() + 1, width * nodes.size))
    for e in range(1, powers.shape[0]):
        for y in range(nodes.size):
            factor = nodes[y] ** e
            for x in range(width):
                powers[e, x * nodes.size + y] = factor
    return power, powers, shares


@njit(nogil=True, cache=True)
def _collect(table, rivals, outer, inner, fits, strict, at_score, shares, width):
    """Add the chances that a winner with a certain score draws these samples and its rivals the others."""
    n_nodes = shares.shape[1]
    for c in range(strict.size):
        j = strict[c]
        if not at_score[c] or outer[c] * inner[j] == 0.0:
            continue
        for r in range(rivals.shape[0] - c):
            if fits[r, c]:
                for x in range(min(width, table.shape[1] - j)):
                    chance = 0.0
                    for y in range(n_nodes):
                        chance += shares[c, y] * rivals[r, x * n_nodes + y]
                    table[r + c, x + j] += outer[c] * inner[j] * chance


@njit(nogil=True, cache=True)
def _degree(question, grid, stage, score, n_tied):
    """The degree in y of what `_decided` describes."""
    if stage == -1 or stage == grid.digits.shape[1]:
        return n_tied
    most = int(score / grid.prior[stage] * HIGHER)  # votes of one answer
    return min(question.sizes[stage], (n_tied + 1) * most) - 1


@njit(nogil=True, cache=True)
def _n_tied(question, winner, level, score, rule):
    """How many rivals may tie with a score, as far as it matters whether they do."""
    others = 0
    for c in range(question.right.size):
        others += c != winner and question.reach[c] * HIGHER >= score and (rule != WRONG or question.right[c])
    return min(others, question.rivals[level])


@njit(nogil=True, cache=True)
def _add_wins(table, question, grid, winner, ties):
    """Add the chances that one class wins to `table`."""
    rows, cells = grid.digits.shape[0], question.inner.shape[1]
    outer, inner = question.outer[winner], question.inner[winner]
    strict, at_score = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    no_tie, even, unlimited = np.full(rows, -1), np.ones((rows, 1)), np.empty((0, 0))
    for level in range(grid.scores.size):
        score = grid.scores[level]
        if score > question.reach[winner] * HIGHER:
            break
        for c in range(rows):
            while strict[c] < cells and grid.levels[c, strict[c]] < level:
                strict[c] += 1
            at_score[c] = strict[c] < cells and grid.levels[c, strict[c]] == level
        width = question.widths[level]
        if question.rivals[level] < 1:
            if unlimited.size == 0:
                every = np.full(rows, cells)
                unlimited = _rivals(question, grid, winner, np.inf, ties.rule, every, no_tie, even, 1, cells)
            _collect(table, unlimited, outer, inner, grid.fits, strict, at_score, even, width)
            continue
        n_tied = _n_tied(question, winner, level, score, ties.rule)
        stages = range(grid.sizes.size) if ties.rule == FIRST and n_tied > 0 else range(-1, 0)
        for stage in stages:
            at = np.searchsorted(ties.orders, _degree(question, grid, stage, score, n_tied) // 2 + 1)
            nodes, weights = ties.nodes[at, : ties.orders[at]], ties.weights[at, : ties.orders[at]]
            power, powers, shares = _decided(grid.digits, strict, at_score, stage, nodes, weights, width)
            rivals = _rivals(
                question, grid, winner, score / HIGHER, ties.rule, strict, power, powers, nodes.size, width
            )
            _collect(table, rivals, outer, inner, grid.fits, strict, at_score, shares, width)


@njit(nogil=True, cache=True)
def _last_of_block(total, low, high, replacement):
    """The largest number of draws for which one rate serves all from `low` on without underflow."""
    while high > low:
        rate = (low + high + 1.0) / (2.0 * (total + 1.0))
        worst = min(_log_weight(total, low, rate, replacement), _log_weight(total, high, rate, replacement))
        if worst > _UNDERFLOW:
            break
        high = (low + high) // 2
    return high


@njit(nogil=True, cache=True)
def plurality(counts, grid, need, ties):
    """Chance that the plurality is right and no class has `need` votes in a stage, for all numbers of draws.

    counts : Counts
    grid   : Grid
    need   : int64 [stage]
    ties   : Ties

    Returns float64 [question, row, draws of the last stage]; NaN beyond what was recorded.
    """
    n_questions, n_stages = counts.offsets.size - 1, grid.sizes.size
    found = np.full((n_questions, *grid.levels.shape), np.nan)
    for q in range(n_questions):
        totals = counts.silent[:, q] + counts.votes[:, counts.offsets[q] : counts.offsets[q + 1]].sum(axis=1)
        sizes = grid.sizes.copy() if counts.replacement else np.minimum(grid.sizes, totals)
        found[q, 0, 0] = 0.0
        low = np.int64(1)
        while low <= sizes[-1]:
            block = sizes.copy()
            if n_stages == 1:
                block[0] = _last_of_block(totals[0], low, sizes[0], counts.replacement)
            question = _question(counts, q, grid, block, need, low)
            table = np.zeros((grid.digits.shape[0], block[-1] + 1))
            for c in np.nonzero(question.right)[0]:
                _add_wins(table, question, grid, c, ties)
            divisors = np.empty_like(table)
            _together(divisors, question, grid.digits, totals, 1, table.shape[1])
            first = low if n_stages == 1 else 0
            found[q, :, first : block[-1] + 1] = table[:, first:] / divisors[:, first:]
            low = block[-1] + 1
    return found


@njit(nogil=True, cache=True)
def _none_has(weights, need):
    """Coefficients of the product of the polynomials of all classes, each cut off at `need` votes."""
    most = weights.shape[1]
    state, product = np.zeros(most), np.zeros(most)
    state[0] = 1.0
    for c in range(weights.shape[0]):
        product[:] = 0.0
        for j in range(min(need, most)):
            if weights[c, j] > 0.0:
                add(product[j:], state[: most - j], weights[c, j])
        state, product = product, state
    return state


@njit(nogil=True, cache=True)
def agreement(counts, draws, need):
    """Chance that some class has `need` votes among the draws of a single stage, and that this class is right.

    counts : Counts of one stage
    draws, need : int64 [pair]

    Returns agreed and right, float64 [question, pair]; NaN where fewer samples were recorded, and right also where two
    classes could both have `need` votes.
    """
    n_questions, n_pairs = counts.offsets.size - 1, draws.size
    agreed, right = np.full((n_questions, n_pairs), np.nan), np.full((n_questions, n_pairs), np.nan)
    for q in range(n_questions):
        first, last = counts.offsets[q], counts.offsets[q + 1]
        votes, silent = counts.votes[0, first:last], counts.silent[0, q]
        total = votes.sum() + silent
        for p in range(n_pairs):
            k = draws[p]
            if total == 0 or (k > total and not counts.replacement):
                continue
            rate = (k + 0.5) / (total + 1.0)
            own, others, everything = np.empty(k + 1), np.empty(k + 1), np.empty(k + 1)
            ballots(everything, total, rate, counts.replacement)
            agreed[q, p] = 0.0
            if 2 * need[p] > k:
                right[q, p] = 0.0
                for c in range(last - first):
                    ballots(own, votes[c], rate, counts.replacement)
                    ballots(others, total - votes[c], rate, counts.replacement)
                    chance = 0.0
                    for j in range(need[p], k + 1):
                        chance += own[j] * others[k - j] / everything[k]
                    agreed[q, p] += chance
                    right[q, p] += chance * counts.correct[first + c]
            else:
                weights = np.zeros((last - first + 1, k + 1))
                for c in range(last - first):
                    ballots(weights[c], votes[c], rate, counts.replacement)
                    weights[c, need[p] :] = 0.0
                ballots(weights[last - first], silent, rate, counts.replacement)
                agreed[q, p] = 1.0 - _none_has(weights, k + 1)[k] / everything[k]
    return agreed, right
