"""Laws of values per question, from which the section coverage draws data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """Mixture of constant values and Beta distributions; the latter are scaled to the interval `within`.

    `values` has pairs (weight, value) and `betas` has triples (weight, a, b). The weights of both sum to 1.
    """

    name: str
    values: tuple[tuple[float, float], ...] = ()
    betas: tuple[tuple[float, float, float], ...] = ()
    within: tuple[float, float] = (0.0, 1.0)

    @property
    def mean(self) -> float:
        """Expectation of a value."""
        low, high = self.within
        constant = sum(weight * value for weight, value in self.values)
        return constant + sum(weight * (low + (high - low) * a / (a + b)) for weight, a, b in self.betas)

    def power(self, k: int) -> tuple[float, float]:
        """Return the expectations of x^k and (1 - x)^k, for values from 0 to 1."""
        right = sum(w * x**k for w, x in self.values)
        wrong = sum(w * (1 - x) ** k for w, x in self.values)
        right += sum(w * np.exp(betaln(a + k, b) - betaln(a, b)) for w, a, b in self.betas)
        wrong += sum(w * np.exp(betaln(a, b + k) - betaln(a, b)) for w, a, b in self.betas)
        return float(right), float(wrong)

    def draw(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> Floats:
        """Draw independent values."""
        weights = np.cumsum([part[0] for part in (*self.values, *self.betas)])
        part = np.searchsorted(weights[:-1], rng.random(shape), side="right")
        drawn = np.array([value for _, value in self.values] + [np.nan] * len(self.betas))[part]
        low, high = self.within
        for i, (_, a, b) in enumerate(self.betas, len(self.values)):
            here = part == i
            drawn[here] = low + (high - low) * rng.beta(a, b, int(here.sum()))
        return drawn


@dataclass(frozen=True)
class ClusterLaw:
    """Values of questions in clusters: `effect` is drawn once per cluster, `questions` turns effects into values.

    `mean` is the expectation of a value, and `symmetric` tells whether the values are symmetric around it.
    """

    name: str
    effect: Law
    questions: Callable[[np.random.Generator, Floats], Floats]
    mean: float
    symmetric: bool = True

    def draw(self, rng: np.random.Generator, n_sets: int, sizes: NDArray[np.int64]) -> Floats:
        """Draw values [set, question]; the questions of a cluster are adjacent."""
        effects = self.effect.draw(rng, (n_sets, sizes.size))
        return self.questions(rng, np.repeat(effects, sizes, axis=1))


def outcomes(rng: np.random.Generator, effects: Floats) -> Floats:
    """Return 0 or 1; the effect is the probability of 1."""
    return (rng.random(effects.shape) < effects).astype(float)


def discordant(rng: np.random.Generator, effects: Floats) -> Floats:
    """Return -1, 0 or 1: 30 % of the pairs differ, and the effect is the share of wins among them."""
    differ = rng.random(effects.shape) < 0.3
    return np.where(differ, 2 * outcomes(rng, effects) - 1, 0.0)


def shifted(rng: np.random.Generator, effects: Floats) -> Floats:
    return effects + 0.5 * (rng.beta(6, 6, effects.shape) - 0.5)


def same(_: np.random.Generator, effects: Floats) -> Floats:
    return effects


def binary(p: float) -> Law:
    return Law(f"0 or 1, p = {p:g}", ((1 - p, 0.0), (p, 1.0)))


MEANS = (
    Law("Beta(2, 2)", betas=((1, 2, 2),)),
    Law("Beta(8, 1)", betas=((1, 8, 1),)),
    Law("97 % at .9, else 0", ((0.97, 0.9), (0.03, 0.0))),
    Law("U-shape: Beta(.3, .05)", betas=((1, 0.3, 0.05),)),
    Law("94 % at 1, else k/8", ((0.94, 1.0), (0.03, 7 / 8), (0.02, 4 / 8), (0.01, 0.0))),
    Law("97 % at 1, else uniform", ((0.97, 1.0),), ((0.03, 1, 1),)),
    Law("60 % at 0, else Beta(1, 3)", ((0.6, 0.0),), ((0.4, 1, 3),)),
    Law("40 % at 0, 40 % at 1, else Beta(2, 2)", ((0.4, 0.0), (0.4, 1.0)), ((0.2, 2, 2),)),
    binary(0.02),
    binary(0.5),
    binary(0.98),
    Law("always .5", ((1.0, 0.5),)),
)

CLUSTERED = (  # Beta(p (1 - r) / r, (1 - p) (1 - r) / r) has mean p and correlation r within clusters
    ClusterLaw("p = .5, correlation .1", Law("", betas=((1, 4.5, 4.5),)), outcomes, 0.5),
    ClusterLaw("p = .8, correlation .3", Law("", betas=((1, 28 / 15, 7 / 15),)), outcomes, 0.8),
    ClusterLaw("p = .95, correlation .1", Law("", betas=((1, 8.55, 0.45),)), outcomes, 0.95),
    ClusterLaw("p = .9, correlation .5", Law("", betas=((1, 0.9, 0.1),)), outcomes, 0.9),
)

DIFFERENCES = (
    Law("97 % at -.02, 3 % at +.647", ((0.97, -0.02), (0.03, 0.97 * 0.02 / 0.03))),
    Law("90 % at -.05, 10 % at +.45", ((0.9, -0.05), (0.1, 0.45))),
    Law("3 % at +1, 3 % at -1, else 0", ((0.94, 0.0), (0.03, 1.0), (0.03, -1.0))),
    Law("2 % at +1, else 0", ((0.98, 0.0), (0.02, 1.0))),
    Law("Beta(6, 6) on [-.5, .5]", betas=((1, 6, 6),), within=(-0.5, 0.5)),
    Law("Beta(1, 9) on [-.1, .9]", betas=((1, 1, 9),), within=(-0.1, 0.9)),
    Law("always 0", ((1.0, 0.0),)),
    Law("always .1", ((1.0, 0.1),)),
)

CLUSTERED_DIFFERENCES = (
    ClusterLaw("30 % of pairs differ, effect uniform", Law("", betas=((1, 1, 1),)), discordant, 0.0),
    ClusterLaw("continuous, symmetric", Law("", betas=((1, 6, 6),), within=(-0.25, 0.25)), shifted, 0.0),
    ClusterLaw("clusters: 90 % at -.05, 10 % at +.45", DIFFERENCES[1], same, 0.0, symmetric=False),
    ClusterLaw("the same, with noise", DIFFERENCES[1], shifted, 0.0, symmetric=False),
)

EASINESS = (  # probability that a sample of a question is correct
    Law("80 % sure, else Beta(1, 1)", ((0.8, 1.0),), ((0.2, 1, 1),)),
    Law("half sure, else Beta(1, 2)", ((0.5, 1.0),), ((0.5, 1, 2),)),
    Law("Beta(2, 2)", betas=((1, 2, 2),)),
    Law("Beta(1, .2)", betas=((1, 1, 0.2),)),
)


def cluster_sizes(kind: str, n_clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return numbers of questions of clusters, 10 on average or in the median."""
    if kind == "equal":
        return np.full(n_clusters, 10)
    if kind == "half in one":
        return np.array([10 * (n_clusters - 1), *[10] * (n_clusters - 1)])
    if kind == "lognormal":
        return np.maximum(1, np.rint(10 * np.exp(rng.normal(size=n_clusters)))).astype(np.int64)
    raise ValueError(kind)
