"""Estimates, errors and intervals of the parameters of a fitted answer model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from mssim.results.clusters import standard_error
from mssim.results.intervals import mean_interval
from mssim.simulate.influence import Influence, scores, unbounded
from mssim.simulate.model import AnswerModel
from mssim.simulate.one_model import Law
from mssim.simulate.pool_fit import HIGH, LOW, Recorded, right_likelihood

__all__ = ["parameter_table"]

Floats = NDArray[np.float64]
Row = dict[str, Any]


class _Level(NamedTuple):
    """How errors become intervals."""

    confidence_level: float
    quantile: float  # of Student's t
    clusters: NDArray[Any] | None


def parameter_table(
    numbers: Recorded,
    answer_model: AnswerModel,
    found: Influence,
    clusters: NDArray[Any] | None,
    confidence_level: float,
) -> pd.DataFrame:
    """Return the table of `FitReport.parameters`."""
    n_clusters = numbers.right.shape[1] if clusters is None else len(set(clusters.tolist()))
    quantile = float(special.stdtrit(max(n_clusters - 1, 1), (1 + confidence_level) / 2))
    how = _Level(confidence_level, quantile, clusters)
    rows: list[Row] = []
    for m, model in enumerate(answer_model.models):
        rows += [{"model": model} | row for row in _alone(numbers, m, answer_model.law(model), found.laws[m], how)]
    rows += _coupling(answer_model, found, how)
    return pd.DataFrame(rows)


def _alone(numbers: Recorded, m: int, law: Law, moved: Floats, how: _Level) -> Iterator[Row]:
    yield _row("sure", law.sure, moved[0], _sure_interval(numbers, m, law, how), how)
    for p, name in enumerate(("a", "b", "spread"), 1):
        error = float(standard_error(moved[p], how.clusters))
        with np.errstate(over="ignore"):  # few clusters have a large quantile, and the upper limit may be infinite
            ends = law[p] * np.exp(how.quantile * error / law[p] * np.array([-1, 1]))
        yield _row(name, law[p], moved[p], ends, how)
    yield _row("no_answer", law.no_answer, moved[4], _no_answer_interval(numbers, m, law, moved[4], how), how)


def _row(name: str, estimate: float, moved: Floats, interval: Any, how: _Level) -> Row:
    error = float(standard_error(moved, how.clusters))
    return {"parameter": name, "estimate": estimate, "error": error, "low": interval[0], "high": interval[1]}


def _coupling(answer_model: AnswerModel, found: Influence, how: _Level) -> Iterator[Row]:
    for (i, j), moved in found.correlations.items():
        estimate = float(answer_model.correlation[i][j])  # type: ignore[index]
        error = float(standard_error(moved, how.clusters))
        half = how.quantile * error / max(1 - estimate**2, 1e-12)
        ends = np.tanh(np.arctanh(np.clip(estimate, -1 + 1e-15, 1 - 1e-15)) + half * np.array([-1, 1]))
        pair = f"{answer_model.models[i]}+{answer_model.models[j]}"
        yield {"model": pair} | _row("correlation", estimate, moved, ends, how)
    if len(answer_model.models) > 1:
        error = float(standard_error(found.shared, how.clusters))
        ends = np.clip(found.shared_share + how.quantile * error * np.array([-1, 1]), 0, 1)
        row = _row("shared_distractors", answer_model.shared_distractors, found.shared, ends, how)
        yield {"model": "all"} | row


def _no_answer_interval(numbers: Recorded, m: int, law: Law, moved: Floats, how: _Level) -> Any:
    """Return the interval of a mean over questions, or of a ratio if the numbers of samples differ."""
    lengths, answered = numbers.pool.lengths[m], numbers.answered[m]
    error = float(standard_error(moved, how.clusters))
    if np.ptp(lengths) and 0 < law.no_answer < 1 and error > 0:
        half = how.quantile * error / (law.no_answer * (1 - law.no_answer))
        return special.expit(special.logit(law.no_answer) + half * np.array([-1, 1]))
    there = lengths > 0
    share = 1 - answered[there] / lengths[there]
    clusters = None if how.clusters is None else how.clusters[there]
    return [float(x) for x in mean_interval(share, confidence_level=how.confidence_level, clusters=clusters)]


def _sure_interval(numbers: Recorded, m: int, law: Law, how: _Level) -> tuple[float, float]:
    """Return the interval of sure by its profile likelihood, which has limits where the estimate is at a bound."""
    x = unbounded(law)
    cells, at, times = np.unique(
        np.stack([numbers.right[m], numbers.answered[m]]), axis=1, return_inverse=True, return_counts=True
    )
    r, n = cells.astype(float)
    weights = np.where(n > 0, times, 0)
    limit = how.quantile**2 * _design_effect(scores(x, r, n)[0][at.ravel()], how)

    def loss(logit: float, rest: Floats) -> float:
        return -float(weights @ right_likelihood([logit, *rest], r, n))

    best = loss(x[0], x[1:])
    bounds = list(zip(LOW[1:], HIGH[1:], strict=True))

    def excess(logit: float) -> float:
        end = optimize.minimize(partial(loss, logit), x[1:], bounds=bounds)
        return 2 * (float(end.fun) - best) - limit

    low, high = 0.0, 1.0
    if excess(float(LOW[0])) > 0:
        low = float(special.expit(optimize.brentq(excess, float(LOW[0]), float(x[0]), xtol=0.01)))
    if excess(float(HIGH[0])) > 0:
        high = float(special.expit(optimize.brentq(excess, float(x[0]), float(HIGH[0]), xtol=0.01)))
    return low, high


def _design_effect(score: Floats, how: _Level) -> float:
    """Return by how much clusters increase the variance of a sum."""
    alone = float(standard_error(score))
    return (float(standard_error(score, how.clusters)) / alone) ** 2 if how.clusters is not None and alone else 1.0
