"""Fitting an answer model to published curves: accuracies at some numbers of samples, and rates of agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from mssim._validation import choose_from, is_number, whole_number
from mssim.errors import MssimError
from mssim.rules.agreement import check_threshold
from mssim.simulate import one_model
from mssim.simulate.model import MOST_DRAWS, AnswerModel
from mssim.simulate.one_model import Law

__all__ = ["CurveFit", "fit_curves"]

Floats = NDArray[np.float64]
Given = Mapping[str, Mapping[int, float | tuple[float, float]]]

# Parameters are searched as logit(sure), logit of the mean and logarithm of the sum of the Beta law, and log(spread).
# What a curve leaves open stays near these values, with these standard deviations.
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
    """What `fit_curves` found.

    Attributes
    ----------
    answer_model : AnswerModel
        With independent models.
    frame : DataFrame
        See `to_frame`.
    """

    answer_model: AnswerModel
    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row per published number.

        Returns
        -------
        DataFrame
            model, quantity ("accuracy" or "agreement"), k, given, error (its standard error), fitted, residual
            (fitted - given), fits (whether the residual is within the tolerance, or two standard errors if those are
            more: false where the answer model cannot have this curve).
        """
        return self.frame.copy()

    def __repr__(self) -> str:
        fits = self.frame["fits"]
        return f"CurveFit({len(self.answer_model.models)} models, {fits.sum()} of {len(fits)} numbers within tolerance)"


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
    """Fit each model's own parameters to accuracies of Self-Consistency and rates of agreement.

    Parameters
    ----------
    curves : mapping of model to mapping of samples to accuracy
        Shares from 0 to 1; each a number, or a pair of it and its standard error.
    agreement : mapping of model to mapping of samples to share, optional
        How often so many samples of a model agree; for some models, or none.
    threshold, strict
        What counts as agreement: `agreement` and `strict` of `ModelSwitch`.
    error : float, default 0.01
        Standard error of numbers that are given without one.
    tolerance : float, default 0.02
        Residuals up to this fit.
    n_starts : int, default 8
        Starts of the search; the best end is taken.
    seed : int, default 0
        Of the starts.

    Returns
    -------
    CurveFit

    Raises
    ------
    MssimError
        If a number is out of range, or agreement is given for a model without a curve.

    Notes
    -----
    Least squares on the closed forms of `AnswerModel`. A few accuracies do not tell how wrong answers scatter from how
    the chance of the right one varies, so weak normal priors, each counted as one more published number, keep the
    parameters near usual values: logit(sure) 0 +- 3, logit(a / (a + b)) 0 +- 5, log(a + b) 0.5 +- 2 and log(spread)
    log(1.5) +- 1: two wrong answers agree in 2 of 5 cases. Rates of agreement decide about the spread where they are
    given.

    Examples
    --------
    >>> fit = fit_curves({"x": {1: 0.580, 4: 0.619, 8: 0.641}}, {"x": {2: 0.591, 4: 0.421}})
    >>> fit
    CurveFit(1 models, 5 of 5 numbers within tolerance)
    >>> fit.to_frame()["residual"].abs().max() < 0.005
    np.True_
    """
    check_threshold(threshold, strict)
    for name, value in (("error", error), ("tolerance", tolerance)):
        if not is_number(value) or not 0 < value < 1:
            raise MssimError(f"{name}={value!r}; give a share between 0 and 1")
    starts = whole_number("n_starts", n_starts, 1, 1000)
    whole_number("seed", seed, 0, 2**64 - 1)
    if not isinstance(curves, Mapping) or not curves:
        raise MssimError(f"curves={curves!r}; give accuracies for one model or more: {{'model': {{1: 0.6, 8: 0.7}}}}")
    agreement = agreement or {}
    for model in agreement:
        if model not in curves:
            raise MssimError(f"agreement: no curve for model {model!r}; {choose_from(str(model), curves)}")
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
    """Read published numbers, in order of draws."""
    if not isinstance(given, Mapping) or (name == "curves" and not given):
        raise MssimError(f"{name}: {model!r} has {given!r}; give shares by number of samples: {{1: 0.6, 8: 0.7}}")
    rows = []
    for k, value in given.items():
        draws = whole_number(f"{name}: samples of {model!r}", k, 1, MOST_DRAWS)
        pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, error)
        good = len(pair) == 2 and all(is_number(number) for number in pair)
        if not good or not 0 <= pair[0] <= 1 or not 0 < pair[1] < 1:
            raise MssimError(
                f"{name}: {model!r} has {value!r} at {k} samples; give a share from 0 to 1, or a pair of it and its "
                "standard error"
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
        """Search from several starts, the first at the values of the prior."""
        rng = np.random.default_rng(seed)
        scatter = rng.standard_normal((n_starts, 4)) * np.minimum(_PRIOR_SD, 1.5)
        scatter[0] = 0.0
        ends = [optimize.least_squares(self.residuals, _PRIOR + step, bounds=(_LOW, _HIGH)) for step in scatter]
        return _law(min(ends, key=lambda end: end.cost).x)

    def residuals(self, x: Floats) -> Floats:
        """In standard errors, those from the prior last."""
        accuracy, agreement = self.fitted(_law(x))
        return np.concatenate(
            [
                (accuracy - self.accuracy.shares) / self.accuracy.errors,
                (agreement - self.agreement.shares) / self.agreement.errors,
                (x - _PRIOR) / _PRIOR_SD,
            ]
        )

    def fitted(self, law: Law) -> tuple[Floats, Floats]:
        """Return accuracy and agreement at the given numbers of draws."""
        accuracy = one_model.accuracy(law, self.accuracy.draws)
        return accuracy, one_model.agreement(law, self.agreement.draws, self.threshold, strict=self.strict)

    def frame(self, model: str, law: Law) -> pd.DataFrame:
        """Given and fitted numbers."""
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
