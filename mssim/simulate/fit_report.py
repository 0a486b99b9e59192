"""Fit of an answer model to a pool, with errors of its parameters and its differences from the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import counted, level, shown
from mssim.errors import MssimError
from mssim.pools.pool import Pool
from mssim.results.clusters import cluster_labels
from mssim.simulate.influence import influence
from mssim.simulate.misfit import ALPHA, misfits
from mssim.simulate.model import MOST_DRAWS, AnswerModel
from mssim.simulate.parameter_table import parameter_table
from mssim.simulate.pool_fit import fit_recorded, recorded

__all__ = ["FitReport", "fit_report"]


@dataclass(frozen=True, eq=False, repr=False)
class FitReport:
    """Result of `fit_report`; `str()` names the largest misfit.

    Attributes
    ----------
    answer_model : AnswerModel
        Fitted answer model, as returned by `fit_pool`.

    Examples
    --------
    >>> from mssim.simulate import AnswerModel
    >>> pool = AnswerModel("x", sure=0.3, a=1.0, b=1.0, spread=2.0).draw(500, 16)
    >>> fit_report(pool).answer_model.to_frame()[["model", "sure", "a", "b", "spread"]].round(1)
      model  sure    a    b  spread
    0     x   0.3  1.1  1.0     2.0
    """

    answer_model: AnswerModel
    _parameters: pd.DataFrame
    _misfit: pd.DataFrame

    def parameters(self) -> pd.DataFrame:
        """Return a frame with one row per fitted parameter.

        Returns
        -------
        DataFrame
            model (both models of a correlation, "all" for shared_distractors), parameter, estimate, error (standard
            error), low, high (confidence interval). The error is NaN if the estimate is at a bound of its range or the
            pool does not determine it.
        """
        return self._parameters.copy()

    def misfit(self) -> pd.DataFrame:
        """Return a frame with one row per model, or pair of models, and quantity.

        Returns
        -------
        DataFrame
            - model; quantity: accuracy (of one sample), maj@k, pass@k, agreement@k (all k samples agree), distinct
              answers (among k samples, a number), never right (share of questions without a correct sample among the k
              recorded ones), or ModelSwitch (accuracy with a plurality vote, at a budget of k);
            - k: number of samples;
            - pool, pool_error: value of the pool and its standard error over questions;
            - fitted: expected value under the answer model; difference: fitted - pool;
            - noise: standard error of the difference if the answer model is true; p_value: for a difference of zero;
              p_value_holm: adjusted for all rows by Holm's procedure; beyond_noise: whether this is below 0.05.
        """
        return self._misfit.copy()

    def __str__(self) -> str:
        shares = self._misfit[self._misfit["quantity"] != "distinct answers"]
        largest = shares.iloc[int(shares["difference"].abs().to_numpy().argmax())]
        name = str(largest["quantity"]).replace("@k", f"@{largest['k']}")
        name = f"{name} at budget {largest['k']}" if name == "ModelSwitch" else name
        p_values = self._misfit["p_value_holm"].dropna()
        error = "unknown" if np.isnan(largest["noise"]) else f"{100 * largest['noise']:.1f}"
        explained = f"explains {(p_values >= ALPHA).sum()} of {counted(len(p_values), 'quantity', 'quantities')}"
        return (
            f"largest misfit: {name} of {largest['model']}: {100 * abs(largest['difference']):.1f} points too "
            f"{'high' if largest['difference'] > 0 else 'low'} (standard error {error}); noise "
            f"{explained if len(p_values) else 'cannot be estimated from one question or cluster'}"
        )

    def __repr__(self) -> str:
        return f"FitReport({counted(len(self.answer_model.models), 'model')}, {self})"


def fit_report(
    pool: Pool,
    models: Sequence[str] | None = None,
    *,
    k: int | ArrayLike | None = None,
    clusters: str | None = None,
    confidence_level: float = 0.95,
) -> FitReport:
    """Fit an answer model to recorded samples, and report errors and misfits.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models to fit. By default all models of the pool.
    k : int or array_like of int, shape (n_k,), optional
        Numbers of samples of the compared curves, from 1 to 1024. A model is compared up to its smallest recorded
        number of samples, a pair up to 8 samples of each. By default 4, 16 and 64.
    clusters : str, optional
        Question column that marks dependent questions. By default `cluster`, if present.
    confidence_level : float, default 0.95
        Level of the intervals of the parameters, between 0 and 1.

    Returns
    -------
    FitReport
        The answer model of `fit_pool`, a table of its parameters and a table of its differences from the pool.

    Raises
    ------
    MssimError
        If k, clusters or confidence_level are invalid.
    PoolError
        If a model does not exist, or has no answers.

    Notes
    -----
    The estimates solve equations of the form mean over questions = 0. To first order, each question has an influence on
    the estimate, which is its term times the inverse derivative of the equations; the estimate minus the truth is the
    mean influence. The error is the cluster-robust standard error of this mean (Huber's sandwich; White 1982,
    doi:10.2307/1912526). It holds where the answer model is wrong, too. The influence of a law on a correlation, which
    is fitted after it, is included.

    Intervals are symmetric for log(a), log(b), log(spread) and Fisher's z of a correlation, with Student's t. That of
    `sure` is the set of values whose profile deviance is below the square of the quantile, times the design effect of
    clusters; it has limits where the estimate is 0. That of `no_answer` is `mean_interval` over questions. That of
    `shared_distractors` is cut to [0, 1]; [1, 1] means that models agree more than the same wrong answers explain.

    Intervals of sure, a, b and spread at 95 % covered 93.5 to 98.5 % in 200 pools each of 200 questions and 16
    samples, 100 and 8, and 300 and 32, drawn from answer models. With four samples per question, 100 questions,
    sure = 0.4 and a = b = 0.5, that of b covered 71 % only: so few samples hardly tell a large `sure` from a small b.

    `noise` counts that the answer model was fitted to this pool, which makes it smaller than the errors of the pool and
    of the fit combined. Rare events have at least the spread that they have under the fit. For ModelSwitch, `noise` has
    the error of the pool and a Monte Carlo error only.

    Examples
    --------
    >>> from mssim.simulate import AnswerModel
    >>> pool = AnswerModel("x", sure=0.3, a=1.0, b=1.0, spread=2.0).draw(1000, 16, seed=1)
    >>> report = fit_report(pool, k=8)
    >>> report.parameters()[["model", "parameter", "estimate", "error", "low", "high"]].round(2)
      model  parameter  estimate  error   low  high
    0     x       sure      0.28   0.02  0.25  0.32
    1     x          a      1.11   0.08  0.96  1.28
    2     x          b      1.05   0.10  0.87  1.26
    3     x     spread      2.03   0.07  1.90  2.16
    4     x  no_answer      0.00   0.00  0.00  0.00
    >>> report.misfit()[["quantity", "k", "pool", "fitted", "noise", "beyond_noise"]].round(3)
               quantity   k   pool  fitted  noise  beyond_noise
    0          accuracy   1  0.652   0.653  0.001         False
    1             maj@k   8  0.750   0.751  0.004         False
    2            pass@k   8  0.933   0.932  0.002         False
    3       agreement@k   8  0.369   0.367  0.002         False
    4  distinct answers   8  2.548   2.546  0.007         False
    5       never right  16  0.035   0.034  0.004         False
    >>> print(report)
    largest misfit: agreement@8 of x: 0.2 points too low (standard error 0.2); noise explains 6 of 6 quantities
    """
    draws = None if k is None else _draws(k)
    confidence_level = level(confidence_level)
    numbers = recorded(pool, models)
    labels = cluster_labels(numbers.pool.questions, clusters)
    answer_model = fit_recorded(numbers)
    found = influence(numbers, answer_model)
    return FitReport(
        answer_model,
        parameter_table(numbers, answer_model, found, labels, confidence_level),
        misfits(numbers, answer_model, found, draws, labels),
    )


def _draws(k: int | ArrayLike) -> NDArray[np.int64]:
    draws = np.atleast_1d(np.asarray(k))
    if draws.ndim > 1 or not draws.size or draws.dtype.kind not in "iu" or draws.min() < 1 or draws.max() > MOST_DRAWS:
        raise MssimError(f"k={shown(k)} is not valid. Use an integer from 1 to {MOST_DRAWS}, or a list of them.")
    return np.unique(draws.astype(np.int64))
