"""Fit of the correlation between models to a published accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize

from mssim._validation import is_number, whole_number
from mssim.errors import MssimError
from mssim.rules.base import Strategy
from mssim.simulate._expected import expected
from mssim.simulate.model import AnswerModel

__all__ = ["Coupling", "fit_coupling"]

_CLOSE = 5e-3


@dataclass(frozen=True)
class Coupling:
    """Result of `fit_coupling`.

    Attributes
    ----------
    answer_model : AnswerModel
        Answer model with the fitted correlation.
    correlation : float
        Fitted correlation. If `within_reach` is false, the bound with the nearest accuracy.
    strategy : str
        Strategy whose accuracy was fitted.
    budget : int
        Budget of the strategy.
    given : float
        Requested accuracy.
    fitted : float
        Accuracy of the strategy under `answer_model`.
    error : float
        Monte Carlo error of `fitted`.
    within_reach : bool
        Whether a correlation within the bounds yields the requested accuracy.

    Examples
    --------
    >>> alone = AnswerModel(["x", "y"], sure=0.4, a=0.5, b=0.5, spread=1.0)
    >>> found = fit_coupling(alone, "ms:x+y", 8, 0.99, n_questions=2**10)
    >>> found.within_reach, found.correlation
    (False, 0.0)
    """

    answer_model: AnswerModel
    correlation: float
    strategy: str
    budget: int
    given: float
    fitted: float
    error: float
    within_reach: bool

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row and the attributes as columns, without `answer_model`."""
        row = asdict(self)
        del row["answer_model"]
        return pd.DataFrame([row])


def fit_coupling(
    answer_model: AnswerModel,
    strategy: str | Strategy,
    budget: int,
    accuracy: float,
    *,
    shared_distractors: float = 0.5,
    bounds: tuple[float, float] = (0.0, 1.0),
    n_questions: int = 2**14,
    seed: int = 0,
) -> Coupling:
    """Find the correlation, common to all pairs of models, at which a strategy has a given expected accuracy.

    Parameters
    ----------
    answer_model : AnswerModel
        Answer model of at least two models. Its correlations and shared distractors are replaced.
    strategy : str or Strategy
        Strategy that uses several models.
    budget : int
        Samples allowed per question.
    accuracy : float
        Accuracy to fit, from 0 to 1.
    shared_distractors : float, default 0.5
        Share of questions on which models have wrong answers in common. A single accuracy cannot distinguish its effect
        from that of the correlation, so it is assumed.
    bounds : (float, float), default (0, 1)
        Range of the correlation.
    n_questions, seed
        As in `expected`.

    Returns
    -------
    Coupling
        The correlation and how well it fits.

    Raises
    ------
    MssimError
        If a number is out of range, or the answer model has only one model.

    Notes
    -----
    All correlations use the same random numbers, so that the expected accuracy is a smooth function. Brent's method
    finds the root to within 0.005. If one model is as accurate as the best combination, accuracy hardly depends on the
    correlation, and a small error of the given accuracy causes a large error of the correlation.

    Examples
    --------
    >>> alone = AnswerModel(["x", "y"], sure=0.4, a=0.5, b=0.5, spread=1.0)
    >>> found = fit_coupling(alone, "ms:x+y", 8, 0.8, n_questions=2**12)
    >>> found.within_reach, bool(abs(found.fitted - 0.8) < 0.001)
    (True, True)
    """
    if not is_number(accuracy) or not 0 <= accuracy <= 1:
        raise MssimError(f"accuracy={accuracy!r} is not a number from 0 to 1. Use 0.8 for 80 %.")
    pair = isinstance(bounds, Sequence) and len(bounds) == 2 and all(is_number(bound) for bound in bounds)
    if not pair or not -1 <= bounds[0] < bounds[1] <= 1:
        raise MssimError(f"bounds={bounds!r} is not a range. Use (low, high) with -1 <= low < high <= 1.")
    whole_number("budget", budget, 1, 2**31)
    if len(answer_model.models) < 2:
        raise MssimError(
            f"answer_model: {answer_model.models[0]!r} is the only model. A correlation needs at least two."
        )
    low, high = bounds
    tried: dict[float, tuple[float, float]] = {}

    def coupled(correlation: float) -> AnswerModel:
        return replace(answer_model, correlation=correlation, shared_distractors=shared_distractors)

    def excess(correlation: float) -> float:
        row = expected(coupled(correlation), strategy, budget, n_questions=n_questions, seed=seed).iloc[0]
        tried[correlation] = (float(row["accuracy"]), float(row["accuracy_error"]))
        return tried[correlation][0] - accuracy

    ends = np.array([excess(low), excess(high)])
    within_reach = bool(ends[0] * ends[1] <= 0)
    if within_reach:
        optimize.brentq(excess, low, high, xtol=_CLOSE)
    best = min(tried, key=lambda correlation: abs(tried[correlation][0] - accuracy))
    fitted, error = tried[best]
    return Coupling(coupled(best), best, str(strategy), budget, accuracy, fitted, error, within_reach)
