"""Router that knows the best model for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mssim.rules.base import Strategy
from mssim.rules.fields import set_models
from mssim.rules.plan import Expected, Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.strategies.self_consistency import of_each_model
from mssim.rules.votes import Vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OracleRouter"]


@dataclass(frozen=True)
class OracleRouter(Strategy):
    """Send each question to its most accurate model, the upper bound of all routers.

    The router uses the accuracy of every model on the question at the given budget, which no real router knows. Of
    equally accurate models it takes the cheaper, then the earlier one. Accuracies are estimated from the samples on
    which the router is scored, so the bound is biased upwards for few samples. A router chooses before the first draw;
    `Coverage` is the bound of rules that choose from the draws.

    Parameters
    ----------
    models : sequence of str
        Names of the models.
    vote, stop, looks
        As in `SelfConsistency`.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> from mssim import OracleRouter, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> evaluate(pool, OracleRouter(["gemma", "smol"]), 16).to_frame()["accuracy"].round(3).tolist()
    [0.674]
    """

    kind: ClassVar[str] = "oracle"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("oracle:M+M", "max of sc over models, per question", "ceiling", method="exact"),
    )
    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None
    max_tokens: int | Sequence[int | None] | None = None
    looks: Sequence[int] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        of_each_model(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in of_each_model(self) for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected], _questions: pd.DataFrame) -> Expected:
        """Return the result of the best model, [budget, question]."""
        stacked = Expected(*(np.stack(values) for values in zip(*parts, strict=True)))
        best = stacked.accuracy >= stacked.accuracy.max(axis=0) - 1e-12
        cost = np.nan_to_num(stacked.cost, nan=np.finfo(float).max)  # a known cost comes before an unknown one
        chosen = np.where(best, cost, np.inf).argmin(axis=0)
        return Expected(*(np.take_along_axis(values, chosen[None], axis=0)[0] for values in stacked))
