"""Simulated measurements with known variances, and Gaffke's test of them by inversion of characteristic functions."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Law:
    """Accuracies (p, q) of a question: p ~ Beta(a); q = p with probability `same`, else q ~ Beta(b)."""

    a: tuple[float, float]
    b: tuple[float, float]
    same: float

    @property
    def difference(self):
        return (1 - self.same) * (stats.beta.mean(*self.a) - stats.beta.mean(*self.b))

    @property
    def between(self):
        gap = stats.beta.mean(*self.a) - stats.beta.mean(*self.b)
        square = stats.beta.var(*self.a) + stats.beta.var(*self.b) + gap**2
        return (1 - self.same) * square - self.difference**2

    @property
    def within(self):
        a, b = ((m := stats.beta.mean(*one)) - m**2 - stats.beta.var(*one) for one in (self.a, self.b))
        return a, self.same * a + (1 - self.same) * b

    def draw(self, rng, shape):
        p = rng.beta(*self.a, size=shape)
        return p, np.where(rng.random(shape) < self.same, p, rng.beta(*self.b, size=shape))

    def chances(self, runs):
        """Chances of every difference of correct runs, from -runs to runs."""
        a, b = (stats.betabinom.pmf(np.arange(runs + 1), runs, *one) for one in (self.a, self.b))
        x, y = np.indices((runs + 1, runs + 1))
        # Of 2 * runs samples of one accuracy any x + y are right equally often, whichever of the two drew them.
        together = stats.betabinom.pmf(x + y, 2 * runs, *self.a) * stats.hypergeom.pmf(x, 2 * runs, x + y, runs)
        joint = self.same * together + (1 - self.same) * np.outer(a, b)
        return np.bincount((x - y + runs).ravel(), joint.ravel())

    def counts(self, rng, n_measurements, n_questions, runs):
        """Numbers of questions with every difference of correct runs, [measurement, -runs to runs]."""
        return rng.multinomial(n_questions, self.chances(runs), n_measurements)


def gaffke(counts, values):
    """P[sum e_i d_i <= e_0] for independent e ~ Exp(1), with counts[measurement, value] of differences (Gil-Pelaez)."""
    scale = np.sqrt((counts @ values**2).mean() + 1)
    step = 0.04
    t = (np.arange(400) + 0.5) * step / scale
    log = -(counts @ np.log(1 - 1j * np.outer(t, values)).T) - np.log(1 + 1j * t)
    return 0.5 - step / np.pi * (np.exp(log).imag / (t * scale)).sum(axis=1)


def t_statistic(counts, values):
    n = counts.sum(axis=1)
    mean = counts @ values / n
    variance = (counts @ values**2 / n - mean**2) * n / (n - 1)
    return mean / np.sqrt(variance / n)
