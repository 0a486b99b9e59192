"""Cascade of models, of which the first that agrees answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.rules.agreement import FORCED, check_threshold, votes_to_agree
from mssim.rules.base import Strategy
from mssim.rules.fields import allocated, limits_of, set_last, set_models, set_split
from mssim.rules.plan import Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["Cascade"]


@dataclass(frozen=True)
class Cascade(Strategy):
    """Accept the first model that agrees with itself, or else the last model (arXiv 2310.03094).

    A cascade discards the draws of models that it does not accept, whereas `ModelSwitch` lets all draws vote. The
    answer is always the plurality of one model's draws.

    Parameters
    ----------
    models : sequence of str
        Names of the models in the order in which they are asked, usually the cheapest first.
    agreement : float, default 1.0
        Share of the most frequent answer at which a model is accepted.
    strict : bool, default False
        Whether the share must exceed `agreement`.
    ties : {"first", "random", "wrong"}, default "first"
        As in `Vote`.
    sizes, shares
        As in `Coverage`.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> str(Cascade(["weak", "strong"], agreement=0.6, sizes=(5, 1)))
    'cascade:weak+strong,agreement=0.6,sizes=5/1'
    """

    kind: ClassVar[str] = "cascade"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("cascade:M+M", "the first M with v1 / K >= agreement, else the last", "2310.03094", method="exact"),
    )
    models: Sequence[str]
    agreement: float = 1.0
    strict: bool = False
    ties: str = "first"
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models, again=True)
        set_split(self)
        Vote(ties=self.ties)
        check_threshold(self.agreement, self.strict)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that stop when they agree; the last one always stops."""
        sizes = allocated(self, budgets)
        need = votes_to_agree(sizes, self.agreement, strict=self.strict)
        set_last(sizes, need, FORCED)
        vote, limits = Vote.plurality(ties=self.ties), limits_of(self)
        return (Plan(self.models, sizes, need, vote, adopt=True, max_tokens=limits),)
