"""ModelSwitch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mssim._validation import choose_from
from mssim.errors import StrategyError
from mssim.rules.agreement import NEVER, check_threshold, votes_to_agree
from mssim.rules.base import Strategy
from mssim.rules.fields import allocated, limits_of, set_last, set_models, set_split, set_vote
from mssim.rules.plan import Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.votes import Vote

__all__ = ["ModelSwitch"]


@dataclass(frozen=True)
class ModelSwitch(Strategy):
    """Ask models in turn until one agrees with itself, or else let all draws vote (arXiv 2504.00762).

    Parameters
    ----------
    models : sequence of str
        Names of the models in the order in which they are asked. The paper recommends the strongest first. A model that
        is named twice continues with its draws, so ``["strong", "strong"]`` is the control that switches to the same
        model.
    agreement : float, default 1.0
        Share of the most frequent answer among a model's draws at which the model agrees. 1 is unanimity, 0 always
        stops after the first model, and values above 1 never stop.
    strict : bool, default False
        Whether the share must exceed `agreement`, as with 0.85 in the released curves of 512 samples.
    on_agreement : {"adopt", "pool"}, default "adopt"
        "adopt" returns the answer of the model that agrees (article). "pool" lets all draws so far vote (released
        driver).
    test_last : bool, default True
        Whether the last model can agree (article). If false, its draws always go to the vote (released analysis).
    vote : Vote, default ``Vote.entropy()``
        Vote over all draws if no model agrees.
    sizes, shares
        As in `Coverage`. By default every model gets ceil(budget / n), and the last one the remainder.
    max_tokens
        As in `Strategy`.

    Examples
    --------
    >>> str(ModelSwitch(["strong", "weak"], agreement=0.8, vote=Vote.plurality()))
    'ms:strong+weak,agreement=0.8,vote=plurality'
    """

    kind: ClassVar[str] = "ms"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "ms:M+M,vote=plurality",
            "adopt the first M with v1 / K >= agreement, else argmax sum n(a)",
            "2504.00762",
            method="exact",
        ),
        Row("ms:M1+M1", "as ms:M+M, with the next draws of the same model", "2401.10480"),
    )
    models: Sequence[str]
    agreement: float = 1.0
    strict: bool = False
    on_agreement: str = "adopt"
    test_last: bool = True
    vote: Vote = field(default_factory=Vote.entropy)
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models, again=True)
        set_split(self)
        set_vote(self)
        check_threshold(self.agreement, self.strict)
        if not isinstance(self.test_last, bool):
            raise StrategyError(f"test_last={self.test_last!r} is not a bool. Use true or false.")
        if self.on_agreement not in ("adopt", "pool"):
            raise StrategyError(
                f"on_agreement={self.on_agreement!r} is not valid. "
                f"{choose_from(str(self.on_agreement), ['adopt', 'pool'])}."
            )

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that stop when they agree."""
        sizes = allocated(self, budgets)
        need = votes_to_agree(sizes, self.agreement, strict=self.strict)
        if not self.test_last:
            set_last(sizes, need, NEVER)
        adopt, limits = self.on_agreement == "adopt", limits_of(self)
        return (Plan(self.models, sizes, need, self.vote, adopt, max_tokens=limits),)
