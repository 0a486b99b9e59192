"""Strategies: ways of spending a budget of samples per question, without the budget and without the pool."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mssim._validation import choose_from, is_number, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.plan import Expected, Ints, Plan, allocate
from mssim.rules.stops import FORCED, NEVER, Stop, WindowStop, check_threshold, votes_to_agree
from mssim.rules.text import read_options, split, write
from mssim.rules.votes import Vote

__all__ = [
    "AdaptiveAllocation",
    "Cascade",
    "Coverage",
    "Mixture",
    "ModelSwitch",
    "OracleRouter",
    "RandomRouter",
    "SelfConsistency",
    "Strategy",
    "parse_strategy",
]

MOST_CAP = 1024


class Strategy(ABC):
    """Base of the strategies: models in order, and how they share a budget.

    Notes
    -----
    Every rule as text (M: a model), its formula, source, the column it needs beyond answers, and whether accuracy is
    computed in closed form (exact, within the limits that `evaluate` states) or replayed. K are the draws of a model,
    v1 >= v2 the votes of its two leading answers, n(a) those of answer a.

    ================================ =================================================== ========== ============= ======
    rule                             formula                                             source     column        method
    ================================ =================================================== ========== ============= ======
    sc:M                             argmax n(a) of B draws                              2203.11171 -             exact
    sc:M,stop=window:5               the first window of 5 draws that agree, else sc     2401.10480 -             exact
    sc:M,stop=beta:0.95              stop when 1 - I_1/2(v1 + 1, v2 + 1) >= 0.95         2305.11860 -             replay
    sc:M,stop=majority:0.8           stop when v1 / draws >= 0.8                         2305.11860 -             replay
    sc:M,stop=entropy:0.75           stop when entropy / log2(answers) <= 0.75           2305.11860 -             replay
    sc:M,stop=evalue:0.05            stop when the e-value of v1 against v2 >= 1 / 0.05  2605.05873 -             replay
    ms:M+M,vote=plurality            adopt the first M with v1 / K >= agreement, else    2504.00762 -             exact
                                     argmax sum n(a)
    ms:M+M                           the same, else argmax sum prior x entropy weight x  2504.00762 -             replay
                                     n(a), weight 1/m + (1 - 1/m)(1 - H / log2 u)
    ms:M+M,normaliser=samples        weight 1/m + (1 - 1/m)(1 - H / log2 m)              2504.00762 -             replay
    ms:M+M,vote=best_of_n            the same, else the draw with the highest score      2504.00762 score         replay
    ms:M1+M1                         the same with the next draws of the same model      2401.10480 -             replay
    cascade:M+M                      the first M with v1 / K >= agreement, else the last 2310.03094 -             exact
    mix:M+M                          argmax sum n(a) over all models                     2504.00762 -             exact
    mix:M+M,prior=2/1                argmax sum prior x n(a)                             2504.00762 -             exact
    mix:M+M,vote=max_consistency     the answer of the model with the highest v1 / K     2510.05077 -             replay
    random:M+M                       mean of sc over models, by shares                   control    -             exact
    oracle:M+M                       max of sc over models, per question                 ceiling    -             exact
    alloc:M                          the next of B x questions draws where               2305.11860 -             replay
                                     1 - I_1/2(v1 + 1, v2 + 1) is lowest
    cov:M                            any draw is right: 1 - C(K - c, K) / C(n, K)        2107.03374 -             exact
    sc:M,vote=confidence             argmax sum exp(confidence / temperature)            2502.06233 confidence    replay
    sc:M,vote=score_sum              argmax sum score                                    2206.02336 score         replay
    sc:M,vote=best_of_n              argmax score                                        2110.14168 score         replay
    sc:M,vote=shortest,m=3           argmax n(a) of the 3 shortest of B draws            2505.17813 output_tokens replay
    sc:M,vote=majority_of_bests,m=8  argmax chance that a has the highest of 8 scores    2511.18630 score         replay
                                     drawn again from the B
    ================================ =================================================== ========== ============= ======

    Sources are numbers of arXiv. `Vote.own` and `OwnStop` take functions of yours.
    """

    kind: ClassVar[str]
    models: Sequence[str]

    @abstractmethod
    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return what the strategy does at these budgets; most do one thing."""

    def combine(self, parts: Sequence[Expected]) -> Expected:
        """Make one result of what its plans led to."""
        return parts[0]

    def __str__(self) -> str:
        return write(self.kind, self)


# One model ------------------------------------------------------------------------------------------------------------


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
    model: str
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None

    def __post_init__(self) -> None:
        _set_models(self, (self.model,))
        _set_vote(self)
        if self.stop is not None and not isinstance(self.stop, Stop):
            raise StrategyError(f"stop={self.stop!r}; give a rule such as BetaStop() or WindowStop(5), or None")

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage."""
        plan = _never_stop(self, allocate(budgets, 1), self.vote)
        return (plan._replace(stop=self.stop, adopt=isinstance(self.stop, WindowStop)),)


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
    model: str
    cap: int | None = None
    ties: str = "first"

    def __post_init__(self) -> None:
        _set_models(self, (self.model,))
        Vote(ties=self.ties)
        if self.cap is not None:
            try:
                object.__setattr__(self, "cap", whole_number("cap", self.cap, 1, MOST_CAP))
            except MssimError as error:
                raise StrategyError(f"AdaptiveAllocation: {error}") from None

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage, whose size is a mean over questions."""
        plan = _never_stop(self, allocate(budgets, 1), Vote.plurality(ties=self.ties))
        return (plan._replace(cap=self.cap or MOST_CAP),)


# Several models -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage(Strategy):
    """Right if any draw is right: pass@k. The ceiling of every rule that returns one of the drawn answers.

    Parameters
    ----------
    models : sequence of str
        Several models share the budget as in ModelSwitch.
    sizes : sequence of int, optional
        Most samples per model, in order until the budget is spent; default: equal shares.
    shares : sequence of float, optional
        Shares of the budget instead.
    """

    kind: ClassVar[str] = "cov"
    models: Sequence[str]
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_split(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that never stop and do not vote."""
        return (_never_stop(self, _allocate(self, budgets), None),)


@dataclass(frozen=True)
class Mixture(Strategy):
    """Draw from all models and vote; never stop early.

    With ``Vote.max_consistency()``, SLM-MUX (arXiv 2510.05077).

    Parameters
    ----------
    models : sequence of str
        Their order decides ties under "first".
    vote : Vote, default plurality
    sizes, shares
        As in `Coverage`.

    Examples
    --------
    >>> str(Mixture(["strong", "weak"], shares=(3, 1)))
    'mix:strong+weak,shares=3/1'
    """

    kind: ClassVar[str] = "mix"
    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_split(self)
        _set_vote(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that never stop."""
        return (_never_stop(self, _allocate(self, budgets), self.vote),)


@dataclass(frozen=True)
class ModelSwitch(Strategy):
    """Ask the models in turn until one agrees with itself, else let all draws vote (arXiv 2504.00762).

    Parameters
    ----------
    models : sequence of str
        In the order in which they are asked; the paper advises the strongest first. A model named again goes on with
        its draws: ``["strong", "strong"]`` is the control that switches to the same model (ESC as ModelSwitch).
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
    sizes, shares
        As in `Coverage`; default: ceil(budget / n) each, the remainder last.

    Examples
    --------
    >>> str(ModelSwitch(["strong", "weak"], agreement=0.8, vote=Vote.plurality()))
    'ms:strong+weak,agreement=0.8,vote=plurality'
    """

    kind: ClassVar[str] = "ms"
    models: Sequence[str]
    agreement: float = 1.0
    strict: bool = False
    on_agreement: str = "adopt"
    test_last: bool = True
    vote: Vote = field(default_factory=Vote.entropy)
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models, again=True)
        _set_split(self)
        _set_vote(self)
        check_threshold(self.agreement, self.strict)
        if not isinstance(self.test_last, bool):
            raise StrategyError(f"test_last={self.test_last!r}; give true or false")
        if self.on_agreement not in ("adopt", "pool"):
            raise StrategyError(
                f"on_agreement={self.on_agreement!r}; {choose_from(str(self.on_agreement), ['adopt', 'pool'])}"
            )

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that stop when they agree."""
        sizes = _allocate(self, budgets)
        need = votes_to_agree(sizes, self.agreement, strict=self.strict)
        if not self.test_last:
            _set_last(sizes, need, NEVER)
        return (Plan(self.models, sizes, need, self.vote, self.on_agreement == "adopt"),)


@dataclass(frozen=True)
class Cascade(Strategy):
    """Accept the first model that agrees with itself, else the last model's answer alone (arXiv 2310.03094).

    The consistency cascade: where ModelSwitch lets all draws vote, a cascade discards those of the models it did not
    accept. Every answer is a plurality of one model's draws.

    Parameters
    ----------
    models : sequence of str
        In the order in which they are asked; the cheap one first.
    agreement : float, default 1.0
        Share of the most frequent answer at which a model is accepted.
    strict : bool, default False
        Whether the share must exceed `agreement`.
    ties : {"first", "random", "wrong"}, default "first"
        See `Vote`.
    sizes, shares
        As in `Coverage`.

    Examples
    --------
    >>> str(Cascade(["weak", "strong"], agreement=0.6, sizes=(5, 1)))
    'cascade:weak+strong,agreement=0.6,sizes=5/1'
    """

    kind: ClassVar[str] = "cascade"
    models: Sequence[str]
    agreement: float = 1.0
    strict: bool = False
    ties: str = "first"
    sizes: Sequence[int] | None = None
    shares: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models, again=True)
        _set_split(self)
        Vote(ties=self.ties)
        check_threshold(self.agreement, self.strict)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return stages that stop when they agree, the last of which always stops."""
        sizes = _allocate(self, budgets)
        need = votes_to_agree(sizes, self.agreement, strict=self.strict)
        _set_last(sizes, need, FORCED)
        return (Plan(self.models, sizes, need, Vote.plurality(ties=self.ties), adopt=True),)


# Routers: one model per question, chosen before anything is drawn -----------------------------------------------------


@dataclass(frozen=True)
class RandomRouter(Strategy):
    """Send each question to one model, chosen at random, which spends the whole budget.

    The choice is averaged over, not drawn: the result is the mean of the models' `SelfConsistency`.

    Parameters
    ----------
    models : sequence of str
    shares : sequence of float, optional
        Chances of the models; default: equal.
    vote, stop
        As in `SelfConsistency`.
    """

    kind: ClassVar[str] = "random"
    models: Sequence[str]
    shares: Sequence[float] | None = None
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _set_shares(self)
        _alone(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in _alone(self) for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected]) -> Expected:
        """Return the mean over the models."""
        shares = np.array(self.shares or [1.0] * len(parts))
        chances = shares / shares.sum()
        return Expected(
            *(sum(c * x for c, x in zip(chances, values, strict=True)) for values in zip(*parts, strict=True))
        )


@dataclass(frozen=True)
class OracleRouter(Strategy):
    """Send each question to the model that is most often right on it: the ceiling of all routers.

    It knows what no router can: every model's accuracy on the question at this budget (ties: the cheaper model, then
    the earlier one). That is estimated from the recorded samples it is then scored on, so with few samples the ceiling
    is too high. A router chooses before anything is drawn; what could be chosen from the draws is `Coverage`.

    Parameters
    ----------
    models : sequence of str
    vote, stop
        As in `SelfConsistency`.
    """

    kind: ClassVar[str] = "oracle"
    models: Sequence[str]
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None

    def __post_init__(self) -> None:
        _set_models(self, self.models)
        _alone(self)

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in _alone(self) for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected]) -> Expected:
        """Return, per budget and question, the best model's result."""
        stacked = Expected(*(np.stack(values) for values in zip(*parts, strict=True)))
        best = stacked.accuracy >= stacked.accuracy.max(axis=0) - 1e-12
        chosen = np.where(best, np.nan_to_num(stacked.cost), np.inf).argmin(axis=0)
        return Expected(*(np.take_along_axis(values, chosen[None], axis=0)[0] for values in stacked))


def _alone(router: RandomRouter | OracleRouter) -> list[SelfConsistency]:
    """Each model on its own, as a router asks it."""
    return [SelfConsistency(model, router.vote, router.stop) for model in router.models]


# What the strategies share --------------------------------------------------------------------------------------------

_Split = Coverage | Mixture | ModelSwitch | Cascade


def _never_stop(strategy: Strategy, sizes: Ints, vote: Vote | None) -> Plan:
    return Plan(strategy.models, sizes, np.full_like(sizes, NEVER), vote)


def _allocate(strategy: _Split, budgets: Ints) -> Ints:
    return allocate(budgets, len(strategy.models), strategy.sizes, strategy.shares)


def _set_last(sizes: Ints, need: Ints, value: int) -> None:
    """Set what the last stage that draws needs, at every budget."""
    need[(sizes > 0).sum(axis=0) - 1, np.arange(sizes.shape[1])] = value


def _set_vote(strategy: SelfConsistency | Mixture | ModelSwitch) -> None:
    if not isinstance(strategy.vote, Vote):
        raise StrategyError(f"vote={strategy.vote!r}; give Vote.plurality() or another vote")
    object.__setattr__(strategy, "vote", strategy.vote.ordered(strategy.models))


def _set_models(strategy: Strategy, models: Sequence[str], *, again: bool = False) -> None:
    names = (models,) if isinstance(models, str) else tuple(models) if isinstance(models, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StrategyError(f"{type(strategy).__name__}: models={models!r}; give one or more names")
    if len(set(names)) < len(names) and not again:
        raise StrategyError(f"{type(strategy).__name__}: models={list(names)!r}; name each model once")
    object.__setattr__(strategy, "models", names)


def _set_split(strategy: _Split) -> None:
    """Check how the budget is split."""
    if strategy.sizes is not None and strategy.shares is not None:
        raise StrategyError(f"sizes={strategy.sizes!r} and shares={strategy.shares!r}; give one of the two")
    _set_shares(strategy)
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


def _set_shares(strategy: _Split | RandomRouter) -> None:
    shares = strategy.shares
    if shares is None:
        return
    given = tuple(shares) if isinstance(shares, Sequence) else ()
    if len(given) != len(strategy.models) or not all(is_number(s) and 0 < s < math.inf for s in given):
        raise StrategyError(f"shares={shares!r}; give one number above 0 for each of {list(strategy.models)}")
    object.__setattr__(strategy, "shares", tuple(float(s) for s in given))


# From text ------------------------------------------------------------------------------------------------------------

_KINDS: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        SelfConsistency,
        ModelSwitch,
        Cascade,
        Mixture,
        Coverage,
        RandomRouter,
        OracleRouter,
        AdaptiveAllocation,
    )
}


def parse_strategy(given: str | Mapping[str, Any] | Strategy) -> Strategy:
    """Read a strategy from one line of text, or from a mapping as in a TOML file.

    Parameters
    ----------
    given : str or mapping
        Text ``kind:model+model,option=value``, or a mapping with the keys kind, models and the options. Model names
        with "+" or "," need the mapping. Kinds: sc (SelfConsistency), ms (ModelSwitch), cascade (Cascade), mix
        (Mixture), cov (Coverage), random (RandomRouter), oracle (OracleRouter), alloc (AdaptiveAllocation).

        Options are the parameters of these classes: stop (beta:0.95, window:5, majority:0.8, entropy:0.75,
        evalue:0.05), agreement, strict, on_agreement, test_last, sizes (6/6/4), shares (2/1), cap, ties; and for vote=
        plurality, entropy, confidence, score_sum, best_of_n, max_consistency, shortest or majority_of_bests:
        normaliser, temperature, column, m, within, combine, prior (2/1 in the order of the models), ties.

    Raises
    ------
    StrategyError

    Examples
    --------
    >>> parse_strategy("ms:gpt-35-turbo+gpt-4,agreement=0.8,vote=plurality").agreement
    0.8
    >>> str(parse_strategy({"kind": "sc", "models": ["gpt-4"], "vote": "shortest", "m": 3}))
    'sc:gpt-4,vote=shortest,m=3'
    """
    if isinstance(given, Strategy):
        return given
    kind, models, options = split(given)
    if kind not in _KINDS:
        raise StrategyError(f"strategy {given!r}: kind {kind!r}; {choose_from(kind, _KINDS)}")
    cls = _KINDS[kind]
    one = cls in (SelfConsistency, AdaptiveAllocation)
    if one and len(models) != 1:
        raise StrategyError(
            f"strategy {given!r}: {cls.__name__} samples one model, given {models}; use mix for several"
        )
    try:
        built: Strategy = cls(models[0] if one else tuple(models), **read_options(cls, options))
    except StrategyError as error:
        raise StrategyError(f"strategy {given!r}: {error}") from None
    return built
