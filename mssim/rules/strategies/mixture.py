"""Vote of all models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mssim.rules.base import Strategy
from mssim.rules.fields import allocated, never_stop, set_models, set_split, set_vote
from mssim.rules.plan import Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["Mixture"]


@dataclass(frozen=True)
class Mixture(Strategy):
    """Draw from all models and vote, without stopping early.

    With ``Vote.max_consistency()`` this is SLM-MUX (arXiv 2510.05077).

    Parameters
    ----------
    models : sequence of str
        Names of the models. The order breaks ties with "first".
    vote : Vote, default ``Vote.plurality()``
        Vote over the draws of all models.
    sizes, shares
        As in `Coverage`.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> str(Mixture(["strong", "weak"], shares=(3, 1)))
    'mix:strong+weak,shares=3/1'
    """

    kind: ClassVar[str] = "mix"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("mix:M+M", "argmax sum n(a) over all models", "2504.00762", method="exact"),
        Row("mix:M+M,prior=2/1", "argmax sum prior x n(a)", "2504.00762", method="exact"),
    )
    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        set_split(self)
        set_vote(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that never stop."""
        return (never_stop(self, allocated(self, budgets), self.vote),)
