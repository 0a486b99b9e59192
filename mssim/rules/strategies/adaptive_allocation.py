"""One budget shared among all questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mssim._validation import whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Ints, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["AdaptiveAllocation"]

MOST_CAP = 1024


@dataclass(frozen=True)
class AdaptiveAllocation(Strategy):
    """Share one total budget among all questions: the next sample goes where the leading answer is least certain.

    A budget of B is B times the number of questions in all. Certainty is that of `BetaStop`, P[theta > 1/2] with the
    votes of the two leading answers; among the equally certain it is the question that waits longest. Compare it with
    `SelfConsistency`, which spreads the same total evenly.

    Questions depend on each other here: the result of one changes with the others that are in the pool, and
    `replay_sd` and `mc_error`, which take them for independent, are approximate.

    Parameters
    ----------
    model : str
    cap : int, optional
        Most samples of one question, up to 1024; default: all that were recorded.
    ties : {"first", "random", "wrong"}, default "first"
        See `Vote`.
    """

    kind: ClassVar[str] = "alloc"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("alloc:M", "the next of B x questions draws where 1 - I_1/2(v1 + 1, v2 + 1) is lowest", "2305.11860"),
    )
    model: str
    cap: int | None = None
    ties: str = "first"

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        Vote(ties=self.ties)
        if self.cap is not None:
            try:
                object.__setattr__(self, "cap", whole_number("cap", self.cap, 1, MOST_CAP))
            except MssimError as error:
                raise StrategyError(f"AdaptiveAllocation: {error}") from None

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage, whose size is a mean over questions."""
        plan = never_stop(self, allocate(budgets, 1), Vote.plurality(ties=self.ties))
        return (plan._replace(cap=self.cap or MOST_CAP),)
