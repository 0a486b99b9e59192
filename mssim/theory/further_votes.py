"""Votes of samples that were not recorded, drawn given the recorded votes and a law fitted to all questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from mssim.engine.exact import Floats, Ints
from mssim.pools.pool import Pool
from mssim.pools.shares import over_classes, question_of_class

__all__ = ["Answers", "answers_of", "further_votes"]

_MEANS = np.linspace(0.02, 0.98, 33)
_SIZES = np.geomspace(0.3, 1000, 24)
_WIDTHS = np.array([1, 1.5, 2, 4, 8, 32])  # numbers of wrong answers, in units of the largest that was seen
_EVENNESS = np.geomspace(0.01, 30, 24)
_REACH = 4  # standard errors by which an answer must trail to be out of the running
_CELLS = 1_000_000  # numbers drawn at a time


class Answers(NamedTuple):
    """Recorded answers of one model; classes of a question are padded with zeros."""

    votes: Ints  # [question, class]
    right: NDArray[np.bool_]  # [question, class]
    none: Ints  # number of samples without an answer, [question]


def answers_of(pool: Pool, model: str) -> Answers:
    """Return the recorded answers of a model as arrays over questions and classes.

    Examples
    --------
    >>> from mssim import load_pool
    >>> found = answers_of(load_pool("recorded/llm-products"), "gemma")
    >>> (found.votes.sum(axis=1) + found.none)[:3]
    array([256, 256, 256])
    """
    counts = pool.class_counts(model)
    none = pool.lengths[pool.model_index(model)] - over_classes(pool, counts).astype(np.int64)
    drawn = counts > 0  # classes of other models are left out
    question = question_of_class(pool)[drawn]
    place = np.arange(question.size) - np.searchsorted(question, question)
    votes = np.zeros((len(pool.questions), int(place.max(initial=0)) + 1), np.int64)
    right = np.zeros(votes.shape, bool)
    votes[question, place], right[question, place] = counts[drawn], pool.class_correct[drawn]
    return Answers(votes, right, none)


@dataclass(frozen=True)
class _Law:
    """Laws fitted to resamples, [resample]: shares of correct answers beta(a, b), of wrong ones Dirichlet(alpha)."""

    a: Floats
    b: Floats
    alpha: Floats
    width: Floats  # number of wrong answers to a question, seen or not


def further_votes(answers: Answers, budgets: Sequence[int], weights: Floats, seed: int) -> Floats:
    """Draw whether the plurality of k samples is correct, where the recorded samples are the first of them.

    Parameters
    ----------
    answers : Answers
        Recorded answers.
    budgets : sequence of int
        Increasing numbers k of samples.
    weights : ndarray, shape (n_resamples, n_questions)
        How often each question is drawn in each resample.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray, shape (n_budgets, n_resamples, n_questions)
        1 if the plurality is correct, 0 if not, 1 / m if m answers tie and one is correct. Each resample has laws
        fitted to its questions and one draw of the further samples of every question. Questions with at least k
        recorded samples have their recorded plurality.

    Notes
    -----
    The share of correct samples among those with an answer is beta distributed over questions. The shares of a fixed
    number of wrong answers are a symmetric Dirichlet law. Both are fitted by maximum likelihood on a grid (beta- and
    Dirichlet-multinomial; Minka 2000). Given the counts, the shares are beta and Dirichlet again. Wrong answers that
    were not seen take votes but never win. The share of samples without an answer has the posterior beta(none, n -
    none). Answers that trail the leader by more than four standard errors are taken to be out of the running.

    Examples
    --------
    >>> import numpy as np
    >>> votes = np.array([[8, 4, 0], [5, 4, 3], [1, 11, 0]])
    >>> answers = Answers(votes, np.array([[True, False, False]] * 3), np.zeros(3, int))
    >>> further_votes(answers, [48], np.ones((2000, 3)), seed=0).mean(axis=1).round(1)
    array([[0.8, 0.5, 0. ]])
    """
    law = _fit(answers, weights)
    found = np.empty((len(budgets), len(weights), len(answers.votes)))
    found[:] = _share_won(answers.votes, answers.right)
    votes, right = _contenders(answers)
    open_ = np.flatnonzero((votes > 0).sum(axis=1) + ~(votes * right).any(axis=1) > 1)
    rng = np.random.default_rng(seed)
    part = max(1, _CELLS // max(votes[open_].size, 1))
    for first in range(0, len(weights), part):
        rows = slice(first, first + part)
        shares = _draw_shares(rng, answers, votes, right, law, rows, open_)
        won = _outcomes(rng, answers, votes, right, shares, budgets, open_)
        for i, outcome in enumerate(won):
            found[i, rows, open_] = outcome.T
    return found


def _share_won(votes: Ints, right: NDArray[np.bool_]) -> Floats:
    """Return the share of the most frequent answers that is correct, over the last axis; 0 without votes."""
    top = votes.max(axis=-1, keepdims=True)
    leading = (votes == top) & (top > 0)
    return np.asarray((leading & right).sum(axis=-1) / np.maximum(leading.sum(axis=-1), 1))


def _contenders(answers: Answers) -> tuple[Ints, NDArray[np.bool_]]:
    """Return counts of the answers that can still win, the most frequent first, without columns of zeros only."""
    top = answers.votes.max(axis=1, keepdims=True)
    raised = answers.votes + 2
    near = raised + _REACH * np.sqrt(raised + top) >= top
    votes = np.where(near, answers.votes, 0)
    order = np.argsort(-votes, axis=1, kind="stable")
    votes, right = np.take_along_axis(votes, order, axis=1), np.take_along_axis(answers.right, order, axis=1)
    kept = max(int((votes > 0).sum(axis=1).max()), 1)
    return votes[:, :kept], right[:, :kept]


# Laws -----------------------------------------------------------------------------------------------------------------


def _fit(answers: Answers, weights: Floats) -> _Law:
    c, w = _right_and_wrong(answers)
    means, sizes = (x.ravel() for x in np.meshgrid(_MEANS, _SIZES, indexing="ij"))
    a, b = means * sizes, (1 - means) * sizes
    best = np.argmax(weights @ (betaln(a + c[:, None], b + w[:, None]) - betaln(a, b)), axis=1)
    wrong = np.where(answers.right, 0, answers.votes)
    seen = (wrong > 0).sum(axis=1)
    widths = np.unique(np.rint(max(int(seen.max()), 2) * _WIDTHS))
    width, alpha = (x.ravel() for x in np.meshgrid(widths, _EVENNESS, indexing="ij"))
    spread = np.argmax(weights @ _partitions(wrong, seen, width, alpha), axis=1)
    return _Law(a[best], b[best], alpha[spread], width[spread])


def _right_and_wrong(answers: Answers) -> tuple[Ints, Ints]:
    right = np.where(answers.right, answers.votes, 0).sum(axis=1)
    return right, answers.votes.sum(axis=1) - right


def _partitions(wrong: Ints, seen: Ints, width: Floats, alpha: Floats) -> Floats:
    """Return log-likelihoods of the counts of wrong answers without names, [question, node]."""
    total = wrong.sum(axis=1)[:, None]
    whole = gammaln(width * alpha) - gammaln(width * alpha + total) + gammaln(width + 1)
    named = gammaln(width - seen[:, None] + 1)
    sizes, place = np.unique(wrong, return_inverse=True)
    occurs = np.stack([(place.reshape(wrong.shape) == i).sum(axis=1) for i in range(sizes.size)], axis=1)
    return np.asarray(whole - named + occurs @ (gammaln(alpha + sizes[:, None]) - gammaln(alpha)))


# Draws ----------------------------------------------------------------------------------------------------------------


def _draw_shares(
    rng: np.random.Generator,
    answers: Answers,
    votes: Ints,
    right: NDArray[np.bool_],
    law: _Law,
    rows: slice,
    chosen: Ints,
) -> Floats:
    """Draw shares of the contenders, of a correct answer not seen and of all else, [resample, question, column]."""
    a, b, alpha, width = (x[rows, None] for x in (law.a, law.b, law.alpha, law.width))
    c, w = (x[chosen] for x in _right_and_wrong(answers))
    votes, right, none = votes[chosen], right[chosen], answers.none[chosen]
    seen = (np.where(answers.right, 0, answers.votes)[chosen] > 0).sum(axis=1)
    valid = 1 - _beta(rng, np.broadcast_to(none, (len(a), none.size)), c + w)
    correct = rng.beta(a + c, b + w)
    wrong = votes * ~right
    in_running = (wrong > 0).sum(axis=1)
    parts = rng.standard_gamma(np.where(wrong > 0, wrong + alpha[:, :, None], 0.0))
    rest = rng.standard_gamma((w - wrong.sum(axis=1)) + (np.maximum(width, seen) - in_running) * alpha)
    total = np.maximum(parts.sum(axis=2) + rest, np.finfo(float).tiny)
    # Several correct answers share their votes in proportion to their counts.
    split = votes * right / np.maximum((votes * right).sum(axis=1, keepdims=True), 1)
    shares = parts * ((1 - correct) / total)[:, :, None] + split * correct[:, :, None]
    unseen = np.where(split.sum(axis=1) > 0, 0.0, correct)
    shown = np.concatenate([shares, unseen[:, :, None]], axis=2) * valid[:, :, None]
    return np.concatenate([shown, np.maximum(1 - shown.sum(axis=2, keepdims=True), 0)], axis=2)


def _beta(rng: np.random.Generator, a: NDArray[np.int64], b: Ints) -> Floats:
    """Draw from beta laws, which are points where a parameter is 0."""
    known = (a > 0) & (b > 0)
    return np.where(known, rng.beta(np.where(known, a, 1), np.where(known, b, 1)), (a > 0).astype(float))


def _outcomes(
    rng: np.random.Generator,
    answers: Answers,
    votes: Ints,
    right: NDArray[np.bool_],
    shares: Floats,
    budgets: Sequence[int],
    chosen: Ints,
) -> Iterator[Floats]:
    """Yield whether the plurality is correct at each budget, [resample, question]."""
    drawn = answers.votes.sum(axis=1)[chosen] + answers.none[chosen]
    correct = np.concatenate([right[chosen], np.ones((chosen.size, 1), bool)], axis=1)
    counts = np.broadcast_to(np.pad(votes[chosen], [(0, 0), (0, 1)]), shares[..., :-1].shape)
    for k in budgets:
        more = np.maximum(k - drawn, 0)
        counts = counts + rng.multinomial(more, shares)[..., :-1]
        drawn = drawn + more
        yield _share_won(counts, correct)
