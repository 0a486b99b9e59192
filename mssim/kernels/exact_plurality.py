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
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled_like_numpy
from mssim.kernels.tally import FIRST, HIGHER, WRONG

_RARE = 46.0  # what has a chance below exp(-46) = 1e-20 is left out
_UNDERFLOW = -600.0  # logarithm of the smallest chance that may be divided by


# Checks for division by zero would be in the way of vectorised loops.
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


@compiled_like_numpy
def _log_weight(n, j, rate, replacement):
    """Logarithm of the weight of j draws from n samples."""
    if replacement:
        return j * math.log(n * rate) - n * rate - math.lgamma(j + 1.0)
    choose = math.lgamma(n + 1.0) - math.lgamma(j + 1.0) - math.lgamma(n - j + 1.0)
    return choose + j * math.log(rate) + (n - j) * math.log1p(-rate)


@compiled_like_numpy
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
        out[j + 1] = out[j] * ((odds if replacement else odds * (n - j)) / (j + 1))
    for j in range(mode, 0, -1):
        out[j - 1] = out[j] * (j / (odds if replacement else odds * (n - j + 1)))


@compiled_like_numpy
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


@compiled_like_numpy
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


@compiled_like_numpy
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


@compiled_like_numpy
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
        # As long as `digits` are large, whatever was recorded: draws beyond that have the weight 0.
        draws = np.zeros((sizes if m == n_stages - 1 else grid.sizes)[m] + 1)
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


@compiled_like_numpy
def _together(state, grid, rates, replacement, numbers, n_nodes):
    """Fill state[row, draws of the last stage * node] with the polynomials of `numbers` samples per stage."""
    last, width = numbers.size - 1, state.shape[1] // n_nodes
    digits, weights = grid.digits, np.empty(max(grid.sizes.max() + 1, width))
    state[:] = 1.0
    for m in range(numbers.size):
        ballots(weights[: grid.sizes[m] + 1 if m < last else width], numbers[m], rates[m], replacement)
        for r in range(digits.shape[0]):
            for j in range(width):
                weight = weights[digits[r, m] if m < last else j]
                for y in range(n_nodes):
                    state[r, j * n_nodes + y] *= weight


@compiled_like_numpy
def _rivals(question, grid, winner, score, rule, strict, power, powers, width):
    """Polynomials of all samples but the winner's where no rival exceeds a score.

    strict : int64 [row], how many numbers of draws of the last stage leave a rival below the score
    power : int64 [row], which row of `powers` a tie carries; -1 = none can be, or none may be
    powers : float64 [power, draws of the last stage * node]

    Returns float64 [row, draws of the last stage * node].
    """
    votes, right, reach, held = question.votes, question.right, question.reach, question.held
    outer, inner, fits = question.outer, question.inner, grid.fits
    numbers = question.silent.copy()
    for c in range(right.size):
        if c != winner and reach[c] < score and not held[c]:
            for m in range(numbers.size):
                numbers[m] += votes[m, c]
    rows, n_nodes = fits.shape[0], powers.shape[1] // width
    state, product, partial = np.empty((3, rows, width * n_nodes))
    _together(state, grid, question.rates, question.replacement, numbers, n_nodes)
    # Unsigned numbers as indices need no check for being negative, so the loops over x are vectorised. (Views would be
    # too, but counting the references to them takes longer than such a loop; so would a function for this.)
    node, cells = np.uint64(n_nodes), np.uint64(width * n_nodes)
    for c in range(right.size):
        if c == winner or (reach[c] < score and not held[c]):
            continue
        product[:] = 0.0
        partial[:] = 0.0
        for j in range(strict.max()):
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


@compiled_like_numpy
def _collect(table, rivals, outer, inner, winner, grid_levels, fits, first, last, shares, widths):
    """Add the chances that the winner draws first[row] to last[row] - 1 of the last stage, and its rivals the rest."""
    n_nodes = shares.shape[1]
    for c in range(first.size):
        for j in range(first[c], last[c]):
            weight = outer[winner, c] * inner[winner, j]
            width = min(widths[grid_levels[c, j]], table.shape[1] - j)
            for r in range(rivals.shape[0] - c if weight > 0.0 else 0):
                if fits[r, c]:
                    for x in range(width):
                        chance = 0.0
                        for y in range(n_nodes):
                            chance += shares[c, y] * rivals[r, x * n_nodes + y]
                        table[r + c, x + j] += weight * chance


@compiled_like_numpy
def _n_nodes(sizes, prior, stage, score, n_tied):
    """Count the Gauss-Legendre nodes that integrate exactly over what `_decided` describes, n_tied rivals at a score.

    n nodes are exact to degree 2 n - 1. Where all tied answers have the same chance each rival carries y, so the degree
    is n_tied; in the last stage all have equally many votes, of which there are no more than draws. Where the first of
    them is seen in an earlier stage, a rival with j votes there carries y^j and the winner with i carries y^(i - 1):
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
    """Bound the nodes that a question of up to n_classes classes needs at any score: `_n_nodes` at its largest.

    It grows with sizes and n_tied; draws of a question are no more than grid.sizes, and its tied rivals no more than
    grid.rivals nor than its other classes.
    """
    needed, stages = [1], range(*_stages(grid, rule, 1))
    for score, rivals in zip(grid.scores, np.minimum(grid.rivals, n_classes - 1), strict=True):
        if rivals > 0:
            needed += [_n_nodes(grid.sizes, grid.prior, stage, score, rivals) for stage in stages]
    return max(needed)


@compiled_like_numpy
def _stages(grid, rule, n_tied):
    """First and end of the stages that can decide a tie by what is seen first; -1 alone where nothing is decided so."""
    return (0, grid.sizes.size) if rule == FIRST and n_tied > 0 else (-1, 0)


@compiled_like_numpy
def _add_wins(table, question, grid, winner, ties):
    """Add the chances that one class wins to `table`."""
    # Each look into a named tuple counts references to an array, which is slower than what these loops do.
    right, reach, outer, inner = question.right, question.reach, question.outer, question.inner
    widths, levels, fits = question.widths, grid.levels, grid.fits
    rows, cells = levels.shape[0], inner.shape[1]
    strict, at_score = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    strict[0] = 1  # no draws at all have no score
    rivalled = question.rivals.size
    while rivalled > 0 and question.rivals[rivalled - 1] < 1:
        rivalled -= 1
    for level in range(rivalled):
        score = grid.scores[level]
        if score > reach[winner] * HIGHER:
            return
        n_tied = 0
        for c in range(right.size):
            n_tied += c != winner and reach[c] * HIGHER >= score and (ties.rule != WRONG or right[c])
        n_tied = min(n_tied, question.rivals[level])
        for c in range(rows):
            at_score[c] = strict[c] < cells and levels[c, strict[c]] == level
        first, end = _stages(grid, ties.rule, n_tied)
        for stage in range(first, end):
            at = np.searchsorted(ties.orders, _n_nodes(question.sizes, grid.prior, stage, score, n_tied))
            nodes, weights = ties.nodes[at, : ties.orders[at]], ties.weights[at, : ties.orders[at]]
            width = widths[level]
            power, powers, shares = _decided(grid.digits, strict, at_score, stage, nodes, weights, width)
            rivals = _rivals(question, grid, winner, score / HIGHER, ties.rule, strict, power, powers, width)
            _collect(table, rivals, outer, inner, winner, levels, fits, strict, strict + at_score, shares, widths)
        strict += at_score
    # With the other scores no rival has the draws to reach the winner.
    every, even = np.full(rows, cells), np.ones((rows, 1))
    no_tie, powers = np.full(rows, -1), np.ones((1, cells))
    rivals = _rivals(question, grid, winner, np.inf, ties.rule, every, no_tie, powers, cells)
    _collect(table, rivals, outer, inner, winner, levels, fits, strict, every, even, widths)


@compiled_like_numpy
def _last_of_block(total, low, high, replacement):
    """The largest number of draws for which one rate serves all from `low` on without underflow."""
    while high > low:
        rate = (low + high + 1.0) / (2.0 * (total + 1.0))
        worst = min(_log_weight(total, low, rate, replacement), _log_weight(total, high, rate, replacement))
        if worst > _UNDERFLOW:
            break
        high = (low + high) // 2
    return high


@compiled_like_numpy
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
            _together(divisors, grid, question.rates, counts.replacement, totals, 1)
            first = low if n_stages == 1 else 0
            found[q, :, first : block[-1] + 1] = table[:, first:] / divisors[:, first:]
            low = block[-1] + 1
    return found


@compiled_like_numpy
def _none_agrees(votes, silent, k, need, rate, replacement):
    """Chance that no class has `need` of k draws."""
    total, together = votes.sum() + silent, silent
    width = np.uint64(k + 1)
    state, product, weights = np.zeros(k + 1), np.zeros(k + 1), np.zeros(k + 1)
    state[0] = 1.0
    for n in votes:
        if most_votes(n, total, k, replacement) < need:
            together += n
            continue
        ballots(weights, n, rate, replacement)
        product[:] = 0.0
        for j in range(need):
            shift, weight = np.uint64(j), weights[j]
            for x in range(width - shift):
                product[x + shift] += weight * state[x]
        state, product = product, state
    chance = 0.0
    ballots(weights, together, rate, replacement)
    for j in range(k + 1):
        chance += state[j] * weights[k - j]
    ballots(weights, total, rate, replacement)
    return chance / weights[k]


@compiled_like_numpy
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
            if 2 * need[p] <= k:
                agreed[q, p] = 1.0 - _none_agrees(votes, silent, k, need[p], rate, counts.replacement)
                continue
            own, others, everything = np.empty(k + 1), np.empty(k + 1), np.empty(k + 1)
            ballots(everything, total, rate, counts.replacement)
            agreed[q, p] = right[q, p] = 0.0
            for c in range(last - first):
                if most_votes(votes[c], total, k, counts.replacement) < need[p]:
                    continue
                ballots(own, votes[c], rate, counts.replacement)
                ballots(others, total - votes[c], rate, counts.replacement)
                chance = 0.0
                for j in range(need[p], k + 1):
                    chance += own[j] * others[k - j] / everything[k]
                agreed[q, p] += chance
                right[q, p] += chance * counts.correct[first + c]
    return agreed, right
