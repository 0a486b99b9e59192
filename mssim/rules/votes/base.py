"""Base of the votes: the general formula, of which the named votes are forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, is_finite, is_number, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.number_range import CHANCES, NumberRange
from mssim.rules.registry import Row

__all__ = ["TIES", "Function", "NamedVote", "Prior", "WeightedVote", "frozen"]

TIES = ("first", "random", "wrong")
_ALLOWED = {
    "within": ("none", "entropy", "share"),
    "normaliser": ("distinct", "samples"),
    "ballots": ("one", "number", "exp", "shortest", "bests", "kept", "ranks", "frequent", "posterior"),
    "combine": ("sum", "max"),
    "ties": TIES,
}
_RANGES = {  # of an option: what it must be and an example, the least, the most
    "keep": ("a share above 0, up to 1. Use e.g. 0.1", 1e-9, 1.0),
    "power": ("a number from 0 to 30. Use e.g. 0.5, or vote=best_of_n instead of a large power", 0.0, 30.0),
    "alpha": ("a share from 0 to 1. Use e.g. 0.1", 0.0, 1.0),
}
_WHAT_FOR = {  # how to record what a ballot is made of
    "score": "the reward or verifier score of each sample, the higher the better",
    "confidence": "how sure the model is of each sample, e.g. P(True) or its mean token probability",
    "output_tokens": "the length of each response",
}


class NamedVote(NamedTuple):
    """How a named vote is written as text."""

    make: str  # name of its class method of `Vote`
    matches: Callable[[WeightedVote], bool]  # whether a vote is of this form
    options: tuple[str, ...] = ()  # options beside prior, ties, within and combine
    example: Mapping[str, Any] = {}  # options that it cannot do without, with a value as an example
    rows: tuple[Row, ...] = ()


Function = Callable[..., NDArray[np.float64]]
Prior = Mapping[str, float] | Sequence[float] | None


@dataclass(frozen=True)
class WeightedVote:
    """The general formula and its parameters; see `Vote`, which adds the named forms."""

    within: str = "none"
    normaliser: str = "distinct"
    prior: tuple[tuple[str, float], ...] | tuple[float, ...] | None = None
    ties: str = "first"
    ballots: str = "one"
    combine: str = "sum"
    column: str | None = None
    temperature: float | None = None
    m: int | None = None
    answers: int | None = None
    keep: float | None = None
    power: float | None = None
    alpha: float | None = None
    function: Function | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise StrategyError(f"vote: {name}={value!r} is not valid. {choose_from(str(value), allowed)}.")
        object.__setattr__(self, "prior", frozen(self.prior))
        self._check_ballots()
        self._check_function()

    def _check_ballots(self) -> None:
        asked = {
            "column": self.ballots != "one",
            "temperature": self.ballots == "exp",
            "m": self.ballots in ("shortest", "bests"),
            "keep": self.ballots == "kept",
            "power": self.ballots == "ranks",
            "alpha": self.ballots == "frequent",
        }
        for name, needed in asked.items():
            if needed != (getattr(self, name) is not None):
                problem = f"requires {name}. Set it" if needed else f"does not use {name}. Remove it"
                raise StrategyError(f"vote: ballots={self.ballots!r} {problem}.")
        if self.column is not None and (not isinstance(self.column, str) or not self.column):
            raise StrategyError(
                f"vote: column={self.column!r} is not a name. Use the name of a recorded number, e.g. 'score'."
            )
        if self.temperature is not None and not (is_finite(self.temperature) and self.temperature > 0):
            raise StrategyError(f"vote: temperature={self.temperature!r} is not a positive number. Use e.g. 0.5.")
        for name, lowest in (("m", 1), ("answers", 2)):
            value = getattr(self, name)
            if value is not None:
                try:
                    object.__setattr__(self, name, whole_number(name, value, lowest, 2**15 - 1))
                except MssimError as error:
                    raise StrategyError(f"vote: {error}") from None
        for name, (allowed, least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not (is_number(value) and least <= value <= most):
                raise StrategyError(f"vote: {name}={shown(value)} is not {allowed}.")
        self._check_combination()

    def _check_combination(self) -> None:
        if self.combine == "max" and self.ballots not in ("one", "number", "exp"):
            raise StrategyError(f"vote: ballots={self.ballots!r} supports only combine='sum'. Remove combine='max'.")
        if self.within != "none" and self.ballots in ("frequent", "posterior"):
            raise StrategyError(
                f"vote: ballots={self.ballots!r} supports only within='none'. Remove within={self.within!r}."
            )
        if self.ballots != "posterior" and self.answers is not None:
            raise StrategyError(f"vote: ballots={self.ballots!r} does not use answers. Remove it.")

    def _check_function(self) -> None:
        if self.function is not None and not callable(self.function):
            raise StrategyError(f"vote: function={self.function!r} is not callable. Use a function of (counts, prior).")
        given: Any = self.columns
        columns = (given,) if isinstance(given, str) else tuple(given)
        if not all(isinstance(column, str) and column for column in columns):
            raise StrategyError(
                f"vote: columns={self.columns!r} are not names. Use names of recorded numbers, e.g. 'confidence'."
            )
        if columns and self.function is None:
            raise StrategyError(
                f"vote: columns={self.columns!r} are supported only by Vote.own. Other votes read one number, the "
                "parameter column."
            )
        object.__setattr__(self, "columns", columns)

    # What strategies ask ----------------------------------------------------------------------------------------------

    @property
    def counts_only(self) -> bool:
        """Whether the vote depends on how many votes each answer has, and on nothing else of a sample."""
        return self.ballots == "one" and self.function is None

    @property
    def needs(self) -> str | None:
        """Say which column the vote needs, and how to record it; None if it needs none."""
        if self.column is None:
            return None
        what = _WHAT_FOR.get(self.column, "a number for each sample")
        return f"column {self.column!r} ({what})"

    @property
    def allowed(self) -> NumberRange | None:
        """Range of the numbers in `column` of samples with an answer; None if the vote reads all finite numbers."""
        return CHANCES if self.ballots == "posterior" else None

    def ordered(self, models: Sequence[str]) -> Self:
        """Return the same vote with its prior as one weight per model, in their order."""
        prior = self.prior
        if prior and len(prior) > 1 and len(models) == 1:
            raise StrategyError(f"vote: prior has {len(prior)} weights, but {models[0]!r} votes alone. Remove prior.")
        if prior and isinstance(prior[0], tuple):
            given = dict(prior)
            if set(given) != set(models):
                raise StrategyError(
                    f"vote: prior has weights of {sorted(given)}, but the strategy uses {list(models)}. Use one weight "
                    "for each of these models."
                )
            prior = tuple(given[model] for model in models)
        if prior and len(prior) != len(models):
            raise StrategyError(
                f"vote: prior has {len(prior)} weight{'s' * (len(prior) != 1)} for {len(models)} models. "
                "Use one weight per model."
            )
        return replace(self, prior=prior)

    def weights(self, n_models: int) -> NDArray[np.float64]:
        """Prior weight of each model, the largest 1, of an `ordered` vote."""
        weights = np.array(cast("tuple[float, ...]", self.prior) or (1.0,) * n_models, dtype=float)
        return np.asarray(weights / weights.max())


def frozen(prior: Any) -> tuple[tuple[str, float], ...] | tuple[float, ...] | None:
    """Return prior weights as tuples; raise if one is not a positive number."""
    if prior is None:
        return None
    if not isinstance(prior, Mapping | Sequence) or isinstance(prior, str) or not prior:
        raise StrategyError(
            f"vote: prior={prior!r} contains no weights. Use one per model, e.g. (2, 1) or {{'gpt-4': 2, ...}}."
        )
    frozen = tuple(prior.items()) if isinstance(prior, Mapping) else tuple(prior)
    weights = [entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry for entry in frozen]
    for weight in weights:
        if not is_finite(weight) or weight <= 0:
            raise StrategyError(
                f"vote: prior weight {shown(weight)} is not a positive finite number. To ignore a model, remove it "
                "from the strategy."
            )
    return frozen
