"""Self-Consistency of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import limits_of, never_stop, set_looks, set_models, set_vote
from mssim.rules.plan import Ints, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.votes import Vote

__all__ = ["SelfConsistency", "of_each_model"]


@dataclass(frozen=True)
class SelfConsistency(Strategy):
    """Sample one model B times and vote (arXiv 2203.11171), optionally with a stopping rule.

    Parameters
    ----------
    model : str
        Name of the model.
    vote : Vote, default ``Vote.plurality()``
        Vote over the draws.
    stop : Stop, optional
        Rule that stops before the budget is spent, such as `BetaStop`, `WindowStop`, `OptimalStop` or `OwnStop`;
        `mssim.catalogue` lists all. By default there is none. All draws up to the stop vote; a `WindowStop` adopts the
        answer of its window.
    max_tokens
        As in `Strategy`.
    looks : sequence of int, optional
        Numbers of draws at which the stop rule is asked, increasing, such as ``(2, 4, 8)``. Draws between two looks are
        one round, as of an API that takes batches; so are the draws after the last look. By default the rule is asked
        after every draw, and a `WindowStop` after every window. A `WindowStop` with looks stops only if a window ends
        at a look.

    Examples
    --------
    >>> str(SelfConsistency("gpt-4"))
    'sc:gpt-4'
    >>> from mssim import BetaStop
    >>> str(SelfConsistency("gpt-4", Vote.best_of_n(), stop=BetaStop()))
    'sc:gpt-4,vote=best_of_n,stop=beta:0.95'
    """

    kind: ClassVar[str] = "sc"
    rows: ClassVar[tuple[Row, ...]] = (Row("sc:M", "argmax n(a) of B draws", "2203.11171", method="exact"),)
    model: str
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None
    max_tokens: int | Sequence[int | None] | None = None
    looks: Sequence[int] | None = None

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        set_vote(self)
        if self.stop is not None and not isinstance(self.stop, Stop):
            raise StrategyError(
                f"stop={self.stop!r} is not a stopping rule. Use e.g. BetaStop() or WindowStop(5), or None."
            )
        set_looks(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage."""
        plan = never_stop(self, allocate(budgets, 1), self.vote)
        adopt, looks = self.stop is not None and self.stop.adopts, None if self.looks is None else tuple(self.looks)
        return (plan._replace(stop=self.stop, adopt=adopt, looks=looks),)


def of_each_model(router: Any) -> list[SelfConsistency]:
    """Return Self-Consistency of each model of a router, with its vote, stop rule, looks and limits of tokens.

    Examples
    --------
    >>> from mssim import OracleRouter
    >>> [str(one) for one in of_each_model(OracleRouter(["strong", "weak"], max_tokens=(512, None)))]
    ['sc:strong,max_tokens=512', 'sc:weak']
    """
    limits = limits_of(router) or (None,) * len(router.models)
    return [
        SelfConsistency(model, router.vote, router.stop, limit, router.looks)
        for model, limit in zip(router.models, limits, strict=True)
    ]
