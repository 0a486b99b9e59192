"""Settings of an evaluation, their validation, and the assembly of results."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, is_number, shown, whole_number
from mssim._version import __version__
from mssim.engine.blocks import Outcome
from mssim.engine.budgets import Limit, Strategies, name_strategies, own_budgets, read_asked, read_budgets, union_of
from mssim.engine.exact import obstacles
from mssim.engine.left_out import expected_of
from mssim.engine.requirements import check_columns, check_own, check_plan, check_recorded
from mssim.errors import MssimError, StrategyError
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.rules.base import Strategy
from mssim.rules.plan import Expected, Plan

__all__ = ["Job", "Strategies", "name_strategies", "read_budgets", "read_job"]

_HIGHEST_PRICE = 1e100  # sums of costs remain finite
_METHODS = ("auto", "exact", "monte_carlo")


@dataclass(frozen=True)
class Job:
    """Settings of an evaluation; see `evaluate`."""

    strategies: Mapping[str, Strategy]  # by name in results
    budgets: NDArray[np.int64]  # of all strategies
    method: str
    n_replays: int
    seed: int
    replacement: bool
    prices: Mapping[str, float] | None
    own: Mapping[str, NDArray[np.int64]]  # budgets of every strategy
    limits: Mapping[str, tuple[Limit, ...]]  # cost budgets that `mssim.engine.cost_budgets` has not resolved yet

    @cached_property
    def per_strategy(self) -> list[tuple[Plan, ...]]:
        """Plans of every strategy at its own budgets."""
        return [strategy.plans(self.own[name]) for name, strategy in self.strategies.items()]

    def on_grid(self, values: Sequence[NDArray[Any]], missing: float = np.nan) -> NDArray[Any]:
        """Return values of every strategy at its own budgets as one array, [strategy, budget of the job, ...]."""
        grid = np.full((len(values), self.budgets.size, *values[0].shape[1:]), missing, dtype=values[0].dtype)
        for row, name, own in zip(grid, self.strategies, values, strict=True):
            row[np.searchsorted(self.budgets, self.own[name])] = own
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

    def _closed(self, name: str, plan: Plan) -> NDArray[np.bool_]:
        if self.method == "monte_carlo":
            return np.zeros(plan.sizes.shape[1], dtype=bool)
        reasons = obstacles(plan, quick=self.method == "auto")
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
        for name, plan in zip(self.names, self.plans, strict=True):
            check_recorded(pool, name, plan, self.own[name], self.replacement, plans=self.plans)
            check_columns(pool, name, plan)
            check_own(name, plan)
        _check_prices(self.prices, self.models)
        _ = self.closed  # raises for method "exact" if there is no closed form

    def unit_costs(self, pool: Pool) -> NDArray[np.float64]:
        """Return the expected cost of one sample, [model, question], in the order of `models`.

        The number of samples of a stage does not depend on its draws, so its expected cost is that number times the
        mean recorded cost.
        """
        shape = (len(self.models), len(pool.questions))
        if self.prices is not None:
            return np.array([np.full(shape[1], float(self.prices[model])) for model in self.models])
        if "cost" not in pool.numbers:
            return np.full(shape, np.nan)
        costs = np.empty(shape)
        for i, model in enumerate(self.models):
            row = pool.model_index(model)
            recorded = np.where(pool.recorded_of(row), pool.numbers["cost"][row], 0)
            costs[i] = recorded.sum(axis=1) / np.maximum(pool.lengths[row], 1)
        return costs

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
            "replacement": self.replacement,
            "prices": None if self.prices is None else {model: float(price) for model, price in self.prices.items()},
            "strategies": {name: str(strategy) for name, strategy in self.strategies.items()},
            "pool": {"fingerprint": pool.fingerprint, "repr": repr(pool), **cited},
        }

    def evaluation(
        self,
        outcomes: Sequence[Outcome],
        unit_costs: NDArray[np.float64],
        questions: pd.DataFrame,
        provenance: Mapping[str, Any],
    ) -> Evaluation:
        """Return the result, given the outcomes of all plans."""
        place = {model: i for i, model in enumerate(self.models)}
        expected = []
        for plan, outcome in zip(self.plans, outcomes, strict=True):
            expected.append(expected_of(outcome, unit_costs[[place[model] for model in plan.models]]))
        parts, closed = iter(expected), iter(self.closed)
        results, all_closed = [], []
        for strategy, group in zip(self.strategies.values(), self.per_strategy, strict=True):
            results.append(strategy.combine([next(parts) for _ in group]))
            all_closed.append(np.logical_and.reduce([next(closed) for _ in group]))
        values: dict[str, Any] = {
            name: self.on_grid([getattr(result, name) for result in results]) for name in Expected._fields
        }
        return Evaluation(
            strategies=tuple(self.strategies),
            budgets=self.budgets,
            questions=questions,
            **values,
            n_replays=self.on_grid([np.where(closed, 0, self.n_replays) for closed in all_closed], missing=0),
            provenance=provenance,
        )


# Reading settings -----------------------------------------------------------------------------------------------------


def read_job(
    strategies: Strategies,
    budgets: ArrayLike | None,
    *,
    method: str,
    n_replays: int,
    seed: int,
    replacement: bool,
    prices: Mapping[str, float] | None = None,
    pool: Pool | None = None,
) -> Job:
    """Validate the settings of `evaluate`. The models of the pool tell which names lack quotes or contain "@"."""
    asked = read_asked(strategies, pool)
    own = own_budgets(asked, budgets)
    if not isinstance(method, str) or method not in _METHODS:
        raise MssimError(f"method={shown(method)} is not valid. {choose_from(str(method), _METHODS)}.")
    replays = whole_number("n_replays", n_replays, 1, 2**31)
    start = whole_number("seed", seed, 0, 2**64 - 1)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={shown(replacement)} is not a bool. Use True or False.")
    return Job(
        {name: one.strategy for name, one in asked.items()},
        union_of(own),
        method,
        replays,
        start,
        bool(replacement),
        _read_prices(prices),
        own=own,
        limits={name: one.own.limits for name, one in asked.items() if one.own.limits},
    )


def _read_prices(prices: Mapping[str, float] | None) -> dict[str, float] | None:
    try:
        return None if prices is None else dict(prices)
    except (TypeError, ValueError):
        message = f"prices={shown(prices)} does not map models to prices. Pass e.g. {{'gpt-4': 0.01}}."
        raise MssimError(message) from None


def _check_prices(prices: Mapping[str, float] | None, models: Sequence[str]) -> None:
    if prices is None:
        return
    wanted = sorted(models)
    lacking = sorted(set(wanted) - set(prices))
    if lacking:
        raise MssimError(f"prices: model {lacking[0]!r} has no price. Set the price of a sample for each of {wanted}.")
    for model, price in prices.items():
        if not is_number(price) or not 0 <= price <= _HIGHEST_PRICE:
            raise MssimError(
                f"prices: {shown(price)} of model {model!r} is not a price. Use a non-negative number per sample, at "
                f"most {_HIGHEST_PRICE:g}."
            )
