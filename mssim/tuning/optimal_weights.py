"""Weights of models under which a vote of infinitely many draws is right most often."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import is_number, shown
from mssim.errors import MssimError, PoolWarning
from mssim.pools.pool import Pool
from mssim.pools.shares import answer_shares, question_mask, question_of_class, sampled_models
from mssim.rules.base import Strategy
from mssim.rules.fields import model_names
from mssim.rules.names import quoted
from mssim.rules.strategies import Mixture, SelfConsistency
from mssim.tuning.vote_programme import LEAST_LEAD, programme_of, solve

__all__ = ["OptimalWeights", "VoteWeights", "infinite_vote_leads", "infinite_vote_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STEPS = (100, 1000, 10**4, 10**5, 10**6)  # numbers of equal parts to which weights are rounded


@dataclass(frozen=True)
class VoteWeights:
    """Weights of models, and how often a vote of infinitely many draws is right with them.

    Attributes
    ----------
    models : tuple of str
        Names of the models.
    weights : tuple of float
        Probability that a draw is of each model.
    accuracy : float
        Share of the questions that are right with these weights, see `infinite_vote_weights`.
    margin : float
        Smallest lead of the right answer over the next one among the right questions; NaN if no question is right.
    bound : float
        Upper bound of the accuracy with any weights.
    status : {"optimal", "time limit"}
        Whether the search was complete. If it is "optimal", the accuracy is the bound.

    Examples
    --------
    >>> from mssim.tuning.optimal_weights import VoteWeights
    >>> found = VoteWeights(("strong", "weak", "other"), (0.3, 0.7, 0.0), 0.81, 0.02, 0.81, "optimal")
    >>> str(found.strategy())
    'mix:weak+strong,shares=7/3'
    """

    models: tuple[str, ...]
    weights: tuple[float, ...]
    accuracy: float
    margin: float
    bound: float
    status: str

    def strategy(self) -> Mixture | SelfConsistency:
        """Return the vote over draws of the models in proportion to the weights, the largest first."""
        order = sorted((i for i, weight in enumerate(self.weights) if weight > 0), key=lambda i: -self.weights[i])
        names, weights = [self.models[i] for i in order], [self.weights[i] for i in order]
        if len(names) == 1:
            return SelfConsistency(names[0])
        return Mixture(names, shares=None if len(set(weights)) == 1 else _whole(weights))


@dataclass(frozen=True)
class OptimalWeights:
    """Candidate of `tune`: the vote whose weights of models are optimal for the training questions.

    Parameters
    ----------
    models : sequence of str
        Names of the models. Models with weight 0 are left out of the fitted strategy.
    time_limit : float, default 60
        As in `infinite_vote_weights`. A warning says if the limit was reached.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import load_pool
    >>> from mssim.tuning.optimal_weights import OptimalWeights
    >>> pool = load_pool("recorded/llm-products")
    >>> learner = OptimalWeights(["gemma", "smol"])
    >>> print(learner, learner.fit(pool, np.arange(159) < 120))
    weights:gemma+smol mix:gemma+smol,shares=37/13
    """

    models: Sequence[str]
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", model_names("OptimalWeights", self.models))
        _check_seconds(self.time_limit)

    def fit(self, pool: Pool, questions: Bools) -> Strategy:
        """Return `Mixture` with the optimal weights of some questions, or `SelfConsistency` of a single model."""
        found = infinite_vote_weights(pool, self.models, questions=questions, time_limit=self.time_limit)
        if found.status != "optimal":
            warnings.warn(
                f"{self}: the weights are the best that were found in time_limit={self.time_limit:g} seconds. Their "
                f"accuracy is {found.accuracy:.4g}; that of the optimal weights is at most {found.bound:.4g}.",
                PoolWarning,
                stacklevel=2,
            )
        return found.strategy()

    def __str__(self) -> str:
        return f"weights:{'+'.join(map(quoted, self.models))}"


def infinite_vote_weights(
    pool: Pool, models: Sequence[str] | None = None, *, questions: ArrayLike | None = None, time_limit: float = 60.0
) -> VoteWeights:
    """Find the weights of models with which a vote of infinitely many draws is right on most questions.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Names of the models. By default all.
    questions : array_like of bool, shape (n_questions,), optional
        Questions that count. By default all.
    time_limit : float, default 60
        Seconds after which the search ends with the best weights found so far. This makes results depend on the speed
        of the machine. Without reaching the limit, they do not.

    Returns
    -------
    VoteWeights
        The weights, which are not negative and add up to 1, and their accuracy on these questions.

    Raises
    ------
    PoolError
        If a model is unknown, or has no samples of a question.
    MssimError
        If `questions` is not a mask with at least one question, or the time limit is not a positive number.

    Notes
    -----
    If each draw is of model i with probability w_i, the share of answer a tends to sum_i w_i p_i(a). Here, p_i(a) is
    the share of a among all recorded samples of model i, as in `mssim.theory.limits`. Samples without an answer are
    draws that do not vote. A question is right if a right answer leads every wrong answer by at least 1e-5, so ties are
    wrong.

    The mixed-integer programme of Best-of-infinity (arXiv 2509.21091) maximises the number of right questions y_q,
    subject to sum_i w_i (p_i(right) - p_i(a)) >= -M (1 - y_q) for every wrong answer a. `scipy.optimize.milp` solves it
    by branch and bound with HiGHS. Among the weights with the most right questions, those with the largest margin are
    taken, up to 1e-5. Weights are rounded to the fewest digits, at least two, that lose no right question and at most
    half of the margin.

    The accuracy is in-sample: it is that of the best of many weights on the questions on which they were chosen. Use
    `OptimalWeights` in `tune` for that on other questions. Three models and 500 questions take about a second, six
    models and 300 questions up to a minute.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.tuning.optimal_weights import infinite_vote_weights
    >>> found = infinite_vote_weights(load_pool("recorded/llm-products"))
    >>> print(found.strategy(), f"{found.accuracy:.3f} {found.margin:.4f}", found.status)
    mix:gemma+smol+smol-cool,shares=62/27/11 0.654 0.0057 optimal
    """
    names = sampled_models(pool, models, 1)
    mask = question_mask(pool, questions)
    _check_seconds(time_limit)
    programme = programme_of(answer_shares(pool, names), pool.class_offsets, pool.class_correct, mask)
    solution = solve(programme, float(time_limit))
    weights = _rounded(pool, names, mask, solution.weights)
    leads = infinite_vote_leads(pool, dict(zip(names, weights, strict=True)))[mask]
    right = _right(leads)
    return VoteWeights(
        models=names,
        weights=tuple(map(float, weights)),
        accuracy=float(right.mean()),
        margin=float(leads[right].min(initial=np.inf)) if right.any() else np.nan,
        bound=max(solution.bound, int(right.sum())) / right.size,
        status="optimal" if solution.complete and right.sum() >= solution.bound else "time limit",
    )


def infinite_vote_leads(pool: Pool, weights: Mapping[str, float]) -> Floats:
    """Return the lead of the right answer in a vote of infinitely many draws.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    weights : mapping of str to float
        Weight of each model: the ratio of its draws to those of the others.

    Returns
    -------
    ndarray of float64, shape (n_questions,)
        Share of the right answer with most votes minus that of the wrong answer with most votes, from -1 to 1. It is 0
        for a tie, and if there are no answers. Otherwise as in `infinite_vote_weights`.

    Raises
    ------
    PoolError
        If a model is unknown, or has no samples of a question.
    MssimError
        If weights are negative, not finite, or all zero.

    Examples
    --------
    Equal weights are right on 62.9 % of the questions:

    >>> from mssim import load_pool
    >>> from mssim.tuning.optimal_weights import infinite_vote_leads
    >>> leads = infinite_vote_leads(load_pool("recorded/llm-products"), {"gemma": 1, "smol": 1})
    >>> float((leads > 0).mean().round(3))
    0.629
    """
    values = list(weights.values())
    if not all(is_number(w) and 0 <= w < np.inf for w in values) or not 0 < sum(values) < np.inf:
        raise MssimError(
            f"weights={shown(dict(weights))} are not valid. Use numbers from 0, at least one of them positive."
        )
    names = sampled_models(pool, list(weights), 1)
    share = np.array(values, dtype=float) / sum(values) @ answer_shares(pool, names)
    return np.round(_highest(pool, share, pool.class_correct) - _highest(pool, share, ~pool.class_correct), 12)


def _highest(pool: Pool, share: Floats, among: Bools) -> Floats:
    """Return the highest share among some answers of each question, 0 if there are none."""
    top = np.zeros(len(pool.questions))
    np.maximum.at(top, question_of_class(pool)[among], share[among])
    return top


def _check_seconds(time_limit: float) -> None:
    if not is_number(time_limit) or not time_limit > 0:
        raise MssimError(f"time_limit={shown(time_limit)} is not valid. Use a positive number of seconds.")


def _right(leads: Floats) -> Bools:
    """Return which questions are right; half of the least lead, because the solver accepts small violations."""
    return np.asarray(leads >= LEAST_LEAD / 2)


def _rounded(pool: Pool, names: Sequence[str], mask: Bools, weights: Floats) -> Floats:
    """Round weights to the fewest digits that lose no right question and at most half of the margin."""

    def quality(tried: Floats) -> tuple[int, float]:
        leads = infinite_vote_leads(pool, dict(zip(names, tried, strict=True)))[mask]
        right = _right(leads)
        return int(right.sum()), float(leads[right].min(initial=1))

    most, margin = quality(weights)
    for parts in _STEPS:
        scaled = weights * parts
        whole = np.floor(scaled)
        left = round(parts - whole.sum())
        whole[np.argsort(whole - scaled, kind="stable")[:left]] += 1  # the largest remainders
        count, lead = quality(whole / parts)
        if count > most or (count == most and lead >= margin / 2):
            return whole / parts
    return weights


def _whole(weights: Sequence[float]) -> tuple[float, ...]:
    """Return weights as the smallest integers of the same ratios if they are rounded, otherwise as they are."""
    for parts in _STEPS:
        counts = [round(weight * parts) for weight in weights]
        if all(abs(weight * parts - count) < 1e-9 * parts for weight, count in zip(weights, counts, strict=True)):
            return tuple(count / math.gcd(*counts) for count in counts)
    return tuple(weights)
