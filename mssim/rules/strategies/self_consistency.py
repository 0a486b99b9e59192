"""One model, one vote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models, set_vote
from mssim.rules.plan import Ints, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.votes import Vote

__all__ = ["SelfConsistency"]


@dataclass(frozen=True)
class SelfConsistency(Strategy):
    """Sample one model B times and vote (arXiv 2203.11171), or stop before that.

    Parameters
    ----------
    model : str
    vote : Vote, default plurality
    stop : Stop, optional
        When to stop before the budget is spent: `BetaStop`, `WindowStop`, `MajorityStop`, `EntropyStop`, `EValueStop`
        or `OwnStop`; default: never. What was drawn until then votes; the window of a `WindowStop` is adopted.

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

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        set_vote(self)
        if self.stop is not None and not isinstance(self.stop, Stop):
            raise StrategyError(f"stop={self.stop!r}; give a rule such as BetaStop() or WindowStop(5), or None")

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage."""
        plan = never_stop(self, allocate(budgets, 1), self.vote)
        return (plan._replace(stop=self.stop, adopt=self.stop is not None and self.stop.adopts),)
