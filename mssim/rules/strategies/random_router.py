"""Router that chooses a model at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mssim.rules.base import Strategy
from mssim.rules.fields import set_models, set_shares
from mssim.rules.plan import Expected, Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.strategies.self_consistency import of_each_model
from mssim.rules.votes import Vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RandomRouter"]


@dataclass(frozen=True)
class RandomRouter(Strategy):
    """Send each question to one random model, which spends the whole budget.

    The result is the expectation over this choice, the mean of `SelfConsistency` of the models.

    Parameters
    ----------
    models : sequence of str
        Names of the models.
    shares : sequence of float, optional
        Relative probabilities of the models. By default all are equal.
    vote, stop, looks
        As in `SelfConsistency`.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> from mssim import RandomRouter, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> evaluate(pool, RandomRouter(["gemma", "smol"]), 16).to_frame()["accuracy"].round(3).tolist()
    [0.523]
    """

    kind: ClassVar[str] = "random"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("random:M+M", "mean of sc over models, by shares", "control", method="exact"),
    )
    models: Sequence[str]
    shares: Sequence[float] | None = None
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None
    max_tokens: int | Sequence[int | None] | None = None
    looks: Sequence[int] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        set_shares(self)
        of_each_model(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in of_each_model(self) for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected], _questions: pd.DataFrame) -> Expected:
        """Return the mean over the models."""
        shares = np.array(self.chances())
        chances = shares / shares.sum()
        return Expected(
            *(sum(c * x for c, x in zip(chances, values, strict=True)) for values in zip(*parts, strict=True))
        )

    def chances(self) -> tuple[float, ...]:
        """Return the shares of the models."""
        return tuple(map(float, self.shares or [1.0] * len(self.models)))
