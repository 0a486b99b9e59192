"""Settings of an evaluation, their validation, and the assembly of results."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numba
import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, is_number, shown, whole_number
from mssim._version import __version__
from mssim.engine.amounts import TOKENS, Amounts, PricesLike, describe_prices, read_prices_of
from mssim.engine.budgets import Limit, Strategies, name_strategies, own_budgets, read_asked, read_budgets, union_of
from mssim.engine.bundles import shares_replays
from mssim.engine.estimates import Estimate, binomial_variance, fewest_replays
from mssim.engine.exact import MOST_CELLS, QUICK_CELLS, obstacles
from mssim.engine.left_out import expected_of
from mssim.engine.requirements import (
    check_columns,
    check_learning,
    check_own,
    check_plan,
    check_questions,
    check_recorded,
)
from mssim.engine.shared_draws import check_amounts, check_groups, check_linked, with_orders
from mssim.errors import MssimError, PoolError, StrategyError
from mssim.pools.pool import Pool
from mssim.prices import Prices
from mssim.results.evaluation import Evaluation
from mssim.results.spread import Histogram, Spread
from mssim.rules.base import Strategy
from mssim.rules.plan import Expected, Plan

__all__ = ["SETTINGS", "Job", "Strategies", "name_strategies", "read_budgets", "read_job"]

# Settings apart from strategies and budgets, as in provenance and in the headers of checkpoints.
SETTINGS = (
    "method",
    "n_replays",
    "mc_error",
    "seed",
    "replacement",
    "prices",
    "tokens",
    "parallel",
    "quantiles",
    "shares_draws",
)
_METHODS = ("auto", "exact", "monte_carlo")
DEFAULT_ERROR, DEFAULT_REPLAYS = 1e-4, 10_000
_LEAST_ERROR, _MOST_REPLAYS = 1e-5, 2**31
_SHARED_CELLS = 1000  # see Job.quick_cells


@dataclass(frozen=True)
class Job:
    """Settings of an evaluation; see `evaluate`."""

    strategies: Mapping[str, Strategy]  # by name in results
    budgets: NDArray[np.int64]  # of all strategies
    method: str
    n_replays: int
    seed: int
    replacement: bool
    prices: Prices | Mapping[str, float] | None
    tokens: str = "all"
    parallel: int | None = None
    quantiles: bool = False
    shares_draws: tuple[tuple[str, ...], ...] = ()
    mc_error: float | None = field(default=None, kw_only=True)  # None: every question has n_replays
    own: Mapping[str, NDArray[np.int64]] = field(kw_only=True)  # budgets of every strategy
    limits: Mapping[str, tuple[Limit, ...]] = field(kw_only=True)  # cost budgets, until `resolve_limits` replaces them

    @cached_property
    def per_strategy(self) -> list[tuple[Plan, ...]]:
        """Plans of every strategy at its own budgets."""
        return [
            tuple(with_orders(plan, self.shares_draws) for plan in strategy.plans(self.own[name]))
            for name, strategy in self.strategies.items()
        ]

    @property
    def places(self) -> list[NDArray[np.int64]]:
        """Indices of the budgets of every strategy among those of the job."""
        return [np.searchsorted(self.budgets, self.own[name]) for name in self.strategies]

    def on_grid(self, values: Sequence[NDArray[Any]], missing: float = np.nan) -> NDArray[Any]:
        """Return values of every strategy at its own budgets as one array, [strategy, budget of the job, ...]."""
        grid = np.full((len(values), self.budgets.size, *values[0].shape[1:]), missing, dtype=values[0].dtype)
        for row, places, own in zip(grid, self.places, values, strict=True):
            row[places] = own
        return grid

    @cached_property
    def plans(self) -> list[Plan]:
        """Plans of all strategies, in order."""
        return [plan for group in self.per_strategy for plan in group]

    @cached_property
    def names(self) -> list[str]:
        """Names of the strategies of all plans."""
        return [name for name, group in zip(self.strategies, self.per_strategy, strict=True) for _ in group]

    @cached_property
    def closed(self) -> list[NDArray[np.bool_]]:
        """Whether the accuracy of each plan is computed in closed form, [budget]."""
        return [self._closed(name, plan) for name, plan in zip(self.names, self.plans, strict=True)]

    @cached_property
    def quick_cells(self) -> int:
        """Combinations of draws of several models up to which a closed form is about as fast as replays.

        Strategies of several models share the draws of their replays, so with many of them replays are faster.
        """
        n_sharing = sum(map(shares_replays, self.plans))
        return min(QUICK_CELLS, _SHARED_CELLS // max(1, n_sharing))

    def _closed(self, name: str, plan: Plan) -> NDArray[np.bool_]:
        if self.method == "monte_carlo":
            return np.zeros(plan.sizes.shape[1], dtype=bool)
        reasons = obstacles(plan, most_cells=self.quick_cells if self.method == "auto" else MOST_CELLS)
        if self.method == "exact":
            for budget, reason in zip(self.own[name], reasons, strict=True):
                if reason is not None:
                    raise StrategyError(
                        f"{name}: method='exact' is not available at budget {budget}: {reason}. Use method='auto' or "
                        "method='monte_carlo'."
                    )
        return np.array([reason is None for reason in reasons])

    @cached_property
    def models(self) -> list[str]:
        """Models of all plans."""
        return list(dict.fromkeys(model for plan in self.plans for model in plan.models))

    def check(self, pool: Pool) -> None:
        """Raise if the pool does not have the samples or columns that the strategies need."""
        if not isinstance(pool, Pool):
            raise MssimError(f"pool={shown(pool)} is not a Pool. Pass the pool that load_pool(path) returns.")
        for name, plan in zip(self.names, self.plans, strict=True):
            check_plan(name, plan, self.own[name])
        check_groups(pool, self.shares_draws)
        for name, plan in zip(self.names, self.plans, strict=True):
            check_recorded(pool, name, plan, self.own[name], self.replacement, plans=self.plans)
            check_columns(pool, name, plan)
            check_learning(pool, name, plan)
            check_linked(name, plan, self.own[name], self.shares_draws)
            check_own(name, plan)
        amounts = self.amounts(pool)
        amounts.check(self.models)
        self._check_strategies(pool, amounts)
        check_amounts(pool, amounts, self.plans)
        _ = self.closed  # raises for method "exact" if there is no closed form

    def _check_strategies(self, pool: Pool, amounts: Amounts) -> None:
        """Raise if the questions or samples lack what a strategy needs to combine the results of its plans."""
        for (name, strategy), plans in zip(self.strategies.items(), self.per_strategy, strict=True):
            check_questions(pool, name, strategy)
            for plan in plans if strategy.needs_cost else ():
                reason = amounts.unknown("cost", plan.models, plan.max_tokens)
                if reason is not None:
                    raise PoolError(f"{name} requires the cost of every sample. {reason}")

    def amounts(self, pool: Pool) -> Amounts:
        """Return what the samples of a pool spend."""
        kept = self.__dict__.get("_amounts")  # of the pool of the last call, kept as cached_property keeps values
        if kept is None or kept[0] is not pool:
            parts = any(plan.online is not None for plan in self.plans)
            given = Amounts(pool, prices=self.prices, tokens=self.tokens, parts=parts)
            kept = self.__dict__["_amounts"] = pool, given
        found: Amounts = kept[1]
        return found

    def provenance(self, pool: Pool) -> dict[str, Any]:
        """Return all information required to reproduce the results."""
        cited = {name: pool.info[name] for name in ("title", "source", "licence", "synthetic") if name in pool.info}
        return {
            "mssim": __version__,
            "numpy": np.__version__,
            "numba": numba.__version__,
            "scipy": scipy.__version__,
            "python": platform.python_version(),
            "method": self.method,
            "seed": self.seed,
            "n_replays": self.n_replays,
            "mc_error": self.mc_error,
            "replacement": self.replacement,
            "prices": describe_prices(self.prices),
            "tokens": self.tokens,
            "parallel": self.parallel,
            "quantiles": self.quantiles,
            "shares_draws": [list(group) for group in self.shares_draws],
            "strategies": {name: str(strategy) for name, strategy in self.strategies.items()},
            "pool": {"fingerprint": pool.fingerprint, "repr": repr(pool), **cited},
        }

    def evaluation(
        self,
        found: Sequence[Estimate],
        questions: pd.DataFrame,
        provenance: Mapping[str, Any],
        *,
        histograms: Sequence[Histogram] = (),
        units: Sequence[float] = (),
    ) -> Evaluation:
        """Return the result, given the estimates and the histograms of all plans."""
        rest = iter(found)
        results, replays, variances = [], [], []
        for strategy, group in zip(self.strategies.values(), self.per_strategy, strict=True):
            parts = [next(rest) for _ in group]
            results.append(strategy.combine([expected_of(part.outcome) for part in parts], questions))
            replays.append(fewest_replays(parts))
            alone = parts[0].variance if len(parts) == 1 else None
            variances.append(binomial_variance(results[-1].accuracy, replays[-1]) if alone is None else alone)
        values: dict[str, Any] = {
            name: self.on_grid([getattr(result, name) for result in results]) for name in Expected._fields
        }
        return Evaluation(
            strategies=tuple(self.strategies),
            budgets=self.budgets,
            questions=questions,
            **values,
            n_replays=self.on_grid(replays, missing=0),
            mc_variance=self.on_grid(variances),
            provenance=provenance,
            spread=self._spread(histograms, units, len(questions)) if self.quantiles and histograms else None,
        )

    def _spread(self, histograms: Sequence[Histogram], units: Sequence[float], n_questions: int) -> Spread:
        rest = iter(histograms)
        mixed: list[tuple[Sequence[float], Sequence[Histogram]] | None] = []
        for strategy, plans in zip(self.strategies.values(), self.per_strategy, strict=True):
            of_plans, chances = [next(rest) for _ in plans], strategy.chances()
            mixed.append(None if chances is None else (chances, of_plans))
        n_totals = n_questions * self.n_replays
        return Spread.from_histograms(mixed, self.budgets.size, units=units, n_totals=n_totals, budgets=self.places)


# Reading settings -----------------------------------------------------------------------------------------------------


def read_job(
    strategies: Strategies,
    budgets: ArrayLike | None,
    *,
    method: str,
    n_replays: int | None,
    seed: int,
    replacement: bool,
    mc_error: float | None = None,
    prices: PricesLike | None = None,
    tokens: str = "all",
    parallel: int | None = None,
    quantiles: bool = False,
    shares_draws: Sequence[Sequence[str]] = (),
    pool: Pool | None = None,
) -> Job:
    """Validate the settings of `evaluate`. The models of the pool tell which names lack quotes or contain "@"."""
    asked = read_asked(strategies, pool)
    own = own_budgets(asked, budgets)
    if not isinstance(method, str) or method not in _METHODS:
        raise MssimError(f"method={shown(method)} is not valid. {choose_from(str(method), _METHODS)}.")
    replays, error = _read_replays(n_replays, mc_error, quantiles)
    start = whole_number("seed", seed, 0, 2**64 - 1)
    for name, given in (("replacement", replacement), ("quantiles", quantiles)):
        if not isinstance(given, bool | np.bool_):
            raise MssimError(f"{name}={shown(given)} is not a bool. Use True or False.")
    if not isinstance(tokens, str) or tokens not in TOKENS:
        raise MssimError(f"tokens={shown(tokens)} is not valid. {choose_from(str(tokens), TOKENS)}.")
    at_once = None if parallel is None else whole_number("parallel", parallel, 1, 2**31)
    return Job(
        {name: one.strategy for name, one in asked.items()},
        union_of(own),
        method,
        replays,
        start,
        bool(replacement),
        read_prices_of(prices),
        tokens,
        at_once,
        bool(quantiles),
        read_groups(shares_draws),
        mc_error=error,
        own=own,
        limits={name: one.own.limits for name, one in asked.items() if one.own.limits},
    )


def _read_replays(n_replays: int | None, mc_error: float | None, quantiles: bool) -> tuple[int, float | None]:
    """Return the most replays of a question, and the Monte Carlo error at which fewer are enough, if any."""
    most = None if n_replays is None else whole_number("n_replays", n_replays, 1, _MOST_REPLAYS)
    if mc_error is None:
        # Quantiles are over the replays of all questions, which then count equally.
        return (most, None) if most else (DEFAULT_REPLAYS, None if quantiles else DEFAULT_ERROR)
    if not is_number(mc_error) or not _LEAST_ERROR <= mc_error <= 0.5:
        raise MssimError(
            f"mc_error={shown(mc_error)} is not a number from {_LEAST_ERROR:g} to 0.5. Use e.g. mc_error=1e-4, a "
            "hundredth of a percentage point."
        )
    if quantiles:
        raise MssimError(
            "mc_error: quantiles need equally many replays of every question. Use n_replays= without mc_error=."
        )
    return most or _MOST_REPLAYS, float(mc_error)


def read_groups(shares_draws: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return groups of models that are drawn together.

    Examples
    --------
    >>> read_groups([["round 1", "round 2"]])
    (('round 1', 'round 2'),)
    """
    if isinstance(shares_draws, str | Mapping) or not isinstance(shares_draws, Iterable):
        raise MssimError(
            f"shares_draws={shown(shares_draws)} is not a list of groups. Use e.g. shares_draws=[['A', 'B']]."
        )
    groups = []
    for given in shares_draws:
        group = () if isinstance(given, str | Mapping) or not isinstance(given, Iterable) else tuple(given)
        if not all(isinstance(model, str) for model in group) or len(set(group)) < max(len(group), 2):
            raise MssimError(
                f"shares_draws: {shown(given)} is not a group of at least two different models. Use e.g. "
                "shares_draws=[['A', 'B']]."
            )
        groups.append(group)
    models = [model for group in groups for model in group]
    for model in models:
        if models.count(model) > 1:
            raise MssimError(f"shares_draws: model {model!r} is in two groups. Use one group for all models of a run.")
    return tuple(groups)
