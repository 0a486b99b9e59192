"""Cost (T4): how many samples switching uses, with models that agree independently and with the true joint."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mssim.engine.exact import Floats
from mssim.errors import MssimError
from mssim.pools.pool import Pool
from mssim.rules.strategies import ModelSwitch
from mssim.theory.pool_facts import stages_of

__all__ = ["cost", "expected_samples"]


def expected_samples(agreement: ArrayLike, sizes: ArrayLike) -> Floats:
    """Samples that switching uses if models agree independently of each other.

    Parameters
    ----------
    agreement : array_like, shape (..., n_models)
        Chance that each model agrees with itself, in the order in which they are asked. That of the last model plays no
        part.
    sizes : array_like of int, broadcast to the same shape
        Draws of each model.

    Returns
    -------
    ndarray of float64, shape (...)
        sum_i K_i prod_{j<i} (1 - c_j).

    Raises
    ------
    MssimError
        If shapes do not broadcast, or a chance is not between 0 and 1.

    Notes
    -----
    Given the question models do draw independently, so this is exact question by question. Of mean rates over
    questions it is exact for two models only: with more, questions that are hard for all models make it too small.
    For n equal models it is B (1 - (1 - c)^n) / (n c), at most B / (n c), the bound of arXiv 2504.00762; for two models
    B (1 - c_1 / 2), so that switching never saves more than half.

    Examples
    --------
    >>> expected_samples([0.75, 0.5, 0.5], 4)
    np.float64(5.5)
    """
    rates, draws = np.asarray(agreement, dtype=float), np.asarray(sizes, dtype=float)
    if rates.ndim == 0 or not ((rates >= 0) & (rates <= 1)).all():
        raise MssimError(f"agreement={agreement!r:.80}; give chances from 0 to 1, one per model on the last axis")
    try:
        rates, draws = np.broadcast_arrays(rates, draws)
    except ValueError:
        raise MssimError(
            f"agreement has shape {rates.shape}, sizes has shape {draws.shape}; give one size per model"
        ) from None
    reached = np.concatenate([np.ones_like(rates[..., :1]), np.cumprod(1 - rates[..., :-1], axis=-1)], axis=-1)
    return np.asarray((draws * reached).sum(axis=-1))[()]


def cost(pool: Pool, strategy: str | ModelSwitch, budgets: ArrayLike, *, replacement: bool = False) -> pd.DataFrame:
    """Say what ModelSwitch saves, and what one would expect from agreement rates alone.

    Parameters
    ----------
    pool : Pool
    strategy : ModelSwitch, or its text
    budgets : int or sequence of int
    replacement : bool, default False
        As in `evaluate`.

    Returns
    -------
    DataFrame
        strategy, budget; samples_used (mean over questions of the product of chances, exact); samples_used_independent
        (the same formula of the mean rates); bound (the paper's B / (n c), c the mean rate of the models that are
        tested; NaN where models draw unequally); saving, saving_independent (1 - samples used / samples drawn without
        stopping); agreement (mean rate of the first model); n_questions.

    Raises
    ------
    StrategyError
        If it is no ModelSwitch, or a model has several turns without replacement.
    BudgetError
        If more is asked for than was recorded, or more than 1024 samples of one model.

    Notes
    -----
    The bound holds for equal rates that are independent over questions; neither is so in general, see
    `expected_samples`.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import cost
    >>> pool = load_pool("recorded/tiny-arithmetic")
    >>> frame = cost(pool, "ms:tf-plus+lstm-times+tf-even", [6, 12, 24])
    >>> frame[["budget", "samples_used", "samples_used_independent", "bound", "saving"]].round(2)
       budget  samples_used  samples_used_independent  bound  saving
    0       6          3.64                      3.54   4.22    0.39
    1      12          8.51                      8.33  12.27    0.29
    2      24         18.63                     18.30  32.91    0.22
    """
    stages = stages_of(pool, strategy, budgets, replacement, right=False)
    sizes, tested = stages.plan.sizes.T, (stages.plan.need <= stages.plan.sizes).T
    rates = stages.agreed.mean(axis=2).T  # [budget, stage]
    used = expected_samples(np.moveaxis(stages.agreed, 0, -1), sizes[:, None]).mean(axis=1)
    independent = expected_samples(rates, sizes)
    total = sizes.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_rate = np.where(tested, rates, 0).sum(axis=1) / tested.sum(axis=1)
        bound = np.where(sizes.min(axis=1) == sizes.max(axis=1), total / (sizes.shape[1] * mean_rate), np.nan)
    return pd.DataFrame(
        {
            "strategy": stages.name,
            "budget": stages.budgets,
            "samples_used": used,
            "samples_used_independent": independent,
            "bound": bound,
            "saving": 1 - used / total,
            "saving_independent": 1 - independent / total,
            "agreement": rates[:, 0],
            "n_questions": len(pool.questions),
        }
    )
