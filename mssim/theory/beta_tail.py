"""The hard end of the accuracy of questions: a beta law with a share of hopeless questions, fitted by likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit, gammaln

from mssim.engine.exact import Floats, Ints

__all__ = ["FEW", "Tail", "ZeroInflatedBeta", "fit_tail"]

FEW = 4  # largest number of correct samples of a question that counts in the fit
_HOPELESS = np.linspace(0, 0.98, 18)  # shares among the questions with few correct samples
_SHAPES = np.geomspace(0.02, 20, 32)
_N_SCALES = 28


@dataclass(frozen=True)
class ZeroInflatedBeta:
    """A law of the probability that a sample of a question is correct.

    Attributes
    ----------
    a, b : float or ndarray
        Parameters of the beta law of questions that can be solved.
    hopeless : float or ndarray, default 0
        Share of questions with probability zero.

    Examples
    --------
    >>> law = ZeroInflatedBeta(0.5, 1.5)
    >>> law.pass_at_k([1, 10, 100]).round(4)
    array([0.25  , 0.6636, 0.8879])
    >>> round(float(law.solved_later(10, 110)), 4)
    0.682
    """

    a: float | Floats
    b: float | Floats
    hopeless: float | Floats = 0.0

    def pass_at_k(self, k: ArrayLike) -> Floats:
        """Return the probability that at least one of k samples is correct: (1 - hopeless) (1 - B(a, b + k) / B(a, b)).

        Parameters
        ----------
        k : array_like of int
            Number of samples.
        """
        return np.asarray((1 - self.hopeless) * (1 - self._all_wrong(k)))

    def solved_later(self, n: ArrayLike, k: ArrayLike) -> Floats:
        """Return the probability that a question without a correct sample among n has one among k.

        Parameters
        ----------
        n, k : array_like of int
            Numbers of samples, the first n of which are among the k.
        """
        now, then = self._all_wrong(n), self._all_wrong(k)
        return np.asarray((1 - self.hopeless) * (now - then) / (self.hopeless + (1 - self.hopeless) * now))

    def _all_wrong(self, k: ArrayLike) -> Floats:
        return np.asarray(np.exp(betaln(self.a, self.b + np.asarray(k, dtype=float)) - betaln(self.a, self.b)))


class Tail(NamedTuple):
    """Fits of the law to resamples of questions; the parameters are [resample]."""

    inflated: ZeroInflatedBeta
    plain: ZeroInflatedBeta  # without hopeless questions
    weight: Floats  # Akaike weight of `plain`, [resample]


def fit_tail(n: Ints, c: Ints, weights: Floats) -> Tail:
    """Fit the law by maximum likelihood to the questions with at most `FEW` correct samples.

    Parameters
    ----------
    n, c : ndarray of int, shape (n_questions,)
        Number of samples, and of correct samples.
    weights : ndarray, shape (n_resamples, n_questions)
        How often each question is drawn in each resample.

    Returns
    -------
    Tail
        The best laws with and without hopeless questions, and the weight of the latter, 1 / (1 + exp(l - 1 - l0)) for
        the log-likelihoods l with and l0 without (Burnham & Anderson 2002, section 2.9).

    Notes
    -----
    The likelihood is that of c given c <= FEW, because the questions that are solved often say nothing about those
    that are hardly ever solved unless the whole law is a beta law. The best of a grid is returned: 32 values of a in
    steps of 25 %, 28 of b and 18 shares. The likelihood is so flat that a finer grid does not change results.

    Examples
    --------
    >>> import numpy as np
    >>> n, c = np.full(6, 16), np.array([0, 0, 1, 2, 4, 16])
    >>> tail = fit_tail(n, c, np.ones((1, 6)))
    >>> tail.plain.solved_later(16, 64).round(2)
    array([0.47])
    """
    a, b = (x.ravel() for x in np.meshgrid(_SHAPES, _scales(n), indexing="ij"))
    groups = list(_groups(n, c, weights, a, b))
    below = np.exp(_log_chances(int(np.median(n)), a, b)).sum(axis=0)
    top = np.full(len(weights), -np.inf)
    found = np.zeros((3, len(weights)))
    for share in _HOPELESS:
        hopeless = share * below / (1 - share + share * below)
        scores = np.zeros((len(weights), a.size))
        for times, chances in groups:
            scores += times @ _truncated(chances, hopeless)
        best = np.argmax(scores, axis=1)
        height = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        better = height > top
        found[:, better] = np.stack([a[best], b[best], hopeless[best]])[:, better]
        top = np.maximum(top, height)
        if share == 0:
            plain, without = ZeroInflatedBeta(a[best], b[best]), height
    return Tail(ZeroInflatedBeta(*found), plain, expit(without - top + 1))


def _scales(n: Ints) -> Floats:
    """Return values of b; the largest allow for chances far below 1 / n."""
    return np.geomspace(0.1, 30.0 * n.max(), _N_SCALES)


def _groups(n: Ints, c: Ints, weights: Floats, a: Floats, b: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield, for every number of samples, how often each small count occurs, [resample, count], and its chances."""
    for size in np.unique(n[c <= FEW]):
        counts = np.arange(min(FEW, size) + 1)
        yield weights @ ((n == size)[:, None] & (c[:, None] == counts)), np.exp(_log_chances(int(size), a, b))


def _log_chances(size: int, a: Floats, b: Floats) -> Floats:
    """Return log probabilities of 0 to `FEW` correct among `size` samples, [count, node]."""
    c = np.arange(min(FEW, size) + 1)[:, None]
    ways = gammaln(size + 1) - gammaln(c + 1) - gammaln(size - c + 1)
    return np.asarray(ways + betaln(a + c, b + size - c) - betaln(a, b))


def _truncated(chances: Floats, hopeless: Floats) -> NDArray[np.float64]:
    """Return log probabilities given that few samples are correct, [count, node]."""
    mixed = (1 - hopeless) * chances
    mixed[0] += hopeless
    tiny = np.finfo(float).tiny
    return np.asarray(np.log(np.maximum(mixed, tiny)) - np.log(np.maximum(mixed.sum(axis=0), tiny)))
