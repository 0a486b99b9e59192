"""Base class of strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mssim.rules.plan import Expected, Ints, Plan
from mssim.rules.registry import STRATEGIES, Row
from mssim.rules.text import write

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Strategy"]


class Strategy(ABC):
    """Base class of strategies.

    A strategy has models in order and a rule by which they share a budget. Subclass it as a frozen dataclass with the
    field `models` and the options of the strategy, and define `plans`. A strategy with a `kind` can be written as text,
    ``kind:model+model,option=value``.

    Attributes
    ----------
    kind : str
        Name of the strategy in text; empty if it has none.
    rows : tuple of Row
        Rows of the catalogue; see `mssim.catalogue`.
    models : sequence of str
        Names of the models in the order in which they are asked.
    max_tokens : int, or sequence of (int or None), or None
        Most output tokens of a sample, for all models or one number per model. A longer sample becomes no answer and
        costs that many tokens. None, the default, leaves samples as they were recorded.

    Examples
    --------
    >>> from mssim import Strategy, parse_strategy
    >>> strategy = parse_strategy("ms:strong+weak,agreement=0.8")
    >>> isinstance(strategy, Strategy), strategy.kind, strategy.models
    (True, 'ms', ('strong', 'weak'))
    """

    kind: ClassVar[str] = ""
    rows: ClassVar[tuple[Row, ...]] = ()
    models: Sequence[str]
    max_tokens: int | Sequence[int | None] | None = None

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("kind"):
            STRATEGIES.add(cls.kind, cls)

    @abstractmethod
    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return the plans of the strategy at these budgets; most strategies have one."""

    def combine(self, parts: Sequence[Expected], questions: pd.DataFrame, /) -> Expected:  # noqa: ARG002
        """Combine the results of the plans into one.

        Parameters
        ----------
        parts : sequence of Expected
            Result of each plan; arrays are [budget, question].
        questions : DataFrame, one row per question
            Questions of the pool.
        """
        return parts[0]

    def learns(self, questions: pd.DataFrame, /) -> bool:  # noqa: ARG002
        """Return whether the result on one question depends on the results on others, as `combine` uses them."""
        return False

    @property
    def needs_cost(self) -> bool:
        """Whether `combine` reads costs."""
        return False

    def check(self, questions: pd.DataFrame, /) -> None:  # noqa: B027
        """Raise if these questions lack what `combine` needs."""

    def chances(self) -> tuple[float, ...] | None:
        """Return relative chances of the plans, or None if the strategy does not choose one of them at random.

        Distributions over questions and draws are mixtures of those of the plans by these chances, and are unknown for
        None.
        """
        return (1.0,) if type(self).combine is Strategy.combine else None

    def __str__(self) -> str:
        return write(self.kind or type(self).__name__, self)
