"""Closed forms of draws until a verifier accepts one: accuracy, draws and what the drawn samples spend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.verdicts import Verdicts
from mssim.kernels.draw_weights import Counts
from mssim.kernels.until import ACCEPTED
from mssim.rules.plan import Floats, Ints, Plan

__all__ = ["ExpectedUntil", "expected_until", "mean_amounts"]


class ExpectedUntil(NamedTuple):
    """What is expected of draws until one is accepted."""

    right: Floats  # [budget, question], probability of a correct answer
    drawn: Floats  # [stage, budget, question], draws
    agreed: Floats  # [budget, question], probability that a sample is accepted
    spent: Floats  # [quantity, budget, question]


def mean_amounts(amounts: Floats, verdicts: Verdicts, lengths: NDArray[np.int32]) -> Floats:
    """Return the mean amounts of rejected and of accepted samples, [quantity, rejected or accepted, stage, question].

    Both are NaN if the amount of any recorded sample of a model and question is unknown, and 0 without such samples.

    Parameters
    ----------
    amounts : ndarray of float64, shape (n_quantities, n_stages, n_questions, n_samples)
        What samples spend; NaN if unknown, anything beyond the recorded samples.
    verdicts : ndarray of uint8, shape (n_stages, n_questions, n_samples)
        As `verdicts_of` returns them.
    lengths : ndarray of int32, shape (n_stages, n_questions)
        Recorded samples.
    """
    recorded = np.arange(verdicts.shape[2]) < lengths[:, :, None]
    known = np.where(recorded, amounts, 0.0)
    unknown = np.isnan(known).any(axis=3)
    accepted = (verdicts & ACCEPTED).astype(bool)
    parts = [recorded & ~accepted, recorded & accepted]
    means = [np.where(part, known, 0.0).sum(axis=3) / np.maximum(part.sum(axis=2), 1) for part in parts]
    return np.stack([np.where(unknown, np.nan, mean) for mean in means], axis=1)


def expected_until(plan: Plan, counts: Counts, means: Floats | None = None) -> ExpectedUntil:
    """Compute the expected outcome of a plan that draws until a sample is accepted.

    Parameters
    ----------
    plan : Plan
        Plan with a verifier.
    counts : Counts
        As `verified_counts` returns them, one stage per model of the plan.
    means : ndarray of float64, shape (n_quantities, 2, n_stages, n_questions), optional
        As `mean_amounts` returns them. By default `spent` has no quantities.

    Notes
    -----
    Whatever the number of rejected draws is, each set of that many rejected samples is equally likely, and so is each
    accepted sample. A stage therefore spends (E[draws] - P[accepted]) x mean of the rejected + P[accepted] x mean of
    the accepted samples. This is not E[draws] x mean of all samples, unless draws are with replacement (Wald).

    For the same reason, the last draw of a stage that accepts none is right with the share of right samples among the
    rejected ones. It is the answer if the verifier lets the last draw answer.
    """
    n_stages, n_budgets = plan.sizes.shape
    n_questions = counts.no_answer.shape[1]
    given = np.zeros((0, 2, n_stages, n_questions)) if means is None else means
    votes = counts.votes.reshape(n_stages, n_questions, -1)
    accepts, right, spare = votes[:, :, :2].sum(axis=2), votes[:, :, 1], votes[:, :, 2:].sum(axis=2)
    rejected = counts.no_answer + spare
    share_right, share_spare = right / np.maximum(accepts, 1), spare / np.maximum(rejected, 1)
    of_last = np.zeros((n_budgets, n_questions))  # share of right samples among the rejected ones of the last stage
    reached = np.ones((n_budgets, n_questions))
    won = np.zeros_like(reached)
    drawn = np.zeros((n_stages, n_budgets, n_questions))
    spent = np.zeros((len(given), n_budgets, n_questions))
    for i, sizes in enumerate(plan.sizes):
        missed, draws = _misses(rejected[i] + accepts[i], accepts[i], sizes, counts.replacement)
        found = reached * (1 - missed)
        drawn[i] = np.where(reached == 0, 0.0, reached * draws)
        won += found * share_right[i]
        rejects = drawn[i] - found
        for part, weight in zip(np.moveaxis(given[:, :, i], 1, 0), (rejects, found), strict=True):
            spent += np.where(drawn[i] == 0, 0.0, weight * part[:, None])
        reached = reached * missed
        of_last = np.where((sizes > 0)[:, None], share_spare[i], of_last)
    return ExpectedUntil(won + reached * of_last, drawn, 1 - reached, spent)


def _misses(total: Ints, accepts: Ints, draws: Ints, replacement: bool) -> tuple[Floats, Floats]:
    """Return the probability that no draw is accepted, and the expected draws of a stage, both [budget, question].

    They are NaN where fewer samples were recorded than are drawn.
    """
    steps = np.arange(int(draws.max()))
    n, rejects = total[:, None], (total - accepts)[:, None]
    if replacement:
        factors = np.broadcast_to(rejects / np.maximum(n, 1), (total.size, steps.size))
    else:
        factors = np.maximum(rejects - steps, 0) / np.maximum(n - steps, 1)
    missed = np.concatenate([np.ones((total.size, 1)), np.cumprod(factors, axis=1)], axis=1)  # [question, draws]
    expected = np.concatenate([np.zeros((total.size, 1)), np.cumsum(missed[:, :-1], axis=1)], axis=1)
    known = (draws == 0) | ((n > 0) if replacement else (draws <= n))
    return np.where(known, missed[:, draws], np.nan).T, np.where(known, expected[:, draws], np.nan).T
