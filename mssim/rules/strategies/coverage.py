"""Coverage, also known as pass@k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.rules.base import Strategy
from mssim.rules.fields import allocated, never_stop, set_models, set_split
from mssim.rules.plan import Ints, Plan
from mssim.rules.registry import Row

__all__ = ["Coverage"]


@dataclass(frozen=True)
class Coverage(Strategy):
    """Count a question as correct if any draw is correct (pass@k).

    Coverage is the upper bound of the accuracy of every rule that returns one of the drawn answers.

    Parameters
    ----------
    models : sequence of str
        Names of the models. Several models share the budget as in `ModelSwitch`.
    sizes : sequence of int, optional
        Maximum number of samples of each model. Models are filled in order until the budget is spent. By default all
        models get equal shares.
    shares : sequence of float, optional
        Shares of the budget, one per model. Alternative to `sizes`.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> from mssim import Coverage, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> evaluate(pool, Coverage(["gemma"]), [1, 16]).to_frame()["accuracy"].round(3).tolist()
    [0.476, 0.806]
    """

    kind: ClassVar[str] = "cov"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("cov:M", "any draw is right: 1 - C(n - c, K) / C(n, K)", "2107.03374", method="exact"),
    )
    models: Sequence[str]
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        set_split(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that never stop and do not vote."""
        return (never_stop(self, allocated(self, budgets), None),)
