"""The correlation between models that a strategy's published accuracy implies."""

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
    """What `fit_coupling` found.

    answer_model has the correlation; given is the accuracy that was asked for, fitted what the answer model has, error
    the Monte Carlo error of that. Where no correlation leads to the given accuracy, within_reach is false and the
    correlation is the end of its range that comes nearest.
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
        """Return one row with the numbers as columns."""
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
    """Find the correlation, one for all pairs of models, at which a strategy has a given expected accuracy.

    Parameters
    ----------
    answer_model : AnswerModel
        Its correlations and shared distractors are replaced.
    strategy : str or Strategy
        One that several models take part in.
    budget : int
    accuracy : float
        From 0 to 1.
    shared_distractors : float, default 0.5
        Share of questions on which models err alike: one accuracy cannot tell it from correlation, so it is assumed.
    bounds : (float, float), default (0, 1)
        Range of the correlation.
    n_questions, seed
        As in `expected`.

    Returns
    -------
    Coupling

    Notes
    -----
    All correlations see the same random numbers, so that the expected accuracy changes smoothly; the root is found by
    Brent's method to within 0.005. A model that is as good as the best combination leaves accuracy hardly dependent on
    correlation: a small error of the given accuracy is then a large one of the correlation.

    Examples
    --------
    >>> alone = AnswerModel(["x", "y"], sure=0.4, a=0.5, b=0.5, spread=1.0)
    >>> found = fit_coupling(alone, "ms:x+y", 8, 0.8, n_questions=2**12)
    >>> found.within_reach, bool(abs(found.fitted - 0.8) < 0.001)
    (True, True)
    """
    if not is_number(accuracy) or not 0 <= accuracy <= 1:
        raise MssimError(f"accuracy={accuracy!r}; give a share from 0 to 1")
    pair = isinstance(bounds, Sequence) and len(bounds) == 2 and all(is_number(bound) for bound in bounds)
    if not pair or not -1 <= bounds[0] < bounds[1] <= 1:
        raise MssimError(f"bounds={bounds!r}; give the lowest and the highest correlation, within -1 to 1")
    whole_number("budget", budget, 1, 2**31)
    if len(answer_model.models) < 2:
        raise MssimError(f"{answer_model.models[0]!r} is the only model; a coupling is between two or more")
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
