"""Draws until a verifier accepts one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim._validation import is_number, shown
from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import allocated, never_stop, set_models, set_split
from mssim.rules.plan import Ints, Plan, Verifier
from mssim.rules.registry import Row

__all__ = ["UntilVerified"]

CORRECT = "correct"


@dataclass(frozen=True)
class UntilVerified(Strategy):
    """Draw one sample at a time until a verifier accepts it, and answer with that sample (arXiv 2407.21787).

    The first model draws until a sample is accepted or its share of the budget is spent, then the next model. If no
    sample is accepted, no answer is given, which counts as wrong. A sample without an answer is never accepted.

    With ``column="correct"`` the verifier knows the correct answer, as complete unit tests or a proof checker do. The
    accuracy is then that of `Coverage`, at fewer samples. Where no such verifier exists, it is an upper bound. With a
    column of scores, a wrong sample can be accepted: `mssim.theory.verified` says on how many questions.

    Parameters
    ----------
    models : sequence of str
        Names of the models in the order in which they are asked, usually the cheapest first.
    column : str, default "correct"
        "correct" accepts correct samples. The name of a recorded number, such as "score", accepts samples whose number
        is at least `threshold`.
    threshold : float, optional
        Number from which a sample is accepted. Required with a column of numbers, and only with one.
    sizes, shares
        As in `Coverage`.
    max_tokens
        As in `Strategy`.

    See Also
    --------
    mssim.theory.verified : Accuracy, false accepts and unsolved questions.

    Notes
    -----
    For a model with n samples of a question, of which the verifier accepts a and r of these are correct, K draws
    without replacement have an accepted sample with probability P = 1 - C(n - a, K) / C(n, K), and a correct answer
    with probability P r / a. The expected number of draws is the sum over k < K of C(n - a, k) / C(n, k). With
    replacement, (1 - a / n)^k takes the place of these ratios. Models draw independently, so probabilities of stages
    multiply. `agreed` in the result of `evaluate` is the probability that a sample was accepted. Rejected and accepted
    draws spend the mean amounts of rejected and of accepted samples. Draws follow one another, so latencies add up.

    References
    ----------
    Brown et al. (2024), "Large Language Monkeys: Scaling Inference Compute with Repeated Sampling", arXiv 2407.21787.

    Stroebl, Kapoor & Narayanan (2024), "The Limits of Inference Scaling Through Resampling", arXiv 2411.17501, on
    verifiers that accept wrong samples.

    Examples
    --------
    >>> from mssim import UntilVerified, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> rules = [UntilVerified("gemma"), UntilVerified(["gemma", "smol"]), "cov:gemma"]
    >>> evaluate(pool, rules, 8).to_frame()[["strategy", "accuracy", "samples_used"]].round(3)
               strategy  accuracy  samples_used
    0       until:gemma     0.738         3.527
    1  until:gemma+smol     0.766         3.427
    2         cov:gemma     0.738         8.000
    """

    kind: ClassVar[str] = "until"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("until:M", "draw until right: sum C(n - c, k) / C(n, k) draws over k < K", "2407.21787", method="exact"),
        Row("until:M+M", "M until right, else the next M", "2407.21787", method="exact"),
        Row("until:M,column=score,threshold=0.5", "draw until score >= threshold", "2411.17501", "score", "exact"),
    )
    models: Sequence[str]
    column: str = CORRECT
    threshold: float | None = None
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.models)
        set_split(self)
        self._set_verifier()

    def _set_verifier(self) -> None:
        """Check column and threshold, which go together, and set the threshold as float."""
        if not isinstance(self.column, str) or not self.column:
            raise StrategyError(
                f"column={shown(self.column)} is not the name of a column. Use 'correct', or a recorded "
                "number such as 'score'."
            )
        if self.column == CORRECT:
            if self.threshold is not None:
                raise StrategyError(
                    f"threshold={shown(self.threshold)} applies to a column of numbers, but the column "
                    "is 'correct'. Remove the threshold, or set the column, e.g. to 'score'."
                )
            return
        if self.threshold is None:
            raise StrategyError(
                f"column={shown(self.column)} requires a threshold, from which a sample is accepted. "
                "Set e.g. threshold=0.5."
            )
        try:
            limit = float(self.threshold) if is_number(self.threshold) else math.nan
        except OverflowError:  # an integer beyond the range of floats
            limit = math.nan
        if not math.isfinite(limit):
            raise StrategyError(f"threshold={shown(self.threshold)} is not a finite number. Use e.g. threshold=0.5.")
        object.__setattr__(self, "threshold", limit)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that end with the first accepted sample."""
        plan = never_stop(self, allocated(self, budgets), None)
        return (plan._replace(accepts=Verifier(self.column, self.threshold)),)
