"""What the draws of replays spend: amounts of a block's samples for the kernels, and totals as outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mssim.engine.blocks import Block
from mssim.engine.rounds import batch_starts, joined_stages
from mssim.engine.shared_draws import paid_amounts, prefixes
from mssim.kernels.spending import N_BINS, Amounts, Spent, occupied
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES, Floats, Plan

__all__ = ["AmountsOfSamples", "BlockAmounts", "PoolAmounts"]

_LATENCY = QUANTITIES.index("latency")


class AmountsOfSamples(Protocol):
    """What `mssim.engine.amounts.Amounts` offers."""

    def of(self, quantity: str, model: str, max_tokens: int | None = None) -> Floats:
        """Return amounts, [question, sample]; NaN where unknown."""

    def fixed(self, quantity: str, model: str) -> Floats:
        """Return what each sample spends however early it ends, [question, sample]."""

    def unit(self, quantity: str, models: Sequence[str]) -> float:
        """Return the unit of a quantity."""


class BlockAmounts(NamedTuple):
    """Amounts of the samples of a block, for the quantities that are known for some of the pool's questions."""

    amounts: Amounts
    quantities: tuple[int, ...]  # in QUANTITIES
    units: tuple[float, ...]
    unknown: NDArray[np.bool_]  # [quantity, budget, question], whether a drawn model lacks amounts, which count as 0
    has_bins: NDArray[np.bool_]  # [quantity, budget], whether there is a histogram, as no question of the pool lacks it
    places: NDArray[np.int64]  # [budget], places of the budgets in the histogram of the first of QUANTITIES
    n_places: int  # of one quantity
    fixed: NDArray[np.int32]  # [quantity, question, sample], spent however early a sample ends; nothing if none does

    @property
    def bins(self) -> bool:
        """Whether any quantity has a histogram."""
        return bool(self.has_bins.any())

    def at(self, budgets: NDArray[np.int64]) -> BlockAmounts:
        """Return the amounts at some of the budgets."""
        return self._replace(
            amounts=self.amounts._replace(joins=self.amounts.joins[:, :, budgets]),
            unknown=self.unknown[:, budgets],
            has_bins=self.has_bins[:, budgets],
            places=self.places[budgets],
        )

    def outcome(self, spent: Spent) -> tuple[Floats, Floats]:
        """Return sums over replays, [quantity, budget, question], and the entries of the histogram."""
        totals = np.full((len(QUANTITIES), *spent.totals.shape[:0:-1]), np.nan)
        for k, quantity in enumerate(self.quantities):
            totals[quantity] = np.where(self.unknown[k], np.nan, spent.totals[k].T * self.units[k])
        if not self.bins:
            return totals, np.empty((0, 2))
        places = np.array(self.quantities)[:, None] * self.n_places + self.places
        return totals, np.asarray(occupied(spent, np.where(self.has_bins, places, -1)))


class PoolAmounts:
    """Amounts of the samples of a pool in units, from which blocks take theirs.

    models are those of all plans, whose largest amount fixes the unit of a quantity.
    """

    def __init__(
        self, pool: Pool, given: AmountsOfSamples, models: Sequence[str], *, parallel: int | None, bins: bool
    ) -> None:
        self._pool, self._given, self._models = pool, given, models
        self._parallel, self._bins = parallel, bins
        self._units: dict[str, float] = {}
        self._unknown: dict[tuple[str, str, int | None], NDArray[np.bool_]] = {}

    def of(self, plan: Plan, part: Plan, block: Block) -> BlockAmounts | None:
        """Return the amounts of a block, whose budgets of the plan are `part`; None if all are unknown."""
        stages = list(zip(plan.models, plan.max_tokens or (None,) * len(plan.models), strict=True))
        lacking = [self._lacking(name, stages, part.sizes > 0) for name in QUANTITIES]
        known = tuple(k for k, unknown in enumerate(lacking) if not unknown.all())
        if not known:
            return None
        starts, joins = batch_starts(part, self._parallel), joined_stages(part, self._parallel)
        by_quantity = [joins if k == _LATENCY else np.zeros_like(joins) for k in known]
        values = [self._values(QUANTITIES[k], stages, block) for k in known]
        if part.is_linked:  # blocks of such plans have one budget
            given = zip(values, by_quantity, strict=True)
            values = [paid_amounts(amounts, prefixes(part, joined[:, 0])) for amounts, joined in given]
        amounts = Amounts(
            np.stack(values),
            np.stack([starts if k == _LATENCY else np.ones_like(starts) for k in known]),
            np.stack(by_quantity),
        )
        return BlockAmounts(
            amounts,
            known,
            tuple(self._unit(QUANTITIES[k]) for k in known),
            np.stack([lacking[k][:, block.at] for k in known]),
            np.stack([~lacking[k].any(axis=1) & self._bins for k in known]),
            np.array(block.budgets) * N_BINS,
            plan.sizes.shape[1] * N_BINS,
            self._fixed(plan, [QUANTITIES[k] for k in known], block),
        )

    def _fixed(self, plan: Plan, quantities: Sequence[str], block: Block) -> NDArray[np.int32]:
        """Return what samples spend however early they end, in units; 0 where unknown."""
        if plan.online is None:
            return np.empty((0, 0, 0), np.int32)
        (model,) = plan.models
        found = [self._given.fixed(name, model)[block.at] / self._unit(name) for name in quantities]
        return np.rint(np.nan_to_num(np.stack(found))).astype(np.int32)

    def _unit(self, quantity: str) -> float:
        if quantity not in self._units:
            self._units[quantity] = self._given.unit(quantity, self._models)
        return self._units[quantity]

    def _lacking(
        self, quantity: str, stages: Sequence[tuple[str, int | None]], drawing: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return whether any drawing stage, [stage, budget], lacks amounts on a question, [budget, question]."""
        lacks = np.stack([self._lacks(quantity, *stage) for stage in stages])
        return np.asarray((drawing[:, :, None] & lacks[:, None]).any(axis=0))

    def _lacks(self, quantity: str, model: str, limit: int | None) -> NDArray[np.bool_]:
        """Return the questions for which the amount of a recorded sample is unknown."""
        key = quantity, model, limit
        if key not in self._unknown:
            recorded = self._pool.recorded_of(self._pool.model_index(model))
            lacking = np.isnan(self._given.of(quantity, model, limit)) & recorded
            self._unknown[key] = np.asarray(lacking.any(axis=1))
        return self._unknown[key]

    def _values(self, quantity: str, stages: Sequence[tuple[str, int | None]], block: Block) -> NDArray[np.int32]:
        """Return amounts in units, [stage, question, sample]; 0 where unknown.

        Samples that were not recorded have the largest amount, which costs no bins of a histogram.
        """
        found = {}
        for model, limit in dict.fromkeys(stages):
            recorded = self._pool.recorded_of(self._pool.model_index(model))[block.at]
            amounts = self._given.of(quantity, model, limit)[block.at] / self._unit(quantity)
            amounts = np.where(np.isnan(amounts), 0.0, amounts)
            amounts = np.where(recorded, amounts, amounts.max(initial=0.0, where=recorded))
            found[model, limit] = np.rint(amounts).astype(np.int32)
        return np.stack([found[stage] for stage in stages])
