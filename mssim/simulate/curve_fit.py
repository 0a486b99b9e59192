"""Fit of an answer model to published accuracies and agreement rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from mssim._validation import choose_from, counted, is_number, whole_number
from mssim.errors import MssimError
from mssim.rules.agreement import check_threshold
from mssim.simulate import one_model
from mssim.simulate.model import MOST_DRAWS, AnswerModel
from mssim.simulate.one_model import Law

__all__ = ["CurveFit", "fit_curves"]

Floats = NDArray[np.float64]
Given = Mapping[str, Mapping[int, float | tuple[float, float]]]

# Normal priors of logit(sure), logit(a / (a + b)), log(a + b) and log(spread): means and standard deviations.
# They determine parameters on which a curve has no information.
_PRIOR = np.array([0.0, 0.0, 0.5, np.log(1.5)])
_PRIOR_SD = np.array([3.0, 5.0, 2.0, 1.0])
_LOW, _HIGH = np.array([-9.0, -9.0, -4.0, -9.0]), np.array([9.0, 9.0, 8.0, 9.0])


class _Points(NamedTuple):
    """Published numbers of one kind for one model."""

    draws: NDArray[np.int64]
    shares: Floats
    errors: Floats


@dataclass(frozen=True, eq=False, repr=False)
class CurveFit:
    """Result of `fit_curves`.

    Attributes
    ----------
    answer_model : AnswerModel
        Fitted answer model, with independent models.
    frame : DataFrame
        Given and fitted numbers; see `to_frame`.

    Examples
    --------
    >>> fit = fit_curves({"x": {1: 0.580, 8: 0.641}})
    >>> fit.answer_model.models
    ('x',)
    >>> fit.to_frame()[["model", "quantity", "k", "given", "fits"]]
      model  quantity  k  given  fits
    0     x  accuracy  1  0.580  True
    1     x  accuracy  8  0.641  True
    """

    answer_model: AnswerModel
    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per published number.

        Returns
        -------
        DataFrame
            model, quantity ("accuracy" or "agreement"), k (samples), given, error (standard error of `given`), fitted,
            residual (fitted - given), fits (whether the absolute residual is at most the tolerance or two standard
            errors; false if no answer model has this curve).
        """
        return self.frame.copy()

    def __repr__(self) -> str:
        fits, models = self.frame["fits"], counted(len(self.answer_model.models), "model")
        return f"CurveFit({models}, {fits.sum()} of {len(fits)} numbers within tolerance)"


def fit_curves(
    curves: Given,
    agreement: Given | None = None,
    *,
    threshold: float = 1.0,
    strict: bool = False,
    error: float = 0.01,
    tolerance: float = 0.02,
    n_starts: int = 8,
    seed: int = 0,
) -> CurveFit:
    """Fit the parameters of each model to accuracies of Self-Consistency and agreement rates.

    Parameters
    ----------
    curves : mapping of model to mapping of samples to accuracy
        Accuracies from 0 to 1. Each is a number or a pair (accuracy, standard error).
    agreement : mapping of model to mapping of samples to share, optional
        Shares of questions on which so many samples of a model agree, for any of the models.
    threshold, strict
        Definition of agreement, as `agreement` and `strict` of `ModelSwitch`.
    error : float, default 0.01
        Standard error of numbers that are given without one.
    tolerance : float, default 0.02
        Largest absolute residual that counts as a fit.
    n_starts : int, default 8
        Number of starting points of the search. The best result is returned.
    seed : int, default 0
        Seed of the starting points.

    Returns
    -------
    CurveFit
        Fitted answer model and residuals.

    Raises
    ------
    MssimError
        If a number is out of range, or agreement is given for a model without a curve.

    Notes
    -----
    The fit is least squares on the closed forms of `AnswerModel`. A few accuracies cannot distinguish the spread of
    wrong answers from the variation of the probability of the correct one. Weak normal priors, each counted as one
    additional published number, therefore keep the parameters near usual values: logit(sure) 0 +- 3, logit(a / (a + b))
    0 +- 5, log(a + b) 0.5 +- 2 and log(spread) log(1.5) +- 1, at which two wrong answers agree with probability 0.4. If
    agreement rates are given, they determine the spread.

    Examples
    --------
    >>> fit = fit_curves({"x": {1: 0.580, 4: 0.619, 8: 0.641}}, {"x": {2: 0.591, 4: 0.421}})
    >>> fit
    CurveFit(1 model, 5 of 5 numbers within tolerance)
    >>> fit.to_frame()["residual"].abs().max() < 0.005
    np.True_
    """
    check_threshold(threshold, strict)
    for name, value in (("error", error), ("tolerance", tolerance)):
        if not is_number(value) or not 0 < value < 1:
            raise MssimError(f"{name}={value!r} is not a number between 0 and 1. Use 0.01 for one percentage point.")
    starts = whole_number("n_starts", n_starts, 1, 1000)
    whole_number("seed", seed, 0, 2**64 - 1)
    if not isinstance(curves, Mapping) or not curves:
        raise MssimError(
            f"curves={curves!r} contains no accuracies. Pass them by model and number of samples, e.g. "
            "{'model': {1: 0.6, 8: 0.7}}."
        )
    agreement = agreement or {}
    for model in agreement:
        if model not in curves:
            raise MssimError(f"agreement: model {model!r} has no curve. {choose_from(str(model), curves)}.")
    problems = [
        _Problem(
            _points("curves", model, curves[model], error),
            _points("agreement", model, agreement.get(model, {}), error),
            threshold,
            strict,
        )
        for model in curves
    ]
    laws = [problem.solve(starts, seed) for problem in problems]
    frame = pd.concat(
        [problem.frame(model, law) for model, problem, law in zip(curves, problems, laws, strict=True)],
        ignore_index=True,
    )
    frame["fits"] = frame["residual"].abs() <= np.maximum(tolerance, 2 * frame["error"])
    sure, a, b, spread, _ = zip(*laws, strict=True)
    return CurveFit(AnswerModel(tuple(curves), sure, a, b, spread), frame)


def _points(name: str, model: str, given: Any, error: float) -> _Points:
    """Read published numbers, sorted by number of draws."""
    if not isinstance(given, Mapping) or (name == "curves" and not given):
        raise MssimError(
            f"{name}[{model!r}]={given!r} contains no shares. Map numbers of samples to shares, e.g. "
            "{1: 0.6, 8: 0.7}."
        )
    rows = []
    for k, value in given.items():
        draws = whole_number(f"{name}[{model!r}]: k", k, 1, MOST_DRAWS)
        pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, error)
        good = len(pair) == 2 and all(is_number(number) for number in pair)
        if not good or not 0 <= pair[0] <= 1 or not 0 < pair[1] < 1:
            raise MssimError(
                f"{name}[{model!r}]: {value!r} at k={k} is not a share. Use a number from 0 to 1, or a "
                "pair (share, standard error)."
            )
        rows.append((draws, *pair))
    rows.sort()
    draws_, shares, errors = np.array(rows, dtype=float).reshape(-1, 3).T
    return _Points(draws_.astype(np.int64), shares, errors)


class _Problem(NamedTuple):
    """Least squares for one model."""

    accuracy: _Points
    agreement: _Points
    threshold: float
    strict: bool

    def solve(self, n_starts: int, seed: int) -> Law:
        """Return the best result of several starting points, the first of which is the prior mean."""
        rng = np.random.default_rng(seed)
        scatter = rng.standard_normal((n_starts, 4)) * np.minimum(_PRIOR_SD, 1.5)
        scatter[0] = 0.0
        ends = [optimize.least_squares(self.residuals, _PRIOR + step, bounds=(_LOW, _HIGH)) for step in scatter]
        return _law(min(ends, key=lambda end: end.cost).x)

    def residuals(self, x: Floats) -> Floats:
        """Return residuals in standard errors; those of the priors are last."""
        accuracy, agreement = self.fitted(_law(x))
        return np.concatenate(
            [
                (accuracy - self.accuracy.shares) / self.accuracy.errors,
                (agreement - self.agreement.shares) / self.agreement.errors,
                (x - _PRIOR) / _PRIOR_SD,
            ]
        )

    def fitted(self, law: Law) -> tuple[Floats, Floats]:
        """Return accuracies and agreement rates at the given numbers of draws."""
        accuracy = one_model.accuracy(law, self.accuracy.draws)
        return accuracy, one_model.agreement(law, self.agreement.draws, self.threshold, strict=self.strict)

    def frame(self, model: str, law: Law) -> pd.DataFrame:
        """Return given and fitted numbers."""
        parts = []
        for quantity, given, fitted in zip(
            ("accuracy", "agreement"), (self.accuracy, self.agreement), self.fitted(law), strict=True
        ):
            columns = {"k": given.draws, "given": given.shares, "error": given.errors, "fitted": fitted}
            parts.append(pd.DataFrame({"model": model, "quantity": quantity, **columns}))
        frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
        return frame.assign(residual=frame["fitted"] - frame["given"])


def _law(x: Floats) -> Law:
    sure, mean = special.expit(x[:2])
    total, spread = np.exp(x[2:])
    return Law(float(sure), float(mean * total), float((1 - mean) * total), float(spread))
