"""Strategies: ways of spending a budget of samples per question, without the budget and without the pool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.errors import MssimError, StrategyError, choose_from, whole_number
from mssim.stopping import NEVER, WindowStop, check_threshold, parse_stop, votes_to_agree
from mssim.voting import Vote

__all__ = ["Coverage", "Mixture", "ModelSwitch", "SelfConsistency", "Strategy", "parse_strategy"]


class Plan(NamedTuple):
    """What a strategy does at given budgets; arrays are [stage, budget], a stage being one model's turn."""

    models: Sequence[str]
    sizes: NDArray[np.int64]  # samples that a stage draws; 0 = the stage is left out
    need: NDArray[np.int64]  # votes of the leading answer that stop after this stage
    vote: Vote | None  # None: right if any draw is right
    adopt: bool = False  # whether a stage that stops gives the answer alone; else all drawn so far vote
    window: int = 0  # draws of a window whose agreement stops a strategy of one model; 0 = none does


class Outcome(NamedTuple):
    """What a plan led to, per budget and question: chances and expectations, or sums over replays."""

    right: NDArray[np.float64]  # [budget, question], right answers
    drawn: NDArray[np.float64]  # [stage, budget, question], samples
    agreed: NDArray[np.float64]  # [budget, question], stages or windows that agreed, at most one per replay


class Strategy(ABC):
    """Base of the strategies: models in order, and how they share a budget."""

    models: Sequence[str]

    @abstractmethod
    def plan(self, budgets: NDArray[np.int64]) -> Plan:
        """Return what the strategy does at these budgets."""


def allocate(budgets: NDArray[np.int64], n_models: int, sizes: Sequence[int] | None = None) -> NDArray[np.int64]:
    """Share every budget among the models.

    Without `sizes`, ceil(budget / n) each in order until the budget is spent, as in ModelSwitch: the remainder goes to
    the last model that gets any. With `sizes`, at most that many from each model in order.

    Returns
    -------
    ndarray of int64, shape (n_models, n_budgets)

    Examples
    --------
    >>> allocate(np.array([16]), 3).T
    array([[6, 6, 4]])
    >>> allocate(np.array([16]), 6).T
    array([[3, 3, 3, 3, 3, 1]])
    >>> allocate(np.array([4, 6]), 2, sizes=(1, 5)).T
    array([[1, 3],
           [1, 5]])
    """
    most = np.array(sizes)[:, None] if sizes is not None else np.tile(-(-budgets // n_models), (n_models, 1))
    before = np.cumsum(np.broadcast_to(most, (n_models, budgets.size)), axis=0) - most
    return np.asarray(np.clip(budgets - before, 0, most), dtype=np.int64)


@dataclass(frozen=True)
class SelfConsistency(Strategy):
    """Sample one model B times and take the plurality (arXiv 2203.11171), or stop before that.

    Parameters
    ----------
    model : str
    ties : {"first", "random", "wrong"}, default "first"
        See `Vote`.
    stop : WindowStop, optional
        When to stop before the budget is spent; default: never.

    Examples
    --------
    >>> str(SelfConsistency("gpt-4"))
    'sc:gpt-4'
    >>> str(SelfConsistency("gpt-4", stop=WindowStop(5)))
    'sc:gpt-4,stop=window:5'
    """

    model: str
    ties: str = "first"
    stop: WindowStop | None = None

    def __post_init__(self) -> None:
        Vote(ties=self.ties)
        _set_models(self, (self.model,))
        if self.stop is not None and not isinstance(self.stop, WindowStop):
            raise StrategyError(f"stop={self.stop!r}; give a rule such as WindowStop(5), or None")

    def plan(self, budgets: NDArray[np.int64]) -> Plan:
        """Return one stage."""
        plan = _never_stop(self, allocate(budgets, 1), Vote(ties=self.ties))
        return plan if self.stop is None else plan._replace(window=self.stop.window, adopt=True)

    def __str__(self) -> str:
        return _spec("sc", self.models, {"ties": (self.ties, "first"), "stop": (self.stop, None)})


@dataclass(frozen=True)
class Coverage(Strategy):
    """Right if any draw is right: pass@k. The ceiling of every rule that returns one of the drawn answers.

    Parameters
    ----------
    models : sequence of str
        Several models share the budget as in ModelSwitch.
    sizes : sequence of int, optional
        Most samples per model; default: equal shares.
    """

    models: Sequence[str]
    sizes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_sizes(self)

    def plan(self, budgets: NDArray[np.int64]) -> Plan:
        """Return stages that never stop and do not vote."""
        return _never_stop(self, allocate(budgets, len(self.models), self.sizes), None)

    def __str__(self) -> str:
        return _spec("cov", self.models, {"sizes": (self.sizes, None)})


@dataclass(frozen=True)
class Mixture(Strategy):
    """Draw from all models and vote; never stop early.

    Parameters
    ----------
    models : sequence of str
        Their order decides ties under "first".
    vote : Vote, default plurality
    sizes : sequence of int, optional
        Most samples per model, in order until the budget is spent; default: equal shares.
    """

    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    sizes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_sizes(self)
        _set_vote(self)

    def plan(self, budgets: NDArray[np.int64]) -> Plan:
        """Return stages that never stop."""
        return _never_stop(self, allocate(budgets, len(self.models), self.sizes), self.vote)

    def __str__(self) -> str:
        return _spec("mix", self.models, {**_vote_options(self.vote, "plurality"), "sizes": (self.sizes, None)})


@dataclass(frozen=True)
class ModelSwitch(Strategy):
    """Ask the models in turn until one agrees with itself, else let all draws vote (arXiv 2504.00762).

    Parameters
    ----------
    models : sequence of str
        In the order in which they are asked; the paper advises the strongest first.
    agreement : float, default 1.0
        Share of the most frequent answer among a model's draws at which it is believed; 1 is unanimity, 0 always stops
        after the first model, above 1 never stops.
    strict : bool, default False
        Whether the share must exceed `agreement` (the released 512-sample curves: 0.85).
    on_agreement : {"adopt", "pool"}, default "adopt"
        "adopt": the model that agrees gives the answer (article). "pool": all drawn so far vote (released driver).
    test_last : bool, default True
        Whether the last model can agree too (article), or its draws always go to the vote (released analysis).
    vote : Vote, default ``Vote.entropy()``
    sizes : sequence of int, optional
        Most samples per model, in order until the budget is spent; default: ceil(budget / n) each, the remainder last.

    Examples
    --------
    >>> str(ModelSwitch(["strong", "weak"], agreement=0.8, vote=Vote.plurality()))
    'ms:strong+weak,agreement=0.8,vote=plurality'
    """

    models: Sequence[str]
    agreement: float = 1.0
    strict: bool = False
    on_agreement: str = "adopt"
    test_last: bool = True
    vote: Vote = field(default_factory=Vote.entropy)
    sizes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_sizes(self)
        _set_vote(self)
        check_threshold(self.agreement, self.strict)
        if not isinstance(self.test_last, bool):
            raise StrategyError(f"test_last={self.test_last!r}; give true or false")
        if self.on_agreement not in ("adopt", "pool"):
            raise StrategyError(
                f"on_agreement={self.on_agreement!r}; {choose_from(str(self.on_agreement), ['adopt', 'pool'])}"
            )

    def plan(self, budgets: NDArray[np.int64]) -> Plan:
        """Return stages that stop when they agree."""
        sizes = allocate(budgets, len(self.models), self.sizes)
        need = votes_to_agree(sizes, self.agreement, strict=self.strict)
        if not self.test_last:
            final = (sizes > 0).sum(axis=0) - 1
            need[final, np.arange(budgets.size)] = NEVER
        return Plan(self.models, sizes, need, self.vote, self.on_agreement == "adopt")

    def __str__(self) -> str:
        options = {
            "agreement": (self.agreement, 1.0),
            "strict": (self.strict, False),
            "on_agreement": (self.on_agreement, "adopt"),
            "test_last": (self.test_last, True),
            **_vote_options(self.vote, "entropy"),
            "sizes": (self.sizes, None),
        }
        return _spec("ms", self.models, options)


def _never_stop(strategy: Strategy, sizes: NDArray[np.int64], vote: Vote | None) -> Plan:
    return Plan(strategy.models, sizes, np.full_like(sizes, NEVER), vote)


def _set_vote(strategy: Mixture | ModelSwitch) -> None:
    if not isinstance(strategy.vote, Vote):
        raise StrategyError(f"vote={strategy.vote!r}; give Vote.plurality() or Vote.entropy()")
    object.__setattr__(strategy, "vote", strategy.vote.ordered(strategy.models))


def _set_models(strategy: Strategy, models: Sequence[str]) -> None:
    names = (models,) if isinstance(models, str) else tuple(models) if isinstance(models, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StrategyError(f"{type(strategy).__name__}: models={models!r}; give one or more names")
    if len(set(names)) < len(names):
        raise StrategyError(f"{type(strategy).__name__}: models={list(names)!r}; name each model once")
    object.__setattr__(strategy, "models", names)


def _set_sizes(strategy: Coverage | Mixture | ModelSwitch) -> None:
    if strategy.sizes is None:
        return
    message = f"sizes={strategy.sizes!r}; give one whole number from 1 for each of {list(strategy.models)}"
    if not isinstance(strategy.sizes, Sequence) or len(strategy.sizes) != len(strategy.models):
        raise StrategyError(message)
    try:
        sizes = tuple(whole_number("sizes", size, 1, 2**31) for size in strategy.sizes)
    except MssimError:
        raise StrategyError(message) from None
    object.__setattr__(strategy, "sizes", sizes)


# Strategies in one line of text: kind:model+model,option=value,...


def _spec(kind: str, models: Sequence[str], options: Mapping[str, tuple[Any, Any]]) -> str:
    written = [f"{name}={_write(value)}" for name, (value, default) in options.items() if value != default]
    return ",".join([f"{kind}:{'+'.join(models)}", *written])


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(_write(part) for part in value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _vote_options(vote: Vote, default: str) -> dict[str, tuple[Any, Any]]:
    return {
        "vote": ("plurality" if vote.within == "none" else vote.within, default),
        "normaliser": (vote.normaliser if vote.within == "entropy" else "distinct", "distinct"),
        "prior": (vote.prior, None),
        "ties": (vote.ties, "first"),
    }


_KINDS: dict[str, tuple[type[Strategy], tuple[str, ...]]] = {
    "sc": (SelfConsistency, ("ties", "stop")),
    "ms": (
        ModelSwitch,
        ("agreement", "strict", "on_agreement", "test_last", "vote", "normaliser", "prior", "ties", "sizes"),
    ),
    "mix": (Mixture, ("vote", "normaliser", "prior", "ties", "sizes")),
    "cov": (Coverage, ("sizes",)),
}


def parse_strategy(given: str | Mapping[str, Any] | Strategy) -> Strategy:
    """Read a strategy from one line of text, or from a mapping as in a TOML file.

    Parameters
    ----------
    given : str or mapping
        Text ``kind:model+model,option=value,...`` with kind sc (SelfConsistency), ms (ModelSwitch), mix (Mixture) or
        cov (Coverage); or a mapping with the keys kind, models and the options. Model names with "+" or "," need the
        mapping.

        Options: ties; for sc also stop (window:5); for ms and mix also vote (plurality or entropy), normaliser, prior
        (2/1 in the order of the models), sizes (6/6/4); for ms also agreement, strict, on_agreement, test_last; for cov
        sizes.

    Raises
    ------
    StrategyError

    Examples
    --------
    >>> parse_strategy("ms:gpt-35-turbo+gpt-4,agreement=0.8,vote=plurality").agreement
    0.8
    >>> parse_strategy({"kind": "sc", "models": ["gpt-4"], "ties": "random"})
    SelfConsistency(model='gpt-4', ties='random', stop=None)
    """
    if isinstance(given, Strategy):
        return given
    kind, models, options = _split(given)
    if kind not in _KINDS:
        raise StrategyError(f"strategy {given!r}: kind {kind!r}; {choose_from(kind, _KINDS)}")
    cls, allowed = _KINDS[kind]
    for name in options:
        if name not in allowed:
            raise StrategyError(f"strategy {given!r}: unknown option {name!r}; {choose_from(name, allowed)}")
    try:
        return _build(cls, models, {name: _read(name, value) for name, value in options.items()})
    except StrategyError as error:
        raise StrategyError(f"strategy {given!r}: {error}") from None


def _split(given: str | Mapping[str, Any]) -> tuple[str, list[str], dict[str, Any]]:
    if isinstance(given, Mapping):
        options = dict(given)
        models = options.pop("models", [])
        if not isinstance(models, str | list | tuple) or not all(isinstance(name, str) for name in models):
            raise StrategyError(f"strategy {given!r}: models={models!r}; give a list of names")
        return str(options.pop("kind", "")), [models] if isinstance(models, str) else list(models), options
    if not isinstance(given, str) or ":" not in given:
        raise StrategyError(f"strategy {given!r}: write kind:model+model,option=value, e.g. 'sc:gpt-4'")
    kind, rest = given.split(":", 1)
    models, *parts = rest.split(",")
    options = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise StrategyError(f"strategy {given!r}: option {part!r}; write option=value")
        if name.strip() in options:
            raise StrategyError(f"strategy {given!r}: option {name.strip()!r} is there twice; give it once")
        options[name.strip()] = value.strip()
    return kind.strip(), [name.strip() for name in models.split("+")], options


def _read(name: str, value: Any) -> Any:
    """Read the value of an option that may be text."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if name == "stop":
        return parse_stop(value)
    try:
        match name:
            case "agreement":
                return float(value)
            case "sizes":
                return tuple(int(part) for part in value.split("/"))
            case "prior":
                return tuple(float(part) for part in value.split("/"))
            case "strict" | "test_last":
                return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError):
        raise StrategyError(f"{name}={value!r} cannot be read; e.g. {_EXAMPLES[name]}") from None
    return value


_EXAMPLES = {
    "agreement": "agreement=0.8",
    "sizes": "sizes=6/6/4",
    "prior": "prior=2/1",
    "strict": "strict=true",
    "test_last": "test_last=false",
}


def _build(cls: type[Strategy], models: list[str], options: dict[str, Any]) -> Strategy:
    if cls is SelfConsistency:
        if len(models) != 1:
            raise StrategyError(f"Self-Consistency samples one model, given {models}; use mix for several")
        return SelfConsistency(models[0], **options)
    if cls is Coverage:
        return Coverage(tuple(models), **options)
    within = options.pop("vote", "entropy" if cls is ModelSwitch else "plurality")
    if within not in ("plurality", "entropy"):
        raise StrategyError(f"vote={within!r}; {choose_from(str(within), ['plurality', 'entropy'])}")
    named = {name: options.pop(name) for name in ("normaliser", "prior", "ties") if name in options}
    if within == "plurality" and "normaliser" in named:
        raise StrategyError("normaliser belongs to vote=entropy; leave it out or ask for that vote")
    vote = Vote.plurality(**named) if within == "plurality" else Vote.entropy(**named)
    return cls(tuple(models), vote=vote, **options)  # type: ignore[call-arg]
