"""Unbiased pass@k, maj@k and agreement@k from counts of answers, and the error of maj@k."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._counts import as_asked, draw_counts, sample_counts, whole_counts
from mssim._validation import choose_from
from mssim.engine.exact import Floats, Ints, agreements, chances, covered, one_stage_ties
from mssim.engine.half_samples import halves_of_counts
from mssim.engine.left_out import LeftOutTask, left_out
from mssim.errors import MssimError
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_one_stage import plurality
from mssim.kernels.tally import RANDOM, WRONG
from mssim.rules.agreement import NEVER, check_threshold, votes_to_agree
from mssim.rules.strategies import SelfConsistency
from mssim.rules.votes import Vote
from mssim.rules.votes.base import TIES

__all__ = ["agreement_at_k", "jackknife_variance", "maj_at_k", "pass_at_k"]

_ROWS_PER_TASK = 16


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int | ArrayLike) -> Floats:
    """Compute the probability that at least one of k samples is correct.

    Samples are drawn without replacement from n recorded samples, of which c are correct.

    Parameters
    ----------
    n : array_like of int
        Number of recorded samples. Broadcast with `c` to a common shape (...).
    c : array_like of int
        Number of correct samples, from 0 to n.
    k : int or array_like of int, shape (n_k,)
        Number of drawn samples, from 1 to 32767.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        1 - C(n - c, k) / C(n, k); NaN where k > n.

    Raises
    ------
    MssimError
        If a number is not an integer, or c is not between 0 and n.

    See Also
    --------
    maj_at_k : Probability that the plurality of k samples is correct.
    pass_hat_k, g_pass_at_k : Probability that all of k samples, or a share of them, are correct.

    References
    ----------
    Chen et al. (2021), "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, equation 1.

    Examples
    --------
    >>> pass_at_k(10, [0, 3, 10], [1, 5, 11]).round(4)
    array([[0.    , 0.    ,    nan],
           [0.3   , 0.9167,    nan],
           [1.    , 1.    ,    nan]])
    """
    total, right, draws = sample_counts(n, c, k)
    return as_asked(covered(total, right, draws), k)


def maj_at_k(
    counts: ArrayLike,
    k: int | ArrayLike,
    *,
    correct: Sequence[int] | ArrayLike = (0,),
    ties: str = "random",
    replacement: bool = False,
    no_answer: ArrayLike = 0,
    correct_bias: bool = False,
) -> Floats:
    """Compute the probability that the plurality of k samples is correct.

    Samples are drawn from the recorded answers to a question.

    Parameters
    ----------
    counts : array_like of int, shape (..., n_classes)
        Number of samples of each answer class. Pad questions with fewer classes with zeros.
    k : int or array_like of int, shape (n_k,)
        Number of drawn samples, from 1 to 32767. All k are computed in one pass.
    correct : sequence of int or array_like of bool, default (0,)
        Indices of the correct classes, the same for all questions. A boolean array marks the correct classes and
        broadcasts to the shape of `counts`.
    ties : {"first", "random", "wrong"}, default "random"
        Winner if several answers have the most votes: the one drawn first, or a random one. With "wrong" a tie counts
        as wrong unless all tied answers are correct. "first" and "random" have the same probability, because tied
        answers are exchangeable in the order of draws.
    replacement : bool, default False
        Draw with replacement, as from an infinite pool with these shares. As an estimate for a model this is biased if
        few samples were recorded: by -4.1 points for k = 8 with 8 recorded samples, -2.3 with 16 and -0.6 with 64, on
        average over chances of the correct answer from 0.5 to 1. Without replacement it is unbiased.
    no_answer : array_like of int, default 0
        Number of samples without an answer, broadcast to (...). They are drawn but do not vote. If no drawn sample has
        an answer, the result is wrong.
    correct_bias : bool, default False
        Reduce the bias of drawing with replacement by halves of the samples: in the example above to -1.3, -0.5 and 0.0
        points. The result can lie outside 0 to 1, which means over questions need.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        Probabilities; NaN where k exceeds the number of recorded samples or, with replacement, where there are none.
        The error is below 1e-12 for a thousand samples.

    Raises
    ------
    MssimError
        If a number is not a non-negative integer, a class does not exist, or a bias is to be corrected without
        replacement.

    See Also
    --------
    pass_at_k : Probability that at least one of k samples is correct.
    jackknife_variance : Variance that is due to the number of recorded samples.
    agreement_at_k : Probability that k samples agree.

    Notes
    -----
    Counts of k draws are multivariate hypergeometric, or multinomial with replacement. The probability is a sum over
    winners and their votes of coefficients of a product of polynomials, one per answer. See
    `mssim.kernels.draw_weights`.

    The bias with K samples is about b / K and with half of them 2 b / K, so the corrected estimate is 2 P(K) - mean
    P(K/2) over all halves of the samples. If there are more than 2000 halves of a question, the mean is over 200 pairs
    of halves drawn with a fixed seed.

    Examples
    --------
    Six of ten samples are correct. The wrong ones agree in the first question and all differ in the second:

    >>> maj_at_k([[6, 4, 0, 0, 0], [6, 1, 1, 1, 1]], [1, 3, 5, 11]).round(4)
    array([[0.6   , 0.6667, 0.7381,    nan],
           [0.6   , 0.7667, 0.981 ,    nan]])

    Six of eight samples are correct:

    >>> [maj_at_k([6, 2], 3, **how).round(4).item() for how in (
    ...     {}, {"replacement": True}, {"replacement": True, "correct_bias": True}
    ... )]
    [0.8929, 0.8438, 0.8839]
    """
    if correct_bias:
        if not replacement:
            raise MssimError("correct_bias=True: draws without replacement have no bias. Add replacement=True.")
        return _corrected(counts, k, correct, ties, no_answer)
    votes, no_answer, rule, draws = _validated(counts, no_answer, ties, k, replacement)
    right = _right(correct, votes)
    n_classes = votes.shape[-1]
    rows = votes.reshape(-1, n_classes)
    total = rows.sum(axis=1) + no_answer.ravel()
    most = int(draws.max()) if replacement else int(min(draws.max(), total.max(initial=0)))
    found = np.full((len(rows), draws.size), np.nan)
    within = draws <= most
    if most and within.any():
        with_nodes = one_stage_ties(rule, most, n_classes)

        def solve(part: slice) -> None:
            block = _block(rows[part], no_answer.ravel()[part], right.reshape(-1, n_classes)[part], replacement)
            found[part, within] = plurality(block, most, NEVER, with_nodes)[:, draws[within]]

        parts = [slice(i, i + _ROWS_PER_TASK) for i in range(0, len(rows), _ROWS_PER_TASK)]
        if len(parts) == 1:
            solve(parts[0])
        else:
            with ThreadPoolExecutor(os.cpu_count()) as workers:
                list(workers.map(solve, parts))
    found = chances(found).reshape(*votes.shape[:-1], draws.size)
    return as_asked(found, k)


def _corrected(
    counts: ArrayLike, k: int | ArrayLike, correct: Sequence[int] | ArrayLike, ties: str, no_answer: ArrayLike
) -> Floats:
    """Return 2 P(K) - mean P(K/2) for draws with replacement; NaN for a question of fewer than two samples."""
    votes, no_answer, _, draws = _validated(counts, no_answer, ties, k, True)
    right = _right(correct, votes).reshape(-1, votes.shape[-1])
    found = maj_at_k(votes, draws, correct=correct, ties=ties, replacement=True, no_answer=no_answer)
    corrected = 2 * found.reshape(-1, draws.size)
    for q, recorded in enumerate(np.column_stack([votes.reshape(right.shape), no_answer.ravel()])):
        if recorded.sum() < 2:
            corrected[q] = np.nan
            continue
        halves, chances = halves_of_counts(recorded)
        each = maj_at_k(halves[:, :-1], draws, correct=right[q], ties=ties, replacement=True, no_answer=halves[:, -1])
        corrected[q] -= chances @ each
    return as_asked(corrected.reshape(found.shape), k)


def jackknife_variance(
    counts: ArrayLike,
    k: int | ArrayLike,
    *,
    correct: Sequence[int] | ArrayLike = (0,),
    ties: str = "random",
    no_answer: ArrayLike = 0,
) -> Floats:
    """Compute the variance of `maj_at_k` that is due to the finite number of recorded samples.

    It is the variance over other recordings of the same number of samples for the same question.

    Parameters
    ----------
    counts, k, correct, ties, no_answer
        As in `maj_at_k`.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        Variances; NaN where k exceeds the number of recorded samples, or where there are fewer than two.

    Raises
    ------
    MssimError
        As in `maj_at_k`.

    Notes
    -----
    With K recorded samples it is (K - 1) / K sum_i (m_i - mean)^2, where m_i is `maj_at_k` without sample i (Efron &
    Stein 1981, doi:10.1214/aos/1176345462). For k = K, m_i is the value of K - 1 samples. The estimate is biased
    upwards where k is close to K: for k = K, on questions with uniform chances, its root is 1.7 times the true error
    with 8 samples and 2.7 times with 64. `evaluate` leaves out groups of samples there. It is 0 where all samples are
    equal, although a further one could differ; `mssim.results.jackknife.these_interval` allows for that.

    Examples
    --------
    >>> jackknife_variance([[6, 4, 0], [5, 3, 2]], [1, 3, 4]).round(4)
    array([[0.0267, 0.0689, 0.0689],
           [0.0278, 0.0629, 0.0833]])
    """
    votes, no_answer, _, draws = _validated(counts, no_answer, ties, k, False)
    right = _right(correct, votes)
    rows = votes.reshape(-1, votes.shape[-1])
    total = rows.sum(axis=1) + no_answer.ravel()
    found = np.full((len(rows), draws.size), np.nan)
    strategy = SelfConsistency("M", Vote.plurality(ties=ties))
    for recorded in np.unique(total[total > 1]):
        chosen, within = np.nonzero(total == recorded)[0], draws <= recorded
        if within.any():
            block = _block(rows[chosen], no_answer.ravel()[chosen], right.reshape(rows.shape)[chosen], False)
            task = LeftOutTask(
                strategy, strategy.plans(draws[within]), ("M",), left_out(block), pd.DataFrame(index=chosen)
            )
            found[np.ix_(chosen, within)] = task.run().right.T
    return as_asked(found.reshape(*votes.shape[:-1], draws.size), k)


def agreement_at_k(
    counts: ArrayLike,
    k: int | ArrayLike,
    *,
    agreement: float = 1.0,
    strict: bool = False,
    replacement: bool = False,
    no_answer: ArrayLike = 0,
) -> Floats:
    """Compute the probability that k samples agree.

    They agree if the share of the most frequent answer among them reaches a threshold.

    Parameters
    ----------
    counts : array_like of int, shape (..., n_classes)
        Number of samples of each answer class, as in `maj_at_k`.
    k : int or array_like of int, shape (n_k,)
        Number of drawn samples, from 1 to 32767.
    agreement : float, default 1.0
        Threshold of the share, as in `ModelSwitch`.
    strict : bool, default False
        Whether the share must exceed the threshold, as in `ModelSwitch`.
    replacement : bool, default False
        Draw with replacement, as from an infinite pool with these shares. This is biased if few samples were recorded.
    no_answer : array_like of int, default 0
        Number of samples without an answer, broadcast to (...). They count in k, so they break unanimity.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        Probabilities; NaN where k exceeds the number of recorded samples or, with replacement, where there are none.

    Raises
    ------
    MssimError
        If a number is not a non-negative integer, or the threshold is invalid.

    Examples
    --------
    >>> agreement_at_k([6, 4], [1, 2, 4]).round(4)
    array([1.    , 0.4667, 0.0762])
    >>> agreement_at_k([6, 4], 4, agreement=0.75).round(4)
    np.float64(0.5714)
    """
    votes, no_answer, _, draws = _validated(counts, no_answer, "random", k, replacement)
    check_threshold(agreement, strict)
    need = votes_to_agree(draws, agreement, strict=strict)
    rows = votes.reshape(-1, votes.shape[-1])
    block = _block(rows, no_answer.ravel(), np.zeros(rows.shape, bool), replacement)
    found = agreements(block, draws, need)[0].reshape(*votes.shape[:-1], draws.size)
    return as_asked(found, k)


def _validated(
    counts: ArrayLike, no_answer: ArrayLike, ties: str, k: int | ArrayLike, replacement: bool
) -> tuple[Ints, Ints, int, Ints]:
    votes = whole_counts("counts", counts)
    if votes.ndim < 1 or not votes.shape[-1]:
        raise MssimError(
            f"counts={counts!r:.80} has no classes. Use an array of shape (..., n_classes) with one count per answer."
        )
    if ties not in TIES:
        raise MssimError(f"ties={ties!r} is not valid. {choose_from(str(ties), TIES)}.")
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r} is not a bool. Use True or False.")
    no_answer = whole_counts("no_answer", no_answer)
    try:
        no_answer = np.broadcast_to(no_answer, votes.shape[:-1])
    except ValueError:
        raise MssimError(
            f"no_answer: shape {no_answer.shape} does not broadcast to {votes.shape[:-1]}. Use one number, or one per "
            "question."
        ) from None
    return votes, no_answer, WRONG if ties == "wrong" else RANDOM, draw_counts(k)


def _right(correct: Sequence[int] | ArrayLike, votes: Ints) -> NDArray[np.bool_]:
    given = np.asarray(correct)
    if given.dtype.kind == "b":
        try:
            return np.broadcast_to(given, votes.shape)
        except ValueError:
            raise MssimError(
                f"correct: shape {given.shape} does not broadcast to {votes.shape}, the shape of counts. Use one bool "
                "per class."
            ) from None
    n_classes = votes.shape[-1]
    numbers = np.atleast_1d(given)
    if numbers.ndim > 1 or (
        numbers.size and (numbers.dtype.kind not in "iu" or not ((numbers >= 0) & (numbers < n_classes)).all())
    ):
        raise MssimError(
            f"correct={correct!r:.80} is not valid. Use indices of classes from 0 to {n_classes - 1}, or bools."
        )
    return np.broadcast_to(np.isin(np.arange(n_classes), numbers), votes.shape)


def _block(votes: Ints, no_answer: Ints, right: NDArray[np.bool_], replacement: bool) -> Counts:
    """Return counts of one model from arrays [question, class]."""
    offsets = np.arange(len(votes) + 1) * votes.shape[1]
    # Copied, because Numba compiles the kernels again for read-only arrays.
    return Counts(votes.reshape(1, -1), no_answer[None, :].copy(), offsets, right.flatten(), bool(replacement))
