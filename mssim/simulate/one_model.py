"""Closed forms for a single model of an answer model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mssim.kernels import stick_breaking
from mssim.rules.agreement import votes_to_agree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RARE = 1e-18


class Law(NamedTuple):
    """Parameters of one model; see `AnswerModel`."""

    sure: float
    a: float
    b: float
    spread: float
    no_answer: float = 0.0


def accuracy(law: Law, draws: Ints) -> Floats:
    """Return the probability that the plurality is correct for each number of draws; ties are random.

    The number of correct draws is beta-binomial. Wrong draws form an Ewens partition.
    """
    return np.array([_accuracy(law, int(k)) for k in draws])


def agreement(law: Law, draws: Ints, threshold: float, *, strict: bool) -> Floats:
    """Return the probability of agreement for each number of draws."""
    need = votes_to_agree(draws, threshold, strict=strict)
    return np.array([_agreement(law, int(k), int(n)) for k, n in zip(draws, need, strict=True)])


def _answers(law: Law, k: int) -> Iterator[tuple[int, float]]:
    """Yield numbers of draws with an answer among k, each with its probability."""
    if law.no_answer == 0:
        yield k, 1.0
        return
    chances = stats.binom.pmf(np.arange(k + 1), k, 1 - law.no_answer)
    yield from ((int(n), float(chances[n])) for n in np.nonzero(chances > _RARE)[0])


def _accuracy(law: Law, k: int) -> float:
    total = 0.0
    for n, chance in _answers(law, k):
        if n:
            unsure = stick_breaking.right_draws(n, law.a, law.b) @ stick_breaking.wins(law.spread, n)
            total += chance * (law.sure + (1 - law.sure) * unsure)
    return min(float(total), 1.0)


def _agreement(law: Law, k: int, need: int) -> float:
    if need <= 0 or need > k:
        return float(need <= 0)
    total = 0.0
    for n, chance in _answers(law, k):
        if n >= need:
            below = stick_breaking.all_below(law.spread, need, n)
            split = stick_breaking.right_draws(n, law.a, law.b)[:need] @ below[: n - need : -1]
            total += chance * (law.sure + (1 - law.sure) * (1 - split))
    return min(max(float(total), 0.0), 1.0)


def coverage(law: Law, draws: Ints) -> Floats:
    """Return the probability of a correct sample for each number of draws, pass@k."""
    found = [
        sum(chance * (1 - float(never_right(law, np.array(n)))) for n, chance in _answers(law, int(k)) if n)
        for k in draws
    ]
    return np.array(found, dtype=float)


def never_right(law: Law, answered: Ints) -> Floats:
    """Return the probability that none of these numbers of answers is correct."""
    none = np.exp(special.betaln(law.a, law.b + answered) - special.betaln(law.a, law.b))
    return np.where(answered > 0, (1 - law.sure) * none, 1.0)


def distinct(law: Law, draws: Ints) -> Floats:
    """Return the expected number of different answers for each number of draws."""
    found = [sum(chance * _distinct(law, n) for n, chance in _answers(law, int(k)) if n) for k in draws]
    return np.array(found, dtype=float)


def _distinct(law: Law, n: int) -> float:
    """Return the expected number of different answers among n; wrong ones are a Chinese restaurant process."""
    wrong = np.arange(n, -1, -1)
    classes = law.spread * (special.digamma(law.spread + wrong) - special.digamma(law.spread))
    unsure = stick_breaking.right_draws(n, law.a, law.b) @ (classes + (wrong < n))
    return float(law.sure + (1 - law.sure) * unsure)
