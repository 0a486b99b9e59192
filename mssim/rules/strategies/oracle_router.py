"""One model per question, the one most often right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mssim.rules.base import Strategy
from mssim.rules.fields import set_models
from mssim.rules.plan import Expected, Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.strategies.self_consistency import SelfConsistency
from mssim.rules.votes import Vote

__all__ = ["OracleRouter"]


@dataclass(frozen=True)
class OracleRouter(Strategy):
    """Send each question to the model that is most often right on it: the ceiling of all routers.

    It knows what no router can: every model's accuracy on the question at this budget (ties: the cheaper model, then
    the earlier one). That is estimated from the recorded samples it is then scored on, so with few samples the ceiling
    is too high. A router chooses before anything is drawn; what could be chosen from the draws is `Coverage`.

    Parameters
    ----------
    models : sequence of str
    vote, stop
        As in `SelfConsistency`.
    """

    kind: ClassVar[str] = "oracle"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("oracle:M+M", "max of sc over models, per question", "ceiling", method="exact"),
    )
    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        self._alone()

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in self._alone() for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected]) -> Expected:
        """Return, per budget and question, the best model's result."""
        stacked = Expected(*(np.stack(values) for values in zip(*parts, strict=True)))
        best = stacked.accuracy >= stacked.accuracy.max(axis=0) - 1e-12
        chosen = np.where(best, np.nan_to_num(stacked.cost), np.inf).argmin(axis=0)
        return Expected(*(np.take_along_axis(values, chosen[None], axis=0)[0] for values in stacked))

    def _alone(self) -> list[SelfConsistency]:
        """Each model on its own, as the router asks it."""
        return [SelfConsistency(model, self.vote, self.stop) for model in self.models]
