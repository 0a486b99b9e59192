"""Reliability of a model from counts of correct samples: pass^k, G-Pass@k and mG-Pass@k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._counts import as_asked, sample_counts
from mssim.kernels.right_draws import enough_right
from mssim.rules.right_draws import check_tau, draws_above_half, right_draws

__all__ = ["g_pass_at_k", "mg_pass_at_k", "pass_hat_k"]

Floats = NDArray[np.float64]


def pass_hat_k(n: ArrayLike, c: ArrayLike, k: int | ArrayLike) -> Floats:
    """Compute the probability that all of k samples are correct: pass^k, the reliability of a model.

    Samples are drawn without replacement from n recorded samples, of which c are correct.

    Parameters
    ----------
    n, c, k
        As in `pass_at_k`.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        C(c, k) / C(n, k); NaN where k > n. For n up to 32767 the relative error is below 1e-11, unless the probability
        is below 1e-290.

    Raises
    ------
    MssimError
        If a number is not an integer, or c is not between 0 and n.

    See Also
    --------
    pass_at_k : Probability that at least one of k samples is correct.
    g_pass_at_k : Probability that a share of k samples is correct.
    Reliability : The same for the samples of a pool, with intervals.

    References
    ----------
    Yao et al. (2024), "tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains", arXiv 2406.12045,
    pass^k.

    Examples
    --------
    >>> pass_hat_k(8, [0, 6, 8], [1, 3, 9]).round(4)
    array([[0.    , 0.    ,    nan],
           [0.75  , 0.3571,    nan],
           [1.    , 1.    ,    nan]])
    """
    return _enough_right(n, c, k, 1.0)


def g_pass_at_k(n: ArrayLike, c: ArrayLike, k: int | ArrayLike, tau: float) -> Floats:
    """Compute the probability that at least a share tau of k samples is correct: G-Pass@k.

    Samples are drawn without replacement from n recorded samples, of which c are correct.

    Parameters
    ----------
    n, c, k
        As in `pass_at_k`.
    tau : float
        Share of the k samples, above 0 and at most 1. With 1 all samples must be correct, as in `pass_hat_k`. With 1/k
        or less one is enough, as in `pass_at_k`, which is the limit for small tau; 0 is not accepted, because no
        correct sample would be required.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        Sum over j from ceil(tau k) to k of C(c, j) C(n - c, k - j) / C(n, k); NaN where k > n. Accurate as
        `pass_hat_k`.

    Raises
    ------
    MssimError
        If a number is not an integer, c is not between 0 and n, or tau is out of range.

    See Also
    --------
    mg_pass_at_k : Mean over tau above 1/2.

    Notes
    -----
    A product tau k that exceeds a whole number by no more than rounding is that number: 0.28 x 25 is 7, although it is
    larger in floating point.

    References
    ----------
    Liu et al. (2024), "Are Your LLMs Capable of Stable Reasoning?", arXiv 2412.13147, G-Pass@k with threshold tau.

    Examples
    --------
    >>> g_pass_at_k(8, 6, 4, 0.75).round(4)
    np.float64(0.7857)
    >>> g_pass_at_k(16, [8, 10, 14], [4, 8], 0.75).round(4)
    array([[0.2846, 0.066 ],
           [0.511 , 0.3042],
           [0.95  , 1.    ]])
    """
    return _enough_right(n, c, k, check_tau(tau))


def mg_pass_at_k(n: ArrayLike, c: ArrayLike, k: int | ArrayLike) -> Floats:
    """Compute the mean of G-Pass@k over shares tau above one half: mG-Pass@k.

    Samples are drawn without replacement from n recorded samples, of which c are correct.

    Parameters
    ----------
    n, c, k
        As in `pass_at_k`.

    Returns
    -------
    ndarray of float64, shape (...) for one k, (..., n_k) for several
        (2 / k) x sum over i from ceil(k / 2) + 1 to k of G-Pass@k with tau = i / k; NaN where k > n. Accurate as
        `pass_hat_k`.

    Raises
    ------
    MssimError
        If a number is not an integer, or c is not between 0 and n.

    Notes
    -----
    For even k this is twice the integral of G-Pass@k over tau from 1/2 to 1. For odd k the sum of the paper has
    (k - 1) / 2 terms, so a model that is always correct has (k - 1) / k, and 0 for k = 1. Compare values of one k, or
    use even k.

    References
    ----------
    Liu et al. (2024), "Are Your LLMs Capable of Stable Reasoning?", arXiv 2412.13147, mG-Pass@k.

    Examples
    --------
    >>> mg_pass_at_k(8, [6, 8], [4, 5]).round(4)
    array([[0.5, 0.3],
           [1. , 0.8]])
    """
    return _enough_right(n, c, k, None)


def _enough_right(n: ArrayLike, c: ArrayLike, k: int | ArrayLike, tau: float | None) -> Floats:
    """Return the probability that a share tau of k samples is correct, or without tau its mean above one half."""
    total, right, draws = sample_counts(n, c, k)
    least = draws_above_half(draws) if tau is None else right_draws(draws, tau)
    # Copied, because Numba compiles the kernel again for read-only arrays.
    found = enough_right(total.flatten(), right.flatten(), draws, least, tau is None, False)
    return as_asked(found.reshape(*total.shape, draws.size), k)
