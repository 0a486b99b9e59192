"""What one sample of each model spends: tokens, money and seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mssim._validation import choose_from, shown
from mssim.engine.amounts import TOKENS, Amounts, PricesLike, read_prices_of
from mssim.errors import MssimError
from mssim.pools.pool import Pool
from mssim.rules.plan import QUANTITIES

__all__ = ["per_sample"]


def per_sample(pool: Pool, *, prices: PricesLike | None = None, tokens: str = "all") -> pd.DataFrame:
    """Summarise what one sample of each model spends.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    prices, tokens
        As in `evaluate`.

    Returns
    -------
    DataFrame, one row per model and quantity that is known for all of its samples
        Columns: quantity (tokens, cost or latency); model; mean; p50, p95 (quantiles: at least this share of samples
        spends at most as much); largest; ratio (mean divided by the lowest mean of the models, NaN if that is 0). Every
        question has the same weight.

    Raises
    ------
    MssimError
        If prices or tokens are invalid, or a model has no price.

    Notes
    -----
    The ratio converts a budget in samples: n samples of a model cost as much as n x ratio samples of the model with the
    lowest mean. This holds on average; a mean says little about single questions if p95 is far above it.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import per_sample
    >>> per_sample(load_pool("recorded/llm-products")).round(2)
      quantity      model   mean    p50    p95  largest  ratio
    0   tokens       smol  10.39   9.88  11.00    19.00   1.03
    1   tokens  smol-cool  10.11   9.88  11.00    19.00   1.00
    2   tokens      gemma  10.24  10.00  11.12    19.12   1.01
    """
    if not isinstance(tokens, str) or tokens not in TOKENS:
        raise MssimError(f"tokens={shown(tokens)} is not valid. {choose_from(str(tokens), TOKENS)}.")
    table = read_prices_of(prices)
    amounts = Amounts(pool, prices=table, tokens=tokens)
    amounts.check(pool.models)
    rows = []
    for quantity in QUANTITIES:
        known = [model for model in pool.models if amounts.unknown(quantity, [model]) is None]
        summaries = [_summary(pool, model, amounts.of(quantity, model)) for model in known]
        least = min((summary["mean"] for summary in summaries), default=0.0)
        for model, summary in zip(known, summaries, strict=True):
            ratio = summary["mean"] / least if least else np.nan
            rows.append({"quantity": quantity, "model": model, **summary, "ratio": ratio})
    return pd.DataFrame(rows, columns=["quantity", "model", "mean", "p50", "p95", "largest", "ratio"])


def _summary(pool: Pool, model: str, amounts: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> dict[str, float]:
    """Return mean, quantiles and maximum of [question, sample], every question with the same weight."""
    row = pool.model_index(model)
    recorded, lengths = pool.recorded_of(row), pool.lengths[row]
    shares = lengths.max() / np.maximum(lengths, 1)  # exactly 1 if all questions have the same number of samples
    weights = np.broadcast_to(shares[:, None], recorded.shape)[recorded]
    spent = amounts[:, : recorded.shape[1]][recorded]
    p50, p95 = np.quantile(spent, [0.5, 0.95], weights=weights, method="inverted_cdf")
    mean = float(np.average(spent, weights=weights))
    return {"mean": mean, "p50": float(p50), "p95": float(p95), "largest": float(spent.max())}
