"""Cost (T4): expected samples used by ModelSwitch."""

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
    """Compute the expected samples used by ModelSwitch for independent agreement of the models.

    Parameters
    ----------
    agreement : array_like, shape (..., n_models)
        Probability that each stage reaches agreement, in the order of the stages. The last one has no effect.
    sizes : array_like of int, broadcastable to the shape of `agreement`
        Draws of each stage.

    Returns
    -------
    ndarray of float64, shape (...)
        Expected samples used, sum_i K_i prod_{j<i} (1 - c_j).

    Raises
    ------
    MssimError
        If shapes do not broadcast, or a probability is not between 0 and 1.

    Notes
    -----
    Models draw independently given the question, so the formula is exact per question. With mean rates over questions
    it is exact for two models only; for more models it is too small, because some questions are hard for all models.
    For n equal models it is B (1 - (1 - c)^n) / (n c), at most B / (n c), the bound of arXiv 2504.00762. For two models
    it is B (1 - c_1 / 2), so switching saves at most half.

    Examples
    --------
    >>> expected_samples([0.75, 0.5, 0.5], 4)
    np.float64(5.5)
    """
    rates, draws = np.asarray(agreement, dtype=float), np.asarray(sizes, dtype=float)
    if rates.ndim == 0 or not ((rates >= 0) & (rates <= 1)).all():
        raise MssimError(
            f"agreement={agreement!r:.80} is not valid. Use probabilities from 0 to 1, one per model on the last axis."
        )
    try:
        rates, draws = np.broadcast_arrays(rates, draws)
    except ValueError:
        raise MssimError(
            f"sizes: shape {draws.shape} does not broadcast to the shape {rates.shape} of agreement. Use one "
            f"size per model."
        ) from None
    reached = np.concatenate([np.ones_like(rates[..., :1]), np.cumprod(1 - rates[..., :-1], axis=-1)], axis=-1)
    return np.asarray((draws * reached).sum(axis=-1))[()]


def cost(pool: Pool, strategy: str | ModelSwitch, budgets: ArrayLike, *, replacement: bool = False) -> pd.DataFrame:
    """Compute samples used and saving of ModelSwitch, exactly and from mean agreement rates.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    strategy : str or ModelSwitch
        The strategy.
    budgets : int or sequence of int
        Samples allowed per question.
    replacement : bool, default False
        As in `evaluate`.

    Returns
    -------
    DataFrame, one row per budget
        Columns: strategy, budget; samples_used (exact mean over questions); samples_used_independent (the same formula
        with mean rates); bound (B / (n c) of the ModelSwitch paper, with the mean rate c of the tested models; NaN if
        stages draw unequally); saving, saving_independent (1 - samples used / samples drawn without stopping);
        agreement (mean rate of the first model); n_questions.

    Raises
    ------
    StrategyError
        If the strategy is not a ModelSwitch, or a model has several stages without replacement.
    BudgetError
        If a budget needs more samples than were recorded, or more than 1024 samples of one model.

    Notes
    -----
    The bound assumes equal rates that are independent over questions. Both assumptions fail in general; see
    `expected_samples`.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import cost
    >>> pool = load_pool("recorded/llm-products")
    >>> frame = cost(pool, "ms:gemma+smol+smol-cool", [6, 12, 24])
    >>> frame[["budget", "samples_used", "samples_used_independent", "bound", "saving"]].round(2)
       budget  samples_used  samples_used_independent  bound  saving
    0       6          3.81                      3.71   3.90    0.37
    1      12          9.05                      8.87  11.35    0.25
    2      24         19.96                     19.72  31.36    0.17
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
