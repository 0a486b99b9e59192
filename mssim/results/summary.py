"""Columns of the summary table of an evaluation that are not means over questions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, is_number, shown
from mssim.errors import MssimError
from mssim.results.jackknife import Jackknife, these_interval
from mssim.results.spread import Spread
from mssim.rules.plan import QUANTITIES

__all__ = [
    "EXCEED",
    "check_scope",
    "corrected",
    "error_of_mean",
    "limits_on_these",
    "read_spread_options",
    "run_scatter",
    "spread_columns",
]

Floats = NDArray[np.float64]

SCOPES = ("questions", "these")
EXCEED = {"tokens": "tokens_exceed", "cost": "cost_exceeds", "latency": "latency_exceeds"}  # arguments and columns


def check_scope(scope: str) -> str:
    """Return what intervals are about; raise if it does not exist."""
    if not isinstance(scope, str) or scope not in SCOPES:
        raise MssimError(f"scope={shown(scope)} is not valid. {choose_from(str(scope), SCOPES)}.")
    return scope


def limits_on_these(
    accuracy: Floats, mc_variance: Floats, jackknife: Jackknife | None, confidence_level: float, band: str
) -> tuple[Floats, Floats]:
    """Return the limits of the intervals of the accuracy on exactly these questions, [strategy, budget]."""
    if band != "pointwise":
        raise MssimError(
            f"band {shown(band)}: bands are about all questions of this kind. Use the scope 'questions', or the "
            "band 'pointwise'."
        )
    if jackknife is None:
        raise MssimError(
            "scope='these': the jackknife of this evaluation was not computed. Evaluate again with jackknife=True."
        )
    return these_interval(
        accuracy.mean(axis=2),
        np.hypot(jackknife.error(), error_of_mean(mc_variance)),
        jackknife.share,
        n_questions=accuracy.shape[2],
        confidence_level=confidence_level,
    )


def corrected(accuracy: Floats, bias: Floats | None) -> dict[str, Floats]:
    """Return the columns of the bias of drawing with replacement and of the corrected accuracy."""
    if bias is None:
        raise MssimError(
            "correct_bias=True: no bias is known. Draws without replacement have none, and merged shards do not "
            "estimate it. Use correct_bias=False, or evaluate(..., replacement=True)."
        )
    return {"bias": bias.ravel(), "corrected": np.clip(accuracy.mean(axis=2) - bias, 0.0, 1.0).ravel()}


def run_scatter(accuracy: Floats, mc_variance: Floats) -> Floats:
    """Return the standard deviation of the accuracy of a single run, [strategy, budget].

    Draws of questions are independent and outcomes are binary, so the variance of the accuracy of a run is
    sum p (1 - p) / Q^2. The square of an estimate of p is too large by the variance of its error.

    Parameters
    ----------
    accuracy : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Probability of a correct answer.
    mc_variance : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Variance of the Monte Carlo error of the accuracy; 0 if it is exact.

    Examples
    --------
    >>> run_scatter(np.full((1, 1, 100), 0.5), np.full((1, 1, 100), 0.25 / 100)).round(4)
    array([[0.0502]])
    """
    variance = (accuracy * (1 - accuracy) + mc_variance).sum(axis=2)
    return np.asarray(np.sqrt(np.maximum(variance, 0)) / accuracy.shape[2])


def error_of_mean(variance: Floats) -> Floats:
    """Return the standard error of a mean over questions, given the variances of independent values [..., question].

    Examples
    --------
    >>> error_of_mean(np.full((1, 100), 0.25))
    array([0.05])
    """
    return np.asarray(np.sqrt(variance.sum(axis=-1)) / variance.shape[-1])


# Quantiles ------------------------------------------------------------------------------------------------------------


def spread_columns(
    spread: Spread | None, quantiles: float | Sequence[float] | None, exceeds: Mapping[str, float | None]
) -> dict[str, Floats]:
    """Return the columns of quantiles and of shares above amounts.

    Parameters
    ----------
    spread : Spread or None
        Distributions over questions and draws, if computed.
    quantiles : float or sequence of float, or None
        Shares from 0 to 1; the quantiles of all quantities that are known.
    exceeds : mapping of str to (float or None)
        Amounts by quantity.

    Returns
    -------
    dict of ndarray, shape (n_strategies x n_budgets,)
        Columns such as tokens_p50, tokens_p99.9, cost_p50 and cost_exceeds.

    Raises
    ------
    MssimError
        If an argument is invalid, or the distribution was not computed or is not known.

    Examples
    --------
    >>> from mssim.results.spread import Histogram, bin_of
    >>> histogram = Histogram()
    >>> histogram.add(np.column_stack([bin_of([10, 20, 20, 30]), np.ones(4)]))
    >>> spread = Spread.from_histograms([([1], [histogram])], 1, units=[1.0, np.nan, np.nan], n_totals=4)
    >>> spread_columns(spread, [0.5, 0.95], {"tokens": 10})
    {'tokens_p50': array([20.]), 'tokens_p95': array([30.]), 'tokens_exceed': array([0.75])}
    """
    asked, amounts = read_spread_options(quantiles, exceeds)
    if not asked and not amounts:
        return {}
    if spread is None:
        first = f"quantiles={shown(quantiles)}" if asked else EXCEED[next(iter(amounts))]
        raise MssimError(
            f"{first}: distributions over questions and draws were not computed. Evaluate again with quantiles=True."
        )
    known = [name for at, name in enumerate(QUANTITIES) if spread.sizes[..., at].any()]
    _check_known(known, bool(asked), amounts)
    found = {q: spread.quantile(q) for q in asked}
    columns = {
        f"{name}_p{100 * q:.10g}": found[q][..., QUANTITIES.index(name)].ravel() for name in known for q in asked
    }
    return columns | {EXCEED[name]: spread.exceeds(name, amount).ravel() for name, amount in amounts.items()}


def read_spread_options(
    quantiles: Any, exceeds: Mapping[str, float | None]
) -> tuple[tuple[float, ...], dict[str, float]]:
    """Return the shares of quantiles and the amounts by quantity that are asked for; raise if one is invalid."""
    values = list(quantiles) if isinstance(quantiles, Iterable) and not isinstance(quantiles, str) else [quantiles]
    if quantiles is None:
        values = []
    elif not values or not all(is_number(q) and 0 <= q <= 1 for q in values):
        raise MssimError(f"quantiles={shown(quantiles)} are not numbers from 0 to 1. Use e.g. quantiles=[0.5, 0.95].")
    for name, amount in exceeds.items():
        if amount is not None and not (is_number(amount) and 0 <= amount < math.inf):
            raise MssimError(
                f"{EXCEED[name]}={shown(amount)} is not an amount of {name}. Use a finite number of at least 0."
            )
    asked = tuple(dict.fromkeys(float(q) for q in values))
    return asked, {name: float(amount) for name, amount in exceeds.items() if amount is not None}


def _check_known(known: list[str], quantiles: bool, amounts: Mapping[str, float]) -> None:
    """Raise if nothing is known about what was asked for."""
    if quantiles and not known:
        raise MssimError(
            "quantiles: neither tokens, cost nor latency are known for any of these strategies. Record them, or use "
            "evaluate(..., prices=...)."
        )
    for name, amount in amounts.items():
        if name not in known:
            remedy = "Record it, or use evaluate(..., prices=...)" if name == "cost" else f"Record {name}"
            raise MssimError(f"{EXCEED[name]}={amount:g}: {name} is not known for any of these strategies. {remedy}.")
