"""Reliability of one model, also known as pass^k and G-Pass@k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Ints, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.right_draws import check_tau, draws_above_half, right_draws

__all__ = ["Reliability"]


@dataclass(frozen=True)
class Reliability(Strategy):
    """Count a question as correct if all draws, or a share of them, are correct (pass^k, G-Pass@k, mG-Pass@k).

    Reliability measures a model that is asked B times and has to be right each time. It is not a way to answer a
    question. `Coverage` is its counterpart: one right draw is enough.

    Parameters
    ----------
    model : str
        Name of the model. A list of one name is accepted too.
    tau : float or "mean", default 1.0
        Share of the B draws that must be correct, above 0 and at most 1. 1 is pass^k, smaller shares are G-Pass@k. With
        "mean" accuracy is mG-Pass@k.
    max_tokens
        As in `Strategy`.

    See Also
    --------
    mssim.pass_hat_k, mssim.g_pass_at_k, mssim.mg_pass_at_k : The same from counts.

    Notes
    -----
    A replay is right or wrong. With tau="mean" each replay of a question therefore chooses one of the thresholds of
    mG-Pass@k at random, and `replay_sd` is that of runs with random thresholds. It is an upper bound of the standard
    deviation of the mG-Pass@k of a single run.

    Without replacement accuracy is unbiased. With ``replacement=True`` it is biased upwards for tau=1: the mean over
    pools of (c / n)^k exceeds the probability of k right samples.

    References
    ----------
    Yao et al. (2024), "tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains", arXiv 2406.12045.

    Liu et al. (2024), "Are Your LLMs Capable of Stable Reasoning?", arXiv 2412.13147.

    Examples
    --------
    >>> from mssim import Reliability, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> rules = [Reliability("gemma"), Reliability("gemma", 0.75), Reliability("gemma", "mean"), "cov:gemma"]
    >>> evaluate(pool, rules, 8).to_frame()[["strategy", "accuracy"]].round(3)
                 strategy  accuracy
    0           rel:gemma     0.188
    1  rel:gemma,tau=0.75     0.401
    2  rel:gemma,tau=mean     0.342
    3           cov:gemma     0.738
    """

    kind: ClassVar[str] = "rel"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("rel:M", "all K draws are right: C(c, K) / C(n, K)", "2406.12045", method="exact"),
        Row(
            "rel:M,tau=0.75",
            "at least tau K draws are right: sum C(c, j) C(n - c, K - j) / C(n, K) over j >= tau K",
            "2412.13147",
            method="exact",
        ),
        Row("rel:M,tau=mean", "2/K x sum of rel:M,tau=i/K over i > ceil(K / 2)", "2412.13147", method="exact"),
    )
    model: str | Sequence[str]
    tau: float | str = 1.0
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, self.model)
        if len(self.models) != 1:
            raise StrategyError(f"Reliability: model={self.model!r} must be the name of one model, e.g. 'gpt-4'.")
        object.__setattr__(self, "model", self.models[0])
        if not isinstance(self.tau, str) or self.tau != "mean":
            object.__setattr__(self, "tau", check_tau(self.tau, ", or 'mean'"))

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage that does not vote."""
        plan = never_stop(self, allocate(budgets, 1), None)
        if isinstance(self.tau, str):
            return (plan._replace(least=draws_above_half(budgets), raised=True),)
        return (plan._replace(least=right_draws(budgets, self.tau)),)
