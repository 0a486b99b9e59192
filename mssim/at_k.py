"""Functions of counts: pass@k, maj@k and agreement@k, unbiased, for every k in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from
from mssim.engine.exact import Floats, Ints, agreements, chances, covered, one_stage_ties
from mssim.errors import MssimError
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_one_stage import plurality
from mssim.kernels.tally import RANDOM, WRONG
from mssim.rules.agreement import NEVER, check_threshold, votes_to_agree
from mssim.rules.votes.base import TIES

__all__ = ["agreement_at_k", "maj_at_k", "pass_at_k"]

_ROWS_PER_TASK = 16


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int | ArrayLike) -> Floats:
    """Chance that at least one of k samples is right, drawn without replacement from n of which c are right.

    Parameters
    ----------
    n, c : array_like of int, broadcast to one shape (...)
        Recorded samples, and how many of them are right.
    k : int or array_like of int, shape (n_k,)
        Samples drawn, from 1.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        1 - C(n - c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374); NaN where k > n.

    Raises
    ------
    MssimError
        If a number is not whole, or c is not between 0 and n.

    Examples
    --------
    >>> pass_at_k(10, [0, 3, 10], [1, 5, 11]).round(4)
    array([[0.    , 0.    ,    nan],
           [0.3   , 0.9167,    nan],
           [1.    , 1.    ,    nan]])
    """
    total, right = _whole("n", n), _whole("c", c)
    try:
        total, right = np.broadcast_arrays(total, right)
    except ValueError:
        raise MssimError(f"n has shape {total.shape}, c has shape {right.shape}; give shapes that broadcast") from None
    draws = _draws(k)
    if (right > total).any():
        at = np.unravel_index(int(np.argmax(right > total)), right.shape)
        raise MssimError(f"c={right[at]} right samples of n={total[at]}; give at most as many as there are")
    found = covered(total, right, draws)
    return _as_asked(found, k)


def maj_at_k(
    counts: ArrayLike,
    k: int | ArrayLike,
    *,
    correct: Sequence[int] | ArrayLike = (0,),
    ties: str = "random",
    replacement: bool = False,
    no_answer: ArrayLike = 0,
) -> Floats:
    """Chance that the plurality of k samples is right, drawn from a question's recorded answers.

    Parameters
    ----------
    counts : array_like of int, shape (..., n_classes)
        How often each answer was recorded; a question with fewer answers than others has zeros.
    k : int or array_like of int, shape (n_k,)
        Samples drawn, from 1. All k up to the largest are computed in one pass.
    correct : sequence of int, or array_like of bool that broadcasts to the shape of counts
        Numbers of the classes that are right, the same for all questions; or whether each class is.
    ties : {"first", "random", "wrong"}
        What happens when several answers have the most votes: the one drawn first wins, each has the same chance, or
        it counts as wrong unless all of them are right. "first" and "random" give the same: exchanging the names of two
        tied answers in an order of draws gives an order that is as likely, so each of them is as often the first.
    replacement : bool, default False
        Draw from an infinite pool with these shares.
    no_answer : array_like of int that broadcasts to (...)
        Samples without an answer: they are drawn but do not vote. Nothing but such samples is wrong.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        NaN where k is more than was recorded, with replacement where nothing was. The error is below 1e-12 for a
        thousand samples.

    Raises
    ------
    MssimError
        If a number is not whole or negative, or a class does not exist.

    Notes
    -----
    Counts of k draws are multivariate hypergeometric, multinomial with replacement. The chance is a sum over winners
    and their votes of coefficients of a product of polynomials, one per answer; see `mssim.kernels.draw_weights`.

    Examples
    --------
    Six of ten samples are right; the wrong ones agree in the first question and all differ in the second:

    >>> maj_at_k([[6, 4, 0, 0, 0], [6, 1, 1, 1, 1]], [1, 3, 5, 11]).round(4)
    array([[0.6   , 0.6667, 0.7381,    nan],
           [0.6   , 0.7667, 0.981 ,    nan]])
    """
    votes, silent, rule, draws = _validated(counts, no_answer, ties, k, replacement)
    right = _right(correct, votes)
    n_classes = votes.shape[-1]
    rows = votes.reshape(-1, n_classes)
    total = rows.sum(axis=1) + silent.ravel()
    most = int(draws.max()) if replacement else int(min(draws.max(), total.max(initial=0)))
    found = np.full((len(rows), draws.size), np.nan)
    within = draws <= most
    if most and within.any():
        with_nodes = one_stage_ties(rule, most, n_classes)

        def solve(part: slice) -> None:
            block = _block(rows[part], silent.ravel()[part], right.reshape(-1, n_classes)[part], replacement)
            found[part, within] = plurality(block, most, NEVER, with_nodes)[:, draws[within]]

        parts = [slice(i, i + _ROWS_PER_TASK) for i in range(0, len(rows), _ROWS_PER_TASK)]
        if len(parts) == 1:
            solve(parts[0])
        else:
            with ThreadPoolExecutor(os.cpu_count()) as workers:
                list(workers.map(solve, parts))
    found = chances(found).reshape(*votes.shape[:-1], draws.size)
    return _as_asked(found, k)


def agreement_at_k(
    counts: ArrayLike,
    k: int | ArrayLike,
    *,
    agreement: float = 1.0,
    strict: bool = False,
    replacement: bool = False,
    no_answer: ArrayLike = 0,
) -> Floats:
    """Chance that k samples agree: that the share of the most frequent answer reaches a threshold.

    Parameters
    ----------
    counts, k, replacement, no_answer
        As in `maj_at_k`. A sample without an answer counts in k, so it breaks unanimity.
    agreement, strict
        As in `ModelSwitch`.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several; NaN where k is more than was recorded

    Examples
    --------
    >>> agreement_at_k([6, 4], [1, 2, 4]).round(4)
    array([1.    , 0.4667, 0.0762])
    >>> agreement_at_k([6, 4], 4, agreement=0.75).round(4)
    np.float64(0.5714)
    """
    votes, silent, _, draws = _validated(counts, no_answer, "random", k, replacement)
    check_threshold(agreement, strict)
    need = votes_to_agree(draws, agreement, strict=strict)
    rows = votes.reshape(-1, votes.shape[-1])
    block = _block(rows, silent.ravel(), np.zeros(rows.shape, bool), replacement)
    found = agreements(block, draws, need)[0].reshape(*votes.shape[:-1], draws.size)
    return _as_asked(found, k)


def _whole(name: str, given: ArrayLike) -> Ints:
    try:
        array = np.asarray(given)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "iu" or (array.size and int(array.min()) < 0):
        raise MssimError(f"{name}={given!r:.80}; give whole numbers from 0")
    return array.astype(np.int64)


def _draws(k: int | ArrayLike) -> Ints:
    draws = np.atleast_1d(_whole("k", k))
    if draws.ndim > 1 or not draws.size or draws.min() < 1 or draws.max() > 2**15 - 1:
        raise MssimError(f"k={k!r:.80}; give one whole number from 1 to {2**15 - 1}, or a list of them")
    return draws


def _as_asked(found: Floats, k: int | ArrayLike) -> Floats:
    """Drop the last axis where k is a single number; a single number is then a scalar, as NumPy's own results are."""
    return found if np.ndim(k) else found[..., 0][()]


def _validated(
    counts: ArrayLike, no_answer: ArrayLike, ties: str, k: int | ArrayLike, replacement: bool
) -> tuple[Ints, Ints, int, Ints]:
    votes = _whole("counts", counts)
    if votes.ndim < 1 or not votes.shape[-1]:
        raise MssimError(f"counts={counts!r:.80}; give one count per answer, shape (..., n_classes)")
    if ties not in TIES:
        raise MssimError(f"ties={ties!r}; {choose_from(str(ties), TIES)}")
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r}; give True or False")
    silent = _whole("no_answer", no_answer)
    try:
        silent = np.broadcast_to(silent, votes.shape[:-1])
    except ValueError:
        raise MssimError(
            f"no_answer has shape {silent.shape}; give one number, or one per question: {votes.shape[:-1]}"
        ) from None
    return votes, silent, WRONG if ties == "wrong" else RANDOM, _draws(k)


def _right(correct: Sequence[int] | ArrayLike, votes: Ints) -> NDArray[np.bool_]:
    given = np.asarray(correct)
    if given.dtype.kind == "b":
        try:
            return np.broadcast_to(given, votes.shape)
        except ValueError:
            raise MssimError(f"correct has shape {given.shape}; give true or false per class, {votes.shape}") from None
    n_classes = votes.shape[-1]
    numbers = np.atleast_1d(given)
    if numbers.ndim > 1 or (
        numbers.size and (numbers.dtype.kind not in "iu" or not ((numbers >= 0) & (numbers < n_classes)).all())
    ):
        raise MssimError(f"correct={correct!r:.80}; give numbers of classes from 0 to {n_classes - 1}")
    return np.broadcast_to(np.isin(np.arange(n_classes), numbers), votes.shape)


def _block(votes: Ints, silent: Ints, right: NDArray[np.bool_], replacement: bool) -> Counts:
    """Counts of one model from arrays [question, class]."""
    offsets = np.arange(len(votes) + 1) * votes.shape[1]
    # What is read-only is copied, as everywhere: for such arrays Numba would compile the kernels once more.
    return Counts(votes.reshape(1, -1), silent[None, :].copy(), offsets, right.flatten(), bool(replacement))
