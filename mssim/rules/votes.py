"""How drawn answers become one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, is_number, whole_number
from mssim.errors import MssimError, StrategyError

__all__ = ["Vote"]

TIES = ("first", "random", "wrong")
_ALLOWED = {
    "within": ("none", "entropy", "share"),
    "normaliser": ("distinct", "samples"),
    "ballots": ("one", "number", "exp", "shortest", "bests"),
    "combine": ("sum", "max"),
    "ties": TIES,
}
_WHAT_FOR = {  # how to record what a ballot is made of
    "score": "the reward or verifier score of each sample, the higher the better",
    "confidence": "how sure the model is of each sample, e.g. P(True) or its mean token probability",
    "output_tokens": "the length of each response",
}
Function = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]]
Prior = Mapping[str, float] | Sequence[float] | None


@dataclass(frozen=True)
class Vote:
    """A weighted vote: score(answer) = combine over models of prior x within-weight x ballots; the highest score wins.

    Use the named forms `Vote.plurality`, `entropy`, `confidence`, `score_sum`, `best_of_n`, `max_consistency`,
    `shortest`, `majority_of_bests` and `own`; ``dataclasses.replace`` makes others of them, e.g. the sum of scores
    within entropy weights.

    Parameters
    ----------
    within : {"none", "entropy", "share"}
        The weight of a model's ballots: 1; by how much its own draws agree; or 1 / its draws, so that votes are shares.
    normaliser : {"distinct", "samples"}
        What the entropy is divided by: log2 of the distinct answers (the released code of ModelSwitch) or of the valid
        draws.
    prior : mapping of model to weight, or sequence in the order of the models, optional
        Positive weights; default 1 each. Only their ratios matter. A single vote of any model must be more than 2e-9
        of all votes together at the budget: scores that differ by less than 1e-9 of their size are equal.
    ties : {"first", "random", "wrong"}
        "first": the answer seen first wins, models in order, then draws in order (as the authors do). "random": each
        tied answer with the same chance. "wrong": a tie is right only if every tied answer is, a lower bound.
    ballots : {"one", "number", "exp", "shortest", "bests"}
        What a draw counts: 1; a recorded number; exp(number / temperature); 1 if it is among the m shortest draws of
        its model, else 0; the chance that it has the highest number of m draws, taken again with replacement from all
        that vote.
    combine : {"sum", "max"}
        Whether ballots add up, or the best one counts: over draws and models for recorded numbers, over models for
        votes (the answer of the model whose leading answer scores highest; ties to the earlier model).
    column : str, optional
        The recorded number.
    temperature : float, optional
    m : int, optional
    function : callable, optional
        See `own`.
    """

    within: str = "none"
    normaliser: str = "distinct"
    prior: tuple[tuple[str, float], ...] | tuple[float, ...] | None = None
    ties: str = "first"
    ballots: str = "one"
    combine: str = "sum"
    column: str | None = None
    temperature: float | None = None
    m: int | None = None
    function: Function | None = None

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise StrategyError(f"vote: {name}={value!r}; {choose_from(str(value), allowed)}")
        object.__setattr__(self, "prior", _freeze(self.prior))
        self._check_ballots()

    def _check_ballots(self) -> None:
        asked = {
            "column": self.ballots != "one",
            "temperature": self.ballots == "exp",
            "m": self.ballots in ("shortest", "bests"),
        }
        for name, needed in asked.items():
            if needed != (getattr(self, name) is not None):
                given, do = f"{name}={getattr(self, name)!r}", "give it" if needed else "leave it out"
                raise StrategyError(f"vote: ballots={self.ballots!r}, {given}; {do}")
        if self.column is not None and (not isinstance(self.column, str) or not self.column):
            raise StrategyError(f"vote: column={self.column!r}; give the name of a recorded number, e.g. 'score'")
        if self.temperature is not None and not (is_number(self.temperature) and 0 < self.temperature < math.inf):
            raise StrategyError(f"vote: temperature={self.temperature!r}; give a number above 0")
        if self.m is not None:
            try:
                object.__setattr__(self, "m", whole_number("m", self.m, 1, 2**15 - 1))
            except MssimError as error:
                raise StrategyError(f"vote: {error}") from None
        if self.combine == "max" and self.m is not None:
            raise StrategyError(f"vote: combine='max' with ballots={self.ballots!r}; these ballots add up, give 'sum'")
        if self.function is not None and not callable(self.function):
            raise StrategyError(f"vote: function={self.function!r}; give a function of (counts, prior)")

    # The named forms --------------------------------------------------------------------------------------------------

    @classmethod
    def plurality(cls, *, prior: Prior = None, ties: str = "first") -> Vote:
        """Most votes win; with `prior`, each model's votes count that much.

        Examples
        --------
        >>> Vote.plurality(ties="random").ties
        'random'
        """
        return cls(prior=_freeze(prior), ties=ties)

    @classmethod
    def entropy(cls, *, normaliser: str = "distinct", prior: Prior = None, ties: str = "first") -> Vote:
        """Weigh a model's votes by 1/m + (1 - 1/m)(1 - H / log2 u), as ModelSwitch does (arXiv 2504.00762).

        m are the model's valid draws, u its distinct answers, H the entropy in bits of their shares; a unanimous model
        has weight 1. With ``normaliser="samples"`` the entropy is divided by log2 m instead.
        """
        return cls(within="entropy", normaliser=normaliser, prior=_freeze(prior), ties=ties)

    @classmethod
    def confidence(
        cls, temperature: float = 1.0, *, column: str = "confidence", prior: Prior = None, ties: str = "first"
    ) -> Vote:
        """Weigh each vote by exp(confidence / temperature): CISC (arXiv 2502.06233).

        A small temperature is the most confident draw's answer, a large one the plurality.
        """
        return cls(ballots="exp", temperature=temperature, column=column, prior=_freeze(prior), ties=ties)

    @classmethod
    def score_sum(cls, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Vote:
        """Weigh each vote by the sample's score: the weighted vote of a reward model or verifier."""
        return cls(ballots="number", column=column, prior=_freeze(prior), ties=ties)

    @classmethod
    def best_of_n(cls, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Vote:
        """Take the answer of the draw with the highest score: best-of-N.

        As the vote of a `ModelSwitch` it is ModelSwitch with best-of-N: agreement is adopted, else the best of all.
        """
        return cls(ballots="number", combine="max", column=column, prior=_freeze(prior), ties=ties)

    @classmethod
    def max_consistency(cls, *, prior: Prior = None, ties: str = "first") -> Vote:
        """Take the answer of the model whose leading answer has the highest share: SLM-MUX (arXiv 2510.05077).

        Ties go to the earlier model, so name the models in the order of their accuracy, the best first.
        """
        return cls(within="share", combine="max", prior=_freeze(prior), ties=ties)

    @classmethod
    def shortest(cls, m: int, *, column: str = "output_tokens", prior: Prior = None, ties: str = "first") -> Vote:
        """Let the m shortest draws of each model vote: short-m@k (arXiv 2505.17813).

        "first" is the shorter one: it is there earlier when all are sampled at once. A short draw without an answer
        takes one of the m places, unless its length was not recorded. Samples used and cost are those of all k draws;
        that the longer ones could be broken off is not counted.
        """
        return cls(ballots="shortest", m=m, column=column, prior=_freeze(prior), ties=ties)

    @classmethod
    def majority_of_bests(cls, m: int, *, column: str = "score", prior: Prior = None, ties: str = "first") -> Vote:
        """Take the likeliest answer of best-of-m over resamples of the draws: Majority-of-the-Bests (arXiv 2511.18630).

        The chance is computed, not resampled: of n valid draws the one whose score has rank r from below is the best of
        m taken with replacement with the chance (r / n)^m - ((r - 1) / n)^m; draws with the same score share theirs.
        m = 1 is the plurality, a large m best-of-N.
        """
        return cls(ballots="bests", m=m, column=column, prior=_freeze(prior), ties=ties)

    @classmethod
    def own(cls, function: Function, *, prior: Prior = None, ties: str = "first") -> Vote:
        """Let a function of yours score the answers; the highest score wins, ties by the tie rule.

        Parameters
        ----------
        function : callable
            ``function(counts, prior) -> score``: counts is int64 of shape (n_stages, n_classes), the votes of each
            stage (one model's turn) for each of the question's answer classes, prior float64 of shape (n_stages,), the
            prior weights with the largest 1; score is float64 of shape (n_classes,). Answers without a vote do not
            win, and an answer that alone has votes wins unasked. Compile it with ``numba.njit`` for speed; a plain
            Python function works too and is hundreds of times slower.
        prior, ties
            As in the other votes.
        """
        return cls(function=function, prior=_freeze(prior), ties=ties)

    # What strategies ask ----------------------------------------------------------------------------------------------

    @property
    def counts_only(self) -> bool:
        """Whether the vote depends on how many votes each answer has, and on nothing else of a sample."""
        return self.ballots == "one" and self.function is None

    @property
    def needs(self) -> str | None:
        """Say which column the vote needs, and how to record it; None if it needs none."""
        if self.column is None:
            return None
        what = _WHAT_FOR.get(self.column, "a number for each sample")
        return f"column {self.column!r} ({what})"

    def ordered(self, models: Sequence[str]) -> Vote:
        """Return the same vote with its prior as one weight per model, in their order."""
        prior = self.prior
        if prior and isinstance(prior[0], tuple):
            given = dict(prior)
            if set(given) != set(models):
                raise StrategyError(
                    f"vote: prior names {sorted(given)}, the strategy asks {list(models)}; name each once"
                )
            prior = tuple(given[model] for model in models)
        if prior and len(prior) != len(models):
            raise StrategyError(f"vote: prior has {len(prior)} weights for {len(models)} models; give one each")
        return replace(self, prior=prior)

    def weights(self, n_models: int) -> NDArray[np.float64]:
        """Prior weight of each model, the largest 1, of an `ordered` vote."""
        weights = np.array(cast("tuple[float, ...]", self.prior) or (1.0,) * n_models, dtype=float)
        return np.asarray(weights / weights.max())


def _freeze(prior: Any) -> tuple[tuple[str, float], ...] | tuple[float, ...] | None:
    if prior is None:
        return None
    if not isinstance(prior, Mapping | Sequence) or isinstance(prior, str) or not prior:
        raise StrategyError(f"vote: prior={prior!r}; give one weight per model, e.g. (2, 1) or {{'gpt-4': 2, ...}}")
    frozen = tuple(prior.items()) if isinstance(prior, Mapping) else tuple(prior)
    for entry in frozen:
        weight = entry[1] if isinstance(entry, tuple) else entry
        if not is_number(weight) or not 0 < weight < math.inf:
            raise StrategyError(
                f"vote: prior weight {weight!r}; give positive numbers, and leave a model out to ignore it"
            )
    return frozen
