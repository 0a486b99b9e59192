"""One sample of each model in turn, until one is confident."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mssim._validation import is_number, shown
from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Ints, Plan, Verifier, allocate
from mssim.rules.registry import Row

__all__ = ["Gate"]


@dataclass(frozen=True)
class Gate(Strategy):
    """Ask models in order for one sample each, and answer with the first confident one (arXiv 2305.05176).

    A sample is confident if its number in a recorded column reaches the threshold of its model. A sample without an
    answer is not. The last model answers in any case. The budget is the largest number of models that are asked, so
    with a budget of 2 the second of three models is the last. `UntilVerified` draws several samples of a model, and may
    end without an answer.

    Parameters
    ----------
    models : sequence of str
        Names of at least two models in the order in which they are asked, usually the cheapest first.
    threshold : float or sequence of float
        Number from which a sample is confident: one for all models, or one for each model but the last.
    column : str, default "confidence"
        Name of the recorded number. The last model does not need it.
    strict : bool, default False
        Whether a number must be above the threshold.
    max_tokens
        As in `Strategy`.

    See Also
    --------
    UntilVerified : Draws until a verifier accepts one.

    Notes
    -----
    If model i accepts with probability a_i and accepts a right answer with probability r_i, the accuracy is the sum of
    (1 - a_1) ... (1 - a_{i-1}) r_i over the models before the last, plus (1 - a_1) ... (1 - a_{n-1}) times the accuracy
    of the last one. `agreed` in the result of `evaluate` is the probability that a sample reaches a threshold.

    FrugalGPT (Chen et al. 2023) scores each answer by a small model of its own and learns the list of models and
    thresholds. `mssim` reads recorded numbers, and `tune` chooses among given lists and thresholds. The code of the
    authors accepts a score strictly above the threshold (``strict=True``). The article does not say what happens at
    the threshold.

    References
    ----------
    Chen, Zaharia & Zou (2023), "FrugalGPT: How to Use Large Language Models While Reducing Cost and Improving
    Performance", arXiv 2305.05176.

    Examples
    --------
    >>> from mssim import Gate, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> rules = [Gate(["smol", "gemma"], threshold) for threshold in (-0.01, -0.1, -1)]
    >>> evaluate(pool, rules, 2).to_frame()[["strategy", "accuracy", "samples_used"]].round(3)
                              strategy  accuracy  samples_used
    0  gate:smol+gemma,threshold=-0.01     0.492         1.890
    1   gate:smol+gemma,threshold=-0.1     0.526         1.675
    2     gate:smol+gemma,threshold=-1     0.459         1.202
    """

    kind: ClassVar[str] = "gate"
    rows: ClassVar[tuple[Row, ...]] = (
        Row(
            "gate:M+M,threshold=0.9",
            "one sample of each M until confidence >= threshold",
            "2305.05176",
            "confidence",
            "exact",
        ),
    )
    models: Sequence[str]
    threshold: float | Sequence[float] | None = None
    column: str = "confidence"
    strict: bool = False
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        if len(self.models) < 2:
            raise StrategyError(f"models={list(self.models)!r} is one model, which needs no gate. Name at least two.")
        if not isinstance(self.column, str) or not self.column or self.column == "correct":
            raise StrategyError(
                f"column={shown(self.column)} is not the name of a recorded number. Use e.g. 'confidence'."
            )
        if not isinstance(self.strict, bool):
            raise StrategyError(f"strict={shown(self.strict)} is not a bool. Use True or False.")
        self._set_threshold()

    def _set_threshold(self) -> None:
        """Check and set the threshold as a float, or as one float for each model but the last."""
        given: Any = self.threshold
        several = isinstance(given, list | tuple)
        limits = tuple(given) if several else (given,)
        finite = all(is_number(limit) and abs(limit) < math.inf for limit in limits)
        if not finite or (several and len(limits) != len(self.models) - 1):
            raise StrategyError(
                f"threshold={shown(given)} is not valid for {len(self.models)} models. Use a finite number, or one for "
                f"each of the first {len(self.models) - 1}, e.g. threshold=0.9."
            )
        try:
            limits = tuple(map(float, limits))
        except OverflowError:  # an integer beyond the range of floats
            raise StrategyError("threshold: beyond the range of floats. Use a smaller number.") from None
        object.__setattr__(self, "threshold", limits if len(limits) > 1 else limits[0])

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return a stage of one sample for each model."""
        before = len(self.models) - 1
        limits: Any = self.threshold if isinstance(self.threshold, tuple) else (self.threshold,) * before
        plan = never_stop(self, allocate(budgets, before + 1, sizes=(1,) * (before + 1)), None)
        return (plan._replace(accepts=Verifier(self.column, limits, strict=self.strict, last=True)),)
