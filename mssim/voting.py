"""How drawn answers become one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mssim.errors import StrategyError, choose_from, is_number

__all__ = ["Vote"]

TIES = ("first", "random", "wrong")


@dataclass(frozen=True)
class Vote:
    """A weighted vote: score(answer) = sum over models of prior x within-weight x votes; the highest score wins.

    Use `Vote.plurality` or `Vote.entropy`.

    Parameters
    ----------
    within : {"none", "entropy"}
        The weight of a model's votes by how much its own draws agree.
    normaliser : {"distinct", "samples"}
        What the entropy is divided by: log2 of the distinct answers (the released code of ModelSwitch) or of the valid
        draws.
    prior : mapping of model to weight, or sequence in the order of the models, optional
        Positive weights; default 1 each. Only their ratios matter.
    ties : {"first", "random", "wrong"}
        "first": the answer seen first wins, models in order, then draws in order (as the authors do). "random": each
        tied answer with the same chance. "wrong": a tie is right only if every tied answer is, a lower bound.
    """

    within: str = "none"
    normaliser: str = "distinct"
    prior: tuple[tuple[str, float], ...] | tuple[float, ...] | None = None
    ties: str = "first"

    def __post_init__(self) -> None:
        for name, allowed in (("within", ("none", "entropy")), ("normaliser", ("distinct", "samples")), ("ties", TIES)):
            value = getattr(self, name)
            if value not in allowed:
                raise StrategyError(f"vote: {name}={value!r}; {choose_from(str(value), allowed)}")
        object.__setattr__(self, "prior", _freeze(self.prior))

    @classmethod
    def plurality(cls, *, prior: Mapping[str, float] | Sequence[float] | None = None, ties: str = "first") -> Vote:
        """Most votes win; with `prior`, each model's votes count that much.

        Examples
        --------
        >>> Vote.plurality(ties="random")
        Vote(within='none', normaliser='distinct', prior=None, ties='random')
        """
        return cls(prior=_freeze(prior), ties=ties)

    @classmethod
    def entropy(
        cls,
        *,
        normaliser: str = "distinct",
        prior: Mapping[str, float] | Sequence[float] | None = None,
        ties: str = "first",
    ) -> Vote:
        """Weigh a model's votes by 1/m + (1 - 1/m)(1 - H / log2 u), as ModelSwitch does (arXiv 2504.00762).

        m are the model's valid draws, u its distinct answers, H the entropy in bits of their shares; a unanimous model
        has weight 1. With ``normaliser="samples"`` the entropy is divided by log2 m instead.
        """
        return cls(within="entropy", normaliser=normaliser, prior=_freeze(prior), ties=ties)

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
