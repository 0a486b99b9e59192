"""What a live run does: strategy, budget and grading rule, checked against the plan before the first request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mssim._validation import choose_from, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.grading import Rule, parse_rule
from mssim.live.strategies import columns_needed, plans_at
from mssim.recorder.plan import ModelPlan, Plan
from mssim.rules.base import Strategy
from mssim.rules.fields import limits_of
from mssim.rules.parsing import parse_for

__all__ = ["Setup", "read_rule", "read_setup"]


@dataclass(frozen=True)
class Setup:
    """A strategy at one budget, with the rule that makes answer classes.

    Attributes
    ----------
    strategy : Strategy
        The strategy.
    budget : int
        Samples allowed per question.
    rule : Rule
        Rule of grading.
    seed : int
        Seed of random choices, such as ties.
    models : tuple of ModelPlan
        Models of the strategy.
    """

    strategy: Strategy
    budget: int
    rule: Rule
    seed: int
    models: tuple[ModelPlan, ...]

    @property
    def is_allocation(self) -> bool:
        """Whether questions share one total budget."""
        return self._cap > 0

    @property
    def most(self) -> int:
        """Largest number of samples of one question."""
        return max(self.budget, self._cap)

    @property
    def limited(self) -> tuple[str, ...]:
        """Models for which the strategy limits output tokens."""
        limits = limits_of(self.strategy) or ()
        return tuple(model for model, limit in zip(self.strategy.models, limits, strict=False) if limit is not None)

    def describe(self) -> dict[str, Any]:
        """Return what the journal keeps, to refuse another strategy in the same folder."""
        kept = {} if self.rule.reasoning == "drop" else {"reasoning": self.rule.reasoning}
        strategy = {"strategy": str(self.strategy), "budget": self.budget}
        return {**strategy, "rule": self.rule.name, **kept, "seed": self.seed}

    @property
    def _cap(self) -> int:
        return max(plan.cap for plan in self.strategy.plans(np.array([self.budget])))


def read_setup(
    plan: Plan, strategy: str | Mapping[str, Any] | Strategy, budget: int, *, rule: str, reasoning: str, seed: int
) -> Setup:
    """Read and check the arguments of a live run.

    Parameters
    ----------
    plan : Plan
        Resolved plan of the models.
    strategy, budget, rule, reasoning, seed
        As in `run`.

    Raises
    ------
    MssimError
        If the rule is missing, the strategy needs what no server sends, or a model is asked in another way than the
        strategy needs.
    """
    known = {model.name: model for model in plan.models}
    asked = parse_for(strategy, known)
    chosen = read_rule(rule, reasoning)
    plans_at(asked, budget)
    for name in asked.models:
        if name not in known:
            raise StrategyError(f"model {name!r} of {asked} is not in the plan. {choose_from(name, known)}.")
    models = tuple(known[name] for name in dict.fromkeys(asked.models))
    for model in models:
        _check_columns(asked, model)
    for name, limit in zip(asked.models, limits_of(asked) or (), strict=False):
        _check_limit(asked, known[name], limit)
    return Setup(asked, int(budget), chosen, whole_number("seed", seed, 0, 2**63 - 1), models)


def read_rule(rule: str, reasoning: str = "drop") -> Rule:
    """Return the rule of grading; raise if none is given."""
    if not rule or not isinstance(rule, str):
        raise MssimError(
            "rule: a live run compares answers while they arrive. Name the rule, e.g. rule='number', as in `mssim "
            "grade`."
        )
    return parse_rule(rule, reasoning=reasoning)


def _check_columns(strategy: Strategy, model: ModelPlan) -> None:
    """Raise if a number that the strategy reads is not requested, or is not known of single samples."""
    needed = columns_needed(strategy)
    if "confidence" in needed and not model.logprobs:
        raise StrategyError(
            f"model {model.name!r}: {strategy} reads the confidence of samples, which is their log-probability. "
            "Request it with logprobs=True."
        )
    if "output_tokens" in needed and model.samples_per_request > 1 and not model.logprobs:
        raise StrategyError(
            f"model {model.name!r}: {strategy} reads the output_tokens of samples, which servers report for whole "
            f"requests, of {model.samples_per_request} samples here. Use samples_per_request=1 or logprobs=True."
        )
    if "input_tokens" in needed and model.samples_per_request > 1:
        raise StrategyError(
            f"model {model.name!r}: {strategy} reads the input_tokens of samples, which servers report for whole "
            f"requests, of {model.samples_per_request} samples here. Use samples_per_request=1."
        )


def _check_limit(strategy: Strategy, model: ModelPlan, limit: int | None) -> None:
    """Raise if the strategy limits output tokens and the server is not asked to."""
    asked = model.most_tokens()
    if limit is not None and asked != limit:
        # In quotes, since mssim live has an option of this name, which limits the tokens of all requests together.
        raise StrategyError(
            f"model {model.name!r}: {strategy} limits samples to {limit} tokens, but the setting 'max_tokens' of the "
            f"model is {'missing' if asked is None else asked}. Set it to {limit}, or remove the limit from the "
            "strategy."
        )
