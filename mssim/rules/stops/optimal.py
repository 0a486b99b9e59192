"""Optimal Bayesian stopping rule on the votes of the two leading answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_finite, shown
from mssim.errors import StrategyError
from mssim.rules.registry import Row
from mssim.rules.stops.base import Floats, Ints, Stop, StopTable, leading_votes

__all__ = ["OptimalStop"]

_SLACK = 1e-9  # posteriors closer than this are equal
_SCALE = 64.0  # keeps likelihoods of up to 128 draws within the range of floats
_MOST_DRAWS, _MOST_ANSWERS, _LEAST_SHARE = 128, 32, 1e-4  # likewise, and tables within a minute
_FOLDS, _MOST_QUESTIONS = 5, 320  # so that a fold learns from at most 256 questions


class _Prior(NamedTuple):
    """Shares of the answers of a question, the most probable first."""

    shares: tuple[float, ...]
    group: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class OptimalStop(Stop):
    """Stop when the leader is the most probable answer with a high posterior probability (arXiv 2602.05395).

    Let a question's answers have the shares p1 >= p2 >= ... in order, without knowing which answer has which share. Of
    n draws with an answer, the leading two have v1 and v2 votes. The rule stops when the posterior probability that the
    leader is the answer with share p1, given n, v1 and v2, reaches the threshold. This is the rule of the authors that
    counts the two leading answers and all others together ("L = 3"). The prior is a mixture of such lists of shares.

    Parameters
    ----------
    threshold : float, default 0.95
        Posterior probability, above 1/2 and below 1.
    priors : sequence of sequence of float, optional
        Equally probable lists of the shares of a question's answers, at most 320 of at most 32 answers. Shares are
        divided by their sum, and the least is 0.0001 of it. As text, ``optimal:0.95/0.6+0.3+0.1/0.9+0.1``. By default,
        they are learnt from other questions of the pool.

    Notes
    -----
    Learnt priors are the recorded shares of the answers of the model to the other questions, each with the same weight,
    as those of the authors. Questions are ordered by a hash of their identifier and dealt into five folds in turn. A
    question uses the priors of the other four folds, never its own samples, and no correct answer. Of a larger pool,
    the first 320 questions in this order are used. Of more than 32 answers, the most frequent 32 are used.

    Draws without an answer are ignored; the authors count them as one more answer. A leader that is tied is never
    the most probable answer with a probability above 1/2. If all priors have fewer answers than were drawn, the rule
    does not stop. Tables are made for at most 128 draws.

    Examples
    --------
    >>> str(OptimalStop(0.9, [(0.6, 0.3, 0.1), (0.9, 0.1)]))
    'optimal:0.9/0.6+0.3+0.1/0.9+0.1'
    >>> rule = OptimalStop(0.9, [(0.6, 0.3, 0.1)])
    >>> [rule.stops(np.array(answers), np.empty((0, 1))) for answers in ([0, 0, 0], [0, 0, 0, 0])]
    [False, True]
    """

    name: ClassVar[str] = "optimal"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("sc:M,stop=optimal:0.95", "stop when P[the leader is most probable | n, v1, v2] >= 0.95", "2602.05395"),
        Row("sc:M,stop=optimal:0.95/0.6+0.3+0.1/0.9+0.1", "the same, with given priors", "2602.05395"),
    )
    most_draws: ClassVar[int] = _MOST_DRAWS

    threshold: float = 0.95
    priors: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        self._set_number("threshold", 0.5, 1, "a probability between 0.5 and 1, e.g. 0.95")
        several = self.priors if isinstance(self.priors, Sequence | np.ndarray) else [()]
        given = [tuple(prior) if isinstance(prior, Sequence | np.ndarray) else () for prior in several]
        if len(given) > _MOST_QUESTIONS:
            raise StrategyError(f"OptimalStop: {len(given)} priors are too many. Use at most {_MOST_QUESTIONS}.")
        for prior in given:
            numbers = all(is_finite(share) and share > 0 for share in prior)
            if not 1 <= len(prior) <= _MOST_ANSWERS or not numbers or min(prior) < _LEAST_SHARE * sum(prior):
                raise StrategyError(
                    f"OptimalStop: {shown(prior)} is not a prior. Use the shares of 1 to {_MOST_ANSWERS} answers, each "
                    f"at least {_LEAST_SHARE} of their sum, e.g. (0.6, 0.3, 0.1)."
                )
        floats = tuple(tuple(sorted(map(float, prior), reverse=True)) for prior in given)
        object.__setattr__(self, "priors", floats)

    def __str__(self) -> str:
        return "/".join([f"optimal:{self.threshold}", *("+".join(map(str, prior)) for prior in self.priors)])

    @property
    def learns(self) -> bool:
        """Whether priors are learnt from other questions."""
        return not self.priors

    def stops(self, answers: Ints, numbers: Floats) -> bool:  # noqa: ARG002
        """Return whether the posterior probability reaches the threshold; the priors must be given."""
        first, second = leading_votes(answers)
        n = int((answers >= 0).sum())
        if first == second:
            return False
        ahead, every = _likelihoods(self._given(), n, second)
        return bool(_reaches(self.threshold, ahead, every)[0, first, n - first])

    def table(self, depth: int) -> StopTable:
        """Return the decisions by number of draws with an answer and by votes of the two leading answers."""
        return _as_table(_decisions(self._given(), self.threshold, depth, 0), depth)

    def learn(self, votes: Ints, order: Ints, depth: int) -> StopTable:
        """Return the decisions for every fold of questions."""
        folds = order % min(_FOLDS, order.size)
        kept = (order < _MOST_QUESTIONS) & votes.any(axis=1)
        largest = -np.sort(-votes, axis=1)[:, :_MOST_ANSWERS]
        rows, repeats = np.unique(np.column_stack([folds, largest])[kept], axis=0, return_counts=True)
        priors = tuple(
            _Prior(tuple((row[row > 0] / row.sum()).tolist()), int(fold), float(n))
            for (fold, *_), row, n in zip(rows, rows[:, 1:], repeats, strict=True)
        )
        return _as_table(_decisions(priors, self.threshold, depth, int(folds.max()) + 1), depth, folds)

    def _given(self) -> tuple[_Prior, ...]:
        if not self.priors:
            raise StrategyError(
                "OptimalStop: its priors are learnt from a pool, so it cannot decide alone. Give priors, e.g. "
                "OptimalStop(0.95, [(0.6, 0.3, 0.1)])."
            )
        return tuple(_Prior(tuple(share / sum(prior) for share in prior)) for prior in self.priors)


def _as_table(decided: NDArray[np.bool_], depth: int, kinds: Ints | None = None) -> StopTable:
    nothing = np.zeros(depth + 1, np.int64)
    return StopTable(nothing, nothing, by_votes=decided, kinds=kinds)


def _likelihoods(priors: Sequence[_Prior], depth: int, second: int) -> tuple[Floats, Floats]:
    """Return likelihoods in which the most probable answer leads, and all, [group, votes of the first, of all others].

    They have the same factors, which do not depend on the prior.
    """
    # Here, because Numba takes half a second that reading the text of a rule must not wait for.
    from mssim.kernels.leading_counts import leading_counts

    shares = np.zeros((len(priors), max(len(prior.shares) for prior in priors)))
    for row, prior in zip(shares, priors, strict=True):
        row[: len(prior.shares)] = prior.shares
    votes = np.arange(depth + 1)
    terms = (_SCALE * shares[:, :, None]) ** votes / np.cumprod(np.maximum(votes, 1.0))
    sizes, groups = np.array([(len(prior.shares), prior.group) for prior in priors]).T
    weights = np.array([prior.weight for prior in priors])
    return leading_counts(terms, sizes.copy(), groups.copy(), weights, second)


def _reaches(threshold: float, ahead: Floats, every: Floats) -> NDArray[np.bool_]:
    return (every > 0) & (ahead >= (threshold - _SLACK) * every)


@lru_cache(maxsize=8)
def _decisions(priors: tuple[_Prior, ...], threshold: float, depth: int, n_folds: int) -> NDArray[np.bool_]:
    """Return whether to stop, [fold, draws with an answer, votes of the second, votes of the first].

    With folds, each is decided by the priors of all others; without, by all priors.
    """
    decided = np.zeros((max(n_folds, 1), depth + 1, depth // 2 + 1, depth + 1), bool)
    for second in range(depth // 2 + 1 if priors else 0):
        ahead, every = _likelihoods(priors, depth, second)
        if n_folds:
            ahead, every = _of_others(ahead, n_folds), _of_others(every, n_folds)
        fold, first, others = np.nonzero(_reaches(threshold, ahead, every))
        decided[fold, first + others, second, first] = True
    decided.flags.writeable = False
    return decided


def _of_others(parts: Floats, n_folds: int) -> Floats:
    """Return for each fold the sum over the others; the last folds may have no parts."""
    every = range(len(parts))
    return np.array([sum((parts[i] for i in every if i != fold), np.zeros(parts.shape[1:])) for fold in range(n_folds)])
