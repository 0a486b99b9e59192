"""What a report is about: a pool, strategies tuned within limits of what is known, and the choice that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._drawing import short_name
from mssim._validation import level
from mssim.engine.amounts import Amounts, PricesLike, read_prices_of
from mssim.errors import BudgetError, PoolError
from mssim.pools.pool import Pool
from mssim.report.wording import Quantity, quantity_of
from mssim.rules.base import Strategy
from mssim.rules.parsing import parse_strategy
from mssim.rules.plan import QUANTITIES
from mssim.rules.strategies import SelfConsistency
from mssim.tuning._tune import Tuning, replays_or_default, tune_each
from mssim.tuning.choice import accuracy_noise
from mssim.tuning.grid import grid

__all__ = ["Candidate", "Study", "make_study"]

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

LIMITS = (1, 2, 4, 8, 16, 32, 64, 128)  # samples used per question
MOST_COMBINED = 3  # models that are combined by default: the strongest
_STAND = 16  # samples used per question, the limit that the page shows first


@dataclass(frozen=True)
class Candidate:
    """A strategy at a budget, and what it reaches on each question."""

    strategy: str
    budget: int
    accuracy: Floats  # [question]
    spend: Floats  # [question]
    mc_variance: Floats  # [question], of the accuracy, positive unless it is exact


@dataclass(frozen=True, eq=False)
class Study:
    """A pool and its tuned strategies.

    Attributes
    ----------
    pool : Pool
        The pool with the models that take part.
    left_out : mapping of str to str
        Models and rules that do not take part, with the reason.
    combined : tuple of str
        Models that strategies combine, the strongest first.
    tunings : mapping of str to Tuning
        One per quantity whose spend is known, "samples_used" first.
    confidence_level, clusters, seed, n_replays, mc_error
        As in `mssim.report.make_report`.
    currency : str or None
        Unit of money.
    """

    pool: Pool
    left_out: Mapping[str, str]
    combined: tuple[str, ...]
    tunings: Mapping[str, Tuning]
    confidence_level: float
    clusters: str | None
    seed: int
    n_replays: int | None
    mc_error: float | None
    currency: str | None

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Quantities whose spend is known, and how they are written."""
        return [
            quantity_of(name, float(one.frontier()["spend"].max()), self.currency) for name, one in self.tunings.items()
        ]

    def quantity(self, unit: str) -> Quantity:
        """Return how a quantity is written."""
        return next(one for one in self.quantities if one.key == unit)

    @cached_property
    def _names(self) -> dict[str, str]:
        names = dict.fromkeys([*self.pool.models, *(name for one in self.tunings.values() for name in one.strategies)])
        shown: dict[str, str] = {}
        for name in names:
            label, n = short_name(name), 1
            while label in shown.values():
                n += 1
                label = f"{short_name(name)} ({n})"
            shown[name] = label
        return shown

    def label(self, name: str) -> str:
        """Return the name of a model or a strategy as one short line, different from all others."""
        return self._names.get(name) or short_name(name)  # what was fitted need not be a candidate

    @property
    def labels(self) -> NDArray[Any] | None:
        """Cluster label of each question; None if all questions are independent."""
        return next(iter(self.tunings.values())).clusters

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The choices within each limit, by quantity; see `Tuning.to_frame`."""
        return {unit: one.to_frame(confidence_level=self.confidence_level) for unit, one in self.tunings.items()}

    def shown_first(self, unit: str) -> int:
        """Return the limit that the page shows first, by its position: about 16 samples, else the middle."""
        limits = self.tunings[unit].limits
        if unit == "samples_used":
            return int(np.flatnonzero(limits <= max(_STAND, limits[0])).max())
        return int(limits.size // 2)

    def candidate(self, unit: str, strategy: str, budget: int) -> Candidate:
        """Return a candidate as fitted to all questions."""
        tuning = self.tunings[unit]
        names, usable = np.array(tuning.strategies, dtype=object), tuning.usable[:, -1]
        row = int(np.flatnonzero((names == strategy) & (tuning.budgets == budget) & usable)[0])
        variance = accuracy_noise(tuning.mc_variance[row], tuning.n_replays[row])
        return Candidate(strategy, budget, tuning.accuracy[row], tuning.spend[row], variance)

    def chosen(self, unit: str, limit: int) -> Candidate:
        """Return the choice on all questions within a limit, given by its position."""
        row = self.frames[unit].iloc[limit]
        return self.candidate(unit, row["strategy"], int(row["budget"]))

    def rival(self, unit: str, limit: int) -> Candidate | None:
        """Return what the choice is compared with: the best single model or, if it is the choice, the best other.

        Both are the most accurate within the limit on all questions; None if there is no other.
        """
        row = self.frames[unit].iloc[limit]
        if not pd.isna(row["control"]) and (row["control"], row["control_budget"]) != (row["strategy"], row["budget"]):
            return self.candidate(unit, row["control"], int(row["control_budget"]))
        every = self.tunings[unit].candidates()
        others = every[(every["spend"] <= row["limit"] * (1 + 1e-9)) & (every["strategy"] != row["strategy"])]
        if not len(others):
            return None
        best = others.loc[others["in_sample"].idxmax()]
        return self.candidate(unit, best["strategy"], int(best["budget"]))

    def shown_pair(self) -> tuple[Candidate, Candidate | None]:
        """Return the choice that the page shows first, and its rival, which the page compares by question."""
        unit = "samples_used"
        first = self.shown_first(unit)
        return self.chosen(unit, first), self.rival(unit, first)


def make_study(
    pool: Pool,
    *,
    models: Sequence[str] | None = None,
    strategies: Sequence[str | Strategy] | None = None,
    families: str | Sequence[str] | None = None,
    budgets: ArrayLike | None = None,
    limits: ArrayLike | None = None,
    prices: PricesLike | None = None,
    tokens: str = "all",
    clusters: str | None = None,
    confidence_level: float = 0.95,
    n_replays: int | None = None,
    mc_error: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Study:
    """Tune strategies within limits of every quantity that is known; see `mssim.report.make_report`.

    Examples
    --------
    >>> from mssim import load_pool
    >>> study = make_study(load_pool("recorded/llm-products"), models=["gemma"], budgets=[1, 4], n_replays=100)
    >>> [one.key for one in study.quantities], study.chosen("samples_used", 1).strategy
    (['samples_used', 'tokens'], 'sc:gemma')
    """
    confidence_level = level(confidence_level)
    part, left_out = _complete(pool, models)
    combined = tuple(_strongest(part)[: MOST_COMBINED if models is None else None])
    named = _named(part, combined, strategies, families)
    read = read_prices_of(prices)
    known = _known(part, read, tokens)
    n_replays, mc_error = replays_or_default(n_replays, mc_error)
    try:
        tunings = tune_each(
            part,
            named,
            budgets,
            families=families,
            limits={"samples_used": _samples(part, named, limits), **dict.fromkeys(known)},
            n_replays=n_replays,
            mc_error=mc_error,
            seed=seed,
            prices=read,
            tokens=tokens,
            clusters=clusters,
            progress=progress,
        )
    except BudgetError as error:
        raise BudgetError(str(error).replace(", or replacement=True", "")) from None  # which a report does not have
    return Study(
        pool=part,
        left_out=left_out | dict(next(iter(tunings.values())).left_out),
        combined=combined,
        tunings=tunings,
        confidence_level=confidence_level,
        clusters=clusters,
        seed=seed,
        n_replays=n_replays,
        mc_error=mc_error,
        currency=getattr(read, "currency", None),
    )


def _complete(pool: Pool, models: Sequence[str] | None) -> tuple[Pool, dict[str, str]]:
    """Return the pool with the models that have samples of all questions, and why the others are left out."""
    if models is not None:
        return pool.select(models=models), {}
    empty = (pool.lengths == 0).sum(axis=1)
    kept = [model for model, n in zip(pool.models, empty, strict=True) if n == 0]
    if not kept:
        raise PoolError(
            f"every model lacks samples of some questions; {pool.models[0]!r} of {empty[0]} of {len(pool.questions)}. "
            "Select questions that all models answered with min_samples=1."
        )
    left_out = {
        model: f"it has no samples of {n} of {len(pool.questions)} questions"
        for model, n in zip(pool.models, empty, strict=True)
        if n
    }
    return (pool.select(models=kept) if left_out else pool), left_out


def _strongest(pool: Pool) -> list[str]:
    """Return the models by the accuracy of a single sample, the strongest first."""
    described = pool.describe().sort_values("accuracy", ascending=False, kind="stable")
    return [str(name) for name in described["model"]]


def _named(
    pool: Pool,
    combined: Sequence[str],
    strategies: Sequence[str | Strategy] | None,
    families: str | Sequence[str] | None,
) -> list[str | Strategy]:
    """Return every single model and the given strategies, by default ModelSwitch and mixtures of pairs of models."""
    singles: list[str | Strategy] = [SelfConsistency(model) for model in pool.models]
    if strategies is not None:
        texts = {str(parse_strategy(one)) if isinstance(one, str) else str(one) for one in strategies}
        return [*strategies, *(one for one in singles if str(one) not in texts)]
    if families is not None or len(combined) < 2:
        return singles
    return [*singles, *grid(combined, n_models=(2,))]


def _samples(pool: Pool, named: Sequence[str | Strategy], limits: ArrayLike | None) -> ArrayLike | None:
    """Return limits of the samples used per question: the given ones, else powers of two, as far as recorded."""
    if limits is not None:
        return limits
    most = int(pool.lengths.min()) * max(1, min(2, len(pool.models)) if len(named) > len(pool.models) else 1)
    return [step for step in LIMITS if step <= most] or None  # without samples, tuning names what is missing


def _known(pool: Pool, prices: Any, tokens: str) -> list[str]:
    """Return the quantities that are known for every sample of every model."""
    amounts = Amounts(pool, prices=prices, tokens=tokens)
    amounts.check(pool.models)
    return [one for one in QUANTITIES if amounts.unknown(one, pool.models) is None and _varies(amounts, one, pool)]


def _varies(amounts: Amounts, quantity: str, pool: Pool) -> bool:
    """Return whether any sample spends anything; limits of zero would mean nothing."""
    return any(np.nanmax(amounts.of(quantity, model), initial=0.0) > 0 for model in pool.models)
